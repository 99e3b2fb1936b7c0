"""How an expression can be rewritten: as which form of cut, if it can be done exactly."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from whet.surgery import cuts, source, unreached, vocabulary
from whet.surgery.cuts import Cut, Form, find_function
from whet.surgery.places import Place, Site
from whet.surgery.source import Text


def form_of(place: Place, node: ast.AST | None, kind: type, method: str) -> Form | None:
    """The form of a rewritten expression, or None if it can't be rewritten exactly."""
    site = place.site
    assert site is not None
    if node is None or site.inside or _hides_self(source.text_of(site.method), site.method.co_varnames[0]):
        return None
    if place.how == "formula":
        if any(
            isinstance(n, ast.NamedExpr) for n in ast.walk(node)
        ):  # the name that it is a function of may be made inside
            return None
        whole = not isinstance(node, ast.AugAssign) or type(node.op) in cuts.IN_PLACE
        return "formula" if whole and _target(node) in ("", site.root) else None
    if isinstance(node, ast.BinOp):
        return "operator" if isinstance(node.op, ast.Pow) and place.what in ("pow", "square") else None
    return _form_of_call(place, node, kind, method) if isinstance(node, ast.Call) else None


def _form_of_call(place: Place, node: ast.Call, kind: type, method: str) -> Form | None:
    site = place.site
    assert site is not None
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        return None
    if place.how == "method":
        named = isinstance(node.func, ast.Attribute) and node.func.attr == (site.called or place.what)
        return _plain_or_picked("method", node, site) if named or place.count == 0 else None
    function = find_function(getattr(kind, method), lambda code: code is site.method)
    called = _static(node.func, kind, site) or (unreached.resolved(node.func, function) if function else None)
    if called is None:
        return "guarded" if node.args and site.position == 0 and site.function is not None else None
    known = called == site.function or vocabulary.plain_name(called) == place.what or place.count == 0
    return _plain_or_picked("call", node, site) if known and (node.args or node.keywords) else None


def _static(node: ast.expr, kind: type, site: Site) -> Any:
    """The function of the class that `self.name` stands for, if it is a static method."""
    on_self = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    if not on_self or node.value.id != site.method.co_varnames[0]:  # type: ignore[attr-defined]
        return None
    static = inspect.getattr_static(kind, node.attr, None)  # type: ignore[attr-defined]
    return static.__func__ if isinstance(static, staticmethod) else None


def _plain_or_picked(form: Form, node: ast.Call, site: Site) -> Form:
    """`form`, unless the other arguments are calls themselves, which have to be made."""
    plain = Cut("", "", form, position=site.position, is_method=form == "method")
    tensor = cuts.tensor_of(node, plain)
    others = [a for a in cuts.arguments(node, plain) if a is not tensor]
    return "picked" if any(isinstance(n, ast.Call) for other in others for n in ast.walk(other)) else form


def _target(node: ast.AST) -> str:
    """The name of the tensor that `x *= …`, `x[i] = …` or `x[i] *= …` overwrites, "?" if it has none; "" for an expression."""
    if not isinstance(node, ast.AugAssign | ast.Assign):
        return ""
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    written = target.value if isinstance(target, ast.Subscript) else target
    return written.id if isinstance(written, ast.Name) else "?"


def _hides_self(text: Text | None, own: str) -> bool:
    if text is None:
        return True
    inner = [n for n in ast.walk(text.tree) if isinstance(n, ast.FunctionDef | ast.Lambda) and n is not text.tree]
    return any(a.arg == own for n in inner for a in (*n.args.posonlyargs, *n.args.args, *n.args.kwonlyargs))
