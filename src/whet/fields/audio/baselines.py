"""What an expert tries first: how the log-mel bands go over time, and a linear model or a support vector machine on it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from whet.data.core import Data
from whet.fields.audio.clips import Clips
from whet.fields.audio.front import levelled, read
from whet.fields.audio.mel import log_mel
from whet.fields.audio.transform import AudioTransform
from whet.fields.base import Wanted
from whet.rng import generator
from whet.tasks import Baseline, Features
from whet.tasks.baselines import constant, laid
from whet.tasks.features import Wanted as Asked
from whet.tasks.features import no_time

SEGMENTS = 8
"""Equal stretches of a recording, each with the mean of every band in it."""
SVM_C = 10.0
PILOT = 400
"""Recordings of the fit that tells how many there is time for: a support vector machine's time grows with their square."""
LEAST = 1.5
"""Seconds without which scikit-learn, whose import alone takes that, is not begun."""


def audio_baselines(wanted: Wanted) -> Sequence[Baseline]:
    """Majority or mean, linear, and for classes a support vector machine with Gaussian kernel."""
    if wanted.task.goal == "transcribe":
        return (most_frequent(wanted.data, wanted.parts),)
    began = time.perf_counter()

    def asked(share: float) -> Asked:
        left = wanted.seconds - (time.perf_counter() - began)
        return Asked(wanted.task.goal, wanted.task.outputs, share * left, 1, wanted.seed)

    train, test = wanted.parts["train"], wanted.parts["test"]
    y, transform = wanted.data.y[train], wanted.prepared.transform
    assert isinstance(transform, AudioTransform)
    made = [constant(y, len(test), asked(0.0))]
    seen, unseen = (features(wanted.data.x[rows], transform) for rows in (train, test))
    made.append(laid("linear", seen, y, unseen, asked(0.4)))
    if wanted.task.goal == "classify":
        made.append(svm(seen.numeric, y, unseen.numeric, asked(1.0)))
    return made


def most_frequent(data: Data, parts: Mapping[str, np.ndarray]) -> Baseline:
    """The most frequent training transcript, for every recording."""
    best = Counter(str(text) for text in data.y[parts["train"]]).most_common(1)[0][0]
    return Baseline("majority", np.full(len(parts["test"]), best), 0.0)


def features(x: Clips, transform: AudioTransform) -> Features:
    """(n, SEGMENTS * mels): the mean of each mel band in equal stretches of the sound."""
    found = [segments(*some, transform).numpy() for some in transform.pieces(x)]
    numbers = np.concatenate(found).astype(np.float32)
    return Features(numbers, np.empty((len(numbers), 0), np.int64))


def segments(samples: Tensor, span: Tensor, t: AudioTransform) -> Tensor:
    """(B, SEGMENTS * M) of stored samples."""
    start, length = span[:, 0].clamp_min(0), span[:, 1]
    heard = length.clamp_max(t.window)
    x = levelled(read(samples.view(torch.int16), start, length, t.window), heard, t.level)
    seen = log_mel(x, t.rate, t.size, t.hop, t.mels)[:, 0].double()  # (B, M, T)
    total = torch.nn.functional.pad(seen.cumsum(2), (1, 0))  # (B, M, T + 1)
    frames = heard // t.hop + 1
    edges = (frames[:, None] * torch.arange(SEGMENTS + 1)) // SEGMENTS  # (B, SEGMENTS + 1)
    low, high = edges[:, :-1], torch.maximum(edges[:, 1:], edges[:, :-1] + 1)
    low, high = low.clamp_max(t.frames - 1), high.clamp_max(t.frames)
    at = [e[:, None, :].expand(-1, t.mels, -1) for e in (low, high)]
    means = (total.gather(2, at[1]) - total.gather(2, at[0])) / (high - low)[:, None, :]
    return means.flatten(1)


def svm(train: np.ndarray, y: np.ndarray, test: np.ndarray, asked: Asked) -> Baseline:
    """A support vector machine with Gaussian kernel on standardised features, of as many rows as there is time for.

    Its scores are made into shares by a softmax: they order the classes and are no calibrated probabilities.
    """
    if asked.seconds < LEAST:
        return Baseline("svm", None, 0.0, no_time(asked.seconds))
    began = time.perf_counter()
    from sklearn.svm import SVC

    mean, std = train.mean(0), train.std(0).clip(1e-6)
    train, test = (train - mean) / std, (test - mean) / std
    order = generator(asked.seed, "baseline").permutation(len(y))

    def fit(rows: np.ndarray) -> tuple[SVC, float]:
        start = time.perf_counter()
        return SVC(C=SVM_C).fit(train[rows], y[rows]), time.perf_counter() - start

    if len(np.unique(y[order[:PILOT]])) < asked.outputs:
        rows = order
    else:
        left = asked.seconds - (time.perf_counter() - began)
        rows = order[: int(PILOT * max(1.0, left / max(1e-3, 2 * fit(order[:PILOT])[1])) ** 0.5)]
    said = fit(np.sort(rows))[0].decision_function(test)
    scores = np.stack([-said, said], 1) if said.ndim == 1 else said
    shares = np.zeros((len(test), asked.outputs))
    shares[:, np.unique(y[rows])] = np.exp(scores - scores.max(1, keepdims=True))
    cut = "" if len(rows) == len(y) else f"cut to {len(rows):,} of {len(y):,} rows"
    return Baseline("svm", shares / shares.sum(1, keepdims=True), time.perf_counter() - began, cut)
