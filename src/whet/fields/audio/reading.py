"""Listed recordings -> `Data`: decoded once, in parallel, into a memory-mapped file that is named by its content.

The way is that of pictures (`whet.data.pictures`, which says when a file counts as changed); what is stored is all
samples, one recording after the other.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whet.data import cache, labels
from whet.data.core import Data, Problem
from whet.data.pictures import (
    Listing,
    content_key,
    fingerprint,
    in_parallel,
    official_of,
    without_missing_labels,
)
from whet.data.units import BLANK, units_of
from whet.errors import DataError
from whet.fields.audio import decode
from whet.fields.audio.clips import Clips
from whet.fields.audio.decode import Header, Unreadable
from whet.fields.audio.listing import Heard
from whet.fields.audio.speakers import leak, way_of_splitting

VERSION = "audio 1"
"""Of the decoding; a change of what samples come out must change it."""
SAMPLE = 512
"""Recordings whose headers are looked at before all are decoded."""
BLOCK = 8
"""Recordings that a thread decodes at a time."""
SPARE = 1.5
"""Room on the disk that is asked for, in units of what the sample's lengths say."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """All recordings of a listing that could be read."""

    clips: Clips
    kept: np.ndarray
    """(n,) int64: which recordings of the listing the rows are."""
    problems: tuple[Problem, ...]
    origin: dict[str, Any]
    key: str
    said: tuple[str, ...]


def read(heard: Heard, task: str | None = None) -> Data:
    """The recordings with their labels, or with their transcripts."""
    if heard.listing.labels is None:
        raise DataError(
            f"{heard.listing.name} says nothing of its recordings that could be learned.",
            "Give a folder per class, --pattern, or a CSV with the column label or transcript.",
        )
    goal = "transcribe" if heard.spoken else labels.goal_for(None if task is None else task.removeprefix("audio-"))
    listing, unlabelled = without_missing_labels(heard.listing, "recordings")
    y, goal, classes, said = targets(listing, goal)
    if goal == "classify":
        labels.check_classes(y, classes, official_of(listing.parts))  # before the work of decoding
    done = decoded(listing)
    problems = (*listing.problems, *unlabelled, *done.problems)
    labels.check_problems(problems, len(listing) + len(unlabelled) + len(listing.problems), "recordings")
    y, ids = y[done.kept], [listing.ids[i] for i in done.kept]
    official = official_of([listing.parts[i] for i in done.kept] if listing.parts else None)
    if goal == "classify" and len(done.kept) < len(listing):
        labels.check_classes(y, classes, official)
    speakers = np.asarray([heard.speakers[name] for name in ids]) if heard.speakers else None
    return Data(
        name=listing.name,
        domain="audio",
        x=done.clips,
        y=y,
        goal=goal,
        classes=classes,
        target="transcript" if heard.spoken else "label",
        official=official,
        ids=ids,
        problems=problems,
        said=(*listing.said, *said, *sentences(done), *way_of_splitting(speakers, official)),
        findings=(
            *(labels.alike(classes) if goal == "classify" else ()),
            *(f for f in (leak(speakers, official),) if f),
        ),
        fingerprint=fingerprint(done.key, np.asarray(y), classes, official),
        origin={**done.origin, "speakers": None if speakers is None else speakers.tolist()},
    )


def targets(listing: Listing, goal: str | None) -> tuple[np.ndarray, str, tuple[str, ...], list[str]]:
    """(targets, goal, classes, what was inferred): class indices, values, or texts with their units as classes."""
    assert listing.labels is not None
    if goal != "transcribe":
        return labels.encode(listing.labels, goal)
    texts = np.asarray([" ".join(str(text).split()) for text in listing.labels])
    known = official_of(listing.parts).get("train", np.arange(len(texts)))
    units, why = units_of(texts[known])
    return texts, "transcribe", (BLANK, *units), [why]


def with_holdout(heard: Heard, other: Heard) -> Heard:
    """One source that is trained on and one that is the test part."""
    first, second = heard.listing, other.listing
    if first.labels is None or second.labels is None:
        raise DataError(f"{second.name} says nothing of its recordings.", "Give a holdout with labels.")
    parts = [part if part != "test" else "train" for part in first.parts or ["train"] * len(first)]

    def chunks(most: int) -> Iterator[Sequence[Any]]:
        yield from first.chunks(most)
        yield from second.chunks(most)

    ids = [*first.ids, *(f"{second.name}/{name}" for name in second.ids)]
    listing = dataclasses.replace(
        first,
        ids=ids,
        labels=[*first.labels, *second.labels],
        parts=[*parts, *["test"] * len(second)],
        files=(*first.files, *second.files),
        chunks=chunks,
        problems=(*first.problems, *second.problems),
        said=(*first.said, *second.said),
    )
    speakers = [*heard.speakers.values(), *other.speakers.values()]
    known = dict(zip(ids, speakers, strict=True)) if len(speakers) == len(ids) else {}
    return Heard(listing, known, heard.spoken)


