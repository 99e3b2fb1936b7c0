"""What the terminal shows, and how numbers are written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from report_views import images, regression
from rich.console import Console

from whet.data.core import Profile, Row, Section
from whet.record import Finding
from whet.report import wording
from whet.report.text import show_profile, show_result


def printed(show, *args, width: int = 100) -> str:
    file = io.StringIO()
    show(*args, Console(file=file, width=width, highlight=False))
    return file.getvalue().replace("\u202f", " ")


def test_the_summary_says_score_interval_baselines_and_where_the_report_is():
    said = printed(show_result, images(Path("runs/f")).result, Path("runs/f"))
    for part in ("accuracy 92.6 %", "95 % interval", "linear", "84.3 %", "runs/f/report.html", "10 000 test images"):
        assert part in said


def test_the_summary_names_the_findings_without_reading_them_as_markup():
    result = {
        **regression(Path()).result,
        "findings": [{"cause": "[red]x[/] leaks", "severity": "error", "where": "[b]"}],
    }
    assert "✗ [red]x[/] leaks [[b]]" in printed(show_result, result, Path())


def test_the_summary_of_a_run_without_numbers_is_printed():
    result = {"metric": "auc", "value": None, "ci95": [None, None], "baselines": {"mean": float("nan")}}
    assert "AUC –" in printed(show_result, result, Path())


def test_anomalies_without_labels_are_counted_in_place_of_a_score():
    result = {"metric": "auc_pr", "value": None, "n": 600, "anomalies": {"flagged": 0.01}, "baselines": {"pca": None}}
    said = printed(show_result, result, Path())
    assert "There are no labels to measure it by. 6 of 600 rows are stranger than the threshold." in said
    assert "auc pr" not in said


@pytest.mark.parametrize(
    ("labelled", "strange", "why"),
    [
        (3, 3, "Of the scored rows 3 have a label, and none of them is normal: nothing to measure it by."),
        (3, 0, "Of the scored rows 3 have a label, and none of them is an anomaly: nothing to measure it by."),
        (9, 4, "No series has rows of both labels to measure it by."),
    ],
)
def test_labels_that_can_not_measure_are_told_from_none(labelled: int, strange: int, why: str) -> None:
    found = {"flagged": 0.5, "labelled": labelled, "strange": strange}
    said = wording.unmeasured({"metric": "auc_pr", "value": None, "n": 10, "anomalies": found})
    assert said == f"{why} 5 of 10 rows are stranger than the threshold."


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ({"name": "mlp"}, "whet predict run DATA"),
        ({"name": "user", "factory": "net.py:make"}, "whet predict run DATA --model net.py:make"),
        ({"name": "user", "factory": "python:__main__.Net-1a2b"}, "whet.predict('run', data, model=…)"),
    ],
)
def test_how_a_network_is_used_names_the_users_own(family: dict[str, str], said: str) -> None:
    assert wording.command({"recipe": {"family": family}}, "run") == said


def test_a_score_that_equals_the_best_baseline_is_level_with_it():
    result = {"metric": "accuracy", "value": 1.0, "ci95": [0.94, 0.999999999], "n": 60, "baselines": {"linear": 1.0}}
    said = printed(show_result, result, Path())
    assert "Level with the best baseline, linear." in said
    assert "to 100.0 %" in said


def test_a_profile_is_printed_with_what_it_suggests():
    sections, findings = (Section("Size", (Row("rows", "12", "[few]"),)),), (Finding("tiny", "It is small."),)
    profile = Profile("[x]", sections, findings, ("It has [no] header.",))
    said = printed(show_profile, profile)
    assert "[x]" in said
    assert "[few]" in said
    assert "It has [no] header." in said
    assert "It is small." in said


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("accuracy", 0.98611, "98.6 %"),
        ("accuracy", 0.99961, "99.96 %"),
        ("accuracy", 1.0, "100.0 %"),
        ("rmse", 0.47123, "0.4712"),
        ("rmse", 51234.5, "51 234"),
        ("auc", float("nan"), "–"),
        ("mae", 0.00001234, "1.23e-05"),
    ],
)
def test_scores_are_written_with_the_digits_that_matter(metric, value, said):
    assert wording.score(metric, value).replace("\u202f", " ") == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.42, "0.4 s"), (38.4, "38 s"), (312.0, "5 min 12 s"), (7320, "2 h 2 min")]
)
def test_durations_are_written_as_a_person_says_them(value, said):
    assert wording.seconds(value).replace("\u202f", " ") == said


def test_the_ticks_of_an_axis_have_the_same_decimals():
    assert wording.ticks("", [0.0, 0.5, 1.0]) == ["0.0", "0.5", "1.0"]
    assert wording.ticks("", [0.0, 20.0, 40.0]) == ["0", "20", "40"]
    assert wording.ticks("accuracy", [0.8, 0.9]) == ["80\u202f%", "90\u202f%"]
