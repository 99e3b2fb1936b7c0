"""Folders of .txt files, a folder per class, also inside train, val and test folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from whet.data import images
from whet.data.core import MOST_CORRUPT, PARTS, Data, Problem
from whet.data.images import Kind
from whet.data.labels import check_problems, listed
from whet.data.table_joining import Joined
from whet.errors import DataError
from whet.fields.text.reading import Columns, assembled

ENDINGS = (".txt", ".text")
TEXTS = Kind(lambda name: name.lower().endswith(ENDINGS), "text", "texts")
GLANCE = 200
"""Files of a folder that are looked at to see what it holds."""


class Names(tuple[str, ...]):
    """What rows are called, as a table's `Places` are."""

    def at(self, rows: np.ndarray) -> Names:
        """The names of some rows."""
        return Names(self[i] for i in rows.tolist())


def holds_texts(folder: Path) -> bool:
    """Whether folders with .txt files lie in this folder, and no table and no picture beside them."""
    if any(TEXTS.wanted(name) or images.is_image_name(name) for name in names_in(folder)):
        return False
    seen = 0
    for at, folders, names in os.walk(folder):
        folders.sort()
        if Path(at) == folder:
            continue
        for name in sorted(names):
            if TEXTS.wanted(name):
                return True
            if images.is_image_name(name) or seen >= GLANCE:
                return False
            seen += 1
    return False


def names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []


def read_folder(folder: Path, holdout: Path | None, task: str | None) -> Data:
    """The texts of a folder of class folders as `Data`; a holdout is another such folder."""
    frames = [frame_of(folder, "")]
    if holdout is not None:
        own, told, problems = frames[0]
        held = frame_of(holdout, f"{holdout.name}/")
        training = own.filter(pl.col("part") != "test").with_columns(part=pl.col("part").replace("", "train"))
        frames = [(training, told, problems), (held[0].with_columns(part=pl.lit("test")), held[1], held[2])]
    frame = pl.concat([f for f, _, _ in frames])
    problems = tuple(p for _, _, found in frames for p in found)
    names = ("", *PARTS)
    part = np.array([names.index(p) for p in frame.get_column("part").to_list()], np.int64)
    said = tuple(sentence for _, told, _ in frames for sentence in told)
    ids = Names(frame.get_column("id").to_list())
    rows = np.arange(frame.height, dtype=np.int64)
    joined = Joined(frame, ids, part, names, rows, problems, said, decimal_comma=False)  # type: ignore[arg-type]
    return assembled(folder.resolve().name or "texts", joined, Columns(("text",), ("label",), ()), task, None)


def frame_of(folder: Path, before: str) -> tuple[pl.DataFrame, tuple[str, ...], tuple[Problem, ...]]:
    """(text, label, part, id of each file; what is to be said; what can't be read)."""
    listing = images.by_folders(images.walk(folder, TEXTS))
    paths = [Path(str(path)) for chunk in listing.chunks(GLANCE) for path in chunk]
    texts, problems = read_files(paths)
    check_problems(problems, len(paths), "texts")
    labels, parts = listing.labels or [], listing.parts or [""] * len(paths)
    rows = [
        (text, str(label), part, before + name)
        for text, label, part, name in zip(texts, labels, parts, listing.ids, strict=True)
        if text is not None
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("text", "label", "part", "id"), pl.String), orient="row")
    return frame, tuple(listing.said), (*listing.problems, *problems)


def read_files(paths: Sequence[Path]) -> tuple[list[str | None], list[Problem]]:
    """(each file's text, None where it has none; a problem for each of those)."""
    texts: list[str | None] = []
    problems = []
    for path in paths:
        text, why = read_file(path)
        texts.append(text)
        if why:
            problems.append(Problem(f"{path.parent.name}/{path.name}", why))
    return texts, problems


def read_file(path: Path) -> tuple[str | None, str]:
    """(the text, "") or (None, why there is none). What is not UTF-8 is read as Latin-1."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return None, error.strerror or "can't be read"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), ""
        except UnicodeError:
            return None, "holds binary data"
    if b"\0" in data:
        return None, "holds binary data"
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode(), ""
    except UnicodeDecodeError:
        return data.decode("latin-1"), ""


def all_texts(folder: Path) -> tuple[list[str], list[str], list[str] | None, list[Problem]]:
    """(texts, names, labels where folders name them, problems) of every .txt file below a folder, to be predicted."""
    found = images.walk(folder, TEXTS)
    if not found.images:
        seen = f"; it holds {listed(found.others, 3)}" if found.others else ""
        raise DataError(f"The folder {folder} holds no texts (.txt){seen}.", "Give .txt files, or a table.")
    texts, problems = read_files([folder / name for name in found.images])
    if len(problems) > MOST_CORRUPT * len(texts):
        check_problems(problems, len(texts), "texts")
    kept = [(text, name) for text, name in zip(texts, found.images, strict=True) if text is not None]
    labels = [Path(name).parent.name for _, name in kept] if all("/" in name for _, name in kept) else None
    return [text for text, _ in kept], [name for _, name in kept], labels, problems
