"""What a formula is worth: on tensors and on float64 arrays.

A formula is first turned into a `Program`: its different nodes in an order in which they can be computed, with the step
after which each is no longer needed, so that memory holds only what is still to be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.activations.expression.nodes import Call, Name, Node, Number, walk
from whet.activations.expression.points import value_of

Value = Tensor | float


@dataclass(frozen=True)
class Step:
    """One call: its function, where its arguments lie, and what may be forgotten afterwards."""

    function: str
    arguments: tuple[int, ...]
    forget: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """Places 0, 1, …: first the names, then the constants, then the result of each step; the last is the answer."""

    names: tuple[str, ...]
    constants: tuple[float, ...]
    steps: tuple[Step, ...]
    answers: tuple[int, ...]


@lru_cache(maxsize=1024)
def program(*nodes: Node) -> Program:
    """The program that computes some formulas together, what they share once."""
    order = list(dict.fromkeys(n for node in nodes for n in walk(node)))
    names = [n for n in order if isinstance(n, Name)]
    constants = [n for n in order if isinstance(n, Number)]
    calls = [n for n in order if isinstance(n, Call)]
    place: dict[Node, int] = {n: i for i, n in enumerate([*names, *constants, *calls])}
    last = {a: c for c in calls for a in c.arguments if a not in nodes}
    steps = (
        Step(
            c.function,
            tuple(place[a] for a in c.arguments),
            tuple(place[a] for a in dict.fromkeys(c.arguments) if last.get(a) is c and isinstance(a, Call)),
        )
        for c in calls
    )
    return Program(
        tuple(n.name for n in names), tuple(n.value for n in constants), tuple(steps), tuple(place[n] for n in nodes)
    )


def run(program: Program, values: Mapping[str, Value]) -> list[Value]:
    """The program's answers, for tensors that broadcast; what depends on no tensor stays a float."""
    places: list[Any] = [values[name] for name in program.names]
    places.extend(program.constants)
    for step in program.steps:
        given = [places[i] for i in step.arguments]
        places.append(_apply(step.function, given))
        for i in step.forget:
            places[i] = None
    return [places[i] for i in program.answers]


def _apply(function: str, given: list[Any]) -> Value:
    """A call on tensors; numbers alone stay numbers."""
    if any(isinstance(g, Tensor) for g in given):
        return WIDTHS[function](*given) if function in WIDTHS else TORCH[function](*given)
    return value_of(function, *given)


def on_array(node: Node, **values: Any) -> np.ndarray:
    """The formula in float64, for numpy arrays and numbers that broadcast."""
    shape = np.broadcast_shapes(*(np.shape(v) for v in values.values()))
    tensors = {k: torch.from_numpy(np.array(v, dtype=np.float64)) for k, v in values.items()}
    (answer,) = run(program(node), tensors)
    found = answer.numpy() if isinstance(answer, Tensor) else np.asarray(answer)
    return np.broadcast_to(found, shape).copy()


