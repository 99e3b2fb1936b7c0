"""Targets with a class at each of several places: pixels of masks, letters of a word."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import setup
from torch import Tensor, nn

from whet.diagnosis.examine import before
from whet.setups import Setup, train


def overlap(said: Tensor, y: Tensor) -> float:
    found = said > 0 if said.shape == y.shape else said.argmax(1) == 1
    return float((found & (y == 1)).sum() / (found | (y == 1)).sum().clamp_min(1))


def bright(rows: int, seed: int, kinds: int, shape: tuple[int, ...] = (6, 6)) -> tuple[Tensor, Tensor]:
    """Which of so many kinds of brightness each place has."""
    x = torch.randn(rows, 1, *shape, generator=torch.Generator().manual_seed(seed))
    return x, sum((x[:, 0] > border).long() for border in (0.5, 1.5)[: kinds - 1])  # type: ignore[return-value]


def at_places(kinds: int, metric: Any, **changes: Any) -> Setup:
    make = lambda: nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, kinds, 1))  # noqa: E731
    parts = {"train": bright(80, 0, kinds), "val": bright(60, 1, kinds)}
    return setup(**{"model": make, "metric": metric, "epochs": 2, **parts, **changes})


@pytest.mark.parametrize("metric", ["accuracy", overlap])
@pytest.mark.parametrize("kinds", [2, 3])
def test_masks_of_several_kinds_are_looked_at_and_are_no_rare_classes(kinds: int, metric: Any) -> None:
    e = before(at_places(kinds, metric), 0)
    assert e.classify
    assert e.data.imbalance == 1.0
    if metric == "accuracy" and kinds == 3:
        assert e.yardsticks["guess"] == pytest.approx(0.69, abs=0.04)  # most places are dark


@pytest.mark.parametrize("metric", ["accuracy", overlap])
def test_a_mask_with_an_axis_of_one_channel_is_looked_at(metric: Any) -> None:
    def mask(rows: int, seed: int) -> tuple[Tensor, Tensor]:
        x, y = bright(rows, seed, 2)
        return x, y[:, None].float()

    parts = {"train": mask(80, 0), "val": mask(60, 1), "loss": nn.BCEWithLogitsLoss()}
    assert before(at_places(1, metric, **parts), 0).data.several


def test_accuracy_of_places_is_the_share_of_places_that_are_right() -> None:
    assert train(at_places(3, "accuracy", epochs=20), 0).value > 0.8


def test_letters_at_each_time_are_no_class_of_their_row() -> None:
    parts = {"train": bright(80, 0, 3, (9,)), "val": bright(60, 1, 3, (9,))}
    e = before(at_places(3, "accuracy", model=lambda: nn.Conv1d(1, 3, 1), **parts), 0)
    assert e.data.classes == 3
    assert set(e.yardsticks) - {"start"} == {"guess"}
