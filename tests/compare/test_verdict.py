"""The statistics tell the truth, by simulation: equal arms stay level, differences of twice the noise are found."""

from itertools import combinations

import numpy as np
import pytest

from whet.search.noise import calm
from whet.search.verdict import CONFIDENCE, Contrast, contrasts, critical_value, half_for_other_rows, shown

SEEDS = 5
NOISE = 1.0
PAIRED = 2**0.5 * NOISE
"""Standard deviation of a paired difference."""


def scores(random: np.random.Generator, arms: int, planted: float = 0.0, noisy: float = 1.0) -> np.ndarray:
    """(arms, seeds): what seeds share, which pairing takes out, and noise; the last arm's is `noisy` times as large."""
    noise = NOISE * random.normal(size=(arms, SEEDS))
    noise[-1] *= noisy
    noise[1] += planted
    return 3 * random.normal(size=SEEDS) + noise


def share_with_a_difference(arms: int, times: int = 600, noisy: float = 1.0) -> float:
    random = np.random.default_rng(arms)
    return np.mean([any(c.clear for c in contrasts(scores(random, arms, noisy=noisy))) for _ in range(times)])


@pytest.mark.parametrize("arms", [2, 3, 5])
def test_equal_arms_come_out_level_in_95_of_100(arms: int) -> None:
    assert share_with_a_difference(arms) <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_an_arm_that_is_ten_times_as_noisy_makes_no_false_winner() -> None:
    assert share_with_a_difference(4, noisy=10.0) <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_calm_arms_are_told_apart_beside_one_that_is_ten_times_as_noisy() -> None:
    """That arm's noise in the pool hid every difference between the others: it was found in 1 of 100."""
    random = np.random.default_rng(0)
    found = [contrasts(scores(random, 4, planted=2 * PAIRED, noisy=10.0))[0] for _ in range(400)]
    assert np.mean([c.clear and c.difference < 0 for c in found]) >= 0.5
    assert all(c.clear == (c.p < 1 - CONFIDENCE) for c in found)


def test_arms_that_are_equally_noisy_are_all_calm() -> None:
    random = np.random.default_rng(0)
    assert np.mean([len(calm(scores(random, arms))) == arms for arms in (3, 4, 8) for _ in range(300)]) > 0.99


def test_a_noisy_arm_is_left_out_of_the_calm_ones_wherever_it_stands() -> None:
    y = scores(np.random.default_rng(2), 5)
    for arm in range(5):
        noisy = y.copy()
        noisy[arm] += [30.0, -30.0, 10.0, -5.0, 0.0]
        assert calm(noisy) == [a for a in range(5) if a != arm]


def test_two_arms_without_any_noise_leave_no_other_out_by_a_step_of_its_scores() -> None:
    y = np.array([[0.9] * 5, [0.9] * 5, [0.9, 0.91, 0.9, 0.9, 0.9]])
    assert calm(y, 0.01**2 / 12) == [0, 1, 2]


@pytest.mark.parametrize("arms", [2, 3, 4, 6, 8])
def test_a_difference_of_twice_the_noise_is_found_in_80_of_100(arms: int) -> None:
    random = np.random.default_rng(arms)
    found = [contrasts(scores(random, arms, planted=2 * PAIRED))[0] for _ in range(600)]
    assert np.mean([c.clear and c.difference < 0 for c in found]) >= 0.8


def test_an_arm_that_differs_makes_no_others_differ() -> None:
    random = np.random.default_rng(0)
    found = [contrasts(scores(random, 5, planted=20.0)) for _ in range(600)]
    assert np.mean([any(c.clear for c in each if 1 not in (c.first, c.second)) for each in found]) <= 0.05


def test_a_pair_is_told_apart_where_every_set_that_holds_it_is() -> None:
    y = scores(np.random.default_rng(3), 4, planted=3.0)
    found = contrasts(y)
    for c in found:
        assert c.clear == all(of_set(found, arms, c) for m in (2, 3, 4) for arms in combinations(range(4), m))
        assert c.clear == (c.p < 1 - CONFIDENCE)


