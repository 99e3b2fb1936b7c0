"""The peak of few noisy trials."""

import math

import numpy as np
import pytest

from whet.search import rates


def bowl(factor: float, best: float = 1.0, depth: float = 1.0) -> float:
    return -depth * (math.log(factor / best) / math.log(rates.STEP)) ** 2


def searched(score) -> dict[float, float]:  # type: ignore[no-untyped-def]
    scores = {f: score(f) for f in rates.FIRST}
    return scores | {f: score(f) for f in rates.then(scores)}


@pytest.mark.parametrize("best", [0.4, 0.7, 1.0, 1.6, 2.5])
def test_the_peak_between_the_trials_is_found(best: float) -> None:
    assert rates.peak(searched(lambda f: bowl(f, best))) == pytest.approx(best, rel=0.05)


@pytest.mark.parametrize(("best", "beyond"), [(9.0, 27.0), (1 / 9, 1 / 27)])
def test_the_search_widens_once_where_the_best_lies_on_the_edge(best: float, beyond: float) -> None:
    scores = searched(lambda f: bowl(f, best))
    assert min(scores, key=lambda f: abs(math.log(f / beyond))) == pytest.approx(beyond)
    assert rates.peak(scores) == pytest.approx(best, rel=1e-6)
    assert not rates.on_edge(scores)


def test_a_peak_farther_away_stays_on_the_edge_and_says_so() -> None:
    scores = searched(lambda f: bowl(f, 1000.0))
    assert rates.on_edge(scores)
    assert rates.peak(scores) == max(scores)


def test_rates_that_diverge_are_avoided() -> None:
    chosen = rates.peak(searched(lambda f: math.nan if f > 1.1 else bowl(f)))
    assert chosen <= 1.1


def test_one_disaster_does_not_pull_the_peak_far_away() -> None:
    chosen = rates.peak(searched(lambda f: -100.0 if f > 2 else bowl(f)))
    assert 0.75 < chosen <= 1.01


def test_where_nothing_trains_the_recipes_own_rate_stays() -> None:
    assert rates.peak(searched(lambda f: math.nan)) == 1.0


def test_where_no_rate_trains_lower_ones_are_tried() -> None:
    scores = searched(lambda f: bowl(f, 1 / 9) if f < 0.2 else math.nan)
    assert 1 / 27 < rates.peak(scores) < 1 / 3


def test_of_equal_scores_the_recipes_own_rate_wins() -> None:
    assert rates.peak(searched(lambda f: 0.5)) == pytest.approx(1.0)


@pytest.mark.parametrize("equal_from", [1 / 3, 1.0, 3.0])
def test_of_rates_that_share_the_best_score_the_nearest_to_the_recipes_own_wins(equal_from: float) -> None:
    """As on iris, where every rate from the recipe's own to 27 times of it got all 18 validation rows right."""
    scores = searched(lambda f: 1.0 if f > 0.99 * equal_from else 15 / 18)
    assert rates.peak(scores) == pytest.approx(max(1.0, equal_from))
    assert len(rates.level(scores)) > 1


def test_the_peak_is_closer_than_the_luckiest_trial() -> None:
    """Why there is a parabola at all: with noise as large as a factor of three costs."""
    random, peaks, luckiest = np.random.default_rng(0), [], []
    for _ in range(300):
        scores = searched(lambda f: bowl(f) + 0.5 * random.normal())
        peaks.append(abs(math.log(rates.peak(scores))))
        luckiest.append(abs(math.log(max(scores, key=scores.__getitem__))))
    assert np.mean(peaks) < 0.8 * np.mean(luckiest)
