"""The Python function takes what people hold, and what it returns predicts the same kind of thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import whet
from whet.errors import UserError
from whet.improve import baseline_seconds
from whet.run_folder import Order

X = np.random.default_rng(0).normal(size=(160, 5))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(y=np.where(Y, "p", "q"))
PARTS = ["train"] * 90 + ["val"] * 30 + ["test"] * 40
IMAGES = torch.rand(60, 3, 12, 12, generator=torch.Generator().manual_seed(0))
TABLE_SET = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(Y))
IMAGE_SET = torch.utils.data.TensorDataset(IMAGES, (IMAGES.mean((1, 2, 3)) > 0.5).long())


@pytest.mark.parametrize(
    ("data", "options", "inputs", "tested"),
    [
        pytest.param((X, Y), {}, X, 32, id="arrays"),
        pytest.param((X, X[:, 0]), {}, X, 32, id="values"),
        pytest.param(FRAME, {}, FRAME, 32, id="frame"),
        pytest.param(FRAME.assign(part=PARTS), {"target": "y", "split": "part"}, FRAME, 40, id="split"),
        pytest.param(FRAME[:100], {"holdout": FRAME[100:]}, FRAME, 60, id="holdout"),
        pytest.param(TABLE_SET, {}, TABLE_SET, 32, id="table set"),
        pytest.param(IMAGE_SET, {}, IMAGES, 12, id="image set"),
    ],
)
def test_what_people_hold_is_learned_and_predicted(
    data: Any, options: dict[str, Any], inputs: Any, tested: int, tmp_path: Path
) -> None:
    result = whet.fit(data, steps=5, out=tmp_path / "run", **options)
    assert result.n == tested
    assert len(result.predict(inputs)) == len(inputs)


def dense(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, outputs))


def test_a_function_that_makes_a_network_is_trained(tmp_path: Path) -> None:
    result = whet.fit((X, Y), model=dense, steps=5, out=tmp_path / "run")
    assert result.recipe.family.name == "user"
    assert len(result.predict(X)) == len(X)


def test_a_network_in_a_file_is_trained(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("from torch import nn\n\ndef make(outputs):\n    return nn.Linear(5, outputs)\n")
    assert whet.fit((X, Y), model=f"{file}:make", steps=5, out=tmp_path / "run").n == 32


def test_with_a_number_of_steps_baselines_have_the_same_time_whatever_the_budget() -> None:
    def order(budget: float, steps: int) -> Order:
        return Order("table", "", None, None, budget, 0, None, None, steps, None, None)

    assert baseline_seconds(order(1.0, 10)) == baseline_seconds(order(1e4, 10))
    assert baseline_seconds(order(1.0, 0)) < baseline_seconds(order(1e4, 0)) < baseline_seconds(order(1.0, 10))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": "a"}, "seed='a' is no whole number"),
        ({"seed": None}, "seed=None is no whole number"),
        ({"ray": True}, "ray=True names no cluster"),
    ],
)
def test_what_is_no_seed_and_no_cluster_is_refused_in_one_line(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        whet.fit("iris", steps=2, out=tmp_path, **given)
    assert "\n" not in str(caught.value)
