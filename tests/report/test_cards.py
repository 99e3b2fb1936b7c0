"""docs/activations shows what the catalogue holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from whet.activations import ACTIVATIONS
from whet.report.cards import card, pages, picture, thin, write

FOLDER = Path(__file__).parents[2] / "docs" / "activations"
NUMBER = re.compile(r"-?\d+\.?\d*")


@pytest.fixture(scope="module")
def wanted() -> dict[str, str]:
    return pages()


@pytest.mark.skipif(not FOLDER.exists(), reason="the documents are not installed with the package")
def test_the_pages_are_up_to_date(wanted: dict[str, str]) -> None:
    """If this fails after a change of an entry: `make cards` writes the pages anew."""
    assert {p.name for p in FOLDER.iterdir()} == set(wanted)
    old = [name for name, content in wanted.items() if not same((FOLDER / name).read_text(encoding="utf-8"), content)]
    assert not old


def same(a: str, b: str) -> bool:
    """Equal, but for the last digit of a coordinate, which may be rounded otherwise on another machine."""
    if a == b or NUMBER.sub("", a) != NUMBER.sub("", b):
        return a == b
    return np.allclose([float(n) for n in NUMBER.findall(a)], [float(n) for n in NUMBER.findall(b)], atol=0.21)


def test_a_card_shows_formula_facts_paper_and_when_it_hurts() -> None:
    said = card(ACTIVATIONS["leaky_relu"])
    for part in ("f(x) = max(x, 0) + slope * min(x, 0)", "slope = 0.01 (−1 to 1)", "Maas", "comes near 1", "(−∞, ∞)"):
        assert part in said
    assert 'whet.activations.get("frelu", channels=64)' in card(ACTIVATIONS["frelu"])


def test_every_link_of_the_pages_leads_to_a_page(wanted: dict[str, str]) -> None:
    targets = {
        t for page in wanted.values() for t in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', page) for t in t if t
    }
    assert targets <= set(wanted)
    assert len(targets) > 200


def test_a_picture_of_what_has_no_curve_is_none() -> None:
    assert picture(ACTIVATIONS["glu"]) is None


def test_straight_stretches_keep_their_ends() -> None:
    assert thin([(0, 0), (1, 1), (2, 2), (3, 2), (4, 2)]) == [(0, 0), (2, 2), (4, 2)]


def test_writing_removes_the_pages_of_what_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whet.report.cards.pages", lambda: {"new.md": "new\n"})
    (tmp_path / "old.md").write_text("old")
    write(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["new.md"]
