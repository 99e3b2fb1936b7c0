"""Folders of files: a folder per class, also inside train/val/test folders, or with a table of path,label,split.

Written for pictures; recordings take the same way, with another `Kind`.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from whet.data import decode, pictures
from whet.data.core import Data, Problem
from whet.data.labels import check_problems, listed, natural, printable
from whet.data.pictures import Listing
from whet.errors import DataError, did_you_mean, nearest

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
SPLIT_FILE = "split.csv"
NOT_OURS = ("__MACOSX", "Thumbs.db", "desktop.ini")
"""Left by other systems; skipped like hidden files."""


def is_image_name(name: str) -> bool:
    return name.lower().endswith(decode.SUFFIXES)


@dataclass(frozen=True)
class Kind:
    """Which files of a folder are wanted, and what they are called."""

    wanted: Callable[[str], bool]
    noun: str
    nouns: str


PICTURES = Kind(is_image_name, "picture", "pictures")


@dataclass
class Found:
    """What a walk through a folder met."""

    root: Path
    kind: Kind = PICTURES
    images: list[str] = field(default_factory=list)
    """Paths below the root, in natural order."""
    others: list[str] = field(default_factory=list)
    """Files that aren't wanted, by their name."""
    problems: list[Problem] = field(default_factory=list)
    """Folders that could not be read."""
    empty: list[str] = field(default_factory=list)
    """Folders at the first level that hold nothing wanted."""


def load_folder(
    root: Path,
    *,
    task: str | None = None,
    split: str | Path | None = None,
    canvas: decode.Canvas | None = None,
    check: bool = True,
) -> Data:
    """A folder of pictures as `Data`. Raises DataError where there is nothing to learn from."""
    return pictures.read(list_folder(root, split), task=task, canvas=canvas, check=check)


def list_folder(root: Path, split: str | Path | None = None) -> Listing:
    """The pictures below a folder, with their labels and parts."""
    found = walk(root)
    if not found.images:
        seen = f"; it holds {listed(found.others, 3)}" if found.others else ""
        raise DataError(
            f"The folder {root} holds no pictures ({', '.join(s[1:] for s in decode.SUFFIXES)}){seen}.",
            "Give a folder with a folder of pictures per class.",
        )
    table = split_table(root, split)
    if table is not None:
        return by_table(found, table)
    return by_folders(found)


# -- walking -------------------------------------------------------------------------------------------------------


def walk(root: Path, kind: Kind = PICTURES) -> Found:
    """All files of a kind below a folder. Hidden files are skipped; links are followed, but in no circle."""
    found = Found(root, kind)
    _walk(str(root), "", found, frozenset())
    found.images.sort(key=natural)
    found.others.sort(key=natural)
    return found


