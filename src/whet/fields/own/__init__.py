"""A network of the user's own on the user's own Datasets or DataLoaders: tensors go in as they come.

Classes and values are judged as such; anything else by the loss, the user's own.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset

from whet.data.arrays import as_array
from whet.data.core import Data, Inputs, Profile, Roles, Row, Section
from whet.data.labels import goal_for
from whet.data.prepared import Prepared
from whet.data.splits import split
from whet.data.transforms import TargetScale
from whet.errors import DataError
from whet.families import InputSpec, bundles, user
from whet.fields.base import Field, Wanted
from whet.fields.own.baselines import baselines
from whet.fields.own.rows import TARGETS, Given, Rows, as_loader, part_of, size_of
from whet.fields.own.transform import OwnTransform, column
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task, make_task
from whet.tasks.own import OwnTruth
from whet.train.parts import Batches

NAME = "own-data"
"""What such data is called."""
Loss = Callable[[Tensor, Tensor], Tensor]
LOOK = 256
"""Training rows that an initialisation or a finding about shapes may look at."""
OF_VALUES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
"""Torch's losses of values, which need no other judge than the root of the mean squared error."""


@dataclass(frozen=True, eq=False)
class OwnSource:
    """What was given: loaders by part, the network and the loss."""

    loaders: Mapping[str, DataLoader[Any]]
    """"train" and, where they were given, "val" and "test"."""
    model: str
    """The factory by its name."""
    loss: Loss | None
    loss_name: str

    @classmethod
    def of(cls, data: Any, holdout: Any, model: str, loss: Any) -> OwnSource:
        """From a loader, or (train, val), or (train, val, test)."""
        given = list(data) if is_parts(data) else [data]
        if len(given) > 3:
            raise DataError(f"{len(given)} loaders are too many.", "Give (train, val) or (train, val, test).")
        parts = dict(zip(("train", "val", "test"), given, strict=False))
        parts |= {} if holdout is None else {"test": holdout}
        found: Any = user.load(loss) if isinstance(loss, str) else loss
        made = found() if isinstance(found, type) else found  # a class of losses, such as nn.L1Loss
        name = getattr(found, "__name__", type(found).__name__) if found is not None else ""
        return cls({part: as_loader(source) for part, source in parts.items()}, model, made, name)


def is_own(data: Any, model: Any, loss: Any) -> bool:
    """Whether this is the user's own way to give data: loaders or what else hands out batches, several Datasets, or a
    Dataset with a loss of one's own."""
    if model is None:
        return False
    given = data if is_parts(data) else [data]
    if not given or not all(isinstance(one, Dataset | DataLoader) or hands_out(one) for one in given):
        return False
    by_number = isinstance(given[0], Dataset) and not isinstance(given[0], IterableDataset)
    return len(given) > 1 or loss is not None or not by_number


def is_parts(data: Any) -> bool:
    """Whether this is (train, val) and the like, and not a list of batches."""
    return isinstance(data, tuple | list) and not hands_out(data)


def hands_out(one: Any) -> bool:
    """Whether this can only be gone through, for batches or examples: a list of them, a generator, a loader of the user's."""
    if isinstance(one, list):
        first = one[0] if one else None
        return isinstance(first, tuple | list | Mapping) and any(isinstance(t, Tensor) for t in bundles.leaves(first))
    known = isinstance(one, str | bytes | Path | Mapping | tuple | Dataset | DataLoader) or hasattr(one, "shape")
    return not known and hasattr(one, "__iter__")


