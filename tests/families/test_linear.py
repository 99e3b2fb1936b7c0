"""Linear models by the project's own optimiser, losses and penalties, against scikit-learn's exact solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import Lasso, Ridge
from torch import Tensor, nn

from whet import optim
from whet.build import build
from whet.families import FAMILIES, InputSpec
from whet.fields import field, load
from whet.losses import LOSSES
from whet.recipe import Choice, Recipe
from whet.regularise import REGULARISERS
from whet.train.plan import Plan

LR = 0.12
"""Below 1 / the largest eigenvalue of the mean squared error's curvature, 2 X'X / n, for both data sets."""


def standard(columns: np.ndarray) -> np.ndarray:
    return (columns - columns.mean(0)) / columns.std(0)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_diabetes(return_X_y=True)  # columns 5 to 10 nearly repeat each other: a narrow valley
    return standard(x), 3 + standard(y)


def sparse() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_regression(120, 30, n_informative=5, noise=20, random_state=0)
    return standard(x), standard(y) - 1


def spec(columns: int, outputs: int = 1, shape: tuple[int, ...] = (), cardinalities: tuple[int, ...] = ()) -> InputSpec:
    return InputSpec(shape or (columns,), outputs, "regress", nn.ReLU, lambda c: nn.Identity(), cardinalities)


def trained(x: np.ndarray, y: np.ndarray, penalty: Choice, optimizer: Choice, steps: int) -> nn.Module:
    """Full-batch descent on mean squared error + penalty, in double precision."""
    torch.manual_seed(0)
    model = FAMILIES["linear"].make(spec(x.shape[1])).double()
    entry = REGULARISERS[penalty.name]
    term = entry.make(**entry.fill(penalty.params))
    steps_of = optim.build(optimizer, model)
    loss = LOSSES["mse"].make()
    proximal = penalty.params.get("proximal", False)
    shrink = term.after_step(LR) if proximal else None
    inputs, target = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(steps):
        steps_of.zero_grad()
        value: Tensor = loss(model(inputs), target)
        (value if proximal else value + term(model)).backward()
        steps_of.step()
        if shrink:
            shrink(model, 1.0)
    return model


@pytest.mark.parametrize(("data", "alpha", "steps"), [(diabetes, 0.1, 800), (sparse, 0.02, 800), (sparse, 0.1, 400)])
def test_l1_gives_the_coefficients_of_the_lasso(data, alpha, steps):
    x, y = data()
    exact = Lasso(alpha=alpha, tol=1e-10, max_iter=100_000).fit(x, y)
    # the Lasso halves the squared error: 1/(2n) |y - Xb|^2 + alpha |b|
    model = trained(x, y, Choice("l1", strength=2 * alpha, proximal=True), Choice("gd", lr=LR), steps)
    found = model.head.weight.detach().numpy().ravel()
    assert np.abs(found - exact.coef_).max() < 1e-3
    assert abs(model.head.bias.item() - exact.intercept_) < 1e-3
    assert np.array_equal(found == 0, exact.coef_ == 0)
    assert (found == 0).any()


@pytest.mark.parametrize("alpha", [1.0, 50.0])
@pytest.mark.parametrize("data", [diabetes, sparse])
def test_l2_gives_the_coefficients_of_ridge_regression(data, alpha):
    x, y = data()
    exact = Ridge(alpha=alpha).fit(x, y)
    # Ridge sums the squared error, and the penalty here is strength / 2 * |b|^2
    model = trained(x, y, Choice("l2", strength=2 * alpha / len(x)), Choice("sgd", lr=LR, momentum=0.95), 600)
    found = model.head.weight.detach().numpy().ravel()
    assert np.abs(found - exact.coef_).max() < 1e-3
    assert abs(model.head.bias.item() - exact.intercept_) < 1e-3


PENALTIES = {"ridge": Choice("l2", strength=0.2), "lasso": Choice("l1", strength=0.2, proximal=True)}


@pytest.mark.parametrize("kind", PENALTIES)
def test_a_recipe_for_a_table_gives_the_coefficients_of_scikit_learn(kind):
    """On the columns and the target as a run scales them, with all training rows in each batch."""
    x, y = sparse()
    own, data = field("table"), load((x[:, :8], y), task="regression")
    ready = own.prepare(data, own.split(data, 0))
    optimizer = Choice("gd", lr=0.1) if kind == "lasso" else Choice("sgd", lr=0.1, momentum=0.9)
    recipe = Recipe(
        family=Choice("linear"), optimizer=optimizer, regularise=(PENALTIES[kind],), batch_size=ready.n_train
    )
    parts = build(recipe, own.task(data), ready, 0, Plan())
    for step in range(600):
        inputs, target = parts.train.batch(step, 0)
        parts.optimizer.zero_grad()
        loss = parts.loss(parts.model(*inputs), target)
        (loss + parts.penalty(parts.model) if parts.penalty else loss).backward()
        parts.optimizer.step()
        for call in parts.after_step:
            call(parts.model, 1.0)
    n, strength = len(target), PENALTIES[kind].params["strength"]
    exact = Ridge(strength * n / 2) if kind == "ridge" else Lasso(strength / 2, tol=1e-10)
    exact.fit(inputs[0].double().numpy(), target.double().numpy())
    assert np.abs(parts.model.head.weight[0].detach().numpy() - exact.coef_).max() < 1e-3


def test_a_category_is_a_weight_of_its_own():
    model = FAMILIES["linear"].make(spec(2, cardinalities=(3, 4)))
    assert model.head.weight.shape == (1, 2 + 3 + 4)
    x, codes = torch.zeros(1, 2), torch.tensor([[2, 1]])
    w = model.head.weight[0]
    assert torch.allclose(model(x, codes)[0, 0], w[2 + 2] + w[2 + 3 + 1] + model.head.bias[0])


def test_a_picture_has_a_weight_per_pixel():
    model = FAMILIES["linear"].make(spec(0, 10, shape=(3, 4, 5)))
    assert model.head.weight.shape == (10, 60)
    assert model(torch.zeros(2, 3, 4, 5)).shape == (2, 10)
