"""Changed code: a module's method in which an expression is exchanged for a call of a child module.

    F.relu(self.conv(x))          self.relu_0(self.conv(x))
    x.clamp(min=0)                self.relu_1(x)
    activations[i](x)             self.relu_2(activations[i], x)      a Guard: other functions pass through it
    x * torch.sigmoid(x)          self.silu_0(x)

The method is written anew from its own text, in a subclass of the module's class; the one module that is changed gets
that class. So everything else about the module stays: its attributes, hooks, names. torch.compile, torch.export and a
reader see plain code. Copies and pickles carry the cuts as plain data and make the class again.
"""

from __future__ import annotations

import ast
import copy
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Literal

from torch import nn

from whet.errors import UserError
from whet.surgery import source
from whet.surgery.frames import Span
from whet.surgery.source import Text

Form = Literal["call", "method", "operator", "formula", "guarded", "picked", "watched", "whole", "after"]


@dataclass(frozen=True)
class Cut:
    """One expression in one method, to be exchanged for a call of the child `child`. Plain data."""

    method: str
    child: str
    form: Form
    qualname: str = ""
    span: Span = (0, 0, 0, 0)
    """Lines counted from the method's first."""
    position: int = 0
    root: str = ""
    digest: str = ""
    """Of the method's text: the cut fits this text only."""
    trail: tuple[tuple[str, Span | None], ...] = ()
    """For `watched`: every function on the way to the call, by name and expression."""
    is_method: bool = False
    tap: bool = False
    """The child is also given the expression itself, as a function of its tensor: `self.relu_0(h, lambda t: F.relu(t))`."""


def digest_of(text: Text) -> str:
    """A short name of a method's text."""
    return hashlib.sha256(ast.unparse(text.tree).encode()).hexdigest()[:16]


def shifted(span: Span, lines: int) -> Span:
    """The span with its lines moved."""
    return span[0] + lines, span[1] + lines, span[2], span[3]


def exchange(text: Text, cuts: list[Cut], first_line: int) -> Text:
    """The text with each cut's expression exchanged."""
    tree = copy.deepcopy(text.tree)
    own = tree.args.posonlyargs + tree.args.args
    targets = {id(source.at(tree, shifted(c.span, first_line))): c for c in cuts}
    changed = _Exchange(targets, own[0].arg).visit(tree)
    return Text(changed, text.class_name, text.imports)


class _Exchange(ast.NodeTransformer):
    def __init__(self, targets: dict[int, Cut], own: str) -> None:
        self.targets, self.own = targets, own

    def visit(self, node: ast.AST) -> Any:
        cut = self.targets.get(id(node))
        visited = self.generic_visit(node)
        return visited if cut is None else ast.copy_location(_written(visited, cut, self.own), node)


def _written(node: ast.AST, cut: Cut, own: str) -> ast.AST:
    child = ast.Attribute(ast.Name(own, ast.Load()), cut.child, ast.Load())
    if cut.form == "guarded":
        assert isinstance(node, ast.Call)
        return ast.Call(child, [node.func, *node.args], node.keywords)
    if cut.form == "picked":
        assert isinstance(node, ast.Call)
        given = arguments(node, cut)
        return ast.Call(child, [_of_all(node, given), *given] if cut.tap else given, [])
    tensor = ast.Name(cut.root, ast.Load()) if cut.form == "formula" else tensor_of(node, cut)
    call = ast.Call(child, [tensor, _as_function(node, tensor, cut)] if cut.tap else [tensor], [])
    if isinstance(node, ast.AugAssign | ast.Assign):
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        return ast.Assign([ast.Name(cut.root, ast.Store()) if isinstance(target, ast.Subscript) else target], call)
    return call


def arguments(node: ast.Call, cut: Cut) -> list[ast.expr]:
    """All arguments of a call in order; first the tensor whose method it is, if it is one."""
    receiver = [node.func.value] if cut.is_method and isinstance(node.func, ast.Attribute) else []
    return [*receiver, *node.args, *(k.value for k in node.keywords)]