def known_targets(heard: Heard, kept: np.ndarray, spec: Mapping[str, Any]) -> np.ndarray | None:
    """Targets of recordings that are predicted, where all of them are known."""
    said = heard.listing.labels
    if said is None or any(said[i] is None for i in kept):
        return None
    if spec["goal"] == "transcribe":
        return np.asarray([" ".join(str(said[i]).split()) for i in kept], dtype=str) if heard.spoken else None
    place = {name: i for i, name in enumerate(spec["classes"])}
    if spec["goal"] != "classify" or any(said[i] not in place for i in kept):
        return None
    return np.asarray([place[said[i]] for i in kept], np.int64)


def decoded(listing: Listing, rate: int | None = None) -> Decoded:
    """The listing's recordings, from the cache or decoded now, at this rate or at the most frequent one."""
    key = content_key(listing, (VERSION, rate))
    found = cache.find(key) or _decode_new(listing, rate, key)
    notes = found.notes
    bad = dict(notes["bad"])
    kept = np.asarray([i for i in range(len(listing)) if i not in bad], np.int64)
    problems = tuple(Problem(listing.ids[i], why) for i, why in bad.items())
    lengths = np.asarray(notes["lengths"], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(lengths) else lengths
    clips = Clips(found.x.view(np.int16).reshape(-1), starts, lengths, notes["rate"])
    return Decoded(clips, kept, problems, notes["origin"], key, found.said)


def _decode_new(listing: Listing, rate: int | None, key: str) -> cache.Entry:
    sample = listing.sample(SAMPLE)
    chosen = rate or decode.common_rate([str(path) for path in sample])
    size = sum(path.stat().st_size for path in listing.files if path.is_file())
    return cache.entry(key, (2,), int(SPARE * size), lambda notes: blocks(listing, chosen, notes))


def blocks(listing: Listing, rate: int, notes: dict[str, Any]) -> Iterator[np.ndarray]:
    """uint8 (samples, 2) blocks of all readable recordings, decoded in threads (libsndfile runs without the GIL).

    Fills `notes` with the rate, the lengths, the unreadable recordings {row: why}, and what the files were.
    """
    lengths: list[int] = []
    bad: list[tuple[int, str]] = []
    heads: list[Header] = []
    start = 0
    for found, wrong, seen in in_parallel(lambda paths: _decode_block(paths, rate), listing.chunks(BLOCK)):
        bad += [(start + i, why) for i, why in wrong]
        lengths += [len(x) for x in found]
        heads += seen
        start += len(found) + len(wrong)
        yield np.concatenate([np.empty(0, np.int16), *found]).view(np.uint8).reshape(-1, 2)
    notes |= {"rate": rate, "lengths": lengths, "bad": bad, "origin": origin_of(heads, rate)}


def _decode_block(paths: Sequence[Any], rate: int) -> tuple[list[np.ndarray], list[tuple[int, str]], list[Header]]:
    """(samples of the readable ones, [(item, why it is unreadable)], headers of the readable ones)."""
    found, bad, heads = [], [], []
    for i, path in enumerate(paths):
        try:
            x, head = decode.samples(str(path), rate)
        except Unreadable as error:
            bad.append((i, str(error)))
        else:
            found.append(x)
            heads.append(head)
    return found, bad, heads


def origin_of(heads: Sequence[Header], rate: int) -> dict[str, Any]:
    """What the files were before they were decoded; JSON-able."""
    return {
        "rate": rate,
        "rates": {str(k): n for k, n in Counter(h.rate for h in heads).most_common()},
        "channels": {str(k): n for k, n in Counter(h.channels for h in heads).most_common()},
        "formats": dict(Counter(h.format for h in heads).most_common()),
        "cut": sum(h.seconds > decode.MOST_SECONDS for h in heads),
    }


def sentences(done: Decoded) -> list[str]:
    """What happened to the recordings on their way."""
    rate, origin, said = done.clips.rate, done.origin, []
    if others := sum(n for old, n in origin["rates"].items() if int(old) != rate):
        said.append(f"{others:,} recordings have another rate than {rate:,} Hz and are resampled to it.")
    if several := sum(n for channels, n in origin["channels"].items() if int(channels) > 1):
        said.append(f"{several:,} recordings have several channels: their mean is used.")
    if origin["cut"]:
        said.append(f"{origin['cut']} recordings are longer than {decode.MOST_SECONDS:g} s: the rest is left out.")
    if done.problems:
        first = done.problems[0]
        said.append(
            f"{len(done.problems)} recordings can't be used and are skipped (the first: {first.where} {first.why})."
        )
    return [*said, *done.said]
