"""Trainings of other families than the random ones: what people write by hand, and get wrong by hand.

    python benchmarks/doctor/others.py                 what the doctor says of all of them
    python benchmarks/doctor/others.py transformer     of those whose names hold a word

A case is a change of a sound training (`families.py`), with the causes that are right. Near misses look like faults and are
none. What a fault does is measured: where it does next to nothing (less than 4 points, or 0.08 R2) no alarm is right.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import HERE, installed, keep, surroundings

import whet
from families import (
    SOUND,
    Always,
    Bag,
    Detached,
    Log,
    Make,
    Normed,
    Recurrent,
    Rows,
    Tied,
    adam,
    dense,
    drawn,
    of,
    pictures,
    prices,
    rare,
    repeated,
    series,
    sgd,
    spread,
)
from whet.setups import Setup, train

RESULTS = HERE / "results" / "doctor_others.jsonl"
SHOWN = ("case", "kind", "noticed", "ranked", "value", "sound")
R = dataclasses.replace


@dataclass(frozen=True)
class Other:
    """A case: of which family, what is right to say about it, and the training."""

    family: str
    codes: frozenset[str]
    """Of causes that are right; empty for a near miss."""
    make: Make
    repairable: bool = True
    """Without touching the data."""


# -- steps of one's own ------------------------------------------------------------------------------------------------


def every_second(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """Clears gradients in every second step only."""
    optimizer.count = getattr(optimizer, "count", 0) + 1
    if optimizer.count % 2:
        optimizer.zero_grad()
    value: Tensor = loss(model(batch[0]), batch[1])
    value.backward()
    optimizer.step()
    return value


def accumulated(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """Four small batches make one step, as they should."""
    optimizer.zero_grad()
    pieces = list(zip(batch[0].chunk(4), batch[1].chunk(4), strict=True))
    for x, y in pieces:
        value: Tensor = loss(model(x), y)
        (value / len(pieces)).backward()
    optimizer.step()
    return value.detach()


def forgotten(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    value: Tensor = loss(model(batch[0]), batch[1])
    value.backward()
    optimizer.step()
    return value


def twice(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """Goes backwards two times."""
    optimizer.zero_grad()
    value: Tensor = loss(model(batch[0]), batch[1])
    value.backward(retain_graph=True)
    value.backward()
    optimizer.step()
    return value


def clipped(most: float) -> Any:
    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), most)
        optimizer.step()
        return value

    return step


def scheduled(make: Callable[[torch.optim.Optimizer], Any]) -> Any:
    """A schedule that goes on with every batch."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        if not hasattr(optimizer, "schedule"):
            optimizer.schedule = make(optimizer)
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        optimizer.schedule.step()
        return value

    return step


def evaluating(after: int) -> Any:
    """model.eval() was called at the first validation, and never model.train() again."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.count = getattr(optimizer, "count", 0) + 1
        model.train(optimizer.count <= after)
        optimizer.zero_grad()
        value: Tensor = loss(model(batch[0]), batch[1])
        value.backward()
        optimizer.step()
        return value

    return step


def mixed(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """Mixup, and a little penalty."""
    x, y = batch
    share, other = 0.8, torch.randperm(len(y))
    optimizer.zero_grad()
    said = model(share * x + (1 - share) * x[other])
    value: Tensor = share * loss(said, y) + (1 - share) * loss(said, y[other])
    (value + 1e-5 * sum(p.square().sum() for p in model.parameters())).backward()
    optimizer.step()
    return value


def warming(steps: int) -> Any:
    return scheduled(lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda k: min(1.0, (k + 1) / steps)))


def sound(family: str, **changes: Any) -> Make:
    return lambda: R(SOUND[family](), **changes)


def both(family: str, change: Callable[[Tensor, Tensor], Rows], val: bool = True) -> Make:
    """A family's sound training with other rows; the validation part too, or not."""

    def make() -> Setup:
        s = SOUND[family]()
        return R(s, train=change(*s.train), val=change(*s.val) if val else s.val)

    return make


