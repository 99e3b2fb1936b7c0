"""A list of encoded pictures, wherever they lie -> `Data`: measured on a sample, decoded once, in parallel.

The pixels are cached under a hash of the pictures' names and bytes. Hashing reads everything once; after that the
hash is looked up by names, sizes and the times of last change (mtime and ctime, in nanoseconds), so that re-opening
reads no pixels. What this guarantees: files whose bytes changed are seen, unless size, mtime and ctime all stayed
the same, which the system doesn't allow a program to arrange by itself. Files changed in the last
`SETTLED` seconds are always hashed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from whet.data import cache, decode, labels
from whet.data.core import PARTS, Data, Problem
from whet.errors import DataError

VERSION = "1"
"""Of the decoding; a change of what pixels come out must change it."""
SAMPLE = 512
"""Pictures that are looked at before all are decoded."""
SETTLED = 2.0
BLOCK_BYTES = 1 << 24
"""Decoded bytes in a block, at most; two blocks per worker are in memory."""
BLOCK_ROWS = 256

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Listing:
    """Encoded pictures that are known by name and not yet decoded."""

    name: str
    ids: list[str]
    labels: list[Any] | None
    """A label per picture, None where one is missing; None: the source has none."""
    parts: list[str] | None
    """Per picture: "train", "val" or "test"; "" for none; None: the source has no parts."""
    files: tuple[Path, ...]
    """Everything that the pictures' bytes come from."""
    chunks: Callable[[int], Iterator[Sequence[decode.Encoded]]]
    """All pictures in order, in sequences of at most that many."""
    sample: Callable[[int], Sequence[decode.Encoded]]
    """About that many pictures from all over."""
    problems: tuple[Problem, ...] = ()
    """What could not even be listed."""
    said: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Names for whole-number labels; () if the labels are names themselves."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Decoded:
    """All pictures of a listing that could be read."""

    entry: cache.Entry
    canvas: decode.Canvas
    kept: np.ndarray
    """(n,) int64: which pictures of the listing the rows are."""
    problems: tuple[Problem, ...]
    key: str


def read(listing: Listing, *, task: str | None = None, canvas: decode.Canvas | None = None, check: bool = True) -> Data:
    """The listing's pictures as `Data`, on the canvas given or else on one chosen from a sample.

    Without `check` it may lack classes, as a holdout may.
    """
    assert listing.labels is not None
    goal = labels.goal_for(task)
    listing, unlabelled = without_missing_labels(listing)
    y, goal, classes, said = labels.encode(listing.labels or [], goal)
    classes = _named(classes, listing.classes)
    if goal == "classify" and check:
        labels.check_classes(y, classes, official_of(listing.parts))  # before the work of decoding
    done = decoded(listing, canvas)
    problems = (*listing.problems, *unlabelled, *done.problems)
    labels.check_problems(problems, len(listing) + len(unlabelled) + len(listing.problems), "pictures")
    y = y[done.kept]
    official = official_of([listing.parts[i] for i in done.kept] if listing.parts else None)
    if goal == "classify" and check and len(done.kept) < len(listing):
        labels.check_classes(y, classes, official)
    return Data(
        name=listing.name,
        domain="image",
        x=done.entry.x,
        y=y,
        goal=goal,
        classes=classes,
        target="label",
        official=official,
        ids=[listing.ids[i] for i in done.kept],
        problems=problems,
        said=(*listing.said, *said, *sentences(done, problems), *done.entry.said),
        findings=labels.alike(classes),
        fingerprint=fingerprint(done.key, y, classes, official),
        origin=done.entry.notes.get("origin", {}),
    )


def without_missing_labels(listing: Listing, what: str = "pictures") -> tuple[Listing, tuple[Problem, ...]]:
    """Those without a label are skipped and named as problems."""
    assert listing.labels is not None
    missing = [i for i, label in enumerate(listing.labels) if label is None]
    if not missing:
        return listing, ()
    problems = tuple(Problem(listing.ids[i], "has no label") for i in missing)
    labels.check_problems(problems, len(listing), what)
    gone = set(missing)
    return subset(listing, [i for i in range(len(listing)) if i not in gone]), problems