def of_set(found: tuple[Contrast, ...], arms: tuple[int, ...], c: Contrast) -> bool:
    """Whether these arms are told apart, or don't hold the pair."""
    if not {c.first, c.second} <= {*arms}:
        return True
    largest = max(abs(d.difference) / d.error for d in found if {d.first, d.second} <= {*arms})
    sure = CONFIDENCE if len(arms) > 2 else CONFIDENCE ** (2 / 4)
    return largest > critical_value(len(arms), c.freedom, sure)


def test_the_smallest_difference_that_could_be_seen_is_found_in_about_80_of_100() -> None:
    random = np.random.default_rng(0)
    sizes = [contrasts(scores(random, 3))[0].smallest for _ in range(300)]
    found = [contrasts(scores(random, 3, planted=float(np.mean(sizes))))[0].clear for _ in range(600)]
    assert 0.7 <= np.mean(found) <= 0.95


def test_what_seeds_share_does_not_matter() -> None:
    y = np.random.default_rng(0).normal(size=(3, SEEDS))
    shifted = y + 100 * np.arange(SEEDS)
    for a, b in zip(contrasts(y), contrasts(shifted), strict=True):
        assert (a.difference, a.half, a.p) == pytest.approx((b.difference, b.half, b.p), abs=1e-9)


def test_two_arms_are_a_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    y = np.random.default_rng(1).normal(size=(2, 7))
    (c,) = contrasts(y)
    twin = ttest_rel(y[0], y[1])
    low, high = twin.confidence_interval(CONFIDENCE)
    assert c.p == pytest.approx(twin.pvalue, abs=1e-6)
    assert (c.difference - c.half, c.difference + c.half) == pytest.approx((low, high))


def test_many_arms_need_a_larger_difference() -> None:
    values = [critical_value(arms, 16, 0.95) for arms in (2, 3, 6, 10)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(2.1199, abs=1e-3)


def test_the_same_scores_twice_differ_by_nothing() -> None:
    (c,) = contrasts(np.ones((2, 5)))
    assert (c.difference, c.clear, c.p) == (0.0, False, 1.0)


def test_scores_in_steps_are_known_no_better_than_a_step() -> None:
    y = np.array([[0.9] * 3, [0.9] * 3])
    assert contrasts(y)[0].smallest == 0
    assert contrasts(y, grain=0.01)[0].smallest > 0.01


def test_one_arm_or_one_seed_is_refused() -> None:
    for shape in ((1, 5), (3, 1)):
        with pytest.raises(ValueError, match="two of each"):
            contrasts(np.zeros(shape))


def test_shown_are_all_beside_the_first_and_the_best_beside_the_others() -> None:
    found = contrasts(np.random.default_rng(0).normal(size=(4, 5)))
    pairs = [(c.first, c.second) for c in shown(found, best=2)]
    assert set(pairs) == {(1, 0), (2, 0), (3, 0), (2, 1), (2, 3)}
    turned = next(c for c in shown(found, best=2) if (c.first, c.second) == (1, 0))
    assert turned.difference == -next(c for c in found if (c.first, c.second) == (0, 1)).difference


def crossed(random: np.random.Generator, of_rows: float, of_seeds: float, rows: int = 80) -> np.ndarray:
    """(2, seeds, rows): what each row adds, of two arms that are equal over all rows and seeds there might be."""
    by_row, by_seed = random.normal(size=(2, 1, rows)), random.normal(size=(2, SEEDS, 1))
    return of_rows * by_row + of_seeds * by_seed + 0.5 * random.normal(size=(2, SEEDS, rows))


@pytest.mark.parametrize(("of_rows", "of_seeds"), [(1.0, 0.05), (0.0, 0.1), (0.5, 0.0)])
def test_the_wide_interval_holds_for_other_rows_and_seeds(of_rows: float, of_seeds: float) -> None:
    random, missed, narrow = np.random.default_rng(0), 0, 0
    for _ in range(400):
        x = crossed(random, of_rows, of_seeds)
        (c,) = contrasts(x.mean(2))
        missed += abs(c.difference) > half_for_other_rows(x[0] - x[1], c)
        narrow += c.clear
    assert missed / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    if of_rows == 1.0:  # what is real on these rows only is what it guards against
        assert narrow / 400 > 0.15