def shuffled(x: Tensor, y: Tensor) -> Rows:
    return x, y[torch.randperm(len(y), generator=drawn(5))]


def balanced(said: Tensor, y: Tensor) -> float:
    """The mean over classes of how many of their rows are found."""
    right = said.argmax(1) == y
    return float(torch.stack([right[y == c].float().mean() for c in y.unique()]).mean())


def one_hot_loss(distance: Any) -> Any:
    return lambda said, y: distance(said, F.one_hot(y, said.shape[1]).float())


def kl_of(log: bool) -> Any:
    def loss(said: Tensor, y: Tensor) -> Tensor:
        shares = F.one_hot(y, said.shape[1]).float()
        return F.kl_div(said.log_softmax(1) if log else said.softmax(1), shares, reduction="batchmean")

    return loss


def fault(family: str, codes: str, make: Make, repairable: bool = True) -> Other:
    return Other(family, frozenset(codes.split()), make, repairable)


def near(family: str, make: Make) -> Other:
    return Other(family, frozenset(), make)


def far_series(rows: int, seed: int) -> Rows:
    return series(rows, seed, 40)


def doubled(s: Setup) -> Setup:
    """All in doubles."""
    rows = {part: tuple(t.double() for t in getattr(s, part)) for part in ("train", "val")}
    return R(s, model=lambda: s.model().double(), **rows)


