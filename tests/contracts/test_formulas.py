"""What every formula promises, over 200 random ones that are in no catalogue."""

import functools
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from random_formulas import random_formulas
from test_activations_in_torch import Side
from torch import Tensor

from whet.activations.expression import derive, on_array, parse, simplify
from whet.activations.expression.curve import curve
from whet.activations.expression.nodes import Call, walk
from whet.activations.formula import Formula

FORMULAS = random_formulas(200)
NEAR = np.linspace(-6, 6, 241) + 0.00123
FAR = np.concatenate([-np.geomspace(6, 1e4, 60), np.geomspace(6, 1e4, 60)])
every_formula = pytest.mark.parametrize("text", FORMULAS, ids=range(len(FORMULAS)))


def quiet(test):
    """With no warning where float64 meets infinity, which is the point of these tests."""

    @functools.wraps(test)
    def within(**given):
        with np.errstate(all="ignore"):
            test(**given)

    return within


@every_formula
@quiet
def test_it_goes_round_and_simplifies_without_changing(text: str) -> None:
    node = parse(text)
    assert parse(str(node)) is node
    simple = simplify(node)
    assert simplify(simple) is simple
    before, beside, after = on_array(node, x=NEAR), on_array(node, x=NEAR * (1 + 1e-13)), curve(simple)(NEAR)
    known = np.isfinite(before) & np.isfinite(beside) & (np.abs(before) < 1e100)
    bound = 1e-9 * (1 + np.abs(before)) + 1e3 * np.abs(beside - before)
    assert (np.abs(after - before) <= bound)[known].all()


@every_formula
@quiet
def test_its_derivative_is_the_limit_of_differences(text: str) -> None:
    node = simplify(parse(text))
    f, slope = curve(node), curve(derive(node))(NEAR)
    wide, narrow = ((f(NEAR + h) - f(NEAR - h)) / (2 * h) for h in (4e-6, 1e-6))
    rounding = 1e-9 * (1 + np.abs(f(NEAR))) / 1e-6 * 1e-3
    settled = np.abs(wide - narrow) <= 1e-4 * np.abs(narrow) + rounding
    settled &= (np.abs(narrow) < 1e6) & (np.abs(slope) < 1e9)  # the curve is smooth there, and resolved
    assert (np.abs(slope - narrow) <= 1e-2 * np.abs(narrow) + 100 * rounding)[settled].all()


@every_formula
def test_float32_follows_float64(text: str) -> None:
    f = Formula(text)
    (y, g), (y64, g64) = both(f, np.concatenate([NEAR, FAR]))
    sound = float32_holds(text, np.concatenate([NEAR, FAR]))
    for found, true in ((y, y64), (g, g64)):
        representable = sound & true.isfinite() & (true.abs() < 1e30)
        assert found[representable].isfinite().all()
        near = representable & (torch.arange(len(y)) < len(NEAR))
        close = (found.double() - true).abs() <= 2e-3 * (1 + true.abs())
        assert close[near].double().mean() >= 0.98 if near.any() else True  # a formula may cancel somewhere


@pytest.mark.parametrize("text", FORMULAS[::5], ids=range(0, 200, 5))
def test_its_kernel_follows_torchs_operations(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    f, x = Formula(text), np.tile(NEAR, 70)
    fast = both(f, x)[0]
    monkeypatch.setenv("WHET_KERNELS", "0")
    slow = both(f, x)[0]
    for a, b in zip(fast, slow, strict=True):
        known = b.isfinite() & (b.abs() < 1e30)
        close = (a - b).abs() <= 1e-4 * (1 + b.abs())
        assert close[known].double().mean() >= 0.98


@pytest.mark.parametrize("text", FORMULAS[::25], ids=range(0, 200, 25))
def test_it_compiles_and_transforms_as_it_runs(text: str) -> None:
    f, x = Formula(text), torch.linspace(-2.03, 2.1, 21)
    (_, g), _ = both(f, x.numpy())
    compiled = x.clone().requires_grad_()
    torch.compile(f, fullgraph=True, backend="aot_eager")(compiled).sum().backward()
    torch._dynamo.reset()
    torch.testing.assert_close(compiled.grad, g, equal_nan=True)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(f))(x), g, equal_nan=True)


def test_some_together_are_exported_and_run_in_onnxruntime(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model, x = Side([Formula(text) for text in FORMULAS[::5]]), torch.linspace(-2.03, 2.1, 21)
    exported, path = torch.export.export(model, (x,)).module()(x), str(tmp_path / "some.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=False, opset_version=18)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    results = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    for expected, graph, found in zip(model(x), exported, results, strict=True):
        torch.testing.assert_close(graph, expected, equal_nan=True)
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5, equal_nan=True)


def both(f: Formula, x: np.ndarray) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Value and gradient in float32, and from the same numbers in float64."""
    single = torch.from_numpy(x).float()
    return with_gradient(f, single), with_gradient(f, single.double())


def with_gradient(f: Formula, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.requires_grad_()
    y = f(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), g


def float32_holds(text: str, x: np.ndarray) -> Tensor:
    """Where nothing is divided by 0, nor by a number so small that float32 has only 0 for it."""
    node = simplify(parse(text))
    sound = np.ones(len(x), dtype=bool)
    for part in walk(node):
        size = np.abs(curve(part)(x))
        sound &= (size > 1e-37) | (size == 0)
        if isinstance(part, Call) and part.function == "div":
            sound &= curve(part.arguments[1])(x) != 0
    return torch.from_numpy(sound)
