"""Texts with a class, a number or several labels: reviews, questions, messages, documents."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared
from whet.data.splits import duplicates
from whet.data.splits import split as split_rows
from whet.data.transforms import TargetScale
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.text.looking import TEXT_TASKS
from whet.fields.text.transform import BOTH, GRAMS, MOST_TOKENS, TOKENS, WORDS, TextTransform
from whet.figures import Figure
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task
from whet.train.parts import Prepare

TAKES = {"text_mix": BOTH, "text_bag": GRAMS, "text_cnn": WORDS}
"""What networks want of a text; the others take its tokens."""
VAL_SHARE = 0.08
"""Of the training rows, where the source names no validation part: recipes have fixed steps, so validation rows only
choose among weights of one training, and every text that is trained on counts. Assumed, not studied."""
KNOWN_SHARE = 0.95
"""Of the validation rows, that are to be called known."""


@dataclass(frozen=True, eq=False)
class Texts(Inputs):
    """Texts to predict, with what training said of them."""

    known_from: float = 0.0
    """The highest probability that a known text has, at least."""


class TextField(Field):
    """Rows of a polars frame with one column, "text"."""

    name = "text"
    tasks = TEXT_TASKS
    nouns = ("text", "texts")
    roles = ("text", "vectors")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """A pair (texts, labels), folders of .txt files, or a table of texts and labels."""
        from whet.data.glance import first_rows
        from whet.fields.text import looking, reading
        from whet.fields.text.folders import holds_texts

        if looking.is_text_task(task):
            return True
        if isinstance(source, tuple | list):
            return len(source) == 2 and reading.is_texts(source[0])
        if isinstance(source, str | os.PathLike) and Path(source).is_dir() and holds_texts(Path(source)):
            return True
        found = first_rows(source)
        if found is None:
            return False
        return bool(roles.text or roles.vectors) or looking.is_text_table(found)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        from whet.fields.text.folders import holds_texts, read_folder
        from whet.fields.text.reading import read

        if isinstance(source, str | os.PathLike) and Path(source).is_dir() and holds_texts(Path(source)):
            found = read_folder(Path(source), None if holdout is None else Path(holdout), task)
        else:
            found = read(source, target=target, task=task, holdout=holdout, split=split, roles=roles)
        return found if roles.vectors is None else with_vectors(found, roles.vectors)

    def input_spec(self, data: Data) -> dict[str, Any]:
        named = {"target": data.target, "goal": data.goal, "classes": list(data.classes)}
        return {"domain": "text", **named, "columns": data.origin["columns"], "targets": data.origin["targets"]}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        from whet.fields.text.inputs import load_inputs

        found = load_inputs(source, spec)
        return Texts(**vars(found), known_from=spec.get("known_from", 0.0))

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """The source's own parts; the missing ones are drawn, of texts in scope."""
        official = dict(data.official)
        unknown = np.asarray(data.origin.get("unknown", []), np.int64)
        if len(unknown) and "train" not in official:
            taken = np.concatenate([unknown, *official.values()])
            official["train"] = np.setdiff1d(np.arange(len(data.y)), taken)
        strata = data.y.argmax(1) if data.goal == "multilabel" else data.y
        goal = "classify" if data.goal == "multilabel" else data.goal
        return split_rows(
            dataclasses.replace(data, y=strata, goal=goal, official=official), seed=seed, val_share=VAL_SHARE
        )

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """Texts that are the same but for case and spaces."""
        from whet.fields.text.words import clean

        whole = data.x.get_column("text").to_list()
        groups = np.unique([clean(text) for text in whole], return_inverse=True)[1]
        return duplicates(data, parts, groups)

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.fields.text.profile import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        train, val = parts["train"], parts["val"]
        rows = np.concatenate([train, val])
        vectors = data.origin.get("vectors")
        transform = TextTransform.fit(data.x.get_column("text").gather(train).to_list(), len(rows), vectors)
        y = data.y[rows]
        scale = TargetScale.fit(data.y[train]) if data.goal == "regress" else None
        target = torch.from_numpy(y.astype(np.float32 if data.goal == "multilabel" else np.int64))
        where = {"train": torch.arange(len(train)), "val": torch.arange(len(train), len(rows))}
        inputs = transform.apply(data.x[rows])
        said = about(transform, inputs)
        return Prepared("text", inputs, target if scale is None else scale.apply(y), y, where, transform, scale, said)

    def transform_from(self, state: Mapping[str, Any]) -> TextTransform:
        return TextTransform.from_dict(state)

    def seen_by(self, recipe: Recipe, transform: Any) -> TextTransform:
        """Tokens, words, n-grams, or both of these, as the network wants them."""
        seen: TextTransform = dataclasses.replace(transform, wants=TAKES.get(recipe.family.name, TOKENS))
        return seen

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        from whet.fields.text.front import Front

        refuse((), mixers, self.nouns[1])
        return Front.of(transform, augment)

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        tokens, _, places, _ = prepared.inputs
        mean = float((tokens != 0).sum(1).float().mean())
        transform: Any = prepared.transform
        return {
            "more": {
                "tokens": mean,
                "table": transform.table.size,
                "grams": float((places != 0).sum(1).float().mean()),
                "vectors": transform.lexicon.vectors is not None,
            }
        }

    def recipes(self, facts: Facts) -> list[Candidate]:
        from whet.fields.text.recipes import text_recipes

        return text_recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        from whet.fields.text.recipes import neighbours

        return neighbours(recipe, seed, best_share)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.text.baselines import text_baselines

        return text_baselines(wanted)

    refits = True
    calibrates = True

    def calibration(self, network: Any, data: Prepared) -> dict[str, Any]:
        """From which highest probability on a text is called known: nearly all validation rows are."""
        if network.task.goal != "classify":
            return {}
        said = network.from_tensors(data.inputs, data.rows["val"])
        return {"known_from": float(np.quantile(said.max(1), 1 - KNOWN_SHARE))}

    def extra(self, shown: Shown) -> dict[str, Any]:
        from whet.fields.text.scope import out_of_scope

        return out_of_scope(shown)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.text.pictures import figures

        return figures(shown)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """Also "known": whether a text looks like any of the classes; of several labels, those that are given."""
        from whet.tasks.multilabel import THRESHOLD

        shares = {f"p({name})": predicted[:, i] for i, name in enumerate(task.classes)}
        if task.goal == "multilabel":
            given = ["|".join(c for c, p in zip(task.classes, row, strict=True) if p >= THRESHOLD) for row in predicted]
            return {"prediction": given, **shares}
        found = super().columns(task, predicted, inputs)
        if task.goal != "classify":
            return found
        sure = predicted.max(1) >= getattr(inputs, "known_from", 0.0)
        return {"prediction": found["prediction"], "known": ["yes" if s else "no" for s in sure], **shares}


def about(transform: TextTransform, inputs: tuple[torch.Tensor, ...]) -> tuple[str, ...]:
    """How texts are read, and which are cut."""
    length = transform.vocabulary.length
    cut = int((inputs[0][:, -1] != 0).sum()) if length >= MOST_TOKENS else 0
    kinds = " and ".join(f"{len(k.hashes):,} n-grams of {k.name}" for k in transform.table.kinds)
    said = [f"Texts are read as {transform.vocabulary.size:,} kinds of tokens, learned here, and counted as {kinds}."]
    if (given := transform.lexicon.vectors) is not None:
        said.append(given.told())
    if cut:
        said.append(f"{cut:,} texts are longer than {length} tokens: in order, only their beginning and end are read.")
    return tuple(said)


def with_vectors(data: Data, path: str) -> Data:
    """The data with the file of words' vectors that its networks begin with. Raises DataError."""
    from whet.fields.text.vectors import print_of

    found = hashlib.sha256(f"{data.fingerprint} {print_of(path)}".encode()).hexdigest()
    return dataclasses.replace(data, origin={**data.origin, "vectors": str(Path(path).resolve())}, fingerprint=found)


FIELD = TextField()