RATES = torch.optim.lr_scheduler
OTHERS: Mapping[str, Other] = {
    # -- sequences, series, texts
    "recurrent, rectified, explodes": fault(
        "series",
        "HLR WCI ACH",
        lambda: of(
            far_series,
            lambda: spread(Recurrent("RNN", nonlinearity="relu"), 2.0),
            10,
            optimizer=sgd(0.1),
        ),
    ),
    "lstm at a rate of 3": fault("series", "HLR", sound("series", model=lambda: Recurrent("LSTM"), optimizer=sgd(3.0))),
    "gru whose gradients are clipped to 1e-4": fault(
        "series", "HLR OCH", sound("series", step=clipped(1e-4), optimizer=sgd(0.05))
    ),
    "conv1d at a rate of 1e-6": fault("waves", "HLR HNE OCH", sound("waves", optimizer=adam(1e-6))),
    "conv1d on inputs times 1e4": fault("waves", "CPP", both("waves", lambda x, y: (1e4 * x + 3e5, y))),
    "frozen word vectors, all alike": fault(
        "texts", "FRZ WCI", sound("texts", model=lambda: Bag(0.01 * torch.ones(80, 16), freeze=True))
    ),
    "two frozen numbers a word": fault(
        "texts", "FRZ LCN", sound("texts", model=lambda: Bag(torch.randn(80, 2), freeze=True))
    ),
    "transformer without warm-up": fault("order", "HLR", sound("order", optimizer=adam(0.1))),
    "transformer, warm-up never over": fault(
        "order", "HLR HNE", sound("order", step=warming(100_000), optimizer=adam(2e-3))
    ),
    "attention without places": fault(
        "order",
        "HLR HNE OCH LRM WCI",
        sound("order", optimizer=sgd(1e-5)),
    ),
    # -- outputs and losses
    "autoencoder with a rectified output": fault(
        "selves", "ACH", sound("selves", model=lambda: dense(16, 32, 6, 32, 16, act=nn.Tanh, end=nn.ReLU))
    ),
    "autoencoder with a sigmoid at its end": fault(
        "selves", "ACH", sound("selves", model=lambda: dense(16, 32, 6, 32, 16, act=nn.Tanh, end=nn.Sigmoid))
    ),
    "prices as they are": fault(
        "prices", "CPP", lambda: of(prices, lambda: dense(6, 48, 48, 1), 40, loss=nn.MSELoss(), metric="r2")
    ),
    "summed loss at a usual rate": fault(
        "prices", "HLR LCH", sound("prices", loss=nn.MSELoss(reduction="sum"), optimizer=sgd(0.02))
    ),
    "labels with a softmax": fault(
        "marks",
        "ACH LCH",
        sound("marks", loss=nn.BCELoss(), model=lambda: dense(12, 48, 6, end=lambda: nn.Softmax(1))),
    ),
    "labels with cross-entropy": fault("marks", "LCH", sound("marks", loss=nn.CrossEntropyLoss())),
    "softmax over the rows": fault(
        "crossed",
        "ACH",
        sound("crossed", model=lambda: dense(10, 48, 48, 5, end=lambda: nn.Softmax(0)), optimizer=adam(1e-3)),
    ),
    "nll of outputs as they are": fault("crossed", "LCH ACH", sound("crossed", loss=nn.NLLLoss(), optimizer=sgd(0.1))),
    "kl of shares, not of their logarithms": fault("crossed", "LCH ACH", sound("crossed", loss=kl_of(False))),
    "tanh before cross-entropy, sigmoids inside": fault(
        "crossed",
        "ACH WCI",
        sound("crossed", model=lambda: dense(10, 32, 32, 32, 32, 32, 5, act=nn.Sigmoid, end=nn.Tanh)),
    ),
    # -- steps
    "cleared every second step": fault(
        "crossed", "ZGR HLR OCH", sound("crossed", step=every_second, optimizer=sgd(0.35, 0.95))
    ),
    "never cleared, Adam": fault("shapes", "ZGR", sound("shapes", step=forgotten)),
    "schedule stepped with every batch": fault(
        "crossed", "HLR HNE", sound("crossed", step=scheduled(lambda o: RATES.StepLR(o, 3, 0.5)))
    ),
    "evaluation mode after the first epoch, rate high": fault(
        "shapes", "MOD HLR", sound("shapes", step=evaluating(0), optimizer=sgd(0.3))
    ),
    "momentum of 0.999": fault("crossed", "OCH HLR", sound("crossed", optimizer=sgd(0.1, 0.999))),
    "AdamW with a decay of 10": fault(
        "crossed", "RAW", sound("crossed", optimizer=lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=10))
    ),
    "norms of two pictures": fault("shapes", "HBS HLR", sound("shapes", batch_size=2, epochs=1, optimizer=sgd(0.2))),
    # -- layers
    "dropout that stays on": fault("crossed", "RCD MOD", sound("crossed", model=lambda: Always(0.85))),
    "front cut off by detach": fault("crossed", "FRZ LCN", sound("crossed", model=Detached)),
    "norm over one number": fault("crossed", "ACH LCN LRM WCI", sound("crossed", model=Normed)),
    "one layer in twelve places": fault("crossed", "LRM WCI ACH", sound("crossed", model=repeated)),
    "first layer of two units": fault("crossed", "LCN", sound("crossed", model=lambda: dense(10, 2, 48, 5))),
    "tiny weights in a tower": fault(
        "prices", "WCI", sound("prices", model=lambda: spread(dense(6, 32, 32, 32, 32, 32, 1), 0.05))
    ),
    "a logarithm of what may be negative": fault(
        "crossed", "ACH CPP", sound("crossed", model=lambda: nn.Sequential(Log(), dense(10, 48, 5)))
    ),
    # -- rows
    "labels one too high": fault(
        "crossed", "TCL", both("crossed", lambda x, y: (x, (y + 1) % 5), val=False), repairable=False
    ),
    "labels shuffled apart": fault("shapes", "TCL", both("shapes", shuffled, val=False), repairable=False),
    "validation not divided by 255": fault(
        "shapes", "CPP", both("shapes", lambda x, y: (x / 255, y), val=False), repairable=False
    ),
    "one column in other units": fault(
        "crossed", "CPP", both("crossed", lambda x, y: (x * torch.tensor([3e4] + [1.0] * 9), y))
    ),
    "inputs divided by 255 twice": fault(
        "shapes",
        "CPP",
        lambda: R(
            SOUND["shapes"](),
            model=lambda: pictures(False),
            train=(SOUND["shapes"]().train[0] / 65025, SOUND["shapes"]().train[1]),
            val=(SOUND["shapes"]().val[0] / 65025, SOUND["shapes"]().val[1]),
        ),
    ),
    "one of a hundred, never found": fault(
        "rare",
        "TRD TCL LCH HNE",
        lambda: R(
            of(lambda n, s: rare(n, s, 0.01), lambda: dense(8, 48, 48, 2), 10, 800),
            metric=balanced,
            optimizer=adam(1e-3),
        ),
        repairable=False,
    ),
    # -- near misses
    "lstm, gradients clipped to 1": near("series", sound("series", model=lambda: Recurrent("LSTM"), step=clipped(1.0))),
    "log-softmax before cross-entropy": near(
        "crossed", sound("crossed", model=lambda: dense(10, 48, 48, 5, end=lambda: nn.LogSoftmax(1)))
    ),
    "good word vectors, frozen": near(
        "texts", sound("texts", model=lambda: Bag(torch.eye(4).repeat_interleave(20, 0), freeze=True))
    ),
    "transformer with warm-up": near("order", sound("order", step=warming(60), optimizer=adam(4e-3))),
    "one cycle, stepped with every batch": near(
        "crossed",
        sound("crossed", step=scheduled(lambda o: RATES.OneCycleLR(o, 0.01, total_steps=375)), optimizer=adam(1e-3)),
    ),
    "weights tied on purpose": near("selves", sound("selves", model=Tied, optimizer=adam(1e-2))),
    "four small batches a step": near("crossed", sound("crossed", step=accumulated)),
    "label smoothing": near("crossed", sound("crossed", loss=nn.CrossEntropyLoss(label_smoothing=0.1))),
    "label smoothing of 0.9": near("crossed", sound("crossed", loss=nn.CrossEntropyLoss(label_smoothing=0.9))),
    "backwards twice": near("crossed", sound("crossed", step=twice)),
    "mixup": near("crossed", sound("crossed", step=mixed)),
    "dropout that knows its mode": near("crossed", sound("crossed", model=lambda: Always(0.2, training=True))),
    "kl of logarithms": near("crossed", sound("crossed", loss=kl_of(True))),
    "squared error of one-hot rows": near("crossed", sound("crossed", loss=one_hot_loss(F.mse_loss))),
    "momentum and nesterov": near("shapes", sound("shapes", optimizer=sgd(0.05, 0.95, nesterov=True))),
    "one in ten, found": near("rare", sound("rare")),
    "inputs between 0 and 1": fault("shapes", "CPP HNE", both("shapes", lambda x, y: ((x + 2.5) / 7, y))),
    "measured by its error": near("prices", sound("prices", metric="rmse")),
    "measured by its mean distance": near("selves", sound("selves", metric="mae")),
    "float64": near("prices", lambda: doubled(SOUND["prices"]())),
    **{f"sound: {name}": near(name, make) for name, make in SOUND.items()},
}
"""What it is called -> the case."""


