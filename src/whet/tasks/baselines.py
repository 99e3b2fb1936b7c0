"""What simple models reach on the same rows: the yardsticks beside a network's score.

Each is fitted on training rows only, within a number of seconds. What can't be afforded is skipped, with the reason.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from whet.tasks.features import Baseline, Features, Wanted

LINEAR_SHARE = 0.35
"""Of the time for the baselines of a table, what the linear one may take; the trees have what it leaves."""


def baselines(
    train: Features,
    y: np.ndarray,
    test: Features,
    *,
    goal: str,
    outputs: int,
    seconds: float,
    threads: int,
    seed: int = 0,
) -> tuple[Baseline, ...]:
    """All baselines that make sense for this kind of data, in about `seconds` together (scikit-learn's import apart)."""
    wanted = Wanted(goal, outputs, seconds, threads, seed)
    made = [constant(y, len(test), wanted)]
    share = 1.0 if train.is_images else LINEAR_SHARE
    for name in ("linear",) if train.is_images else ("linear", "trees"):
        left = seconds - sum(b.seconds for b in made)
        made.append(laid(name, train, y, test, replace(wanted, seconds=left * (share if name == "linear" else 1.0))))
    return tuple(made)


def constant(y: np.ndarray, n_test: int, wanted: Wanted) -> Baseline:
    """The same answer for every row: the class shares (so the majority wins), or the mean."""
    if wanted.goal == "regress":
        return Baseline("mean", np.full(n_test, float(np.mean(y))), 0.0)
    shares = np.bincount(y.astype(np.int64), minlength=wanted.outputs) / len(y)
    return Baseline("majority", np.tile(shares, (n_test, 1)), 0.0)


def laid(name: str, train: Features, y: np.ndarray, test: Features, wanted: Wanted) -> Baseline:
    """One yardstick, or why there is none: that is no reason to stop."""
    from whet.tasks.aside import trees
    from whet.tasks.linear import linear

    try:
        return (linear if name == "linear" else trees)(train, y, test, wanted)
    except ValueError as error:
        return Baseline(name, None, 0.0, f"skipped: {str(error).splitlines()[0]}")
