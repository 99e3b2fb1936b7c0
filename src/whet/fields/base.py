"""A field: all that whet has to know of one kind of data, in one place.

A field of your own is a module here with a subclass of `Field`, and a line in `fields/__init__.py`; its networks are
families, its augmentations entries of `augment`, its goal a file of `tasks`. What every field does alike stands here;
whatever a field does otherwise, it overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.loader import Loader
from whet.data.prepared import Prepared, Transform
from whet.data.signs import Signs
from whet.data.splits import duplicates, split
from whet.errors import OutputError, RecipeError
from whet.families import IGNORED
from whet.figures import Figure
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts, user_recipes
from whet.search.recipes import around
from whet.search.space import Parameter
from whet.tasks import Baseline, Task, make_task
from whet.train.parts import Batches, Prepare
from whet.train.parts import Inputs as Tensors


@dataclass(frozen=True)
class Wanted:
    """What a field is asked to fit its baselines on."""

    data: Data
    parts: Mapping[str, np.ndarray]
    """"train", "val" and "test" -> rows. Targets of test rows are not to be looked at."""
    prepared: Prepared
    task: Task
    seconds: float
    """What all baselines together may cost."""
    threads: int
    seed: int


@dataclass(frozen=True)
class Shown:
    """What a field's figures are drawn from: the test rows, after the one time that they were opened."""

    data: Data
    parts: Mapping[str, np.ndarray]
    prepared: Prepared
    task: Task
    truth: np.ndarray
    predicted: np.ndarray
    baselines: Mapping[str, np.ndarray]
    network: Any
    """The delivered `Network`, to ask about single rows: what each layer sees, samples, attention."""
    seed: int


