"""What the machine does to a training: half precision, and batches that are waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, moons, net, setup
from torch import Tensor, nn

import whet
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import before
from whet.diagnosis.precision import overflows
from whet.diagnosis.rules import judge
from whet.diagnosis.verdict import harm
from whet.setups import Course, Point
from whet.setups.training import Stopwatch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(e: Evidence) -> list[str]:
    return [f.name for f in judge(e)]


# -- half precision ----------------------------------------------------------------------------------------------------


class Unit(nn.Module):
    """Rows of length 1; their squares are summed by hand, as in many a norm."""

    def forward(self, x: Tensor) -> Tensor:
        long = 200 * x
        unit: Tensor = long / (1 + long.square().sum(1, keepdim=True)).sqrt()
        return unit


def under(dtype: torch.dtype, scale: float = 1.0) -> Any:
    """A training step of one's own under autocast, whose loss is scaled and whose gradients stay so."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            value: Tensor = loss(model(batch[0]), batch[1])
        (value * scale).backward()
        optimizer.step()
        return value

    return step


def stored(dtype: torch.dtype, **changes: Any) -> whet.Setup:
    (x, y), (xv, yv) = moons(), moons(300, 1)
    return setup(model=lambda: net()().to(dtype), train=(x.to(dtype), y), val=(xv.to(dtype), yv), **changes)


HALVED = {
    "overflow of half precision": lambda: setup(model=net(nn.ReLU, Unit), step=under(torch.float16), epochs=8),
    "underflow of half precision": lambda: stored(torch.float16, epochs=8),
    "steps lost in half precision": lambda: stored(torch.bfloat16, epochs=40, optimizer=adam(1e-4)),
}


@pytest.mark.parametrize("name", HALVED)
def test_a_training_that_half_precision_breaks_is_named_and_computed_in_another(name: str) -> None:
    repaired = whet.repair(HALVED[name](), budget=1.0)
    first = repaired.diagnosis.findings[0]
    assert (first.name, first.code) == (name, "PRC")
    assert repaired.edits[0].path == "precision"
    assert repaired.proof.after[0] > 0.85, repaired
    assert name in [f.name for f in repaired.gone]


def test_half_precision_that_does_no_harm_is_left_alone() -> None:
    for given in (setup(step=under(torch.float16)), stored(torch.bfloat16), setup(step=under(torch.bfloat16, 0.25))):
        assert not {*names(before(given))} & {*HALVED}
        assert "penalty stronger than the data" not in names(before(given))


def test_gradients_below_what_float16_holds_are_found_and_a_scaled_loss_keeps_them() -> None:
    found = next(f for f in judge(before(setup(step=under(torch.float16, 1e-6)))) if f.code == "PRC")
    assert found.where.endswith("weight")
    assert found.evidence["share"] > found.evidence["border"]
    scaler = torch.amp.GradScaler("cpu")

    def scaled(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            value: Tensor = loss(model(batch[0]), batch[1])
        scaler.scale(value * 1e-6).backward()
        scaler.step(optimizer)
        scaler.update()
        return value

    assert "underflow of half precision" not in names(before(setup(step=scaled)))


def test_an_overflow_is_told_with_its_place_and_infinities_that_are_meant_are_not() -> None:
    model = nn.Sequential(nn.Linear(2, 3), Unit()).half()
    with overflows(model) as seen:
        model(torch.full((4, 2), 1e3).half())
    assert seen.where == "layer 1 (mul)"
    assert seen.reached > 65_504
    with overflows(nn.Identity()) as seen:
        torch.einsum("ij,kj->ik", *torch.full((2, 2, 3), 300.0).half())
    assert seen.where == "the loss (einsum)"
    with overflows(nn.Identity()) as seen:
        torch.zeros(3).half().masked_fill(torch.tensor([True, False, True]), float("-inf"))
    assert (seen.half, seen.where) == ("float16", "")


# -- the input pipeline ------------------------------------------------------------------------------------------------


def timed(waited: float, computed: float, steps: int = 100) -> Evidence:
    """A training that went well, with these times of its median step."""
    e = before(setup())
    points = [Point(i, 20 * i, 0.05, 0.99, 0.99, 0.05) for i in range(1, 6)]
    return replace(e, course=Course(points, 1.0, steps, waited=waited, computed=computed))


def test_a_loader_that_most_steps_wait_for_is_noted_and_raises_no_alarm() -> None:
    e = timed(0.012, 0.003)
    found = next(f for f in judge(e) if f.name == "slow input pipeline")
    assert found.evidence["share"] == pytest.approx(0.8)
    assert "num_workers" in found.advice
    assert found.confidence < 0.5
    assert not harm(e)


@pytest.mark.parametrize("times", [(0.002, 0.003), (0.0, 0.0), (0.012, 0.003, 10)])
def test_a_loader_that_keeps_up_or_was_hardly_seen_is_not_noted(times: tuple[float, float]) -> None:
    assert "slow input pipeline" not in names(timed(*times))


def test_one_slow_batch_changes_no_median(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def batches() -> Iterator[int]:
        for i in range(9):
            now[0] += 50.0 if i == 4 else 1.0
            yield i

    clock = Stopwatch()
    for _ in clock.timed(batches()):  # type: ignore[arg-type]
        now[0] += 3.0
    assert clock.medians == (1.0, 3.0)


def test_a_watched_loop_knows_what_its_steps_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (x, y) = net()(), moons()
    optimizer, now = adam()(model.parameters()), [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    model.register_forward_hook(lambda *_: now.__setitem__(0, now[0] + 0.01))
    with whet.watch(model, optimizer) as seen:
        for i in range(40):
            now[0] += 5.0 if i == 3 else 0.04  # the loader
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[:32]), y[:32])
            loss.backward()
            optimizer.step()
            seen.step(loss)
    found = next(f for f in seen.diagnosis.findings if f.name == "slow input pipeline")
    assert found.evidence["share"] == pytest.approx(0.8)
    assert seen.diagnosis.healthy
