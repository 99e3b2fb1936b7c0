"""Language models: a text file in, a network that knows what comes next out.

The text is cut into pieces of at most `BYTES`, at spaces where there are some. The first 80 % of it are for training, the
next 10 % for choosing and the last 10 % for the test, unless --holdout gives another text. Every piece is judged without
what stood before it, so bits per character are a little higher than of a model that reads on.
"""

from __future__ import annotations

import dataclasses
import hashlib
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
from whet.errors import DataError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.text.folders import ENDINGS, all_texts, read_file
from whet.fields.text.tokens import PAD, START, UNKNOWN, Vocabulary
from whet.figures import Figure, Grid
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.rng import generator
from whet.search.first import MARGIN, Candidate, Facts
from whet.tasks import Baseline, Task, make_task
from whet.tasks.tag import UNKNOWN as NO_TARGET
from whet.train.parts import Inputs as Tensors
from whet.train.parts import Prepare

TASKS = ("language-model", "language-modelling", "language-modeling", "lm")
BYTES = 256
"""Of a piece of text: it has at most so many tokens."""
FEWEST_PIECES = 20
MOST_TOKENS = 2_000
"""Kinds of tokens: the last layer has a row for each, and most of the time goes there."""
SHARES = (0.8, 0.9)
"""Where the training part ends, and the validation part."""
SAMPLE = 160
"""Tokens of a sample in the report."""
SAMPLES = 3


@dataclass(frozen=True, eq=False)
class LanguageTransform:
    """(n,) pieces of text -> tokens (n, BYTES + 1) int32."""

    vocabulary: Vocabulary

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.vocabulary.length,)

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, ...]:
        return (torch.from_numpy(self.vocabulary.padded(x.get_column("text").to_list())),)

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, ...]]:
        yield self.apply(x)

    def spec(self) -> dict[str, Any]:
        more = {"vocabulary": self.vocabulary.size, "output_shape": (self.shape[0] - 1,)}
        return {"shape": self.shape, "domain": "language", "more": more, "example": self.example}

    def example(self) -> tuple[Tensor, ...]:
        return tuple(self.drawn(2, 0).values())

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        tokens = generator(seed, "text").integers(UNKNOWN + 1, self.vocabulary.size, (rows, self.shape[0]))
        return {"tokens": torch.from_numpy(tokens.astype(np.int32))}

    def to_dict(self) -> dict[str, Any]:
        own = self.vocabulary
        return {"model": own.model, "length": own.length, "lower": own.lower}