class OwnField(Field):
    """Tensors of any shape."""

    name = "own"
    nouns = ("example", "examples")

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        return isinstance(source, OwnSource)

    def load(
        self, source: OwnSource, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        rows = Rows(list(source.loaders.values()))
        ends = np.cumsum([0, *(len(loader.dataset) for loader in source.loaders.values())])  # type: ignore[arg-type]
        parts = {part: np.arange(a, b) for part, a, b in zip(source.loaders, ends, ends[1:], strict=False)}
        inputs, wanted = rows[np.arange(min(LOOK, len(rows)))]
        known = known_of(source, rows, inputs)
        network, said = tried(source, inputs, known)
        several = isinstance(network, user.Joined) or known.targets is not None
        if several:
            source = dataclasses.replace(
                source, loss=of_several(source.loss, getattr(network, "apart", None), known.truths)
            )
        goal = "own" if several else goal_of(source, task, wanted, said)
        y = rows.targets().reshape(len(rows)).numpy() if goal != "own" else np.zeros(len(rows))
        classes = tuple(map(str, range(said.shape[1]))) if goal == "classify" else ()
        digest = hashlib.sha256(repr([*parts, len(rows), said.shape[1:]]).encode())
        for tensor in (*inputs, wanted, torch.from_numpy(y)):
            digest.update(tensor.contiguous().numpy().tobytes())
        judged = f"judged by {source.loss_name or 'mse_loss'} on rows that are not trained on" if goal == "own" else ""
        return Data(
            name=NAME,
            domain="own",
            x=rows,
            y=y.astype(np.int64 if goal == "classify" else np.float64),
            goal=goal,
            classes=classes,
            target="target",
            official=halves(parts),
            said=(f"Outputs of the shape {tuple(said.shape[1:])} are {judged}.",) if judged else (),
            fingerprint=digest.hexdigest(),
            origin={"source": source},
        )

    def input_spec(self, data: Data) -> dict[str, Any]:
        inputs = len(data.x[np.arange(1)][0])
        return {"domain": "own", "inputs": inputs, "names": list(data.x.names), "goal": data.goal}

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        """A loader, a Dataset, arrays alone, in a tuple or a dict; targets behind the inputs are looked at where they fit."""
        if isinstance(source, DataLoader | Dataset) or hands_out(source):
            rows = Rows([as_loader(source)])
            source = rows.raw(np.arange(len(rows)))
        columns = [torch.as_tensor(as_array(c)) for c in in_columns(source, spec)]
        count = spec["inputs"]
        if len(columns) < count:
            raise DataError(f"The network takes {count} tensors, and {len(columns)} were given.")
        truth = columns[-1].reshape(-1) if len(columns) > count and spec["goal"] != "own" else None
        known = truth is not None and len(truth) == len(columns[0])
        return Inputs(Columns(columns[:count]), y=truth.numpy() if truth is not None and known else None)

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        return split(data, seed=seed)

    def task(self, data: Data) -> Task:
        return dataclasses.replace(
            make_task("own", data.goal, data.classes, data.target), outputs=len(data.classes) or width_of(data)
        )

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> None:
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        inputs, _ = data.x[parts["train"][:1]]
        shapes = ", ".join(f"{tuple(x.shape[1:])} {str(x.dtype).removeprefix('torch.')}" for x in inputs)
        rows = (Row("examples", f"{len(data.x):,}"), Row("inputs", shapes))
        return Profile(data.name, (Section("Your own data", rows),), data.findings)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        look = parts["train"][:: max(1, len(parts["train"]) // LOOK)][:LOOK]
        inputs, target = data.x[np.concatenate([look, parts["val"]])]
        source: OwnSource = data.origin["source"]
        train = source.loaders["train"]
        own = part_of(train, parts["train"], size_of(train))
        known = dataclasses.replace(known_of(source, data.x, inputs), loader=own)
        rows = {"train": torch.arange(len(look)), "val": torch.arange(len(look), len(target))}
        scale = TargetScale(0.0, 1.0) if data.goal == "regress" else None
        return Prepared("own", inputs, target, truth_of(source, data.goal, target), rows, known, scale)

    def transform_from(self, state: Mapping[str, Any]) -> OwnTransform:
        return OwnTransform.from_dict(state)

    def batches(self, data: Prepared, batch_size: int, seed: int) -> Batches:
        transform = data.transform
        assert isinstance(transform, OwnTransform)
        assert transform.loader is not None, "only a network is read from disk, no training"
        rows = np.arange(len(transform.loader.dataset))  # type: ignore[arg-type]
        return Given(part_of(transform.loader, rows, batch_size), seed)

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        transform = prepared.transform
        assert isinstance(transform, OwnTransform)
        assert transform.loader is not None
        return {"more": {"batch_size": size_of(transform.loader)}}

    def portfolio(self, facts: Facts) -> list[Candidate]:
        """What is tried with any network of the user's, in batches of the user's size."""
        found = super().portfolio(facts)
        return [dataclasses.replace(c, recipe=c.recipe.put("batch_size", facts.more["batch_size"])) for c in found]

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        return () if wanted.data.goal == "own" else baselines(wanted)

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        said: np.ndarray = network.predict(data.x[rows][0])
        return said

    def truth(self, data: Data, rows: np.ndarray) -> Any:
        source: OwnSource = data.origin["source"]
        return truth_of(source, data.goal, data.x[rows][1]) if data.goal == "own" else data.y[rows]

    def outputs(self, network: Any, predicted: np.ndarray) -> Any:
        """Of the user's network, which may give several tensors."""
        apart = getattr(network.model, "apart", None)
        return bundles.mapped(Tensor.numpy, apart(torch.from_numpy(predicted))) if apart else predicted

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        if task.goal != "own":
            return super().columns(task, predicted, inputs)
        flat = predicted.reshape(len(predicted), -1)
        return {"prediction": flat[:, 0], **{f"output {i}": flat[:, i] for i in range(1, flat.shape[1])}}


class Columns(tuple[Tensor, ...]):
    """Inputs side by side; their length is that of the rows."""

    def __len__(self) -> int:
        return len(self[0])


def in_columns(batch: Any, spec: Mapping[str, Any]) -> tuple[Any, ...]:
    """The network's inputs in their order, and what stands behind them. Raises DataError for a dict that lacks one."""
    if not isinstance(batch, Mapping):
        return tuple(bundles.leaves(batch))
    if missing := [name for name in spec.get("names", ()) if name not in batch]:
        raise DataError(f"There is no {missing[0]!r} among {', '.join(map(repr, batch))}.")
    target = [batch[name] for name in TARGETS if name in batch][:1]
    return (*(batch[name] for name in spec["names"]), *bundles.leaves(target))


def known_of(source: OwnSource, rows: Rows, inputs: Sequence[Tensor]) -> OwnTransform:
    """What is known of the inputs and targets."""
    return OwnTransform(
        tuple(column(x) for x in inputs),
        names=rows.names,
        nested=rows.nested,
        alone=source.loss is None,
        targets=rows.targets_form,
    )


def tried(source: OwnSource, inputs: Sequence[Tensor], known: OwnTransform) -> tuple[torch.nn.Module, Tensor]:
    """A fresh network, and what it says of two rows: (2, …)."""
    spec = InputSpec(outputs=1, goal="own", activation=torch.nn.ReLU, norm=torch.nn.BatchNorm1d, **known.spec())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = user.make(spec, source.model).eval()
        said: Tensor = network(*(x[:2] for x in inputs))
    return network, said


def of_several(
    loss: Loss | None, apart: Callable[[Tensor], Any] | None, truths: Callable[[Tensor], Any] | None
) -> Loss:
    """The loss of a network that gives several tensors, or has several targets. Raises DataError where there is none."""
    if loss is None:
        many = "The network gives several tensors" if apart else "There are several targets"
        raise DataError(
            f"{many}, and only a loss could say what the targets are to the outputs.",
            "Give loss=, a function (outputs, targets) -> scalar.",
        )
    return lambda outputs, target: loss(apart(outputs) if apart else outputs, truths(target) if truths else target)


def goal_of(source: OwnSource, task: str | None, target: Tensor, said: Tensor) -> str:
    """What is to be learned: what was asked for, or what the targets are. Raises DataError where only a loss could say."""
    flat, few = target.numel() == len(target), said.numel() // len(said)
    whole = not target.is_floating_point()
    if asked := goal_for(task):
        return asked
    if whole and flat and said.dim() == 2 and few > 1:
        return "classify"
    if not whole and flat and few == 1 and (source.loss is None or source.loss_name in OF_VALUES):
        return "regress"
    if source.loss is None and (whole or target.shape[1:] != said.shape[1:]):
        raise DataError(
            f"Outputs of the shape {tuple(said.shape[1:])} don't say what targets of {tuple(target.shape[1:])} are to them.",
            "Give loss=, a function (outputs, targets) -> scalar.",
        )
    return "own"


def truth_of(source: OwnSource, goal: str, target: Tensor) -> Any:
    """What the goal's metrics compare outputs with."""
    if goal == "own":
        return OwnTruth(target.numpy(), source.loss or F.mse_loss)
    return target.reshape(len(target)).numpy()


def width_of(data: Data) -> int:
    """Outputs of an example, which a factory may ask for: as many as targets."""
    return max(1, data.x[np.arange(1)][1].numel()) if data.goal == "own" else 1


def halves(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parts that were given; where there are two, every other row of the second is kept for the test."""
    if set(parts) != {"train", "val"}:
        return dict(parts) if len(parts) > 1 else {}
    return {"train": parts["train"], "val": parts["val"][::2], "test": parts["val"][1::2]}


FIELD = OwnField()