def slack(case: Other) -> float:
    return 0.08 if SOUND[case.family]().metric == "r2" else 0.04


def kind_of(case: Other, value: float, sound_value: float) -> str:
    """What a case is, by its outcome; "fault" where it is measured by something else than its family."""
    if not case.codes:
        return "healthy"
    other = case.make().metric != SOUND[case.family]().metric
    lost = sound_value - value
    return "fault" if other or not lost < 2 * slack(case) else "benign" if lost < slack(case) else "between"


def looked_at(names: list[str]) -> None:
    versions, known = {"versions": installed("whet", "torch")}, dict[str, float]()
    for name, case in OTHERS.items():
        if names and not any(word in name for word in names):
            continue
        known.setdefault(case.family, train(SOUND[case.family](), 0).value)
        found = whet.diagnose(case.make())
        ranked = list(dict.fromkeys(f.code for f in found.findings if f.code))
        record = {
            "case": name,
            "family": case.family,
            "kind": kind_of(case, found.value, known[case.family]),
            "noticed": not found.healthy,
            "said": found.said,
            "codes": sorted(case.codes),
            "ranked": ranked,
            "findings": [(f.name, f.code, f.confidence) for f in found.findings],
            "value": found.value,
            "sound": known[case.family],
        }
        keep(RESULTS, {**surroundings(), **record, **versions}, *SHOWN)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    looked_at(parser.parse_args().words)