class LanguageField(Field):
    """Rows are pieces of text in their order; `Data.y` counts their characters."""

    name = "language"
    tasks = TASKS
    nouns = ("piece of text", "pieces of text")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        return (task or "").lower() in TASKS

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        if target or split:
            raise DataError("A language model has no target and no split.", "Leave out --target and --split.")
        pieces, problems = pieces_of(source)
        official: dict[str, np.ndarray] = {}
        if holdout is not None:
            held, more = pieces_of(holdout)
            official = {"train": np.arange(len(pieces)), "test": np.arange(len(pieces), len(pieces) + len(held))}
            pieces, problems = pieces + held, [*problems, *more]
        if len(pieces) < FEWEST_PIECES:
            raise DataError(f"The text has {sum(map(len, pieces)):,} characters.", f"Give {FEWEST_PIECES * BYTES:,}.")
        return Data(
            name=Path(source).resolve().stem,
            domain="language",
            x=pl.DataFrame({"text": pieces}),
            y=np.array([len(piece) for piece in pieces], np.int64),
            goal="language-model",
            classes=(),
            target="what comes next",
            official=official,
            problems=tuple(problems),
            said=(f"{sum(map(len, pieces)):,} characters in {len(pieces):,} pieces of at most {BYTES} bytes.",),
            fingerprint=hashlib.sha256("\0".join([*pieces, str(sorted(official))]).encode()).hexdigest(),
        )

    def input_spec(self, data: Data) -> dict[str, Any]:
        return {"domain": "language", "target": data.target, "goal": data.goal, "classes": []}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        pieces, problems = pieces_of(source)
        return Inputs(pl.DataFrame({"text": pieces}), None, np.array([len(p) for p in pieces]), tuple(problems))

    def task(self, data: Data) -> Task:
        return dataclasses.replace(make_task("language", data.goal, (), data.target), name="language-model")

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """In the text's order, so that no part knows how another goes on."""
        rows = np.asarray(data.official.get("train", np.arange(len(data))))
        first, second = (int(share * len(rows)) for share in SHARES)
        if "test" in data.official:
            return {"train": rows[:second], "val": rows[second:], "test": np.asarray(data.official["test"])}
        return {"train": rows[:first], "val": rows[first:second], "test": rows[second:]}

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """Repetition is in the nature of text."""
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        text = "".join(data.x.get_column("text").gather(parts["train"]).to_list())
        rows = (
            Row("characters", f"{len(text):,}"),
            Row("different characters", f"{len(set(text)):,}"),
            Row("words", f"{len(text.split()):,}, {len(set(text.split())):,} different ones"),
        )
        sizes = tuple(Row(part, f"{len(found):,} pieces") for part, found in parts.items())
        return Profile(data.name, (Section("Text (training part)", rows), Section("Parts", sizes)), data.findings)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        train, val = parts["train"], parts["val"]
        rows = np.concatenate([train, val])
        texts = data.x.get_column("text").gather(train).to_list()
        learned = Vocabulary.fit(texts, BYTES + 1, lower=False, most=MOST_TOKENS)
        transform = LanguageTransform(dataclasses.replace(learned, length=BYTES + 1))
        (tokens,) = transform.apply(data.x[rows])
        where = {"train": torch.arange(len(train)), "val": torch.arange(len(train), len(rows))}
        said = (f"The text is read as {learned.size:,} kinds of tokens, learned here.",)
        return Prepared("language", (tokens,), coming(tokens), data.y[rows], where, transform, None, said)

    def transform_from(self, state: Mapping[str, Any]) -> LanguageTransform:
        return LanguageTransform(Vocabulary(**state))

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse(augment, mixers, self.nouns[1])
        return shortened

    def recipes(self, facts: Facts) -> list[Candidate]:
        """An LSTM (Hochreiter & Schmidhuber 1997), as large as the time allows to train."""
        passes = MARGIN * facts.seconds * facts.rate / facts.n_train if facts.rate else 10.0
        batch = min(32, facts.n_train)
        recipe = Recipe(
            family=Choice("text_rnn", cell="lstm", width=256, depth=1, dropout=0.2),
            activation=Choice("relu"),
            optimizer=Choice("adamw", lr=3e-3, weight_decay=0.01),
            schedule=Choice("linear", warmup=0.05),
            regularise=(Choice("clip", max_norm=1.0),),
            batch_size=batch,
            steps=max(1, round(min(30.0, max(1.0, passes)) * (facts.n_train // batch))),
        )
        return [Candidate("lstm", recipe, "a recurrent network of 256 units")]

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        prepared: Any = wanted.prepared
        (train,) = (x[prepared.rows["train"]].numpy() for x in prepared.inputs)
        (test,) = prepared.transform.apply(wanted.data.x[wanted.parts["test"]])
        size = prepared.transform.vocabulary.size
        return [Baseline(name, said, 0.0) for name, said in counted(train, test.numpy(), size).items()]

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        lines = [(f"{heat:g}", written(shown.network, heat, shown.seed + i)) for i, heat in enumerate((0.5, 0.8, 1.0))]
        note = "The lower the temperature, the surer each token is to be the likeliest."
        return (Grid("What it writes", ("temperature", "sample"), lines[:SAMPLES], note),)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """Bits per character of each piece."""
        from whet.tasks.language_model import bits_of_rows

        counts = inputs.y if inputs.y is not None else np.ones(len(predicted))
        return {"prediction": bits_of_rows(counts, predicted), "characters": counts}


def pieces_of(source: Any) -> tuple[list[str], list[Any]]:
    """The text of a .txt file, or of all of a folder, in pieces. Raises DataError for anything else."""
    if not isinstance(source, str | os.PathLike):
        raise DataError(f"A {type(source).__name__} is no text file.", "Give a .txt file or a folder of them.")
    path = Path(source)
    if path.is_dir():
        texts, _, _, problems = all_texts(path)
        return [piece for text in texts for piece in cut_up(text)], problems
    if not path.is_file() or path.suffix.lower() not in (*ENDINGS, ".md", ""):
        raise DataError(f"{path} is no text file.", "Give a .txt file or a folder of them.")
    text, why = read_file(path)
    if text is None or not text.strip():
        raise DataError(f"{path} {why or 'is empty'}.", "Give a text in UTF-8.")
    return cut_up(text), []


def cut_up(text: str) -> list[str]:
    """The text in pieces of at most `BYTES` bytes, which end behind a space or a line end where they can."""
    pieces, at = [], 0
    while at < len(text):
        piece = text[at : at + BYTES].encode("utf-8", "replace")[:BYTES].decode("utf-8", "ignore") or text[at]
        end = max(piece.rfind(" "), piece.rfind("\n")) + 1
        if at + len(piece) < len(text) and end > len(piece) // 2:
            piece = piece[:end]
        pieces.append(piece)
        at += len(piece)
    return pieces


def coming(tokens: Tensor) -> Tensor:
    """(n, T - 1) int64: the token after each, `NO_TARGET` behind the end."""
    following = tokens[:, 1:].long()
    return following.masked_fill(following == PAD, NO_TARGET)


def shortened(
    inputs: Tensors, target: Tensor, generator: torch.Generator | None, progress: float = 0.0
) -> tuple[Tensors, Tensor]:
    """In training a batch is cut to its longest piece."""
    (tokens,) = inputs
    if generator is None:
        return inputs, target
    length = int(tokens.ne(PAD).any(0).sum())
    return (tokens[:, :length],), target[:, : length - 1]


def counted(train: np.ndarray, test: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """(n, T - 1) log-probabilities of the test tokens: by how often each is, and by the one before it as well.

    Jelinek & Mercer 1980: 0.7 of the pair's share, 0.29 of the token's and 0.01 of any token.
    """
    before, after = train[:, :-1][train[:, 1:] != PAD], train[:, 1:][train[:, 1:] != PAD]
    alone = np.bincount(after, minlength=size) / max(1, len(after))
    first = np.bincount(before, minlength=size)
    pairs, counts = np.unique(before.astype(np.int64) * size + after, return_counts=True)
    asked = test[:, :-1].astype(np.int64) * size + test[:, 1:]
    place = np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)
    share = np.where(pairs[place] == asked, counts[place], 0) / np.maximum(1, first[test[:, :-1]])
    floor = 1 / size
    found = {
        "unigram": np.log(0.99 * alone[test[:, 1:]] + 0.01 * floor),
        "bigram": np.log(0.7 * share + 0.29 * alone[test[:, 1:]] + 0.01 * floor),
    }
    return {name: np.where(test[:, 1:] == PAD, np.nan, said) for name, said in found.items()}


@torch.inference_mode()
def written(network: Any, temperature: float, seed: int) -> str:
    """A text that the network writes, token by token, from its start."""
    vocabulary, draw = network.transform.vocabulary, torch.Generator().manual_seed(seed)
    tokens = torch.full((1, 1), START, dtype=torch.int32)
    network.model.train()  # logits; dropout is switched off below
    for module in network.model.modules():
        module.training = module is network.model or type(module).__name__ == "Next"
    try:
        for _ in range(SAMPLE):
            logits = network.model(torch.cat([tokens, tokens[:, -1:]], 1))[0, -1].float()
            logits[: START + 1] = -torch.inf
            drawn = torch.multinomial((logits / temperature).softmax(0), 1, generator=draw)
            tokens = torch.cat([tokens, drawn.view(1, 1).int()], 1)
    finally:
        network.model.eval()
    spelled: str = vocabulary.text(tokens[0].tolist())
    return spelled


FIELD = LanguageField()
