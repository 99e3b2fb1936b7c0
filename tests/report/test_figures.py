"""A field's figures: drawn on the page, kept beside the records, drawn the same again."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from report_views import images, regression
from test_report import read

from whet.figures import Bars, Grid, Heat, Lines, Pictures
from whet.recipe import Recipe
from whet.report import RunView, charts
from whet.report.figures import drawn, thinned
from whet.report.html import page
from whet.report.stored import load, save


def figures() -> tuple[Lines | Bars | Heat | Pictures | Grid, ...]:
    g = np.random.default_rng(0)
    t = np.arange(200.0)
    wave = np.sin(t / 12)
    return (
        Lines(
            "A forecast",
            t,
            {"truth": wave, "said": np.where(t > 150, wave + 0.2, np.nan), "last value": np.full(200, 0.3)},
            "hours",
            "load",
            {"said": (wave - 0.3, wave + 0.5)},
            ((40.0, 90.0, "a gap"),),
            "The band holds 80 % of the test hours.",
        ),
        Lines("Over epochs", ["one", "two", "three"], {"loss": np.array([3.0, np.nan, 1.0])}),
        Bars("By length", ["1-5", "6-20", "21+"], {"network": (0.3, 0.5, 0.7), "popularity": (0.2, None, 0.3)}),
        Bars("By film", [f"A film with a long name, part {i}" for i in range(6)], {"times": [6, 5, 4, 3, 2, 1]}),
        Heat("What it hears", g.normal(size=(64, 900)), ["low", "high"] * 32, [f"{i}" for i in range(900)], "time"),
        Pictures("Samples", [g.integers(0, 255, (28, 28, 1)).astype(np.uint8)] * 10, ["garment"] * 3, columns=5),
        Grid("Top 2", ("user", "film", "score"), [("u1", "Heat", 0.25), ("u2", "Fargo", np.float32(1.5))]),
    )


def shown(tmp_path) -> RunView:
    return dataclasses.replace(images(tmp_path), figures=figures())


def test_every_kind_is_on_the_page_with_its_title(tmp_path):
    said = read(shown(tmp_path)).text
    assert "At a glance" in said
    assert all(figure.title in said for figure in figures())
    assert "The band holds 80 % of the test hours." in said


def test_a_run_without_figures_has_no_section_for_them(tmp_path):
    assert "At a glance" not in read(images(tmp_path)).text


def test_the_stored_figures_draw_the_same_page(tmp_path):
    result = {"recipe": Recipe().to_dict(), "findings": [], "problems": [], "versions": {}}
    save(dataclasses.replace(regression(tmp_path), figures=figures(), records=()))
    again = load(tmp_path, result)
    assert [drawn(f) for f in again.figures] == [drawn(f) for f in figures()]


def test_gaps_are_not_bridged():
    line = drawn(Lines("", np.arange(5.0), {"a": np.array([1.0, 2.0, np.nan, 4.0, 5.0])}))
    assert line.count("<polyline") == 2


def test_thinning_keeps_the_peaks():
    values = np.zeros(100_000)
    values[[777, 77_777]] = 5.0, -3.0
    at, kept = thinned(np.arange(100_000.0), values)
    assert len(kept) <= 1000
    assert (kept.max(), kept.min()) == (5.0, -3.0)
    assert (np.diff(at) > 0).all()


@pytest.mark.parametrize(
    "figure",
    [
        Lines("x", np.arange(3.0), {"a": np.full(3, np.nan)}),
        Lines("x", np.empty(0), {}),
        Bars("x", ["a"], {"s": [float("nan")]}),
        Bars("x", [], {}),
        Heat("x", np.full((3, 3), np.nan)),
        Pictures("x", []),
        Grid("x", ("a",), []),
    ],
)
def test_an_empty_figure_says_so(figure):
    assert "There is nothing to show." in drawn(figure)


@pytest.mark.parametrize(
    "figure",
    [
        Lines("x", np.zeros(1), {"a": np.ones(1)}, bands={"a": (np.zeros(1), np.ones(1))}, spans=((0.0, 0.0, "here"),)),
        Bars("x", ["a", "b"], {"s": [0.0, 0.0]}),
        Bars("x", ["a" * 200], {"s": [-3.0]}),
        Heat("x", np.ones((1, 1))),
    ],
)
def test_a_figure_of_one_value_has_finite_places(figure):
    assert not any(word in drawn(figure) for word in ("nan", "inf", "There is nothing"))


def test_names_from_the_data_are_escaped():
    evil = "<script>"
    every = (
        Lines(evil, [evil], {evil: np.ones(1)}, evil, evil, spans=((0, 1, evil),), note=evil),
        Bars(evil, [evil], {evil: [1.0], "b": [2.0]}, evil, evil),
        Heat(evil, np.eye(2), [evil] * 2, [evil] * 2, evil, evil, evil),
        Pictures(evil, [np.zeros((4, 4, 3), np.uint8)], [evil], note=evil),
        Grid(evil, (evil,), [(evil,)], evil),
    )
    assert not any("<script" in drawn(figure) for figure in every)


def test_many_pictures_are_cut_and_counted():
    said = drawn(Pictures("x", [np.zeros((4, 4, 1), np.uint8)] * 130))
    assert said.count("<img") == 120
    assert "Pictures not shown: 10." in said


def test_figures_make_no_outside_reference(tmp_path):
    assert all(link.startswith("data:image/") for link in read(shown(tmp_path)).links)
    assert "url(" not in page(shown(tmp_path))


def test_a_validation_without_a_value_leaves_a_gap_in_its_curve() -> None:
    points = ((0.0, 2.0), (1.0, None), (2.0, math.nan), (3.0, 1.0))
    curve, sound = (
        str(charts.curves([charts.Line("one", some)], "seconds", "loss", "min", "loss"))  # type: ignore[arg-type]
        for some in (points, (points[0], points[3]))
    )
    assert curve == sound