def is_tracing() -> bool:
    """Whether torch records a graph for ONNX."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined]


# -- what each function is in torch ---------------------------------------------------------------------------------


def _where(condition: Value, a: Value, b: Value) -> Value:
    if not isinstance(condition, Tensor):
        return a if condition > 0 else b
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.where(condition > 0, a, b)
    return torch.full_like(condition, b).masked_fill(condition > 0, a)  # torch.where would give numbers in float32


def _chain(outer: Value, inner: Tensor) -> Value:
    return torch.where(inner == 0, 0.0, outer * inner) if isinstance(inner, Tensor) else outer * inner


def _ratio(inner: Value, below: Value) -> Value:
    if isinstance(inner, Tensor):
        return torch.where(inner == 0, 0.0, inner / below)
    return inner / below if inner != 0 else 0.0


def _sech(u: Tensor) -> Tensor:
    e = torch.exp(-u.abs())
    return 2 * e / (1 + e * e)


def _softplus(u: Tensor) -> Tensor:
    return u.clamp(min=0) + _log1p(torch.exp(-u.abs()))


def _saturate(u: Tensor) -> Tensor:
    most = torch.finfo(u.dtype).max
    return u.clamp(-most, most)


def _compare(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def as_number(a: Any, b: Any) -> Any:
        like = a if isinstance(a, Tensor) else b
        return test(a, b).to(like.dtype)

    return as_number


def _max(a: Any, b: Any) -> Tensor:
    """A clamp where one side is a number."""
    if not isinstance(b, Tensor):
        return a.clamp(min=b)
    return torch.maximum(a, b) if isinstance(a, Tensor) else b.clamp(min=a)


def _min(a: Any, b: Any) -> Tensor:
    if not isinstance(b, Tensor):
        return a.clamp(max=b)
    return torch.minimum(a, b) if isinstance(a, Tensor) else b.clamp(max=a)


def _clip(u: Any, a: Any, b: Any) -> Tensor:
    return _min(_max(u, a), b)


def _xlogy(a: Any, b: Any) -> Tensor:
    return torch.xlogy(a, b) if isinstance(b, Tensor) else torch.where(a == 0, 0.0, a * value_of("log", b))


def _expm1(u: Tensor) -> Tensor:
    """While a graph is traced, for ONNX, which has no expm1: as tanh(u / 2) (exp(u) + 1), the same number."""
    return torch.tanh(u / 2) * (torch.exp(u) + 1) if is_tracing() else torch.expm1(u)


def _log1p(u: Tensor) -> Tensor:
    """While a graph is traced: log(w) u / (w - 1) with w = 1 + u rounded, since ONNX has log(1 + u) only (Kahan's form)."""
    if not is_tracing():
        return torch.log1p(u)
    w = 1 + u
    return torch.where(w == 1, u, torch.log(w) * (u / (w - 1)))


def _sinh(u: Tensor) -> Tensor:
    """While a graph is traced: by expm1, because torch's exporter has none of sinh, cosh and arcsinh."""
    return 0.5 * (_expm1(u) - _expm1(-u)) if is_tracing() else torch.sinh(u)


def _cosh(u: Tensor) -> Tensor:
    return 0.5 * (torch.exp(u) + torch.exp(-u)) if is_tracing() else torch.cosh(u)


def _arcsinh(u: Tensor) -> Tensor:
    """While a graph is traced: sign(u) log(1 + |u| + u^2 / (1 + sqrt(1 + u^2))), which does not cancel near 0."""
    if not is_tracing():
        return torch.asinh(u)
    size = u.abs()
    return torch.sign(u) * _log1p(size + size * (size / (1 + torch.sqrt(1 + size * size))))


def _normal_cdf(u: Tensor) -> Tensor:
    """By erfc, exact far to the left; by erf while a graph is traced, for ONNX, which has no erfc."""
    if is_tracing():
        return 0.5 + 0.5 * torch.erf(0.7071067811865476 * u)
    return 0.5 * torch.erfc(-0.7071067811865476 * u)


def _within_squares(u: Tensor) -> Tensor:
    """Limited to what can be squared."""
    most = 0.5 * torch.finfo(u.dtype).max ** 0.5
    return u.clamp(-most, most)


def _root(c: Any, u: Any) -> Any:
    if not isinstance(u, Tensor):
        return torch.sqrt(c + u * u)
    u = _within_squares(u)
    return torch.sqrt(c + u * u)


def _over_root(c: Any, u: Any) -> Any:
    return (_within_squares(u) if isinstance(u, Tensor) else u) / _root(c, u)


def _hinge(c: Any, u: Any) -> Tensor:
    if not isinstance(u, Tensor):
        u = torch.full_like(c, u)
    r, size = _root(c, u), u.abs()
    return torch.where(u >= 0, r + size, c / (r + size))


def _angle(u: Tensor) -> Tensor:
    """arctan(u) + pi / 2, exact far to the left: arctan(-1 / u) there."""
    return torch.where(u < -1, torch.atan(-1 / u.clamp(max=-1)), 1.5707963267948966 + torch.atan(u))


def _atlu_slope(u: Tensor) -> Tensor:
    """(a - sin(a) cos(a)) / pi for that angle a. With v = |1 / u| far to the left, arctan(v) - v / (1 + v^2) by Gauss's
    continued fraction arctan(v) = v / (1 + v^2 / m), m = 3 + 4 v^2 / (5 + 9 v^2 / (7 + …)), so that nothing cancels.
    """
    v = 1 / u.clamp(max=-2)
    s = v * v
    m: Any = 27.0
    for k in range(12, 1, -1):
        m = (2 * k - 1) + k * k * s / m
    far = -v * s * ((1 - 1 / m) / ((1 + s / m) * (1 + s)))
    return 0.3183098861837907 * torch.where(u < -2, far, _angle(u) + u / (1 + u * u))


TORCH: dict[str, Callable[..., Any]] = {
    "neg": lambda u: -u,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "gt": _compare(lambda a, b: a > b),
    "ge": _compare(lambda a, b: a >= b),
    "exp": torch.exp,
    "expm1": _expm1,
    "log": torch.log,
    "log1p": _log1p,
    "xlogy": _xlogy,
    "sqrt": torch.sqrt,
    "square": lambda u: u * u,
    "abs": torch.abs,
    "sign": torch.sign,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "sinh": _sinh,
    "cosh": _cosh,
    "sech": _sech,
    "arctan": torch.atan,
    "arcsinh": _arcsinh,
    "sigmoid": torch.sigmoid,
    "logistic": lambda u: torch.sigmoid(u) * torch.sigmoid(-u),
    "softplus": _softplus,
    "erf": torch.erf,
    "Phi": _normal_cdf,
    "phi": lambda u: 0.3989422804014327 * torch.exp(-0.5 * (u * u)),
    "relu": torch.relu,
    "max": _max,
    "min": _min,
    "clip": _clip,
    "where": _where,
    "chain": _chain,
    "ratio": _ratio,
    "saturate": _saturate,
    "root": _root,
    "over_root": _over_root,
    "hinge": _hinge,
    "gate": lambda c, u: _hinge(c, u) / _root(c, u),
    "atlu": lambda u: 0.3183098861837907 * (u * _angle(u)),
    "atlu_slope": _atlu_slope,
}


def _wide(u: Tensor) -> Tensor:
    """In float64. As it is on other devices, some of which lack that, and in a graph for ONNX."""
    return u.double() if u.device.type == "cpu" and not is_tracing() else u


WIDTHS: dict[str, Callable[..., Tensor]] = {"wide": _wide, "narrow": lambda u, like: u.to(like.dtype)}
"""What turning.py puts around the arguments of sines."""
