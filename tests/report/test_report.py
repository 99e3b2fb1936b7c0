"""The report of a run, read back as HTML."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest
from report_views import NAMES, images, picture, record, regression

from whet.record import Finding, Record, Step
from whet.report import RowMistake, Tried, write
from whet.report.html import page
from whet.report.markup import VOID

MEGABYTE = 1_000_000


class Strict(HTMLParser):
    """Fails on a tag that is closed in the wrong order; collects tags, links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data", "action", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(run) -> Strict:
    parser = Strict()
    parser.feed(page(run))
    parser.close()
    assert parser.open == []
    return parser


def headings(run) -> list[str]:
    source = page(run)
    return [part.split("</h2>")[0] for part in source.split("<h2>")[1:]]


def test_a_run_on_images_has_every_section(tmp_path):
    assert headings(images(tmp_path)) == [
        "Beside the baselines",
        "How it learned",
        "What it confuses",
        "Its worst mistakes",
        "What was tried",
        "The recipe",
        "Findings",
        "The data",
        "Where the seconds went",
        "Where it ran",
    ]


def test_a_run_with_values_shows_residuals_and_rows(tmp_path):
    found = read(regression(tmp_path))
    assert "How far off it is" in found.text
    assert "MedInc" in found.text
    assert "What it confuses" not in found.text


def test_the_headline_says_the_score_and_its_interval(tmp_path):
    run = images(tmp_path)
    value, (low, high) = run.result["value"], run.result["ci95"]
    said = read(run).text.replace("\u202f", " ")
    assert f"{100 * value:.1f} %" in said
    assert f"95 % interval {100 * low:.1f} % to {100 * high:.1f} %, on 10 000 test images" in said


def test_a_difference_inside_the_interval_is_called_no_measurable_difference(tmp_path):
    run = regression(tmp_path)
    close = {**run.result, "baselines": {"boosted trees": 0.48}}
    assert "No measurable difference from the best baseline" in read(dataclasses.replace(run, result=close)).text


def test_the_page_is_one_file_without_outside_references(tmp_path):
    path = write(images(tmp_path))
    found = Strict()
    found.feed(path.read_text())
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert all(link.startswith("data:image/") for link in found.links)
    assert not {"script", "link", "iframe"} & set(found.tags)
    assert "url(" not in path.read_text()
    assert "@import" not in path.read_text()


def test_24_large_pictures_fit_in_2_megabytes(tmp_path):
    large = tuple(picture(i, 224, channels=3) for i in range(30))
    path = write(dataclasses.replace(images(tmp_path), pictures=large))
    assert path.read_text().count("<img") == 24
    assert path.stat().st_size < 2 * MEGABYTE


def test_what_comes_from_the_data_is_escaped(tmp_path):
    evil = "<script>alert('&')</script>"
    run = images(tmp_path)
    run = dataclasses.replace(
        run,
        name=evil,
        why=evil,
        classes=(evil, *NAMES[1:]),
        tried=(Tried("t0", evil, 1.0, 0.5, evil, evil),),
        findings=(Finding(evil, evil, evil, {evil: evil}, "warning", 1.0, evil),),
        pictures=(dataclasses.replace(picture(0, 8), true=evil, predicted=evil, id=evil),),
        timings={evil: 3.0},
        versions={evil: evil},
        result={**run.result, "task": evil, "baselines": {evil: 0.5}},
    )
    found = read(run)
    assert "script" not in found.tags
    assert found.text.count("alert('&')") > 10


def test_rows_are_escaped_too(tmp_path):
    row = RowMistake({"<b>x</b>": "<script>"}, "<i>", "<u>", 0.5)
    found = read(dataclasses.replace(images(tmp_path), pictures=(), rows=(row,)))
    assert not {"script", "i", "u"} & set(found.tags)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_run_without_numbers_still_has_a_report(tmp_path, value):
    run = images(tmp_path)
    lost = Record("t0", "", "", 0, tuple(Step(i, 0.0, float(i), 0.0, {"val/accuracy": np.nan}) for i in range(3)))
    empty = dataclasses.replace(
        run,
        records=(lost, Record("t1", "", "", 0)),
        result={**run.result, "value": value, "ci95": [value, value], "baselines": {"linear": value}, "seconds": value},
        timings={"training": np.nan},
        confusion=np.zeros((10, 10), int),
    )
    said = read(empty).text
    assert "nan" not in said.lower().replace("became nan", "")
    assert "–" in said


def test_points_that_are_not_finite_are_left_out_of_a_curve(tmp_path):
    good = record("t0", 0.9, 20.0)
    steps = tuple(
        dataclasses.replace(s, metrics={"val/accuracy": np.inf}) if i % 2 else s for i, s in enumerate(good.steps)
    )
    source = page(dataclasses.replace(images(tmp_path), records=(dataclasses.replace(good, steps=steps),)))
    assert 'class="line main"' in source
    assert "inf," not in source
    assert "nan," not in source


def test_a_result_alone_is_enough(tmp_path):
    run = images(tmp_path)
    found = read(type(run)(name="digits", folder=tmp_path, result={"metric": "accuracy", "value": 0.5}))
    assert "50.0 %" in found.text


def test_one_trial_is_enough(tmp_path):
    run = images(tmp_path)
    said = read(dataclasses.replace(run, records=run.records[:1], tried=run.tried[:1])).text
    assert "Grey trials" not in said


def test_100_classes_become_a_small_picture(tmp_path):
    matrix = np.diag(np.full(100, 50)) + np.ones((100, 100), int)
    names = tuple(f"class {i}" for i in range(100))
    path = write(dataclasses.replace(images(tmp_path), classes=names, confusion=matrix))
    assert 'alt="confusion matrix"' in path.read_text()
    assert path.stat().st_size < MEGABYTE / 2


def test_the_recipe_is_shown_as_its_difference_from_the_default(tmp_path):
    said = read(images(tmp_path)).text
    assert "sgd(lr=0.4, momentum=0.85, nesterov=True)" in said
    assert "fast on a CPU" in said


def test_skipped_files_are_listed(tmp_path):
    assert "truncated file" in read(images(tmp_path)).text