def _of_all(node: ast.Call, given: list[ast.expr]) -> ast.Lambda:
    """`lambda a0, a1: torch.maximum(a0, a1)` for torch.maximum(zero, x)."""
    names = [f"argument_{i}" for i in range(len(given))]
    body = _with(node, {id(part): ast.Name(name, ast.Load()) for part, name in zip(given, names, strict=True)})
    assert isinstance(body, ast.expr)
    return ast.Lambda(ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, []), body)


def _as_function(node: ast.AST, tensor: ast.expr, cut: Cut) -> ast.Lambda:
    """`lambda t: F.relu(t)` for F.relu(h), and `lambda x: x * torch.sigmoid(x)` for a formula of x."""
    name = cut.root if cut.form == "formula" else "tensor_"
    body = _with(node, {id(tensor): ast.Name(name, ast.Load())}) if cut.form != "formula" else node
    if isinstance(body, ast.AugAssign):
        body = _in_place(body, name)
    elif isinstance(body, ast.Assign):
        body = _write(body, name)
    assert isinstance(body, ast.expr)
    return ast.Lambda(ast.arguments([], [ast.arg(name)], None, [], [], None, []), body)


def _in_place(node: ast.AugAssign, name: str) -> ast.expr:
    """`x.__imul__(y)` for `x *= y`; for `x[i] *= y` what Python does: `(at := i, put := x[at].__imul__(y), …)[3]`."""
    target, x = node.target, ast.Name(name, ast.Load())
    written = ast.Subscript(x, ast.Name("at_", ast.Load()), ast.Load()) if isinstance(target, ast.Subscript) else x
    call = ast.Call(ast.Attribute(written, IN_PLACE[type(node.op)], ast.Load()), [node.value], [])
    return _put(x, (("at_", target.slice), ("put_", call))) if isinstance(target, ast.Subscript) else call


def _write(node: ast.Assign, name: str) -> ast.expr:
    """`(put := 0, at := x < 0, x.__setitem__(at, put), x)[3]` for `x[x < 0] = 0`, in which Python begins with the value."""
    (target,) = node.targets
    assert isinstance(target, ast.Subscript)
    return _put(ast.Name(name, ast.Load()), (("put_", node.value), ("at_", target.slice)))


def _put(x: ast.Name, first: tuple[tuple[str, ast.expr], ...]) -> ast.expr:
    """Both parts of `x[at_] = put_` in this order, then the writing of one at the other, then x."""
    named: list[ast.expr] = [ast.NamedExpr(ast.Name(name, ast.Store()), value) for name, value in first]
    parts: list[ast.expr] = [ast.Name(name, ast.Load()) for name in ("at_", "put_")]
    call = ast.Call(ast.Attribute(x, "__setitem__", ast.Load()), parts, [])
    return ast.Subscript(ast.Tuple([*named, call, x], ast.Load()), ast.Constant(3), ast.Load())


IN_PLACE: dict[type[ast.operator], str] = {
    ast.Add: "__iadd__",
    ast.Sub: "__isub__",
    ast.Mult: "__imul__",
    ast.Div: "__itruediv__",
}
"""What `x *= y` calls."""


def _with(node: ast.AST, new: dict[int, ast.expr]) -> ast.AST:
    """A copy of the node with parts exchanged, by identity."""
    if id(node) in new:
        return new[id(node)]
    made = copy.copy(node)
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            setattr(made, field, _with(value, new))
        elif isinstance(value, list):
            setattr(made, field, [_with(v, new) if isinstance(v, ast.AST) else v for v in value])
    return made


def tensor_of(node: ast.AST, cut: Cut) -> ast.expr:
    """The part of the expression that is the tensor."""
    if isinstance(node, ast.BinOp):
        return node.left if cut.position == 0 else node.right
    assert isinstance(node, ast.Call)
    if cut.form == "method":
        assert isinstance(node.func, ast.Attribute)
        return node.func.value if cut.position == 0 else node.args[cut.position - 1]
    if len(node.args) > cut.position:
        return node.args[cut.position]
    return next(k.value for k in node.keywords if k.arg in ("input", "x", "inputs", cut.root))


