"""HTML and SVG that escape by construction: text is escaped unless it is already `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

VOID = ("br", "img", "meta", "hr")
"""HTML elements that have no end tag."""
SHAPES = ("line", "rect", "circle", "path", "polyline")
"""SVG elements that are closed at once where they have no child."""


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


Child = Any
"""str, number, Html, None, or lists of them."""


def h(name: str, /, *children: Child, **attributes: Any) -> Html:
    """An element. `class_` stands for class, `_` in a name for `-`; None and False leave an attribute out.

    >>> h("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    said = "".join(_attribute(k, v) for k, v in attributes.items() if v is not None and v is not False)
    if name in VOID:
        return Html(f"<{name}{said}>")
    if name in SHAPES and not children:
        return Html(f"<{name}{said}/>")
    return Html(f"<{name}{said}>{text(children)}</{name}>")


def text(*children: Child) -> Html:
    """Children one after the other, escaped where they are plain."""
    return Html("".join(_flat(children)))


def _flat(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if child is None or child is False:
            continue
        if isinstance(child, Html):
            yield child
        elif isinstance(child, str):
            yield html.escape(child)
        elif isinstance(child, Iterable):
            yield from _flat(child)
        else:
            yield html.escape(_short(child))


def _attribute(name: str, value: Any) -> str:
    key = name.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{html.escape(_short(value))}"'


def _short(value: Any) -> str:
    """Coordinates with one decimal: a report holds thousands of them."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
