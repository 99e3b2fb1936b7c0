"""Does `whet compare` tell the truth? Simulated scores, simulated learning rates, and real trainings of equal arms.

    python benchmarks/compare_truth.py scores      how often equal arms differ, and a planted difference is found
    python benchmarks/compare_truth.py rates       what choosing the luckiest learning rate does to equal arms
    python benchmarks/compare_truth.py trainings   comparisons of real trainings whose arms are equal but for their seeds

Each line of results/compare_truth.jsonl is one setting. The noise of a comparison is the standard deviation of its paired
differences; "planted" is a difference of twice that.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, installed, keep, surroundings

from whet.search import rates
from whet.search.verdict import contrasts

RESULTS = HERE / "results" / "compare_truth.jsonl"
TIMES = 2000
Noise = Callable[[np.random.Generator, int, int], np.ndarray]


def normal(random: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    return random.normal(size=(arms, seeds))


def one_arm_noisy(random: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    return random.normal(size=(arms, seeds)) * np.where(np.arange(arms) == arms - 1, 10.0, 1.0)[:, None]


def heavy_tails(random: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """Student's t with 3 degrees of freedom, scaled to a standard deviation of 1."""
    return random.standard_t(3, size=(arms, seeds)) / 3**0.5


def in_steps(random: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """As a share of few rows: the steps are as large as the noise."""
    return np.round(random.normal(size=(arms, seeds)))


NOISES: dict[str, Noise] = {f.__name__: f for f in (normal, one_arm_noisy, heavy_tails, in_steps)}


def scores() -> None:
    for seeds in (3, 5, 10):
        for arms in (2, 3, 4, 6, 8):
            for name, noise in NOISES.items():
                random = np.random.default_rng(arms * 100 + seeds)
                level = np.mean([no_difference(noise(random, arms, seeds)) for _ in range(TIMES)])
                found = np.mean([finds(noise(random, arms, seeds)) for _ in range(TIMES)]) if arms > 1 else 0.0
                line = {"what": "scores", "noise": name, "arms": arms, "seeds": seeds, "times": TIMES}
                keep(RESULTS, {**line, "level": round(float(level), 4), "planted_found": round(float(found), 4)})


def no_difference(y: np.ndarray) -> bool:
    return not any(c.clear for c in contrasts(y))


def finds(y: np.ndarray) -> bool:
    """Whether the second arm, lifted by twice the noise of a pair of ordinary arms, beats the first."""
    y = y + (np.arange(len(y)) == 1)[:, None] * 2 * 2**0.5
    c = contrasts(y)[0]
    return bool(c.clear and c.difference < 0)


# -- learning rates ----------------------------------------------------------------------------------------------------


def luckiest(scores: dict[float, float]) -> float:
    return max(scores, key=lambda f: scores[f])


def recipes_own(scores: dict[float, float]) -> float:
    return 1.0


def rates_() -> None:
    """Arms whose best rate is anywhere within a factor of three of the recipe's; `cost`: what a factor of three costs,
    in noises of one training. "equal": both arms have the same best rate; "unlike": each its own, and the same best."""
    for cost in (0.1, 0.3, 1.0, 3.0, 10.0):
        for choose in (rates.peak, luckiest, recipes_own):
            random = np.random.default_rng(0)
            equal = np.mean([differ(random, cost, choose, same=True) for _ in range(TIMES)])
            unlike = np.mean([differ(random, cost, choose, same=False) for _ in range(TIMES)])
            line = {"what": "rates", "cost": cost, "choose": choose.__name__, "times": TIMES, "seeds": 5}
            keep(RESULTS, {**line, "equal_differ": round(float(equal), 4), "unlike_differ": round(float(unlike), 4)})


def differ(random: np.random.Generator, cost: float, choose: Callable[[Any], float], same: bool) -> bool:
    best = random.uniform(-1, 1)
    arms = []
    for centre in (best, best if same else random.uniform(-1, 1)):
        chosen = choose(tried(random, centre, cost))
        arms.append(-cost * (np.log(chosen) / np.log(rates.STEP) - centre) ** 2 + random.normal(size=5))
    return not no_difference(np.asarray(arms))


def tried(random: np.random.Generator, centre: float, cost: float) -> dict[float, float]:
    def score(factor: float) -> float:
        return float(-cost * (np.log(factor) / np.log(rates.STEP) - centre) ** 2 + random.normal())

    scores = {f: score(f) for f in rates.FIRST}
    return scores | {f: score(f) for f in rates.then(scores)}


# -- real trainings ----------------------------------------------------------------------------------------------------


def trainings(data: str, arms: int = 3, seeds: int = 5, steps: int = 60, trained: int = 120) -> None:
    """Comparisons of equal arms, drawn from a pool of real trainings of one recipe: every training has a seed of its own, so
    that nothing but chance differs."""
    line = {**surroundings(), "what": "trainings", "data": data, "arms": arms, "seeds": seeds, "steps": steps}
    values = pool(data, trained, steps)
    line |= {"pool": [round(float(v), 6) for v in values], "versions": installed("torch", "numpy", "scipy")}
    keep(RESULTS, line | drawn(values, arms, seeds), "what", "data", "level", "planted_found")


def drawn(values: np.ndarray, arms: int, seeds: int) -> dict[str, float]:
    """How often arms drawn from these scores come out level, and a shift by twice the noise is found."""
    random, noise = np.random.default_rng(0), 2**0.5 * float(values.std(ddof=1))
    level, found = [], []
    for _ in range(TIMES):
        y = random.choice(values, (arms, seeds), replace=False)
        level.append(no_difference(y))
        found.append(finds(y / noise * 2**0.5))
    return {"times": TIMES, "level": round(float(np.mean(level)), 4), "planted_found": round(float(np.mean(found)), 4)}


def pool(data: str, n: int, steps: int) -> np.ndarray:
    """(n,) test scores of the same recipe with n seeds."""
    import whet
    from whet.recipe import Choice, Recipe

    recipe = Recipe(
        family=Choice("textbook", width=8, depth=1) if data == "digits" else Choice("mlp", width=32, depth=1),
        optimizer=Choice("adamw", lr=3e-3),
        schedule=Choice("linear"),
        batch_size=64,
    )
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as folder:
        twice = {"activation": ["relu", "relu"]}  # the least that is a comparison: a control that must agree to the bit
        found = whet.compare(
            data, twice, seeds=n, steps=steps, keep_lr=True, recipe=recipe, out=Path(folder) / "run", show=False
        )
    assert found.arms[0].scores == found.arms[1].scores, "the same recipe twice gave other numbers"
    return np.asarray(found.arms[0].scores)


if __name__ == "__main__":
    jobs = {"scores": scores, "rates": rates_, "trainings": trainings}
    for name in sys.argv[1:] or list(jobs):
        if name == "trainings":
            for data in ("digits", "breast-cancer"):
                trainings(data)
        else:
            jobs[name]()
