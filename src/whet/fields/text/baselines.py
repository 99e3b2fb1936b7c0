"""What an expert would try first on texts: the majority, TF-IDF with logistic regression, and fastText.

Each is fitted on the training rows, within its share of the time; what was cut is said.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.fields.base import Wanted
from whet.fields.text.words import clean, word_grams
from whet.rng import generator, seed_for
from whet.tasks import Baseline
from whet.tasks.baselines import constant
from whet.tasks.features import Wanted as Limits
from whet.tasks.features import no_time

ROUNDS = 100
"""Iterations of the solver, scikit-learn's default."""
AT_A_TIME = 5
LINEAR_SHARE = 0.5
"""Of the time, what the linear one may take; fastText has what it leaves."""
FAST_WIDTH, FAST_PASSES, FAST_LR, FAST_BATCH = 100, 25, 0.5, 16
"""fastText's width, and passes and rate from its tutorial on labelled questions; it steps after each text, and so texts of a
batch add up. With their mean in place of their sum, 2,800 texts of 8 classes were learned to 0.32 in place of 0.81."""
BUCKETS = 1 << 17
LEAST = 0.3
"""Seconds below which a baseline is not begun."""


def text_baselines(wanted: Wanted) -> Sequence[Baseline]:
    """Those that make sense for the goal. What it takes to import scikit-learn does not count."""
    if wanted.seconds >= LEAST:
        import sklearn.feature_extraction.text
        import sklearn.linear_model  # noqa: F401
    train, test = (wanted.data.x.get_column("text").gather(wanted.parts[p]).to_list() for p in ("train", "test"))
    y, task = wanted.data.y[wanted.parts["train"]], wanted.task
    if task.goal == "multilabel":
        made = [Baseline("majority", np.tile(y.mean(0), (len(test), 1)), 0.0)]
        return [*made, within(wanted.seconds, "tf-idf + logistic", lambda: many_linear(train, y, test, wanted.seconds))]
    made = [constant(y, len(test), Limits(task.goal, task.outputs, wanted.seconds))]
    if task.goal == "regress":
        return [*made, within(wanted.seconds, "tf-idf + ridge", lambda: ridge(train, y, test))]
    share = LINEAR_SHARE * wanted.seconds
    made.append(within(share, "tf-idf + logistic", lambda: logistic(train, y, test, share, task.outputs)))
    left = wanted.seconds - made[-1].seconds
    return [*made, within(left, "fasttext-like", lambda: fast(train, y, test, left, task.outputs, wanted.seed))]


def within(seconds: float, name: str, fit: Callable[[], tuple[np.ndarray, str]]) -> Baseline:
    """The baseline, or why there is none: that is no reason to stop."""
    if seconds < LEAST:
        return Baseline(name, None, 0.0, no_time(seconds))
    began = time.perf_counter()
    try:
        predicted, note = fit()
    except ValueError as error:
        return Baseline(name, None, time.perf_counter() - began, f"skipped: {str(error).splitlines()[0]}")
    return Baseline(name, predicted, time.perf_counter() - began, note)


