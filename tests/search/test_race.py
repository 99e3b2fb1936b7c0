"""The race: on plain functions, without a network."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from whet.search.race import Score, as_rare, clearly_better, race


class Track:
    """Candidates whose accuracy is known; remembers what each was given."""

    def __init__(self, **accuracy: float) -> None:
        self.accuracy = accuracy
        self.given = dict.fromkeys(accuracy, 0.0)

    def __call__(self, names: Sequence[str], seconds: float) -> dict[str, Score]:
        for name in names:
            self.given[name] += seconds
        return {n: score(self.accuracy[n]) for n in names}


def score(accuracy: float, n: int = 1000) -> Score:
    if math.isnan(accuracy):
        return Score(accuracy)
    return Score(accuracy, (np.arange(n) >= accuracy * n).astype(float))


def test_the_best_wins_and_the_time_is_what_was_given() -> None:
    track = Track(default=0.8, good=0.9, bad=0.5)
    verdict = race(["default", "good", "bad"], track, 12.0, higher_is_better=True)
    assert verdict.winner == "good"
    assert "paused in round 1" in verdict.fates["bad"]
    assert sum(track.given.values()) == pytest.approx(12.0)
    assert track.given["good"] > track.given["bad"]


def test_a_tie_keeps_the_default() -> None:
    random = np.random.default_rng(0)
    rows = random.random(50)
    scores = {"default": Score(0.5, rows), "other": Score(0.51, random.permutation(rows) - 0.01)}
    verdict = race(["default", "other"], lambda names, s: {n: scores[n] for n in names}, 1.0, higher_is_better=True)
    assert verdict.winner == "default"
    assert "no measurable difference" in verdict.fates["other"]


def test_a_failed_candidate_never_wins() -> None:
    for names in (["default", "broken"], ["broken", "default"]):
        verdict = race(names, Track(default=0.2, broken=math.nan), 1.0, higher_is_better=True)
        assert verdict.winner == "default"


def test_lower_is_better_for_errors() -> None:
    def advance(names: Sequence[str], seconds: float) -> dict[str, Score]:
        values = {"default": 3.0, "good": 1.0}
        return {n: Score(values[n], np.full(100, values[n]) + np.arange(100) * 1e-3) for n in names}

    assert race(["default", "good"], advance, 1.0, higher_is_better=False).winner == "good"


def test_better_is_judged_by_the_same_rows() -> None:
    hard = np.linspace(0, 10, 200)  # rows differ far more than the candidates do
    assert clearly_better(Score(0.0, hard - 0.1), Score(0.0, hard))
    assert not clearly_better(Score(0.0, hard), Score(0.0, hard))
    shuffled = np.random.default_rng(0).permutation(hard) - 0.1
    assert not clearly_better(Score(0.0, shuffled), Score(0.0, hard))


def test_one_row_is_no_evidence() -> None:
    assert not clearly_better(Score(0.0, np.array([0.0])), Score(1.0, np.array([1.0])))


def test_the_luckiest_of_many_has_to_be_better_than_luck() -> None:
    random = np.random.default_rng(1)
    old = Score(0.0, random.random(400))
    wins = dict.fromkeys((1, 50), 0)
    for tries in wins:
        for _ in range(200):
            wins[tries] += clearly_better(Score(0.0, random.random(400)), old, tries)
    assert wins[50] < 0.1 * max(1, wins[1])


def test_few_rows_have_to_show_more() -> None:
    """Two rows that happen to agree are no evidence: Student's t asks for more than the normal distribution does."""
    old = np.zeros(2)
    assert not clearly_better(Score(1.0, old - [0.2, 1.0]), Score(0.0, old))  # 1.5 standard errors
    many = np.tile([0.2, 1.0], 50)
    assert clearly_better(Score(1.0, -many), Score(0.0, np.zeros(100)))
    assert as_rare(1.0, 1_000_000) == pytest.approx(1.0, abs=1e-5)