def changed_class(module: nn.Module, cuts: tuple[Cut, ...]) -> type:
    """The class for this module whose methods have these cuts."""
    kind: Any = type(module)
    made: type = with_cuts(kind, cuts)
    return made


@cache
def with_cuts(kind: type, cuts: tuple[Cut, ...]) -> Any:
    """The subclass of `kind` whose methods have these cuts; the same one each time."""
    methods = {name: _method(kind, name, [c for c in cuts if c.method == name]) for name in {c.method for c in cuts}}
    body = {**methods, "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    body |= {"__reduce_ex__": _reduce, "_whet_cuts": (*getattr(kind, "_whet_cuts", ()), cuts)}
    body["_whet_plain"] = getattr(kind, "_whet_plain", kind)
    return type(kind)(kind.__name__, (kind,), body)


def _method(kind: type, name: str, cuts: list[Cut]) -> Any:
    function = getattr(kind, name)
    if cuts[0].form == "whole":
        return _whole(cuts[0].child)
    if cuts[0].form == "after":
        return _after(function, cuts[0].child)
    written = [c for c in cuts if c.form != "watched"]
    for code in dict.fromkeys((c.qualname, c.digest) for c in written):  # a decorator's, and what it decorates
        function = _rewritten(kind, function, [c for c in written if (c.qualname, c.digest) == code])
    watched = [c for c in cuts if c.form == "watched"]
    if watched:
        from whet.surgery.watched import watching

        function = watching(function, tuple(watched))
    return function


def _whole(child: str) -> Callable:
    def forward(self: nn.Module, x: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, child)(x)

    return forward


def _after(method: Any, child: str) -> Callable:
    @functools.wraps(method)
    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, child)(method(self, *args, **kwargs))

    return forward


def _rewritten(kind: type, function: Any, cuts: list[Cut]) -> Any:
    inner = find_function(
        function, lambda code: code.co_qualname == cuts[0].qualname and _digest(code) == cuts[0].digest
    )
    if inner is None:
        raise UserError(
            f"The text of {kind.__name__}.{cuts[0].method} is not the one in which activations were replaced.",
            "Load the model with the version of the code that it was saved with.",
        )
    text = source.text_of(inner.__code__)
    assert text is not None
    changed = exchange(text, cuts, inner.__code__.co_firstlineno)
    label = f"<{inner.__qualname__} after surgery {digest_of(changed)[:8]}>"
    return source.rewrapped(function, inner, source.rebuilt(inner, changed, label))


def _digest(code: CodeType) -> str:
    text = source.text_of(code)
    return digest_of(text) if text else ""


def find_function(function: Any, accept: Callable[[CodeType], bool], depth: int = 8) -> FunctionType | None:
    """The function, or the one inside its decorators, whose code is accepted."""
    if not isinstance(function, FunctionType):
        return None
    if accept(function.__code__):
        return function
    held = source.held_by(function) if depth else []
    return next((f for f in (find_function(h, accept, depth - 1) for h in held) if f), None)


def _reduce(self: nn.Module, protocol: Any) -> Any:
    kind: Any = type(self)
    if "_whet_cuts" not in vars(kind):  # somebody's own subclass of a changed class
        return kind._whet_plain.__reduce_ex__(self, protocol)
    made = kind._whet_plain.__reduce_ex__(self, protocol)
    return (_reborn, (kind._whet_plain, kind._whet_cuts), *made[2:])


def _reborn(plain: type, layers: tuple[tuple[Cut, ...], ...]) -> Any:
    kind = remade(plain, layers)
    return kind.__new__(kind)


def remade(plain: type, layers: tuple[tuple[Cut, ...], ...]) -> Any:
    """The class that these cuts make of a plain one: the same one each time."""
    kind: Any = plain
    for cuts in layers:
        kind = with_cuts(kind, cuts)
    return kind
