"""Which of two scores is better: by the same rows, and by more than luck."""

import math

import numpy as np
import pytest

from whet.search.score import Score, as_rare, clearly_better, level


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


def test_what_is_no_worse_on_the_same_rows_is_level_and_what_failed_is_not() -> None:
    old = Score(0.5, np.array([0.0, 1.0, 0.0, 1.0]))
    assert level(Score(0.5, np.array([1.0, 0.0, 1.0, 0.0])), old)
    assert not level(Score(0.4, np.array([1.0, 1.0, 0.0, 0.1])), old)
    assert not level(Score(math.nan), old)