def _walk(folder: str, below: str, found: Found, above: frozenset[tuple[int, int]]) -> None:
    try:
        info = Path(folder).stat()
        here = (info.st_dev, info.st_ino)
        if here in above:  # a link to a folder that we are in
            return
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.problems.append(Problem(printable(below or folder), f"folder can't be read: {error.strerror}"))
        return
    for child in children:
        if child.name.startswith(".") or child.name in NOT_OURS:
            continue
        name = f"{below}{child.name}"
        if _is_folder(child):
            before = len(found.images)
            _walk(child.path, name + "/", found, above | {here})
            if not below and len(found.images) == before:
                found.empty.append(name)
        elif found.kind.wanted(child.name):
            found.images.append(name)
        else:
            found.others.append(name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


# -- labels and parts from the folders -----------------------------------------------------------------------------


def by_folders(found: Found) -> Listing:
    """Labels and parts by the folders' names."""
    names, said = _unwrapped(found)
    nouns = found.kind.nouns
    parts: list[str] | None = None
    tops = {name.split("/", 1)[0] for name in names if "/" in name}
    if any(PART_NAMES.get(top.lower()) == "train" for top in tops):
        keep = [i for i, name in enumerate(names) if _part(name)]
        if len(keep) < len(names):
            said.append(f"{len(names) - len(keep)} {nouns} outside the train, val and test folders are left out.")
        kept_parts = [_part(names[i]) for i in keep]
        inner = [names[i].split("/", 1)[1] for i in keep]
        keep, inner, parts = _with_class(keep, inner, kept_parts, said, nouns)
    else:
        keep, inner, _ = _with_class(list(range(len(names))), names, [""] * len(names), said, nouns)
    if not inner:
        raise DataError(
            f"The folder {found.root} holds {len(names)} {nouns} and no class folders.",
            f"Put the {nouns} of each class into a folder with the class's name, "
            f"or add {SPLIT_FILE} with the columns path,label,split.",
        )
    classes = [printable(name.split("/", 1)[0]) for name in inner]
    return _listing(found, [found.images[i] for i in keep], classes, parts, said)


def _part(name: str) -> str:
    top, slash, _ = name.partition("/")
    return PART_NAMES.get(top.lower(), "") if slash else ""


def _with_class(
    keep: list[int], inner: list[str], parts: list[str], said: list[str], nouns: str
) -> tuple[list[int], list[str], list[str]]:
    """Only the files that lie in a class folder."""
    inside = [i for i, name in enumerate(inner) if "/" in name]
    if inside and len(inside) < len(inner):
        said.append(f"{len(inner) - len(inside)} {nouns} lie in no class folder and are left out.")
    return [keep[i] for i in inside], [inner[i] for i in inside], [parts[i] for i in inside]


def _unwrapped(found: Found) -> tuple[list[str], list[str]]:
    """The names without leading folders that hold everything, such as "images/"; what is worth saying."""
    names, said = list(found.images), list(_about_others(found))
    while True:
        tops = {name.partition("/")[0] for name in names if "/" in name}
        inner = [name.partition("/")[2] for name in names]
        if len(tops) != 1 or not all("/" in name for name in inner) or _part(names[0]):
            return names, said
        names = inner


def _about_others(found: Found) -> Iterator[str]:
    if found.others:
        kind = found.kind
        noun = f"file isn't a {kind.noun} and is" if len(found.others) == 1 else f"files aren't {kind.nouns} and are"
        yield f"{len(found.others)} {noun} ignored: {listed([printable(o) for o in found.others], 3)}."
    if found.empty:
        one = len(found.empty) == 1
        holds, no_class = ("folder holds", "is no class") if one else ("folders hold", "are no classes")
        names = listed([printable(e) for e in found.empty], 3)
        yield f"{len(found.empty)} {holds} no {found.kind.noun} and {no_class}: {names}."


def _listing(
    found: Found, names: list[str], labels: Sequence[str | None], parts: list[str] | None, said: Sequence[str]
) -> Listing:
    return files_listing(
        found.root.resolve().name or found.kind.nouns, found.root, names, labels, parts, found.problems, said
    )


def files_listing(
    name: str,
    root: Path,
    names: Sequence[str],
    labels: Sequence[str | None] | None,
    parts: list[str] | None,
    problems: Sequence[Problem] = (),
    said: Sequence[str] = (),
) -> Listing:
    """A listing of files with these names below `root`."""
    paths = [f"{root}/{below}" for below in names]

    def chunks(most: int) -> Iterator[list[str]]:
        yield from (paths[i : i + most] for i in range(0, len(paths), most))

    return Listing(
        name=printable(name),
        ids=[printable(below) for below in names],
        labels=None if labels is None else list(labels),
        parts=parts,
        files=tuple(Path(path) for path in paths),
        chunks=chunks,
        sample=lambda most: paths[:: max(1, -(-len(paths) // most))],
        problems=tuple(problems),
        said=tuple(said),
    )


# -- labels and parts from a table ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class SplitTable:
    """Rows of path,label,split."""

    file: Path
    rows: tuple[Mapping[str, str], ...]


def split_table(root: Path, split: str | Path | None) -> SplitTable | None:
    """The table given, or the folder's own split.csv; None if there is neither. Raises DataError for a bad one."""
    if split is None:
        own = root / SPLIT_FILE
        return read_split_table(own) if own.is_file() else None
    for file in (Path(split), root / split):
        if file.is_file():
            return read_split_table(file)
    raise DataError(f"There is no file {str(split)!r} to split by.", "Give a CSV with the columns path,label,split.")


def read_split_table(file: Path) -> SplitTable:
    """Rows of a CSV file with the columns path and split, and label where the folders don't say it."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}.", "Check its permissions.") from None
    try:
        rows = [
            {(k or "").strip().lower(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
            for row in csv.DictReader(text.replace("\0", "").splitlines(), strict=True)
        ]
    except csv.Error as error:
        raise DataError(f"{file} is no CSV file: {error}.", "Give the columns path,label,split.") from None
    missing = {"path", "split"} - set(rows[0] if rows else ())
    if missing:
        seen = ", ".join(rows[0]) if rows else "no rows"
        raise DataError(f"{file} lacks the column {listed(sorted(missing))} (seen: {seen}).", "Give path,label,split.")
    return SplitTable(file, tuple(rows))


def by_table(found: Found, table: SplitTable) -> Listing:
    """Labels and parts by a table of path,label,split."""
    nouns = found.kind.nouns
    said = [*_about_others(dataclasses.replace(found, others=[o for o in found.others if o != table.file.name]))]
    by_name = _resolver(found, table.file)
    names, labels, parts, problems = [], [], [], list(found.problems)
    for row in table.rows:
        name, part = by_name(row["path"]), PART_NAMES.get(row["split"].lower())
        if part is None:
            raise DataError(
                f"{table.file} has the split {row['split']!r} for {row['path']!r}.", "Known: train, val and test."
            )
        if name is None:
            problems.append(Problem(printable(row["path"]), "is listed and not there"))
            continue
        names.append(name)
        labels.append(printable(row.get("label") or Path(name).parent.name) or None)
        parts.append(part)
    check_problems(problems, len(table.rows), f"{nouns} of {table.file.name}")
    if twice := len(names) - len(set(names)):
        raise DataError(f"{table.file} lists {twice} {nouns} more than once.", "List each of them once.")
    counts = ", ".join(f"{parts.count(part):,} {part}" for part in ("train", "val", "test") if part in parts)
    said.append(f"Labels and parts are read from {table.file.name}: {counts}.")
    if unlisted := len(found.images) - len(names):
        said.append(f"{unlisted} {nouns} aren't listed there and are left out.")
    return _listing(found, names, labels, parts, said)


def _resolver(found: Found, file: Path):  # type: ignore[no-untyped-def]
    """path in the table -> name below the root, or None; relative to the root, to the table, or absolute."""
    known = set(found.images)
    root = os.path.realpath(found.root)
    base = os.path.realpath(file.parent)
    inside = sorted({name.partition("/")[0] for name in known if "/" in name})

    def resolve(path: str) -> str | None:
        path = path.replace("\\", "/").removeprefix("./")
        candidates = [path, os.path.relpath(os.path.join(base, path), root)]  # noqa: PTH118
        candidates += [f"{top}/{path}" for top in inside] if len(inside) == 1 else []
        return next((name for name in candidates if name in known), None)

    return resolve


def no_such_path(path: Path, bundled: Sequence[str]) -> DataError:
    """The error for a path that isn't there, with the nearest names beside it."""
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    try:
        beside = [entry.name for entry in os.scandir(parent) if not entry.name.startswith(".")]
    except OSError:
        beside = []
    wanted = path.relative_to(parent).parts[0] if parent in path.parents else path.name
    near = [*nearest(wanted, bundled, 2)] if len(path.parts) == 1 else []
    near += [str(parent / name) if str(parent) != "." else name for name in nearest(wanted, beside)]
    hint = did_you_mean(tuple(near[:4]), sorted(bundled))
    if not near:
        hint = f"Give a path, or a bundled name: {', '.join(bundled)}." if bundled else "Check the path."
    return DataError(f"There is no file or folder {printable(str(path))!r}.", hint)