def counted(train: Sequence[str], test: Sequence[str]) -> tuple[Any, Any]:
    """Their TF-IDF vectors by scikit-learn's defaults."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(sublinear_tf=True)
    return vectoriser.fit_transform(train), vectoriser.transform(test)


def logistic(
    train: Sequence[str], y: np.ndarray, test: Sequence[str], seconds: float, classes: int
) -> tuple[np.ndarray, str]:
    """Logistic regression on TF-IDF, as many rounds as there is time for."""
    from sklearn.linear_model import LogisticRegression

    began = time.perf_counter()
    x, x_test = counted(train, test)
    model = LogisticRegression(C=10.0, max_iter=AT_A_TIME, warm_start=True)
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says after every few rounds that it has not converged
        while done < ROUNDS and (not done or (time.perf_counter() - began) * (done + AT_A_TIME) < seconds * done):
            model.fit(x, y)
            done += AT_A_TIME
            if int(np.max(model.n_iter_)) < AT_A_TIME:
                done = ROUNDS
    shares = np.zeros((len(test), classes))
    shares[:, model.classes_.astype(np.int64)] = model.predict_proba(x_test)
    return shares, "" if done >= ROUNDS else f"cut to {done} rounds"


def ridge(train: Sequence[str], y: np.ndarray, test: Sequence[str]) -> tuple[np.ndarray, str]:
    from sklearn.linear_model import Ridge

    x, x_test = counted(train, test)
    return np.asarray(Ridge(solver="sparse_cg", max_iter=ROUNDS).fit(x, y).predict(x_test)), ""


def many_linear(train: Sequence[str], y: np.ndarray, test: Sequence[str], seconds: float) -> tuple[np.ndarray, str]:
    """A logistic regression for each label, in turn until the time is up; the share of the label for the others."""
    from sklearn.linear_model import LogisticRegression

    began = time.perf_counter()
    x, x_test = counted(train, test)
    found = np.tile(y.mean(0), (len(test), 1))
    for label in range(y.shape[1]):
        if time.perf_counter() - began > seconds:
            return found, f"cut to {label} of {y.shape[1]} labels"
        found[:, label] = (
            LogisticRegression(C=10.0, solver="liblinear").fit(x, y[:, label] > 0).predict_proba(x_test)[:, 1]
        )
    return found, ""


# -- fastText ------------------------------------------------------------------------------------------------------


def fast(
    train: Sequence[str], y: np.ndarray, test: Sequence[str], seconds: float, classes: int, seed: int
) -> tuple[np.ndarray, str]:
    """The mean of vectors of words and hashed pairs, and a linear layer, by plain SGD whose rate falls to zero.

    Joulin et al. 2016, arXiv:1607.01759, section 2: a control of the same kind, not the program itself.
    """
    began = time.perf_counter()
    torch.manual_seed(seed_for(seed, "baseline"))
    table, head = nn.EmbeddingBag(BUCKETS, FAST_WIDTH, mode="mean", sparse=True), nn.Linear(FAST_WIDTH, classes)
    nn.init.uniform_(table.weight, -1 / FAST_WIDTH, 1 / FAST_WIDTH)
    nn.init.zeros_(head.weight)
    told, asked = bags(train), bags(test)
    target = torch.from_numpy(y.astype(np.int64))
    steps = FAST_PASSES * math.ceil(len(train) / FAST_BATCH)
    random, done = generator(seed, "baseline"), 0
    rate = 0.0
    for _ in range(FAST_PASSES):
        order = random.permutation(len(train))
        for at in range(0, len(order), FAST_BATCH):
            rate = max(done / steps, (time.perf_counter() - began) / seconds)
            if rate >= 1:
                break
            rows = order[at : at + FAST_BATCH]
            said = head(table(*laid([told[i] for i in rows])))
            step(F.cross_entropy(said, target[rows], reduction="sum"), table, head, FAST_LR * (1 - rate))
            done += 1
    with torch.no_grad():
        starts = range(0, len(test), 1000)
        said = torch.cat([head(table(*laid(asked[at : at + 1000]))) for at in starts])
    passes = done * FAST_BATCH / len(train)
    note = "" if done >= steps else f"cut to {passes:.1f} passes"
    return said.softmax(1).double().numpy(), note


def step(loss: Tensor, table: nn.EmbeddingBag, head: nn.Linear, lr: float) -> None:
    """One step of gradient descent; the table's gradient is sparse."""
    table.weight.grad = head.weight.grad = head.bias.grad = None
    loss.backward()
    with torch.no_grad():
        for weight in (table.weight, head.weight, head.bias):
            if weight.grad is not None:
                weight.add_(weight.grad, alpha=-lr)


def bags(texts: Sequence[str]) -> list[np.ndarray]:
    """The buckets of each text's words and pairs of words."""
    grams = word_grams([clean(text) for text in texts], (1, 2))
    found = (grams.hash % np.uint64(BUCKETS)).astype(np.int64)
    return np.split(found, np.searchsorted(grams.row, np.arange(1, len(texts))))


def laid(found: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """(all buckets behind one another, where each text begins)."""
    sizes = np.array([len(b) for b in found])
    return torch.from_numpy(np.concatenate(found)), torch.from_numpy(np.cumsum(sizes) - sizes)
