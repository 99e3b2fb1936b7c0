"""A label for each word: names in sentences, parts of speech. CoNLL files, or JSON lines with lists of tokens and tags."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from whet import regularise
from whet.data.core import Data, Inputs, Profile, Roles, Row, Section
from whet.data.prepared import Prepared
from whet.data.splits import duplicates
from whet.data.splits import split as split_rows
from whet.errors import DataError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.text.sentences import FOLDER_ENDINGS, Sentence, read_sentences, sentences_of
from whet.fields.text.words import stable_hash
from whet.figures import Figure, Grid
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.rng import generator
from whet.search.first import MARGIN, Candidate, Facts
from whet.tasks import Baseline, Task
from whet.tasks.tag import UNKNOWN, has_spans, span_scores
from whet.train.parts import Inputs as Tensors
from whet.train.parts import Prepare

TASKS = ("tag", "tagging", "token-classification", "ner", "pos")
FEATURES = 5
"""What is known of a word: itself, its first and last letters, its shape and its last two letters."""
BUCKETS = 1 << 15
MOST_WORDS = 256
"""Words of a sentence that are read."""
VAL_SHARE = 0.1
MISTAKES = 12


@dataclass(frozen=True, eq=False)
class TagTransform:
    """(n,) sentences -> hashed features (n, T, `FEATURES`) int32, 0 behind a sentence's end."""

    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length, FEATURES)

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, ...]:
        found = np.zeros((x.height, *self.shape), np.int32)
        known: dict[str, list[int]] = {}
        for line, words in zip(found, x.get_column("tokens").to_list(), strict=True):
            for place, word in enumerate(words[: self.length]):
                if word not in known:
                    known[word] = features(word)
                line[place] = known[word]
        return (torch.from_numpy(found),)

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, ...]]:
        yield self.apply(x)

    def spec(self) -> dict[str, Any]:
        more = {"vocabulary": BUCKETS}
        return {"shape": self.shape, "domain": "tagged", "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        return tuple(self.drawn(2, 0).values())

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        places = generator(seed, "text").integers(1, BUCKETS, (rows, *self.shape))
        return {"words": torch.from_numpy(places.astype(np.int32))}

    def to_dict(self) -> dict[str, Any]:
        return {"length": self.length}


def features(word: str) -> list[int]:
    """The buckets of what is known of a word; none is 0."""
    lower = word.lower()
    shape = "".join("X" if c.isupper() else "x" if c.islower() else "9" if c.isdigit() else c for c in word)
    seen = (f"w{lower}", f"p{lower[:3]}", f"s{lower[-3:]}", f"f{shape[:8]}", f"e{lower[-2:]}")
    return [1 + stable_hash(text) % (BUCKETS - 1) for text in seen]


class TaggedField(Field):
    """Rows of a polars frame with lists of words, "tokens"; `Data.y` is (n, T) with -100 behind a sentence's end."""

    name = "tagged"
    tasks = TASKS
    nouns = ("sentence", "sentences")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """By the task's name, or a CoNLL file, or JSON lines with lists of tokens and tags."""
        if (task or "").lower() in TASKS:
            return True
        if task is not None or not isinstance(source, str | os.PathLike):
            return False
        return is_tagged(Path(source))

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        if split is not None:
            raise DataError("Sentences with tags have no --split.", "Give train and test files, or --holdout.")
        parts = read_sentences(source, holdout, target)
        found = [sentence for sentences in parts.values() for sentence in sentences]
        train = {tag for part, sentences in parts.items() if part in ("", "train") for s in sentences for tag in s.tags}
        classes = tuple(sorted({tag for s in found for tag in s.tags}))
        if len(classes) < 2:
            raise DataError(f"There is one tag only, {classes[0]!r}.", "Learning needs two tags or more.")
        if strange := sorted(set(classes) - train):
            raise DataError(f"The training part has no tag {strange[0]!r}, which other parts hold.", "Add sentences.")
        y = labels(found, classes)
        official: dict[str, np.ndarray] = {}
        at = 0
        for part, sentences in parts.items():
            official |= {part: np.arange(at, at + len(sentences))} if part else {}
            at += len(sentences)
        x = pl.DataFrame({"tokens": [list(s.tokens) for s in found]}, schema={"tokens": pl.List(pl.String)})
        digest = hashlib.sha256(json.dumps([[list(s.tokens), list(s.tags)] for s in found]).encode())
        return Data(
            name=Path(source).resolve().name.split(".")[0] or "sentences",
            domain="tagged",
            x=x,
            y=y,
            goal="tag",
            classes=classes,
            target="tag",
            official=official,
            said=(f"{len(found):,} sentences, {sum(len(s.tokens) for s in found):,} words, {len(classes)} tags.",),
            fingerprint=digest.hexdigest(),
        )

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "tagged", "target": data.target, "goal": data.goal, "classes": list(data.classes)}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        found, tagged = sentences_of(source)
        x = pl.DataFrame({"tokens": [list(s.tokens) for s in found]}, schema={"tokens": pl.List(pl.String)})
        known = tagged and {tag for s in found for tag in s.tags} <= set(spec["classes"])
        return Inputs(x, None, labels(found, tuple(spec["classes"])) if known else None)

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        import dataclasses

        rare = np.zeros(len(data), np.int64)  # sentences have no class to be stratified by
        return split_rows(dataclasses.replace(data, y=rare, goal="classify"), seed=seed, val_share=VAL_SHARE)

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        sentences = ["\0".join(words) for words in data.x.get_column("tokens").to_list()]
        return duplicates(data, parts, np.unique(sentences, return_inverse=True)[1])

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        tags = data.y[parts["train"]]
        counts = np.bincount(tags[tags != UNKNOWN], minlength=len(data.classes))
        order = np.argsort(-counts, kind="stable")[:12]
        lengths = (tags != UNKNOWN).sum(1)
        rows = (
            Row("sentences", f"{len(data):,}"),
            Row("words in a sentence", f"{lengths.mean():.1f} on average, {lengths.max()} at most"),
        )
        shares = tuple(Row(data.classes[i], f"{counts[i] / counts.sum():.1%}") for i in order)
        sections = (Section("Sentences (training part)", rows), Section("Tags (training part)", shares))
        return Profile(data.name, sections, data.findings)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        train, val = parts["train"], parts["val"]
        rows = np.concatenate([train, val])
        transform = TagTransform(data.y.shape[1])
        where = {"train": torch.arange(len(train)), "val": torch.arange(len(train), len(rows))}
        y = data.y[rows]
        return Prepared("tagged", transform.apply(data.x[rows]), torch.from_numpy(y), y, where, transform)

    def transform_from(self, state: Mapping[str, Any]) -> TagTransform:
        return TagTransform(**state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, mixers, self.nouns[1])
        return shortened

    def recipes(self, facts: Facts) -> list[Candidate]:
        """A recurrent network both ways (Huang, Xu & Yu 2015, arXiv:1508.01991, without its last layer)."""
        passes = MARGIN * facts.seconds * facts.rate / facts.n_train if facts.rate else 10.0
        batch = min(32, facts.n_train)
        recipe = Recipe(
            family=Choice("text_rnn", cell="lstm", width=128, depth=1, dropout=0.3),
            activation=Choice("relu"),
            optimizer=Choice("adamw", lr=3e-3, weight_decay=0.01),
            schedule=Choice("linear", warmup=0.05),
            regularise=(Choice("clip", max_norm=1.0),),
            batch_size=batch,
            steps=max(1, round(min(15.0, max(2.0, passes)) * (facts.n_train // batch))),
        )
        return [Candidate("bilstm", recipe, "a recurrent network that reads both ways")]

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        """The most frequent tag, and each word's own most frequent tag."""
        size, train, test = len(wanted.task.classes), wanted.parts["train"], wanted.parts["test"]
        words, y = wanted.data.x.get_column("tokens").to_list(), wanted.data.y
        counts: dict[str, np.ndarray] = {}
        for row in train:
            for word, tag in zip(words[row], y[row], strict=False):
                counts.setdefault(word, np.full(size, 0.0))[tag] += 1
        whole = np.sum([*counts.values()], 0) / sum(c.sum() for c in counts.values())
        majority = np.tile(whole, (len(test), y.shape[1], 1))
        own = majority.copy()
        for line, row in zip(own, test, strict=True):
            for place, word in enumerate(words[row][: y.shape[1]]):
                if word in counts:
                    line[place] = (counts[word] + whole) / (counts[word].sum() + 1)
        return [Baseline("majority", majority, 0.0), Baseline("word's own tag", own, 0.0)]

    def extra(self, shown: Shown) -> dict[str, Any]:
        """Whole spans, where tags mark them."""
        if not has_spans(shown.task.classes):
            return {}
        truth, own = named(shown.truth, shown.truth, shown.task), {}
        for name, said in shown.baselines.items():
            own[name] = span_scores(truth, named(said.argmax(-1), shown.truth, shown.task))["f1"]
        found = span_scores(truth, named(shown.predicted.argmax(-1), shown.truth, shown.task))
        return {"spans": {**found, "baselines": own}}

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        truth, said = (named(tags, shown.truth, shown.task) for tags in (shown.truth, shown.predicted.argmax(-1)))
        wrong = [i for i in range(len(truth)) if truth[i] != said[i]][:MISTAKES]
        words = shown.data.x.get_column("tokens").to_list()
        rows = [shown.parts["test"][i] for i in wrong]
        lines = [
            (" ".join(words[row][:40]), marked(words[row], truth[i]), marked(words[row], said[i]))
            for i, row in zip(wrong, rows, strict=True)
        ]
        return (Grid("Sentences with mistakes", ("sentence", "true", "predicted"), lines),) if lines else ()

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """The tags of each sentence, spaces between them."""
        lengths = inputs.x.get_column("tokens").list.len().to_list()
        best = predicted.argmax(-1)
        tags = [" ".join(task.classes[c] for c in row[:n]) for row, n in zip(best, lengths, strict=True)]
        return {"prediction": tags, "text": [" ".join(words) for words in inputs.x.get_column("tokens").to_list()]}


def is_tagged(path: Path) -> bool:
    """Whether this is a CoNLL file, a folder of them, or a table of lists of words and tags."""
    from whet.data.glance import first_rows
    from whet.fields.text.looking import tokens_and_tags

    if path.is_dir():
        try:
            return any(p.suffix.lower() in FOLDER_ENDINGS for p in path.iterdir())
        except OSError:
            return False
    if path.suffix.lower() in FOLDER_ENDINGS:
        return path.is_file()
    found = first_rows(path) if path.suffix.lower() in (".jsonl", ".ndjson", ".json") and path.is_file() else None
    return found is not None and tokens_and_tags(found) is not None


def labels(sentences: Sequence[Sentence], classes: Sequence[str]) -> np.ndarray:
    """(n, T) class indices, `UNKNOWN` behind a sentence's end."""
    index = {name: i for i, name in enumerate(classes)}
    longest = min(MOST_WORDS, max((len(s.tokens) for s in sentences), default=1))
    y = np.full((len(sentences), longest), UNKNOWN, np.int64)
    for line, sentence in zip(y, sentences, strict=True):
        found = [index[tag] for tag in sentence.tags[:longest]]
        line[: len(found)] = found
    return y


def named(tags: np.ndarray, truth: np.ndarray, task: Task) -> list[list[str]]:
    """Tags by their names, as many as each sentence has words."""
    return [[task.classes[c] for c in row[there]] for row, there in zip(tags, truth != UNKNOWN, strict=True)]


def marked(words: Sequence[str], tags: Sequence[str]) -> str:
    """The words that have a tag other than O, with it."""
    return " ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=False) if tag != "O")


def shortened(
    inputs: Tensors, target: Tensor, generator: torch.Generator | None, progress: float = 0.0
) -> tuple[Tensors, Tensor]:
    """In training a batch is cut to its longest sentence."""
    (words,) = inputs
    if generator is None:
        return inputs, target
    length = int(words[..., 0].ne(0).any(0).sum())
    return (words[:, :length],), target[:, :length]


FIELD = TaggedField()
