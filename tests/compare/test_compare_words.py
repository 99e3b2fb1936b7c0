"""From scores to sentences."""

import io
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from whet.comparing.comparison import Comparison, costs, judge, twins
from whet.comparing.opening import row_values
from whet.comparing.tuning import Tuned
from whet.errors import OutputError
from whet.report.compare import _arms as arms_table
from whet.report.compare import in_lines, spread
from whet.tasks import make_task

NOISE = np.random.default_rng(0).normal(size=(3, 5)) * 1e-3
LEVEL = 0.9 + NOISE
APART = LEVEL + np.array([[0.0], [0.02], [0.04]])
NAMES = ["relu", "gelu", "mish"]


def said(scores: np.ndarray, names: list[str] = NAMES, direction: str = "max", metric: str = "accuracy") -> list[str]:
    return list(judge(names[: len(scores)], scores, metric, direction).said)


def test_the_best_of_three_is_named_and_beats_both() -> None:
    head, *rest = said(APART)
    assert head == "mish is the best of 3."
    assert any(re.match(r"mish beats relu by \d\.\d+ ± 0\.\d+ points \(5 paired seeds\)", line) for line in rest)
    assert any(line.startswith("mish beats gelu by ") for line in rest)


def test_a_lower_error_wins_too() -> None:
    assert said(APART, direction="min", metric="rmse")[0] == "relu is the best of 3."
    assert "RMSE" in said(APART[:2], direction="min", metric="rmse")[0]


def test_level_arms_are_called_level_once_with_what_could_have_been_seen() -> None:
    (only,) = said(LEVEL)
    assert only.startswith(
        "No measurable difference between the 3 arms (the smallest that 5 seeds would have shown: 0."
    )


def test_two_arms_need_no_headline() -> None:
    (only,) = said(LEVEL[:2])
    assert only.startswith("gelu and relu: no measurable difference")


def test_two_arms_ahead_of_a_third_are_level() -> None:
    scores = LEVEL + np.array([[0.0], [0.04], [0.04]])
    head, *_ = said(scores)
    assert head.startswith("The best of 3 can't be told: ")
    assert "gelu" in head
    assert "mish" in head
    assert "relu" not in head


def test_the_same_recipe_twice_is_no_measurable_difference() -> None:
    (only,) = said(np.stack([LEVEL[0], LEVEL[0]]), ["relu", "relu (2)"])
    assert "no measurable difference" in only


def test_an_arm_with_a_training_that_failed_loses_and_the_others_are_compared() -> None:
    scores = APART.copy()
    scores[0, 2] = math.nan
    judged = judge(NAMES, scores, "accuracy", "max", why={0: "diverged: The loss became nan at step 7."})
    assert judged.said[0].startswith("mish beats gelu")
    assert judged.said[-1] == "relu loses: 1 of its 5 trainings diverged: The loss became nan at step 7."


def test_the_only_arm_that_trains_wins() -> None:
    scores = APART[:2].copy()
    scores[0] = math.nan
    judged = judge(NAMES[:2], scores, "accuracy", "max")
    assert judged.best == "gelu"
    assert judged.said[0].startswith("gelu wins: it is the only arm")
    scores[1, 0] = math.nan
    assert said(scores)[0].startswith("Nothing can be compared")


def test_arms_that_cost_more_in_every_training_are_said_to() -> None:
    assert costs(["relu", "mish"], [[2.0, 2.1], [3.0, 3.2]], "steps") == [
        "For as many steps as relu, mish took 1.5 times as long; --by seconds gives all the same time."
    ]
    assert costs(["relu", "mish"], [[2.0, 2.9], [3.2, 4.9]], "steps") == [], "the machine was busy now and then"
    assert costs(["relu", "mish"], [[2.0, 2.1], [3.0, 3.2]], "seconds") == []


def test_a_long_headline_breaks_where_its_aside_begins() -> None:
    (only,) = said(LEVEL[:2])
    assert in_lines(only) == only.replace(" (", "\n(")
    assert in_lines("mish is the best of 3.") == "mish is the best of 3."


def test_the_names_of_two_long_arms_stand_whole_in_a_narrow_terminal() -> None:
    names = ["gate sigmoid", "gate hard_sigmoid"]
    arms = [{"name": name, "mean": 0.5, "spread": 0.094, "lr": 0.003, "seconds": 1.6} for name in names]
    pair = {"first": names[1], "second": names[0], "difference": -0.025, "half": 0.076}
    told = io.StringIO()
    Console(file=told, width=78).print(arms_table({"metric": "accuracy", "arms": arms, "pairs": [pair], "best": ""}))
    assert all(name in told.getvalue() for name in names), told.getvalue()


