"""Non-linearities that a model's code or its list of layers holds, and that the sample does not reach.

The text of a module's methods is read: `forward`, and what it calls on `self`. A call counts if its name leads to a
function of torch that is an activation, or if it is a method that only tensors have, such as `.relu()`.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from whet.errors import WhetError
from whet.surgery import catalogue, source, vocabulary
from whet.surgery.frames import Span, Step
from whet.surgery.known import name_of, probe
from whet.surgery.modules import every_module, is_own, own_layers
from whet.surgery.places import Place, Site, snake
from whet.surgery.pointwise import maps_each

_METHODS = vocabulary.words("relu relu_ sigmoid sigmoid_ tanh tanh_ hardshrink prelu")
"""Of tensors, and of hardly anything else."""
_CLAMPS = vocabulary.words("clamp clamp_ clamp_min clamp_min_")
"""… of which the bounds say what they are."""
_LARGER = vocabulary.words("maximum fmax max")
_ZEROS = vocabulary.words("zeros zeros_like new_zeros")
_NUMBERS = vocabulary.words("tensor as_tensor scalar_tensor new_tensor full full_like new_full")


class Said(NamedTuple):
    """What the text says that an expression computes."""

    what: str
    how: str = "call"
    position: int = 0
    """Which of its arguments is the tensor."""
    root: str = ""
    """Of a formula, the name of its variable."""


def places(model: nn.Module, seen: list[Place], visited: set[tuple[str, Step]]) -> list[Place]:
    """The places of `model` that are not among those `seen`, nor among the expressions that were `visited`."""
    active = {p.path for p in seen}
    whole = {p.path for p in seen if p.how == "module" and p.role == "activation"}
    of_weights = [(path, m) for path, m in every_module(model) if isinstance(m, ParametrizationList)]
    inner = tuple(f"{path}." for path, _ in [*own_layers(model), *of_weights])
    found = []
    for path, module in every_module(model):
        if path.startswith(inner):
            continue
        if path not in active and (what := _idle_layer(module)):
            found.append(Place(path, what, "module", "activation", 0, None))
        if _has_own_code(module) and path not in whole:
            if path not in active and (what := _own_layer(path, module)):
                found.append(Place(path, what, "module", "activation", 0, None))
                continue
            spans = {(s.code.co_filename, s.span) for owner, s in visited if owner == path and s.span}
            found += _in_code(path, module, spans)
    return found


def _has_own_code(module: nn.Module) -> bool:
    """Whether the class's text is somebody's own, and is what runs: a graph of torch.fx has no branch to be missed."""
    ours = type(module).__module__.startswith(("torch.", "whet.activations"))
    return not ours and "forward" not in vars(module) and not isinstance(module, torch.fx.GraphModule)


def _idle_layer(module: nn.Module) -> str | None:
    """The name of an activation of torch's or ours, which this layer is as a whole; None for any other layer."""
    if is_own(module):
        return (catalogue.name_of(module) or snake(type(module).__name__)) if _bends(module) else None
    if type(module).__module__ != "torch.nn.modules.activation":
        return None
    lower = type(module).__name__.lower()
    name = vocabulary.SPELLINGS.get(lower, lower)
    name = {"leakyrelu": "leaky_relu"}.get(name, name)
    return name if name in vocabulary.ACTIVATIONS else None


def _bends(module: nn.Module) -> bool:
    """Whether a layer of ours is no straight line; one that does not map single numbers counts as bent."""
    copied, x = copy.deepcopy(module).double().eval(), torch.linspace(-3, 3, 7, dtype=torch.float64)
    try:
        y = copied(x)
    except (RuntimeError, ValueError, WhetError):
        return True
    return y.shape != x.shape or not torch.allclose(y.diff(n=2), torch.zeros(5, dtype=x.dtype), atol=1e-9)


def _own_layer(path: str, module: nn.Module) -> str | None:
    """The name of a layer that somebody wrote and that does nothing but map each number; None if it does other things."""
    if any(True for _ in module.children()) or not any(True for _ in _in_code(path, module, set())):
        return None
    copied = copy.deepcopy(module).eval().double()
    return name_of(copied) or snake(type(module).__name__) if maps_each(copied, probe()) else None


def _in_code(path: str, module: nn.Module, visited: set[tuple[str, Span]]) -> Iterator[Place]:
    for function in _reachable(type(module)):
        text = source.text_of(function.__code__)
        done = {span for file, span in visited if file == function.__code__.co_filename}
        for node in ast.walk(text.tree) if text else ():
            said = Reader(module, function).said(node) if isinstance(node, ast.Call) else None
            span = source.span_of(node)
            if said and span and not _was_run(node, done):
                step = Step(function.__code__, span)
                site = Site(function.__code__, function.__code__, span, (step,), position=said.position, root=said.root)
                yield Place(path, said.what, said.how, "activation", 0, None, source=step.source, site=site)  # type: ignore[arg-type]


def _was_run(call: ast.AST, done: set[Span]) -> bool:
    """Whether this call, or the condition that it chooses by, is among the expressions that were computed."""
    condition = source.span_of(call.args[0]) if isinstance(call, ast.Call) and call.args else None
    return bool({source.span_of(call), condition} & done) or any(source.is_chained(call, s) for s in done)


def _reachable(kind: type) -> Iterator[FunctionType]:
    """`forward`, and the methods that it calls on its first argument, and what those call."""
    todo, done = ["forward", "call"], set()
    while todo:
        name = todo.pop()
        function = getattr(kind, name, None)
        if name in done or not isinstance(function, FunctionType):
            continue
        done.add(name)
        yield function
        text = source.text_of(function.__code__)
        own = function.__code__.co_varnames[:1]
        for node in ast.walk(text.tree) if text else ():
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in own:
                todo.append(node.attr)


