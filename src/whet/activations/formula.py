"""A formula as an activation: `Formula` is the module, `elementwise` the function. differentiable.py computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from whet.activations.differentiable import Plan, apply
from whet.activations.expression import Node, free_names, parse, replace, simplify
from whet.activations.expression.bounds import LARGEST_CONSTANT
from whet.activations.expression.nodes import Call, number, walk
from whet.activations.expression.points import at_point
from whet.errors import RecipeError


class Formula(nn.Module):
    """y = formula(x), element by element, for tensors of any shape.

    `learn` are parameters with their first values, which training changes: one number each, or one per channel along
    dimension `dim` if `channels` is given. `fix` are parameters that stay as they are.
    """

    def __init__(
        self,
        text: str,
        learn: Mapping[str, float] | None = None,
        fix: Mapping[str, float] | None = None,
        *,
        channels: int | None = None,
        dim: int = 1,
    ) -> None:
        super().__init__()
        learn, fix = dict(learn or {}), dict(fix or {})
        check_place(channels, dim)
        self.plan = Plan.ready(prepare(text, learn, fix), tuple(learn))
        self.text, self.fix, self.channels, self.dim = text, fix, channels, dim
        for name in learn:
            size = () if channels is None else (channels,)
            self.register_parameter(name, nn.Parameter(torch.full(size, float(learn[name]))))

    def forward(self, x: Tensor) -> Tensor:
        plan = self.plan
        return apply(plan, x, *[self._shaped(name, x) for name in plan.names]) if plan.names else apply(plan, x)

    def _shaped(self, name: str, x: Tensor) -> Tensor:
        """The parameter, so that it broadcasts along its dimension of x."""
        value: Tensor = getattr(self, name)
        if self.channels is None:
            return value
        if not -x.dim() <= self.dim < x.dim() or x.shape[self.dim] not in (1, self.channels):
            raise RecipeError(
                f"The formula has parameters for {self.channels} channels along dimension {self.dim}, which an input of "
                f"shape {tuple(x.shape)} has not.",
                "Give dim=, the dimension of the channels, and channels=, their number.",
            )
        sizes = [1] * x.dim()
        sizes[self.dim] = self.channels
        return value.view(sizes)

    def extra_repr(self) -> str:
        parts = [self.text, *(f"{k}={v:g}" for k, v in self.fix.items())]
        if self.channels is not None:
            parts.append(f"channels={self.channels}")
        return ", ".join(parts)


def elementwise(text: str, **fix: float) -> Callable[[Tensor], Tensor]:
    """The formula as a function of a tensor, with its parameters fixed."""
    plan = Plan.ready(prepare(text, {}, fix), ())

    def of(x: Tensor) -> Tensor:
        return apply(plan, x)

    of.__name__ = of.__qualname__ = text
    return of


def prepare(text: str, learn: Mapping[str, float], fix: Mapping[str, float]) -> Node:
    """The simplified formula with the fixed parameters put in. Raises RecipeError for what does not fit together."""
    given = {**learn, **fix}
    for key, value in given.items():
        check_parameter(key, value)
    if twice := set(learn) & set(fix):
        raise RecipeError(f"{', '.join(sorted(twice))} can't be both learned and fixed.")
    node = parse(text, names=given)
    if unused := set(given) - set(free_names(node)):
        raise RecipeError(
            f"{', '.join(sorted(unused))} does not occur in the formula {text!r}.",
            f"It has: {', '.join(free_names(node))}.",
        )
    node = simplify(replace(node, {k: number(v) for k, v in fix.items()}))
    check_constants(node)
    return node


def check_place(channels: Any, dim: Any) -> None:
    """RecipeError for what is no number of channels, and no number of a dimension; None is both."""
    if channels is not None and (isinstance(channels, bool) or not isinstance(channels, int) or channels < 1):
        raise RecipeError(f"channels={channels!r} is no number of channels.", "Give 1 or more.")
    if dim is not None and (isinstance(dim, bool) or not isinstance(dim, int)):
        raise RecipeError(f"dim={dim!r} is no dimension of a tensor.", "Give a whole number: -1 is the last one.")


def check_constants(node: Node) -> None:
    """RecipeError for a part without x or parameters that is worth no number, or one too large for float32."""
    for part in walk(node):
        if isinstance(part, Call) and part.function == "div" and part.arguments[1] == number(0):
            raise RecipeError(f"The formula divides by 0: {part}.", "Change it.")
        value = at_point(part, {}) if not free_names(part) else 0.0
        if not abs(value) <= LARGEST_CONSTANT:
            what = "is undefined" if value != value else "is more than float32 can hold"
            raise RecipeError(f"A constant in the formula, {part}, {what}.", "Change it.")


def check_parameter(key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise RecipeError(f"{key}={value!r} is not a number.", "Give each parameter of a formula its first value.")
    if not parses_as_name(key):
        raise RecipeError(
            f"{key!r} can't be a parameter's name.", "Use letters, digits and _; not x, pi, e or a function's name."
        )
    if hasattr(nn.Module, key) or key in ("plan", "text", "fix", "channels", "dim", "training"):
        raise RecipeError(f"{key!r} can't be a parameter's name: torch modules use it.", "Use another name.")


def parses_as_name(key: str) -> bool:
    try:
        return key != "x" and str(parse(key, names=(key,))) == key and key not in ("pi", "e")
    except RecipeError:
        return False
