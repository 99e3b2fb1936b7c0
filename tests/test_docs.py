"""The documents keep what they promise: links lead somewhere, names exist, commands and examples are real."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import whet
from whet import cli

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "whet"
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE_NAME = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py):([A-Za-z_][\w.]*)`")
"""`build.py:make_model`: a file below src/whet or the repository's root, and a name in it."""
DOTTED = re.compile(r"`(whet(?:\.\w+)+)")
"""`whet.fit`: a name that can be imported."""
SHELLS = ("sh", "bash", "console")

pytestmark = pytest.mark.skipif(not DOCS, reason="the documents are not installed with the package")


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda p: str(p.relative_to(ROOT)))


def prose(path: Path) -> str:
    """The document without its code blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def blocks(path: Path) -> list[tuple[str, str]]:
    """(language, text) of its code blocks."""
    return FENCE.findall(path.read_text(encoding="utf-8"))


def commands(path: Path) -> list[list[str]]:
    """The shell lines of its code blocks, as words, without comments."""
    lines = [
        line.removeprefix("$ ") for language, text in blocks(path) if language in SHELLS for line in text.split("\n")
    ]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@each(DOCS)
def test_every_relative_link_leads_to_a_file(path: Path) -> None:
    targets = [t.split("#")[0] for t in LINK.findall(prose(path)) if "://" not in t]
    missing = [t for t in targets if t and not (path.parent / t).exists()]
    assert not missing


@each(DOCS)
def test_every_link_to_a_heading_of_the_same_file_finds_it(path: Path) -> None:
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    known = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    assert {t[1:] for t in LINK.findall(prose(path)) if t.startswith("#")} <= known


@each(DOCS)
def test_every_name_in_a_file_exists(path: Path) -> None:
    missing = [f"{file}:{name}" for file, name in FILE_NAME.findall(prose(path)) if not defines(file, name)]
    assert not missing


def defines(file: str, name: str) -> bool:
    found = next((p for p in (SOURCE / file, ROOT / file) if p.is_file()), None)
    if found is None:
        return False
    node: ast.AST | None = ast.parse(found.read_text(encoding="utf-8"))
    for part in name.split("."):
        node = dict(defined_in(node)).get(part) if node else None
    return node is not None


def defined_in(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """Functions, classes and assigned names directly inside a module or class."""
    found: list[tuple[str, ast.AST]] = []
    for one in getattr(node, "body", []):
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            found.append((one.name, one))
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        found += [(t.id, one) for t in targets if isinstance(t, ast.Name)]
    return found


@each(DOCS)
def test_every_public_name_is_public(path: Path) -> None:
    missing = [name for name in DOTTED.findall(prose(path)) if not public(name)]
    assert not missing


def public(name: str) -> bool:
    first, *rest = name.split(".")[1:]
    if first not in whet.__all__:
        return (SOURCE / first).is_dir() or (SOURCE / f"{first}.py").is_file()
    found = getattr(whet, first)
    return all(hasattr(found, part) or part in getattr(found, "__annotations__", {}) for part in rest)


@each(DOCS)
def test_every_command_of_whet_has_the_options_that_are_shown(path: Path) -> None:
    known = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    for words in commands(path):
        if words[0] != "whet" or words[1].startswith("-"):
            continue
        assert words[1] in known, f"whet has no command {words[1]!r}"
        options = {o for p in known[words[1]].params for o in p.opts}
        used = {w.split("=")[0] for w in words[2:] if w.startswith("-")}
        assert used <= options, f"whet {words[1]} has no {', '.join(used - options)}"


@each(DOCS)
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {word for words in commands(path) if words[0] == "make" for word in words[1:] if "=" not in word}
    assert used <= targets


@each(DOCS)
def test_every_python_example_is_python_that_uses_public_names(path: Path) -> None:
    for language, text in blocks(path):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "whet":
                assert public(f"whet.{node.attr}")
            if isinstance(node, ast.ImportFrom) and node.module == "whet":
                assert {a.name for a in node.names} <= set(whet.__all__)


def test_the_chinese_readme_is_a_twin_of_the_english_one() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert blocks(english) == blocks(chinese)
    assert headings(english) == headings(chinese)
    assert links(english) == links(chinese)
    assert quoted(english) == quoted(chinese)


def headings(path: Path) -> list[int]:
    """The levels of its headings, in order."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(path), re.MULTILINE)]


def quoted(path: Path) -> set[str]:
    """What stands in backticks."""
    return {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(path))}


def links(path: Path) -> list[str]:
    """Where it leads to, apart from the other twin; in no order, since sentences turn round in translation."""
    return sorted(t for t in LINK.findall(prose(path)) if not t.startswith("README"))


def test_the_exit_codes_are_the_ones_that_the_readme_names() -> None:
    said = set(re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert said == {"0", "1", "2", "130"}
