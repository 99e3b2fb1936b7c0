"""What a set of recordings looks like, and what that suggests."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.data.core import Data, Profile, Row, Section
from whet.data.profile_images import classes_of, parts_of
from whet.data.splits import duplicates
from whet.fields.audio.clips import Clips, groups
from whet.record import Finding

SAMPLE = 1_000
"""Training recordings whose samples are measured."""
SOFT = 0.01
"""Of full scale: a recording whose root mean square is below this is soft."""
FULL = 32_700
"""Of 16 bits: samples beyond this are clipped."""
CLIPPED = 1e-3
"""Share of its samples from which on a recording counts as clipped."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    """The profile of recordings with this split."""
    train = parts["train"]
    sections = [Section("Recordings", files(data)), Section("Parts", parts_of(parts, data, way(data, parts)))]
    found: list[Finding] = [*data.findings]
    if data.goal == "transcribe":
        sections.append(transcripts(data, train))
    else:
        classes, more = classes_of(data, train)
        sections.insert(1, classes)
        found += more
    copies = duplicates(data, parts, groups(data.x))
    if copies:
        found.append(copies)
    rows = train[:: max(1, -(-len(train) // SAMPLE))]
    sections.append(Section(f"Sound ({len(rows):,} training recordings)", sound(data.x[rows])))
    return Profile(data.name, tuple(sections), tuple(found))


def way(data: Data, parts: Mapping[str, np.ndarray]) -> str:
    """How the parts that the source doesn't have were drawn."""
    who = data.origin.get("speakers")
    if who is None:
        return "drawn, stratified"
    named = np.asarray(who)
    apart = not np.isin(named[parts["val"]], named[parts["train"]]).any()
    return "drawn, speakers of its own" if apart else "drawn, stratified"


def files(data: Data) -> tuple[Row, ...]:
    clips, origin = data.x, data.origin
    seconds = clips.seconds
    low, middle, high = np.quantile(seconds, [0, 0.5, 1])
    spread = "windows of one length: short recordings are padded" if high > 1.5 * low else ""
    rows = [
        Row("recordings", f"{len(clips):,}"),
        Row("together", f"{seconds.sum() / 60:,.1f} minutes"),
        Row("length", f"{low:.2f} to {high:.2f} s, median {middle:.2f} s", spread),
        Row("rate", ", ".join(f"{int(r):,} Hz ({n:,})" for r, n in origin["rates"].items()), heard_as(clips, origin)),
        Row("channels", ", ".join(f"{c} ({n:,})" for c, n in origin["channels"].items())),
        Row("format", ", ".join(f"{f} ({n:,})" for f, n in origin["formats"].items())),
        Row("unusable", f"{len(data.problems):,}", "look at them: they are skipped" if data.problems else ""),
    ]
    if origin.get("speakers"):
        rows.append(Row("speakers", f"{len(set(origin['speakers'])):,}", "keep each in one part to judge new voices"))
    return tuple(rows)


def heard_as(clips: Clips, origin: Mapping[str, object]) -> str:
    rates = origin["rates"]
    assert isinstance(rates, dict)
    return "" if list(rates) == [str(clips.rate)] else f"all are resampled to {clips.rate:,} Hz"


def sound(clips: Clips) -> tuple[Row, ...]:
    """Level, clipping and silence at the ends."""
    levels = np.asarray([np.sqrt(np.mean(clip.astype(np.float64) ** 2)) / 32768 for clip in clips])
    clipped = np.asarray([(np.abs(clip.astype(np.int32)) >= FULL).mean() >= CLIPPED for clip in clips])
    decibels = 20 * np.log10(levels.clip(1e-5))
    quiet = np.asarray([edges(clip) for clip in clips])
    spread = float(np.ptp(np.quantile(decibels, [0.05, 0.95])))
    return (
        Row("level", f"median {np.median(decibels):.0f} dB", "brought to one, where it does not tell classes apart"),
        Row("spread of level", f"{spread:.0f} dB between the softest and the loudest twentieth"),
        Row("soft recordings", f"{(levels < SOFT).mean():.0%}"),
        Row("clipped", f"{clipped.mean():.0%}", "record with less gain" if clipped.mean() > 0.05 else ""),
        Row("silence at the ends", f"{np.median(quiet):.0%} of a recording", about_ends(float(np.median(quiet)))),
    )


def edges(clip: np.ndarray) -> float:
    """Share of a recording before the first and after the last sample of a tenth of its largest."""
    loud = np.flatnonzero(np.abs(clip.astype(np.int32)) > 0.1 * np.abs(clip.astype(np.int32)).max())
    return 1 - (loud[-1] - loud[0] + 1) / len(clip) if len(loud) else 1.0


def about_ends(share: float) -> str:
    return "shifts in time lose nothing" if share > 0.2 else ""


def transcripts(data: Data, train: np.ndarray) -> Section:
    texts = [str(text) for text in data.y[train]]
    words = [len(text.split()) for text in texts]
    return Section(
        "Transcripts (training part)",
        (
            Row("words", f"{min(words)} to {max(words)} each, {sum(words):,} in all"),
            Row("distinct words", f"{len({w for text in texts for w in text.split()}):,}"),
            Row("units", f"{len(data.classes) - 1:,}", ", ".join(repr(c) for c in data.classes[1:9])),
            Row("empty", f"{words.count(0):,}"),
        ),
    )
