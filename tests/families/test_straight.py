"""The straight part of a table's network: a linear model that is solved before the training."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.build import build
from whet.data.core import Data
from whet.data.prepared import prepare
from whet.families.spec import InputSpec
from whet.families.straight import Straight
from whet.families.tabular import Tabular, make
from whet.optim.linear import CLASS_STRENGTHS, STRENGTHS, shrinkage, shrinkage_for_classes
from whet.recipe import Choice, Recipe
from whet.tasks import make_task
from whet.train.plan import Plan

SPEC = InputSpec(
    shape=(3,), outputs=1, goal="regress", activation=nn.ReLU, norm=lambda width: nn.Identity(), cardinalities=(4,)
)


def table(n: int, noise: float = 0.1) -> tuple[Tensor, Tensor, Tensor]:
    """(target, numbers, categories): a line of both."""
    g = torch.Generator().manual_seed(0)
    numeric, category = 5 + 3 * torch.randn(n, 3, generator=g), torch.randint(0, 4, (n, 1), generator=g)
    target = numeric @ torch.tensor([1.0, -2.0, 0.0]) + torch.tensor([0.0, 3.0, -1.0, 2.0])[category[:, 0]]
    return target + noise * torch.randn(n, generator=g), numeric, category


def network(spec: InputSpec = SPEC) -> Tabular:
    torch.manual_seed(0)
    found = make(spec, width=8, members=2, embedding="none", straight=True)
    assert isinstance(found, Tabular)
    return found


def test_before_it_trains_a_solved_network_is_the_linear_model_of_its_rows() -> None:
    target, numeric, category = table(200)
    solved = network()
    solved.begin_at(solved.solved(target, numeric, category))
    said = solved.eval()(numeric, category)[:, 0].detach()
    assert float((said - target).square().mean().sqrt()) == pytest.approx(0.1, rel=0.1)
    ones = torch.cat([numeric, F.one_hot(category[:, 0], 4).float(), torch.ones(len(target), 1)], 1)
    best = ones @ torch.linalg.lstsq(ones, target[:, None], driver="gelsd").solution
    torch.testing.assert_close(said, best[:, 0], atol=0.05, rtol=0.01)


def test_a_table_of_categories_alone_is_solved_without_a_warning() -> None:
    """The spread of no columns was asked of torch, which warned of it in the middle of a run."""
    _, _, category = table(200)
    target = torch.tensor([0.0, 3.0, -1.0, 2.0])[category[:, 0]]
    solved = network(dataclasses.replace(SPEC, shape=(0,)))
    solved.begin_at(solved.solved(target, torch.empty(200, 0), category))
    torch.testing.assert_close(solved.eval()(torch.empty(200, 0), category)[:, 0].detach(), target, atol=0.1, rtol=0.05)


def test_every_member_begins_at_the_line_and_only_the_members_learn() -> None:
    target, numeric, category = table(50)
    solved = network()
    solved.begin_at(solved.solved(target, numeric, category))
    both = solved.train()(numeric, category)
    torch.testing.assert_close(both[:, 0], both[:, 1])
    both.sum().backward()
    assert solved.head.weight.grad is not None
    assert not any("straight" in name for name, _ in solved.named_parameters())


def test_classes_that_a_line_tells_apart_are_told_apart_at_once() -> None:
    value, numeric, category = table(300)
    target = (value > value.median()).long()
    solved = network(dataclasses.replace(SPEC, goal="classify", outputs=2))
    solved.begin_at(solved.solved(target, numeric, category))
    assert float((solved.eval()(numeric, category).argmax(1) == target).float().mean()) > 0.97


@pytest.mark.parametrize(("rows", "columns"), [(30, 5), (20, 60)])
def test_the_error_of_left_out_rows_agrees_with_leaving_them_out(rows: int, columns: int) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(rows, columns, generator=g).double()
    y = x[:, :1] + 0.5 * torch.randn(rows, 1, generator=g)
    assert shrinkage(x, y) == float(STRENGTHS[int(np.argmin([left_out(x, y, float(s)) for s in STRENGTHS]))])


def left_out(x: Tensor, y: Tensor, shrink: float) -> float:
    """Row by row: ridge without the row, and its error on it."""
    errors = []
    for i in range(len(x)):
        rest = torch.arange(len(x)) != i
        mean, middle = x[rest].mean(0), y[rest].mean(0)
        a, b = x[rest] - mean, y[rest] - middle
        weights = torch.linalg.solve(a.T @ a + shrink * torch.eye(x.shape[1]).double(), a.T @ b)
        errors.append(float((x[i] - mean) @ weights + middle - y[i]) ** 2)
    return float(np.mean(errors))


def test_noise_is_shrunk_to_nothing_and_a_clear_line_is_not() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(80, 200, generator=g)
    assert shrinkage(x, torch.randn(80, 1, generator=g)) > 100
    assert shrinkage(x[:, :3], x[:, :1] + 0.01 * torch.randn(80, 1, generator=g)) < 1


def test_classes_of_noise_are_shrunk_to_nothing_and_clear_ones_are_not() -> None:
    g = torch.Generator().manual_seed(0)
    x, none = torch.randn(90, 20, generator=g), torch.empty(90, 0, dtype=torch.int64)
    assert shrinkage_for_classes(x, none, (0, 2), torch.randint(0, 2, (90,), generator=g)) >= 10
    assert shrinkage_for_classes(x, none, (0, 2), (x[:, 0] > 0).long()) < 10


def test_a_class_of_a_single_row_has_a_strength_too() -> None:
    g = torch.Generator().manual_seed(0)
    x, none = torch.randn(30, 2, generator=g), torch.empty(30, 0, dtype=torch.int64)
    assert shrinkage_for_classes(x, none, (0, 3), torch.tensor([2] + [0, 1] * 14 + [0])) in CLASS_STRENGTHS


def test_a_tables_line_is_solved_once_for_all_networks_that_see_the_same_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each trial, and each that was paused and went on, solved it anew: 0.1 to 0.4 s of a few-row table of classes."""
    asked, solved = [], Straight.solved
    monkeypatch.setattr(Straight, "solved", lambda self, *rows: asked.append(self) or solved(self, *rows))
    _, numbers, _ = table(60)
    frame = pl.DataFrame({"a": numbers[:, 0].numpy(), "b": numbers[:, 1].numpy()})
    data = Data("line", "table", frame, (numbers[:, 0] > 5).long().numpy(), "classify", ("no", "yes"), "y")
    prepared = prepare(data, {"train": np.arange(40), "val": np.arange(40, 60)})
    task = make_task("table", "classify", data.classes, "y")

    def line_of(width: int, *columns: str) -> Tensor:
        choice = Choice("tabular", width=width, members=2, straight=True, columns=columns)
        model = build(Recipe(family=choice, batch_size=8), task, prepared, width, Plan()).model
        assert isinstance(model, Tabular)
        assert model.straight is not None
        return model.straight.weight

    first = line_of(8)
    assert torch.equal(line_of(16), first)
    assert first.abs().sum() > 0
    assert len(asked) == 1
    assert line_of(8, "a").shape == (1, 2)
    assert len(asked) == 2
    again = dataclasses.replace(prepared, rows={**prepared.rows, "train": torch.arange(60)})
    assert not again._once, "other rows have a line of their own"