def subset(listing: Listing, keep: list[int]) -> Listing:
    """Some of the listing's pictures, in order."""
    wanted = np.zeros(len(listing), bool)
    wanted[keep] = True

    def chunks(most: int) -> Iterator[Sequence[decode.Encoded]]:
        start = 0
        for chunk in listing.chunks(most):
            yield [item for item, keep_it in zip(chunk, wanted[start : start + len(chunk)], strict=True) if keep_it]
            start += len(chunk)

    return dataclasses.replace(
        listing,
        ids=[listing.ids[i] for i in keep],
        labels=[listing.labels[i] for i in keep] if listing.labels is not None else None,
        parts=[listing.parts[i] for i in keep] if listing.parts is not None else None,
        chunks=chunks,
    )


def _named(classes: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Class names for whole-number labels, where the source gives them."""
    known = all(name.isdecimal() and int(name) < len(names) for name in classes)
    return tuple(names[int(name)] for name in classes) if names and known else classes


def official_of(parts: Sequence[str] | None) -> dict[str, np.ndarray]:
    """part -> int64 rows, for the parts that have any."""
    if parts is None:
        return {}
    named = np.asarray(parts)
    rows = {part: np.flatnonzero(named == part).astype(np.int64) for part in PARTS}
    return {part: r for part, r in rows.items() if len(r)}


def sentences(done: Decoded, problems: Sequence[Problem]) -> list[str]:
    """What happened to the pictures on their way to the canvas."""
    canvas, origin = done.canvas, done.entry.notes.get("origin", {})
    said = []
    own = f"{canvas.width}x{canvas.height}"
    if any(size != own for size in origin.get("sizes", {})):
        said.append(f"The pictures have several or large sizes: each is resized to {canvas.width} x {canvas.height}.")
    if any(decode.is_deep(mode) for mode in origin.get("modes", {})):
        said.append(f"Pictures with more than 8 bits are scaled to 8, with {canvas.white:g} as white.")
    if problems:
        first = problems[0]
        said.append(f"{len(problems)} pictures can't be read and are skipped (the first: {first.where}: {first.why}).")
    return said


def fingerprint(key: str, y: np.ndarray, classes: Sequence[str], official: dict[str, np.ndarray]) -> str:
    """sha256 over pixels (by their key), labels and parts."""
    digest = hashlib.sha256(key.encode())
    digest.update(np.ascontiguousarray(y).tobytes())
    digest.update("\0".join(classes).encode())
    for part, rows in official.items():
        digest.update(part.encode() + rows.tobytes())
    return digest.hexdigest()


# -- decoding ------------------------------------------------------------------------------------------------------


def decoded(listing: Listing, canvas: decode.Canvas | None = None) -> Decoded:
    """The listing's pictures, from the cache or decoded now. Raises DataError if none of a sample can be read."""
    key = content_key(listing, canvas)
    found = cache.find(key)
    if found is None:
        Image.init()
        with decode.careful():
            found = _decode_new(listing, canvas, key)
    notes = found.notes
    bad = dict(notes["bad"])
    kept = np.asarray([i for i in range(len(listing)) if i not in bad], np.int64)
    problems = tuple(Problem(listing.ids[i], why) for i, why in bad.items())
    return Decoded(found, decode.Canvas(**notes["canvas"]), kept, problems, key)


def _decode_new(listing: Listing, canvas: decode.Canvas | None, key: str) -> cache.Entry:
    chosen = canvas or _chosen(listing)
    try:
        return _stored(listing, chosen, key, may_be_grey=canvas is None)
    except _Colour:
        return _stored(listing, dataclasses.replace(chosen, channels=3), key, may_be_grey=False)


def _stored(listing: Listing, canvas: decode.Canvas, key: str, may_be_grey: bool) -> cache.Entry:
    return cache.entry(key, canvas.shape, len(listing), lambda notes: blocks(listing, canvas, notes, may_be_grey))


class _Colour(Exception):
    """A colour picture among pictures that were taken for grey."""


def _chosen(listing: Listing) -> decode.Canvas:
    try:
        return decode.choose(listing.sample(SAMPLE))
    except decode.Unreadable as error:
        raise DataError(
            f"None of the pictures in {listing.name} can be read (the last one tried: {error}).", "Look at the files."
        ) from None


def blocks(listing: Listing, canvas: decode.Canvas, notes: dict[str, Any], may_be_grey: bool) -> Iterator[np.ndarray]:
    """uint8 (k, height, width, channels) blocks of all readable pictures, decoded in threads (Pillow frees the GIL).

    Fills `notes` with the canvas, the unreadable pictures {row: why} and the counts of sizes and modes.
    """
    bad: list[tuple[int, str]] = []
    sizes: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    rows = int(np.clip(BLOCK_BYTES // max(1, int(np.prod(canvas.shape))), 1, BLOCK_ROWS))
    start = 0
    for block, wrong, heads in in_parallel(lambda items: _decode_block(items, canvas), listing.chunks(rows)):
        if may_be_grey and canvas.channels == 1 and not all(head.grey for head in heads):
            raise _Colour
        bad += [(start + i, why) for i, why in wrong]
        sizes.update(f"{w}x{h}" for w, h in (head.size for head in heads))
        modes.update(head.mode for head in heads)
        start += len(heads) + len(wrong)
        yield block
    notes["canvas"] = dataclasses.asdict(canvas)
    notes["bad"] = bad
    notes["origin"] = {"sizes": dict(sizes.most_common(200)), "modes": dict(modes.most_common())}


def _decode_block(
    items: Sequence[decode.Encoded], canvas: decode.Canvas
) -> tuple[np.ndarray, list[tuple[int, str]], list[decode.Header]]:
    """(uint8 block of the readable items, [(item, why it is unreadable)], headers of the readable ones)."""
    block = np.empty((len(items), *canvas.shape), np.uint8)
    bad: list[tuple[int, str]] = []
    heads: list[decode.Header] = []
    for i, item in enumerate(items):
        try:
            block[len(heads)], head = decode.pixels(item, canvas)
        except decode.Unreadable as error:
            bad.append((i, str(error)))
        else:
            heads.append(head)
    return block[: len(heads)], bad, heads


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """function(item) for every item, in order, in as many threads as there are cores; few are ever in flight."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


# -- what the content is called ------------------------------------------------------------------------------------


def content_key(listing: Listing, canvas: object) -> str:
    """A name for what is decoded: the same files on the same canvas have the same, wherever they lie."""
    words = [VERSION, repr(canvas), *listing.ids]
    stamp, newest = _stamp(listing.files)
    stamp = hashlib.sha256("\0".join([stamp, *words]).encode("utf-8", "surrogateescape")).hexdigest()[:40]
    if newest < time.time() - SETTLED and (known := cache.remembered(stamp)):
        return known
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape"))
    digest.update(files_digest(listing.files))
    key = digest.hexdigest()[:40]
    if newest < time.time() - SETTLED:
        cache.remember(stamp, key)
    return key


def _stamp(paths: Sequence[Path]) -> tuple[str, float]:
    """(a hash of names, sizes and times, the newest time in seconds)."""
    digest, newest = hashlib.sha256(), 0.0
    for path in paths:
        try:
            info = path.stat()
        except OSError:
            digest.update(os.fsencode(path) + b"?")
            continue
        digest.update(b"%s\0%d %d %d;" % (os.fsencode(path), info.st_size, info.st_mtime_ns, info.st_ctime_ns))
        newest = max(newest, info.st_mtime, info.st_ctime)
    return digest.hexdigest(), newest


def files_digest(paths: Sequence[Path]) -> bytes:
    """sha256 over the content of the files, in order; an unreadable file counts by its being unreadable."""
    digest = hashlib.sha256()
    groups = (paths[i : i + 64] for i in range(0, len(paths), 64))
    for group in in_parallel(lambda some: [_file_digest(path) for path in some], groups):
        for one in group:
            digest.update(one)
    return digest.digest()


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return b"-"
        with open(path, "rb", buffering=0) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return b"?"
    return digest.digest()
