"""What the report shows of sound: log-mel spectrograms of mistakes, and what augmentation does to three recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whet.fields.audio.front import Front
from whet.fields.base import Shown
from whet.figures import Figure, Grid, Pictures
from whet.recipe import Choice
from whet.rng import seed_for
from whet.tasks.transcribe import counted

WORST = 12
"""Mistakes that are shown."""
EXAMPLES = 3
ALTERED = 3
"""Augmented versions of each example."""
TALL = 2
"""Pixels of a mel band."""


def figures(shown: Shown) -> tuple[Figure, ...]:
    mistakes = texts(shown) if shown.task.goal == "transcribe" else wrong(shown)
    return tuple(f for f in (mistakes, augmented(shown)) if f is not None)


def wrong(shown: Shown) -> Figure | None:
    """The mistakes that the network was surest of, or the values farthest off."""
    truth, said = shown.truth, shown.predicted
    if shown.task.goal == "classify":
        best = said.argmax(1)
        rows = np.flatnonzero(best != truth)
        rows = rows[np.argsort(-said[rows].max(1), kind="stable")][:WORST]
        names = shown.task.classes
        words = [f"{names[truth[i]]}, taken for {names[best[i]]} ({said[i, best[i]]:.0%})" for i in rows]
    else:
        rows = np.argsort(-np.abs(said - truth), kind="stable")[:WORST]
        words = [f"{truth[i]:.4g}, predicted {said[i]:.4g}" for i in rows]
    if not len(rows):
        return None
    clips = shown.data.x[shown.parts["test"][rows]]
    ids = [name_of(shown, i) for i in rows]
    seen = spectrograms(shown, clips, (), None)
    return Pictures(
        "The surest mistakes",
        [as_pixels(one) for one in seen],
        [f"{a}: {b}" for a, b in zip(ids, words, strict=True)],
        columns=3,
        note="Log-mel spectrograms as the network sees them: time goes to the right, low tones are at the bottom.",
    )


def name_of(shown: Shown, i: Any) -> str:
    row = int(shown.parts["test"][i])
    return shown.data.ids[row] if shown.data.ids is not None else str(row)


def texts(shown: Shown) -> Figure | None:
    """The transcripts with the most wrong words."""
    errors = np.asarray([counted(str(a), str(b), True)[0] for a, b in zip(shown.truth, shown.predicted, strict=True)])
    rows = np.argsort(-errors, kind="stable")[:WORST]
    return Grid(
        "What was written down, the worst first",
        ("recording", "said", "written down", "wrong words"),
        [(name_of(shown, i), str(shown.truth[i]), str(shown.predicted[i]), int(errors[i])) for i in rows],
    )


def augmented(shown: Shown) -> Figure | None:
    """Some training recordings, and what the recipe's augmentation makes of them."""
    choices = shown.network.recipe.augment
    if not choices:
        return None
    clips = shown.data.x[shown.parts["train"][:EXAMPLES]]
    plain = spectrograms(shown, clips, (), None)
    changed = [spectrograms(shown, clips, choices, seed_for(shown.seed, "figure", i)) for i in range(ALTERED)]
    images, captions = [], []
    for i in range(len(clips)):
        images += [as_pixels(plain[i]), *(as_pixels(version[i]) for version in changed)]
        captions += ["as recorded", *["augmented"] * ALTERED]
    said = ", ".join(c.name for c in choices)
    return Pictures("Before and after augmentation", images, captions, columns=1 + ALTERED, note=f"Changed by: {said}.")


def spectrograms(shown: Shown, clips: object, choices: Sequence[Choice], seed: int | None) -> Tensor:
    """(n, M, T) of recordings, normalised; augmented where a seed is given."""
    own = Front.of(shown.prepared.transform, shown.task, choices)  # type: ignore[arg-type]
    draw = None if seed is None else torch.Generator().manual_seed(seed)
    inputs = shown.prepared.transform.apply(clips)
    return own(inputs, torch.empty(0), draw)[0][0][:, 0]


def as_pixels(seen: Tensor) -> np.ndarray:
    """uint8 (height, width, 1) of a normalised spectrogram (M, T), the lowest band at the bottom."""
    shares = ((seen + 2.0) / 4.5).clamp(0, 1).flip(0)
    grey = (255 * (1 - shares)).round().to(torch.uint8)
    return grey.repeat_interleave(TALL, 0).repeat_interleave(TALL, 1)[:, :, None].numpy()
