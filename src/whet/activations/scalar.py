"""Anything that maps numbers one by one, as a function of float64 arrays with two derivatives.

    f, f', f''      value, slope, curvature
    kink            a place where f, f' or f'' jumps

Theory and facts are computed from a `Scalar`, whatever it was made of: a catalogue name, a formula, a module, a callable.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet.activations.expression import Node, derive
from whet.activations.expression.curve import Array, Curve, curve
from whet.activations.formula import Formula, prepare
from whet.errors import RecipeError, UnknownName, WhetError

FAR = 40.0
"""Kinks are looked for between -FAR and FAR."""
CELLS = 2561
MOST_KINKS = 64
ONE_NUMBER = "Theory and facts are of functions of one number: give one, such as gelu."


@dataclass(frozen=True)
class Scalar:
    """A function of one number: `value`, `slope` and `curvature` take float64 arrays of any shape."""

    name: str
    value: Curve = field(repr=False)
    slope: Curve = field(repr=False)
    curvature: Curve = field(repr=False)
    text: str | None = None
    """Its formula, where it has one."""

    @cached_property
    def jumps(self) -> tuple[list[float], ...]:
        """Where the value jumps, where the slope, and where the curvature, within +-FAR."""
        return tuple(jumps(of) for of in (self.value, self.slope, self.curvature))

    @property
    def kinks(self) -> tuple[float, ...]:
        """All jumps in order, at most MOST_KINKS of them: those nearest to 0."""
        found = {place for places in self.jumps for place in places}
        return tuple(sorted(sorted(found, key=abs)[:MOST_KINKS]))


def as_scalar(what: object, **params: float) -> Scalar:
    """The function that a catalogue name, a formula, a module or a callable on tensors computes for each number.

    `params` are the entry's or the formula's parameters. A module is taken as it is now, in evaluation mode, and stays
    untouched. Raises RecipeError for what is random, mixes positions, or changes the shape.
    """
    if isinstance(what, str):
        return _of_text(what, params)
    if params:
        raise RecipeError(f"{', '.join(params)}: parameters go with a name or a formula, not with {what!r}.")
    if isinstance(what, Scalar):
        return what
    what = getattr(what, "_orig_mod", getattr(what, "_torchdynamo_orig_callable", what))  # before torch.compile
    if isinstance(what, Formula) and what.channels is None:
        values = {n: getattr(what, n).item() for n in what.plan.names}
        return of_node(str(what), prepare(what.text, {}, {**what.fix, **values}), what.text)
    if isinstance(what, type):
        raise RecipeError(f"{what.__name__} is a class, not a function.", f"Give what it makes: {what.__name__}().")
    if callable(what):
        return _of_callable(what)
    raise RecipeError(
        f"{what!r} is no activation function.", "Give a catalogue name, a formula, a module or a function of a tensor."
    )


def of_node(name: str, node: Node, text: str) -> Scalar:
    """A formula of x alone; the derivatives are formulas too."""
    slope = derive(node)
    return Scalar(name, curve(node), curve(slope), curve(derive(slope)), text)


def _of_text(text: str, params: dict[str, float]) -> Scalar:
    from whet.activations import ACTIVATIONS

    if text in ACTIVATIONS:
        entry = ACTIVATIONS[text]
        filled = entry.fill(params)
        if entry.formula:
            formula, values = entry.spelled(filled)
            return of_node(entry.name, prepare(formula, {}, values), formula)
        return _of_callable(entry.make(**filled), entry.name)
    if text.isidentifier() and text != "x":
        raise UnknownName("activation", text, [n for e in ACTIVATIONS for n in (e.name, *e.aliases)])
    return of_node(text, prepare(text, {}, params), text)


# -- modules and callables ------------------------------------------------------------------------------------------


def _of_callable(given: Callable[..., Any], name: str | None = None) -> Scalar:
    name = name or _name_of(given)
    function = _detached(given, name)
    _check_elementwise(function, name)
    slope, curvature = _derivative(function, 1), _derivative(function, 2)
    try:
        slope(np.zeros(1))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise RecipeError(f"torch can't differentiate {name}: {reason}", "Write it in torch's operations.") from error
    try:
        curvature(np.zeros(1))
    except RuntimeError:  # torch has no second derivative of some of its own functions, hardsigmoid's for one
        curvature = _difference(slope)
    return Scalar(name, _derivative(function, 0), slope, curvature)


def _name_of(given: object) -> str:
    return str(given) if isinstance(given, nn.Module) else getattr(given, "__name__", repr(given))


def _detached(given: Callable[..., Any], name: str) -> Callable[[Tensor], Tensor]:
    """A copy in float64 and evaluation mode, so that nothing happens to what was given."""
    if not isinstance(given, nn.Module):
        return given
    if any(nn.parameter.is_lazy(p) for p in given.parameters()):
        raise RecipeError(f"{name} has parameters that are not initialised yet.", "Run it once on an input first.")
    try:
        return copy.deepcopy(given).double().cpu().eval()
    except Exception as error:
        raise RecipeError(f"{name} can't be copied: {error}", "Give it with its parameters initialised.") from error


def _check_elementwise(function: Callable[[Tensor], Tensor], name: str) -> None:
    """RecipeError unless each number is mapped by itself, everywhere alike, and the same each time."""
    z = torch.randn(24, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    y = _called(function, z, name)
    if not _same(y, _called(function, z, name)):
        raise RecipeError(
            f"{name} is random: it gives other values for the same input.", "Give a function without noise."
        )
    alone = torch.cat([_called(function, z[i : i + 3], name) for i in range(0, 24, 3)])
    if not (_same(y[order], _called(function, z[order], name)) and _same(y, alone)):
        raise RecipeError(
            f"{name} mixes positions: what becomes of a number depends on the others, or on its place.", ONE_NUMBER
        )


# A function is given copies: it may write into what it gets, as torch.relu_ does.


def _called(function: Callable[[Tensor], Tensor], z: Tensor, name: str) -> Tensor:
    try:
        with torch.no_grad():
            y = function(z.clone())
    except WhetError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecipeError(f"{name} can't be applied to single numbers: {reason}.", ONE_NUMBER) from error
    if not isinstance(y, Tensor) or y.shape != z.shape:
        seen = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise RecipeError(f"{name} turns {len(z)} numbers into {seen}.", ONE_NUMBER)
    return y


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)


def _derivative(function: Callable[[Tensor], Tensor], order: int) -> Curve:
    """The order-th derivative by autograd in float64."""

    def of(z: Array) -> Array:
        x = torch.from_numpy(np.array(z, dtype=np.float64)).requires_grad_()
        with torch.enable_grad():
            y = function(x.clone())
            for left in range(order, 0, -1):
                y = _gradient(y, x, keep=left > 1)
        return y.detach().to(torch.float64).numpy()

    return of


def _difference(of: Curve, step: float = 1e-5) -> Curve:
    return lambda z: (of(np.asarray(z) + step) - of(np.asarray(z) - step)) / (2 * step)


def _gradient(y: Tensor, x: Tensor, keep: bool) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=keep, allow_unused=True)
    return torch.zeros_like(x) if g is None else g


# -- kinks ----------------------------------------------------------------------------------------------------------


@np.errstate(all="ignore")
def jumps(of: Curve) -> list[float]:
    """Where a curve jumps within +-FAR, by bisection of every cell in which it changes.

    Within a cell the half with the larger change is kept; a continuous curve's change vanishes with the width.
    """
    edges = np.linspace(-FAR, FAR, CELLS) + 0.00314159  # no kink lies at such a number
    low, high = edges[:-1].copy(), edges[1:].copy()
    at_low, at_high = np.split(of(edges)[np.r_[0 : CELLS - 1, 1:CELLS]], 2)
    changing = np.abs(at_high - at_low) > 1e-7
    low, high, at_low, at_high = low[changing], high[changing], at_low[changing], at_high[changing]
    for _ in range(34):
        middle = (low + high) / 2
        at_middle = of(middle)
        left = np.abs(at_middle - at_low) > np.abs(at_high - at_middle)
        low, at_low = np.where(left, low, middle), np.where(left, at_low, at_middle)
        high, at_high = np.where(left, middle, high), np.where(left, at_middle, at_high)
    size = np.maximum(np.abs(at_low), np.abs(at_high))
    real = np.abs(at_high - at_low) > 1e-6 + 1e-4 * size
    return [_rounded(a, b) for a, b in zip(low[real].tolist(), high[real].tolist(), strict=True)]


def _rounded(low: float, high: float) -> float:
    """The shortest number in or at the edge of an interval."""
    for digits in range(12):
        number = round(low, digits)
        if low - 1e-11 <= number <= high + 1e-11:
            return number + 0.0
    return (low + high) / 2