def test_a_choice_that_changes_nothing_is_said_to() -> None:
    (note,) = twins(["relu", "gelu"], [(0.5, 0.1), (0.5, 0.1)], ["one recipe", "another"])
    assert note.startswith("relu and gelu trained to the same numbers")
    assert twins(["relu", "relu (2)"], [(0.5, 0.1), (0.5, 0.1)], ["one recipe", "one recipe"]) == []


def rows_of(scores: np.ndarray, noise: float, rows: int = 400) -> dict[int, np.ndarray]:
    """What each row adds: the arm's score, and what this arm makes of this row whatever the seed."""
    random = np.random.default_rng(1)
    found = {}
    for arm, values in enumerate(scores):
        own = noise * random.normal(size=rows)
        found[arm] = values[:, None] + own - own.mean()
    return found


def test_a_difference_that_hangs_on_the_test_rows_is_said_to() -> None:
    sure = judge(NAMES, APART, "accuracy", "max", rows_of(APART, 0.05), 400).said
    assert all("and would on other test rows too" in line for line in sure[1:])
    unsure = judge(NAMES, APART, "accuracy", "max", rows_of(APART, 1.0), 400).said
    assert all("on these test rows; on others it might not" in line for line in unsure[1:])


def test_a_rates_line_says_what_decided_among_equal_ones() -> None:
    tried = {"0.001": 0.8, "0.003": 1.0, "0.009": 1.0, "0.1": math.nan}
    chosen = Tuned(1.0, 0.003, tried, edge=False, level=True, seconds=1.0)
    line = chosen.said("accuracy").replace("\u202f", " ")
    assert line == (
        "learning rate 0.003 (0.001 80.0 %, 0.003 100.0 %, 0.009 100.0 %, 0.1 diverged; "
        "of equal ones the nearest to the recipe's own)"
    )
    assert "equal" not in replace(chosen, level=False).said("accuracy")


def test_a_folder_without_a_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no finished comparison"):
        Comparison.read(tmp_path)
    (tmp_path / "compare.json").write_text("{")
    with pytest.raises(OutputError, match="can't be read"):
        Comparison.read(tmp_path)


# -- what each row adds ----------------------------------------------------------------------------------------------


def spread_of_draws(task, truth: np.ndarray, predicted: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    """The slow twin: the metric of many samples of rows."""
    random = np.random.default_rng(0)
    picks = [random.integers(0, len(truth), len(truth)) for _ in range(1500)]
    return float(np.std([task.score(truth[p], predicted[p]) for p in picks]))


@pytest.mark.parametrize("metric", ["accuracy", "auc", "rmse", "mae"])
def test_rows_have_the_metrics_mean_and_its_spread(metric: str) -> None:
    random = np.random.default_rng(0)
    goal = "classify" if metric in ("accuracy", "auc") else "regress"
    task = make_task("table", goal, ("no", "yes") if goal == "classify" else (), "y", metric_name=metric)
    if goal == "classify":
        truth = (random.random(300) < 0.3).astype(np.int64)
        chance = np.clip(0.3 + 0.3 * truth + 0.25 * random.normal(size=300), 0.01, 0.99)
        predicted = np.stack([1 - chance, chance], 1)
    else:
        truth = random.normal(size=300)
        predicted = truth + 0.5 * random.normal(size=300)
    rows = row_values(task, truth, predicted)
    assert rows is not None
    assert rows.mean() == pytest.approx(task.score(truth, predicted), abs=1e-9)
    assert rows.std() / 300**0.5 == pytest.approx(spread_of_draws(task, truth, predicted), rel=0.1)


def test_a_metric_of_all_rows_at_once_says_nothing_of_single_ones() -> None:
    task = make_task("table", "regress", (), "y", metric_name="r2")
    assert row_values(task, np.arange(5.0), np.arange(5.0)) is None


def test_scores_that_are_equal_but_for_rounding_have_no_spread() -> None:
    assert spread({"spread": 1.1e-16, "mean": 0.99}, {"metric": "accuracy"}) == "± 0"
    assert spread({"spread": 0.005, "mean": 0.99}, {"metric": "accuracy"}) != "± 0"