class Reader:
    """Reads what a call in one method of one module computes, as far as its text says."""

    def __init__(self, module: nn.Module, function: FunctionType) -> None:
        self.module, self.function = module, function

    def said(self, call: ast.Call) -> Said | None:
        """The activation that a call computes; None for anything else."""
        called = resolved(call.func, self.function)
        if called is None:
            return self._method(call, call.func.attr) if isinstance(call.func, ast.Attribute) else None
        if any(called is clamp for clamp in (torch.clamp, torch.clamp_, torch.clamp_min, torch.clip)):
            return _clamped(called, call, call.args[1:])
        if any(called is larger for larger in (torch.maximum, torch.fmax, torch.max)):
            return self._larger(call.args)
        if called is torch.where:
            return self._where(call)
        name = vocabulary.plain_name(called) if callable(called) and _is_of_torch(called) else ""
        return Said(name) if name in vocabulary.ACTIVATIONS else None

    def _method(self, call: ast.Call, name: str) -> Said | None:
        if name in _METHODS and not call.args:
            return Said(name.rstrip("_"), "method")
        if name in _LARGER and isinstance(call.func, ast.Attribute):
            return self._larger([call.func.value, *call.args], "method")
        return _clamped(getattr(Tensor, name), call, call.args) if name in _CLAMPS else None

    def _larger(self, given: list[ast.expr], how: str = "call") -> Said | None:
        """A rectifier, if the larger of two things is taken of which one is zero."""
        if len(given) != 2 or self.is_zeros(given[0]) == self.is_zeros(given[1]):
            return None
        return Said("relu", how, int(self.is_zeros(given[0])))

    def _where(self, call: ast.Call) -> Said | None:
        """A formula, if a variable that is compared with a number is one of the two that are chosen between."""
        compared = call.args[0] if len(call.args) == 3 and not call.keywords else None
        if not isinstance(compared, ast.Compare) or not isinstance(compared.left, ast.Name):
            return None
        name, chosen = compared.left.id, call.args[1:]
        if not any(isinstance(n, ast.Name) and n.id == name for n in chosen) or not _is_number(compared.comparators[0]):
            return None
        above_zero = isinstance(compared.ops[0], ast.Gt | ast.GtE) and self.is_zero(compared.comparators[0])
        rectifies = above_zero and isinstance(chosen[0], ast.Name) and self.is_zero(chosen[1])
        return Said("relu" if rectifies else ast.unparse(call), "formula", root=name)

    def is_zeros(self, node: ast.expr) -> bool:
        """Whether an expression is a tensor of zeros: a plain 0 is a dimension, as in x.max(0)."""
        held = self._only_value(node.id) if isinstance(node, ast.Name) else node
        return self.is_zero(held) and not _is_number(held)

    def is_zero(self, node: ast.expr | None) -> bool:
        """Whether an expression is zero, a tensor of zeros, or a name or attribute that holds nothing else."""
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            last = node.args[-1] if node.args else None
            return name in _ZEROS or (name in _NUMBERS and _is_number(last) and self.is_zero(last))
        if isinstance(node, ast.Name):
            return self.is_zero(self._only_value(node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            own = self.function.__code__.co_varnames[:1] == (node.value.id,)
            held = getattr(self.module, node.attr, None) if own else None
            return (
                isinstance(held, Tensor) and not held.is_meta and not isinstance(held, nn.Parameter) and not held.any()
            )
        return isinstance(node, ast.Constant) and not isinstance(node.value, bool | str) and node.value == 0

    def _only_value(self, name: str) -> ast.expr | None:
        """What a local name stands for, if it gets a value once."""
        text = source.text_of(self.function.__code__)
        nodes = [n for n in ast.walk(text.tree) if isinstance(n, ast.Assign)] if text else []
        found = [n.value for n in nodes if any(isinstance(t, ast.Name) and t.id == name for t in n.targets)]
        return found[0] if len(found) == 1 and not isinstance(found[0], ast.Name) else None


def _is_number(node: ast.expr | None) -> bool:
    try:
        return isinstance(ast.literal_eval(node), int | float) if node is not None else False
    except ValueError:
        return False


def _clamped(function: Any, call: ast.Call, bounds: list[ast.expr]) -> Said | None:
    """The activation that clamping between these bounds is, where they are written as numbers."""
    try:
        low_high = [ast.literal_eval(bound) for bound in bounds]
        named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg in ("min", "max")}
    except ValueError:
        return None
    name = vocabulary.recognise(function, (None, *low_high), named)
    how = "method" if len(bounds) == len(call.args) else "call"
    return Said(name, how) if name in ("relu", "relu6", "hard_tanh") else None


def _is_of_torch(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").startswith("torch") or value in vars(torch).values()


def resolved(node: ast.expr, function: FunctionType) -> Any:
    """The object that a dotted name of the function's globals stands for; None if a local variable hides it."""
    if isinstance(node, ast.Name):
        hidden = node.id in _locals(function.__code__)
        return None if hidden else function.__globals__.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        base = resolved(node.value, function)
        return getattr(base, node.attr, None) if base is not None else None
    return None


@lru_cache(maxsize=1024)
def _locals(code: CodeType) -> frozenset[str]:
    """Names of variables of this code and of all code inside it."""
    inner = [_locals(c) for c in code.co_consts if isinstance(c, CodeType)]
    return frozenset(code.co_varnames + code.co_cellvars + code.co_freevars).union(*inner)
