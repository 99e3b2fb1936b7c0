"""The text of a function as a syntax tree, and the function again from a changed tree.

Python says of every instruction which part of the text it evaluates, and the parser gives every expression the same
four numbers; so a call that was seen at run time is found in the tree exactly. A tree is used only if it compiles to the
very bytecode that runs.
"""

from __future__ import annotations
import __future__

import ast
import copy
import linecache
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from textwrap import indent
from types import CellType, CodeType, FunctionType
from typing import Any

from whet.surgery.frames import Span, Step

_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Text:
    """A function's definition in its file, and what the compiler needs to know of its surroundings."""

    tree: ast.FunctionDef
    class_name: str
    """Of the class around it: private names are mangled with it."""
    imports: tuple[str, ...] = ()
    """Names that the file imports: calls of their attributes compile differently."""


@lru_cache(maxsize=256)
def _definitions(file: str, text: str) -> dict[tuple[str, int], Text]:
    found: dict[tuple[str, int], Text] = {}

    def visit(node: ast.AST, class_name: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                line = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                found[child.name, line] = Text(child, class_name, imports)
            visit(child, child.name if isinstance(child, ast.ClassDef) else class_name)

    whole = ast.parse(text)
    imports = tuple(sorted(set(_imports(whole))))
    visit(whole, "")
    return found


def _imports(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in child.names if alias.name != "*")
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _imports(child)


@lru_cache(maxsize=2048)
def text_of(code: CodeType) -> Text | None:
    """The definition of a function that runs this code, or None if its text is not to be had, or is not what runs."""
    text = "".join(linecache.getlines(code.co_filename))
    try:
        found = _definitions(code.co_filename, text).get((code.co_name, code.co_firstlineno))
        same = found and compiled(found, code).co_code == code.co_code
    except (SyntaxError, ValueError, LookupError):
        return None
    return found if same else None


def compiled(text: Text, like: CodeType, file: str | None = None) -> CodeType:
    """The code of a definition, with the free variables and the compiler's flags of `like`."""
    bare = copy.copy(text.tree)
    bare.decorator_list = []
    inner: ast.stmt = bare
    if text.class_name:
        inner = ast.ClassDef(text.class_name, bases=[], keywords=[], body=[bare], decorator_list=[])
    names = [name for name in like.co_freevars if not (name == "__class__" and text.class_name)]
    arguments = ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])
    outer = ast.FunctionDef("surroundings", arguments, [inner], [])
    imports = [ast.Import([ast.alias(name)]) for name in text.imports]
    module = ast.fix_missing_locations(ast.Module([*imports, outer], type_ignores=[]))
    made = compile(module, file or like.co_filename, "exec", flags=like.co_flags & _FUTURE, dont_inherit=True)
    return next(c for c in _codes(made) if c.co_name == bare.name and c.co_firstlineno == bare.lineno)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def rebuilt(function: FunctionType, text: Text, label: str) -> FunctionType:
    """A function like `function`, from a changed text, which tracebacks can show and surgery can read: its file is `label`."""
    written = ast.unparse(ast.fix_missing_locations(text.tree))
    imports = f"import {', '.join(text.imports)}\n" if text.imports else ""
    whole = (
        f"{imports}class {text.class_name}:\n{indent(written, '    ')}\n"
        if text.class_name
        else f"{imports}{written}\n"
    )
    linecache.cache[label] = (len(whole), None, whole.splitlines(keepends=True), label)
    fresh = next(t for (name, _), t in _definitions(label, whole).items() if name == text.tree.name)
    code = compiled(fresh, function.__code__, label).replace(co_qualname=function.__code__.co_qualname)
    cells: dict[str, CellType] = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__, made.__doc__, made.__module__ = function.__qualname__, function.__doc__, function.__module__
    made.__dict__.update(function.__dict__)
    made.__annotations__ = function.__annotations__
    return made


def span_of(node: Any) -> Span | None:
    """Where a node stands, in the numbers that `frames` uses."""
    if not hasattr(node, "lineno"):
        return None
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


@lru_cache(maxsize=2048)
def names_in(code: CodeType) -> frozenset[str]:
    """Names of globals and attributes in this code and in the code inside it."""
    inner = [names_in(c) for c in code.co_consts if isinstance(c, CodeType)]
    return frozenset(code.co_names).union(*inner)


def words_of(code: CodeType, span: Span, longest: int = 60) -> str | None:
    """The text of an expression, cut short if it is long; None if it is not to be had."""
    text = text_of(code)
    node = at(text.tree, span) if text else None
    words = ast.unparse(node) if node else ""
    return f"{words[: longest - 1]}…" if len(words) > longest else words or None


def statement_of(step: Step) -> Step:
    """The same with the whole of the assignment, where Python only says `x[i]` of `x[i] = …`."""
    text = text_of(step.code)
    node = at(text.tree, step.span) if text and step.span else None
    return Step(step.code, span_of(node)) if node else step


Found = ast.expr | ast.AugAssign | ast.Assign


def at(tree: ast.AST, span: Span) -> Found | None:
    """The outermost expression, or the `x *= …`, that covers exactly this part of the text.

    Of `x[i] = …` and `x[i] *= …` Python says that it evaluates x[i]: the assignment then, or None if it has other targets too.
    """
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.expr | ast.AugAssign)]
    exact = next((n for n in nodes if span_of(n) == span), None)
    if isinstance(exact, ast.Subscript) and isinstance(exact.ctx, ast.Store):
        assigned = (n for n in ast.walk(tree) if isinstance(n, ast.Assign) and n.targets == [exact])
        return next(assigned, None) or next(
            (n for n in nodes if isinstance(n, ast.AugAssign) and n.target is exact), None
        )
    return exact or next((n for n in nodes if is_chained(n, span)), None)


def is_chained(node: ast.AST, span: Span) -> bool:
    """Whether this is a call of a method on a line of its own; Python places it where the method's name begins."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    name = (node.func.end_lineno, node.func.end_col_offset - len(node.func.attr))  # type: ignore[operator]
    return (span[0], span[2]) == name and (span[1], span[3]) == (node.end_lineno, node.end_col_offset)


def held_by(function: FunctionType) -> list[Any]:
    """What a function's closure holds: for a decorator's wrapper, the decorated function."""
    return [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]


def rewrapped(function: Any, old: FunctionType, new: FunctionType, depth: int = 8) -> Any:
    """`function` with `old` exchanged for `new`, inside of its decorators too."""
    if function is old:
        return new
    if not isinstance(function, FunctionType) or not depth:
        return function
    cells = function.__closure__ or ()
    held = [cell.cell_contents if _is_full(cell) else None for cell in cells]
    changed = [rewrapped(h, old, new, depth - 1) for h in held]
    if all(a is b for a, b in zip(held, changed, strict=True)):
        return function
    closure = tuple(c if a is b else CellType(b) for c, a, b in zip(cells, held, changed, strict=True))
    made = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__dict__.update(function.__dict__)
    made.__qualname__, made.__doc__, made.__module__ = function.__qualname__, function.__doc__, function.__module__
    return made


def _is_full(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
