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
from typing import Any

import torch
from torch import Tensor, nn

from whet.surgery import source, vocabulary
from whet.surgery.frames import Span, Step
from whet.surgery.known import name_of, probe
from whet.surgery.modules import every_module, own_layers
from whet.surgery.places import Place, Site, snake
from whet.surgery.pointwise import maps_each

_METHODS = vocabulary.words("relu relu_ sigmoid sigmoid_ tanh tanh_ hardshrink prelu")
"""Of tensors, and of hardly anything else."""
_CLAMPS = vocabulary.words("clamp clamp_ clamp_min clamp_min_")
"""… of which the bounds say what they are."""


def places(model: nn.Module, seen: list[Place], visited: set[tuple[str, Step]]) -> list[Place]:
    """The places of `model` that are not among those `seen`, nor among the expressions that were `visited`."""
    active = {p.path for p in seen}
    inner = tuple(f"{path}." for path, _ in own_layers(model))
    found = []
    for path, module in every_module(model):
        if path.startswith(inner):
            continue
        if path not in active and (what := _idle_layer(module)):
            found.append(Place(path, what, "module", "activation", 0, None))
        if _has_own_code(module):
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
    if type(module).__module__ != "torch.nn.modules.activation":
        return None
    lower = type(module).__name__.lower()
    name = vocabulary.SPELLINGS.get(lower, lower)
    name = {"leakyrelu": "leaky_relu"}.get(name, name)
    return name if name in vocabulary.ACTIVATIONS else None


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
            name = _activation(node, function) if isinstance(node, ast.Call) else None
            span = source.span_of(node)
            if name and span and span not in done and not any(source.is_chained(node, s) for s in done):
                step = Step(function.__code__, span)
                how = "method" if name[1] else "call"
                site = Site(function.__code__, function.__code__, span, (step,))
                yield Place(path, name[0], how, "activation", 0, None, source=step.source, site=site)  # type: ignore[arg-type]


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


def _activation(call: ast.Call, function: FunctionType) -> tuple[str, bool] | None:
    """The activation that a call computes and whether it is a method, as far as its text says."""
    called = resolved(call.func, function)
    if called is None:
        if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS and not call.args:
            return call.func.attr.rstrip("_"), True
        if isinstance(call.func, ast.Attribute) and call.func.attr in _CLAMPS:
            return _clamped(getattr(Tensor, call.func.attr), call, call.args)
        return None
    if any(called is clamp for clamp in (torch.clamp, torch.clamp_, torch.clamp_min, torch.clip)):
        return _clamped(called, call, call.args[1:])
    name = vocabulary.plain_name(called) if callable(called) and _is_of_torch(called) else ""
    return (name, False) if name in vocabulary.ACTIVATIONS else None


def _clamped(function: Any, call: ast.Call, bounds: list[ast.expr]) -> tuple[str, bool] | None:
    """The activation that clamping between these bounds is, where they are written as numbers."""
    try:
        low_high = [ast.literal_eval(bound) for bound in bounds]
        named = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg in ("min", "max")}
    except ValueError:
        return None
    name = vocabulary.recognise(function, (None, *low_high), named)
    is_method = len(bounds) == len(call.args)
    return (name, is_method) if name in ("relu", "relu6", "hard_tanh") else None


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
