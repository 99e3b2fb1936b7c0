"""Several processes train as one: the same numbers, each row once, and one step for all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from setups import SMALL, same_bits, training, weights
from together import CASES
from torch import nn

from whet.recipe import Choice
from whet.train.loop import advance
from whet.train.world import ALONE, BUCKET, Synced, Synced2d, World, buckets, joined, synced

TOLERANCE = 1e-5
PROCESSES = 4


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What so many processes said of what they did."""
    out = tmp_path_factory.mktemp("together") / "found.json"
    script = Path(__file__).with_name("together.py")
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        [sys.executable, "-m", *launch, str(script), str(out)], env=environment, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr[-3000:]
    return {**json.loads(out.read_text()), "asked": PROCESSES}


@pytest.mark.parametrize("case", CASES)
def test_several_processes_give_the_numbers_of_one(found: dict[str, Any], case: str) -> None:
    assert found["cases"][case] < TOLERANCE


@pytest.mark.parametrize("case", CASES)
def test_all_processes_have_the_same_weights_to_the_bit(found: dict[str, Any], case: str) -> None:
    assert found["same"][case]


def test_the_world_is_the_one_that_was_launched(found: dict[str, Any]) -> None:
    assert found["size"] == found["asked"]
    assert found["joined twice"]


def test_every_row_of_a_batch_is_seen_once(found: dict[str, Any]) -> None:
    assert found["shares"]


def test_processes_draw_different_numbers_for_their_rows(found: dict[str, Any]) -> None:
    assert len({*found["drawn"]}) == found["size"]


def test_the_clock_of_the_first_process_decides(found: dict[str, Any]) -> None:
    assert found["steps"] == [6] * found["size"]


def test_a_loss_that_is_no_number_in_one_process_stops_all_of_them(found: dict[str, Any]) -> None:
    assert found["diverged"] == [True] * found["size"]


def test_a_batch_with_fewer_rows_than_processes_is_refused_by_all(found: dict[str, Any]) -> None:
    assert found["refused"] == [True] * found["size"]


def test_a_weight_that_nothing_uses_stays_what_it_is(found: dict[str, Any]) -> None:
    assert found["unused"] == [1.0, 1.0, 1.0]


def test_one_process_that_was_started_by_itself_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    assert joined() == ALONE == World()


def test_synced_batch_norms_are_ordinary_ones_where_a_process_is_alone() -> None:
    recipe = SMALL.put("norm", Choice("batch"))
    plain, other = training(recipe), training(recipe)
    assert synced(synced(other.parts.model)) is other.parts.model
    assert any(isinstance(m, Synced2d) for m in other.parts.model.modules())
    advance(plain)
    advance(other)
    assert same_bits(weights(plain), weights(other))


def test_batch_norms_of_ones_own_are_left_alone() -> None:
    class Own(nn.BatchNorm1d):
        pass

    model = nn.Sequential(Own(3), nn.BatchNorm1d(3))
    synced(model)
    assert [isinstance(m, Synced) for m in model] == [False, True]


def test_buckets_hold_every_weight_once_in_order_and_one_type_each() -> None:
    sizes = [BUCKET - 5, 10, 7, BUCKET + 1, 3]
    made = [nn.Parameter(torch.empty(n, device="meta")) for n in sizes]
    made.append(nn.Parameter(torch.empty(2, dtype=torch.float64, device="meta")))
    grouped = [*buckets(made)]
    assert [id(weight) for group in grouped for weight in group] == [id(weight) for weight in made]
    assert [len(group) for group in grouped] == [1, 2, 1, 1, 1]