class Field:
    """What the house asks of a field. Rows are indices into `Data.x` and `Data.y`."""

    name: str
    """What `Data.domain`, `Task.domain` and an entry's `domains` call it."""
    nouns: tuple[str, str] = ("row", "rows")
    """One example, several examples."""
    key: str = "id"
    """What predictions are told apart by: the first column of their CSV."""
    tasks: Sequence[str] = ()
    """What a user may call what is to be learned here, in lower case."""
    roles: Sequence[str] = ()
    """What a user may say of columns and files here: names of `Roles`."""

    # -- from a source to rows -------------------------------------------------------------------------------------

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Whether a source is this field's: by the task's name, by the roles of columns, by a quick look at the files."""
        raise NotImplementedError

    def likeness(self, head: pl.DataFrame) -> str:
        """What a table with these first rows, tidied, looks like and what to type, in a sentence; empty: like another's."""
        return ""

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        """The source, raw: nothing is fitted here. Raises DataError, in one clear line, for what can't be learned from."""
        raise NotImplementedError

    def input_spec(self, data: Data) -> dict[str, Any]:
        """What `load_inputs` has to know of the training data; JSON-able, with "domain", part of task.json."""
        raise NotImplementedError

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        """A source to predict. Raises DataError for data of another kind or shape."""
        raise NotImplementedError

    def needed(self, transform: Any) -> dict[str, Any]:
        """What a trained network's transform adds to the `spec` of data to predict: what may be absent from it, …"""
        return {}

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """{"train", "val", "test"} -> sorted int64 rows, the source's own where it has them."""
        return split(data, seed=seed)

    def task(self, data: Data) -> Task:
        """What is to be learned, and which metric decides."""
        return make_task(data.domain, data.goal, data.classes, data.target)

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """Examples that lie in more than one part."""
        return duplicates(data, parts)

    def signs(self, data: Data, rows: np.ndarray) -> Signs:
        """Signs in the training rows that hint at an activation."""
        return Signs()

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        """What the data looks like, and what that suggests."""
        raise NotImplementedError

    # -- from rows to batches --------------------------------------------------------------------------------------

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        """The transforms, fitted on training rows, and the training and validation rows as tensors."""
        raise NotImplementedError

    def transform_from(self, state: Mapping[str, Any]) -> Transform:
        """The transform that its `to_dict` wrote."""
        raise NotImplementedError

    def batches(self, data: Prepared, batch_size: int, seed: int) -> Batches:
        """Training batches by position."""
        rows = data.rows["train"]
        return Loader(data.inputs, data.target, rows, batch_size, seed=seed, shuffle=True, drop_last=True)

    def seen_by(self, recipe: Recipe, transform: Transform) -> Transform:
        """The transform as the recipe's network wants it, where networks differ in that: waveforms, spectrograms, …"""
        return transform

    def preparing(
        self, transform: Transform, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        """How a raw batch becomes what the model takes; with augmentation and mixing where a generator is given."""
        refuse(augment, mixers, self.nouns[1])
        return as_it_is

    def views(self, recipe: Recipe) -> tuple[Callable[[Tensors], Tensors], ...]:
        """Changes of a batch that keep what is to be said of it: outputs are averaged over them at the end."""
        return ()

    # -- what to try, and what to beat -----------------------------------------------------------------------------

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        """What `Facts` says beyond sizes and time: `mirror`, `more`."""
        return {}

    def recipes(self, facts: Facts) -> list[Candidate]:
        """The recipe that should win, first, and the ones worth racing against it where there is time for a race."""
        raise NotImplementedError

    def portfolio(self, facts: Facts) -> list[Candidate]:
        """The same, or what is tried with a network of the user's own."""
        return user_recipes(facts) if facts.factory else self.recipes(facts)

    def neighbours(self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]) -> Any:
        """An iterator of `Candidate`s near a recipe that was done early; see `search.first.neighbours`."""
        return iter(hinted)

    def space(self, recipe: Recipe, hinted: Sequence[str]) -> dict[str, Parameter]:
        """What is searched around a recipe of this field, by path; `hinted`: activations that the data suggests."""
        return {
            path: p for path, p in around(recipe, hinted).items() if recipe.family.name not in IGNORED.get(path, ())
        }

    def hurried(self, recipe: Recipe) -> Recipe:
        """A cheaper recipe, around which a search can try more; the same one where a field has none."""
        return recipe

    def unhurried(self, recipe: Recipe) -> Recipe:
        """What a hurried recipe is when there is time for all of it."""
        return recipe

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        """What simple methods say of the test rows, in the form that `Task.score` takes."""
        raise NotImplementedError

    calibrates = False
    """Whether `calibration` has anything to say."""

    def calibration(self, network: Any, data: Prepared) -> dict[str, Any]:
        """What a trained network's answers on training and validation rows tell about later ones: thresholds, …

        JSON-able; `load_inputs` finds it in its `spec`, beside the entries of `input_spec`.
        """
        return {}

    refits = False
    """Whether what was chosen is trained again with the validation rows among the others: where that was measured to help."""

    def gains_by_refit(self, more_rows: float, best_share: float) -> bool:
        """Whether so many more rows, as a share of the training rows, are worth another training of a recipe that was best at
        this share of its steps."""
        return self.refits

    # -- what came out ---------------------------------------------------------------------------------------------

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        """What the delivered network says of these rows."""
        said: np.ndarray = network.predict(data.x[rows])
        return said

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        """What `Task.score` compares predictions of these rows with."""
        return data.y[rows]

    def to_close(self, parts: Mapping[str, np.ndarray]) -> tuple[int, float]:
        """(rows that the network is asked besides the test rows, seconds of one processor) for `extra` and `figures`."""
        return 0, 0.0

    def extra(self, shown: Shown) -> dict[str, Any]:
        """Further entries of result.json, JSON-able: metrics under other protocols, thresholds, …"""
        return {}

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        """Pictures that tell the result at a glance."""
        return ()

    def generate(self, network: Any, n: int, seed: int, label: str | None) -> Any:
        """New examples, where that is what networks of this field do."""
        raise OutputError("This run predicts; it makes no examples.", "Train with --task generate.")

    def write_generated(self, made: Any, out: Path) -> str:
        """Write what `generate` made; what was written, in words."""
        raise NotImplementedError

    def outputs(self, network: Any, predicted: np.ndarray) -> Any:
        """Predictions in the shapes in which the network gives them, where its user knows these; else None."""
        return None

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """Predictions as the columns of a CSV behind the ids, (n,) each, "prediction" among them."""
        if not task.classes:
            return {"prediction": predicted}
        best = [task.classes[i] for i in predicted.argmax(1)]
        return {"prediction": best, **{f"p({name})": predicted[:, i] for i, name in enumerate(task.classes)}}


def as_it_is(inputs: Tensors, target: Any, generator: Any, progress: float = 0.0) -> tuple[Tensors, Any]:
    """A `Prepare` that changes nothing."""
    return inputs, target


def refuse(augment: Sequence[Choice], mixers: Sequence[regularise.Mix], nouns: str) -> None:
    """Raises RecipeError: this field has no augmentation and no mixing."""
    if augment:
        raise RecipeError(f"{augment[0].name} does not change {nouns}.", "Take it out of the recipe.")
    if mixers:
        raise RecipeError(f"{mixers[0].kind} does not mix {nouns}.", "Take it out of the recipe.")
