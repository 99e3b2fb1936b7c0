"""What a source is, and which reader takes it. The readers, and the packages they need, are imported when called."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.data.core import Data
from whet.errors import DataError

if TYPE_CHECKING:
    from whet.data.decode import Canvas

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".psv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq")
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
CODE = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".dill")
SUBFOLDERS = ("data", "train", "training", "val", "valid", "validation", "test", "testing")
"""Where the data hubs put Parquet files below a folder."""


@dataclass(frozen=True, eq=False)
class Source:
    """A source and its kind."""

    kind: str
    """"bundled", "folder" (of pictures), "picture", "hub" (Parquet with pictures), "idx", "npz", "pairs" or "table"."""
    value: Any
    """A name, a path, {part: (x, y)}, or whatever the tables' reader takes."""
    name: str
    channels_first: bool = False
    """Of pairs that come from torch."""


def load(
    source: Any,
    *,
    target: str | None = None,
    task: str | None = None,
    holdout: Any = None,
    split: str | Path | None = None,
    check: bool = True,
) -> Data:
    """Any source as `Data`.

    `source` is a path (a folder of class folders, a CSV, TSV, JSONL, Parquet, .npz or IDX file, or a folder of them), a
    bundled name, a DataFrame, a pair (X, y), a mapping of arrays, or a torch Dataset. `target` names a table's column.
    `task` is "classification" or "regression"; None: inferred, and said. `holdout` is another source that becomes the
    test part. `split` is a column with the values train, val and test, or a file of path,label,split. Without `check`
    pictures may be of one class, or of one example each.
    Raises DataError, with one clear line, for everything that can't be learned from.
    """
    if holdout is not None and split is not None:
        raise DataError("Both a holdout and a split were given.", "Give one of --holdout and --split.")
    found = identify(source)
    data = _read(found, target=target, task=task, split=split, holdout=holdout, check=check)
    if holdout is None or data.domain == "table":
        return data
    return with_holdout(data, holdout)


def _read(
    found: Source,
    *,
    target: str | None,
    task: str | None,
    split: str | Path | None = None,
    holdout: Any = None,
    canvas: Canvas | None = None,
    check: bool = True,
) -> Data:
    """`Data` of one source. Tables take the holdout with them; pictures get it afterwards."""
    options = {"target": target, "split": split, "holdout": None if holdout is None else _as_table(holdout)}
    if found.kind == "table":
        return _table(found.value, found.name, task, **options)
    if found.kind == "bundled" and found.value != "digits":
        from whet.data.bundled import load_bundled

        return load_bundled(found.value, task=task, **options)
    data = _pictures(found, target, task, split, canvas, check)
    if isinstance(data, Data):
        return data
    value, more = pairs_as_table(data)
    return _table(value, found.name, task, **{**options, **{k: v for k, v in more.items() if options[k] is None}})


def _table(value: Any, name: str, task: str | None, **options: Any) -> Data:
    from whet.data.tables import load_table

    data = load_table(value, task=task, **options)
    return data if isinstance(value, str | Path) else dataclasses.replace(data, name=name)


def _pictures(
    found: Source, target: str | None, task: str | None, split: str | Path | None, canvas: Canvas | None, check: bool
) -> Data | dict[str, Any]:
    if target is not None and found.kind != "hub":
        raise DataError(
            f"There is no column {target!r}: {found.name} holds pictures, not a table.", "Leave out --target."
        )
    if split is not None and found.kind not in ("folder", "hub"):
        raise DataError(f"{found.name} can't be split by {str(split)!r}.", "A folder of pictures or a table can.")
    match found.kind:
        case "folder":
            from whet.data.images import load_folder

            return load_folder(found.value, task=task, split=split, canvas=canvas, check=check)
        case "hub":
            from whet.data.hub import load_parquet

            column = None if split is None else str(split)
            return load_parquet(found.value, target=target, task=task, split=column, canvas=canvas, check=check)
        case "idx":
            from whet.data.array_files import load_idx

            return load_idx(found.value, task=task, check=check)
        case "npz":
            from whet.data.array_files import load_npz

            return load_npz(found.value, task=task, check=check)
        case "bundled":
            from whet.data.bundled import load_bundled

            return load_bundled(found.value, task=task)
        case "pairs":
            return _pairs(found, task, check)
    raise DataError(f"{found.name} is a single picture: nothing can be learned from it.", "Give a folder of pictures.")


def _pairs(found: Source, task: str | None, check: bool) -> Data | dict[str, Any]:
    from whet.data.arrays import is_picture, load_pairs

    if not all(is_picture(x) for x, _ in found.value.values()):
        return dict(found.value)
    return load_pairs(found.name, found.value, task=task, channels_first=found.channels_first, check=check)


# -- what is it? ---------------------------------------------------------------------------------------------------


def identify(source: Any) -> Source:
    """What kind of source this is. Raises DataError for paths that aren't there, and for what can't be read."""
    if isinstance(source, str | os.PathLike):
        return _identify_path(source)
    if isinstance(source, tuple | list) and len(source) == 2 and not isinstance(source[0], int | float | str):
        return _identify_pair(source[0], source[1])
    if hasattr(source, "columns") or type(source).__module__.startswith(("polars", "pandas", "pyarrow")):
        return Source("table", source, "table")
    if isinstance(source, Mapping):
        return _identify_mapping(source)
    from whet.data.arrays import as_array, from_torch, is_torch_data

    if is_torch_data(source):
        x, y = from_torch(source)
        return Source("pairs", {"": (x, y)}, type(source).__name__, channels_first=True)
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        raise DataError(f"An array of the shape {as_array(source).shape} comes without targets.", "Give a pair (X, y).")
    raise DataError(
        f"A {type(source).__name__} can't be read as data.",
        "Give a path, a DataFrame, a pair (X, y) or a torch Dataset.",
    )


def _identify_pair(x: Any, y: Any) -> Source:
    from whet.data.arrays import as_array

    if hasattr(x, "columns") or type(x).__module__.startswith(("polars", "pandas")):
        return Source("table", (x, y), "table")
    is_tensor = hasattr(x, "detach")
    try:
        x, y = as_array(x), as_array(y)
    except ValueError as error:
        raise DataError(f"X is ragged: {error}.", "Give arrays, all examples of one shape.") from None
    return Source("pairs", {"": (_columns(x), y)}, "arrays", channels_first=is_tensor)


def _columns(x: np.ndarray) -> np.ndarray:
    """One value per example is a table with one column."""
    return x[:, None] if x.ndim == 1 else x


def _identify_mapping(source: Mapping[str, Any]) -> Source:
    from whet.data.array_files import npz_names
    from whet.data.arrays import as_array

    arrays = {str(k): v for k, v in source.items() if hasattr(v, "__len__") and not isinstance(v, str)}
    try:
        chosen = npz_names(list(arrays), Path("the mapping"))
    except DataError:
        return Source("table", source, "table")
    pairs = {part: (_columns(as_array(arrays[x])), as_array(arrays[y])) for part, (x, y) in chosen.items()}
    return Source("pairs", pairs, "arrays")


def _identify_path(source: str | os.PathLike[str]) -> Source:
    from whet.data.bundled import NAMES
    from whet.data.labels import printable

    text = os.fspath(source)
    if "\0" in text or not text:
        raise DataError(f"{text!r} is no path.", f"Give a path, or a bundled name: {', '.join(NAMES)}.")
    path = Path(text).expanduser()
    try:
        there = path.exists()
    except OSError as error:  # a circle of links, a name that is too long, a folder that may not be entered
        raise DataError(f"{printable(text)} can't be opened: {error.strerror}.", "Check the path.") from None
    if not there:
        if text.lower() in NAMES:
            return Source("bundled", text.lower(), text.lower())
        from whet.data.images import no_such_path

        raise no_such_path(path, NAMES)
    return _identify_folder(path) if path.is_dir() else _identify_file(path)


def _identify_file(path: Path) -> Source:
    from whet.data.array_files import is_idx_name
    from whet.data.decode import SUFFIXES

    name, suffix = path.name.lower(), path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder.", "Give a file or a folder.")
    if suffix in CODE:
        raise DataError(f"{path} is a {suffix} file: loading it could run code.", "Save the arrays with numpy.savez.")
    if suffix in ARCHIVES or name.endswith(".tar.gz"):
        raise DataError(f"{path} is an archive.", "Unpack it and give the folder.")
    if suffix == ".npy":
        raise DataError(f"{path} is one array without targets.", "Save both with numpy.savez(file, x=…, y=…).")
    if suffix == ".npz":
        return Source("npz", path, path.stem)
    if is_idx_name(name):
        return Source("idx", path, path.stem)
    if name.endswith(SUFFIXES):
        return Source("picture", path, path.name)
    if suffix in (".parquet", ".pq"):
        from whet.data.hub import image_column

        return Source("hub" if image_column(path) else "table", path, path.stem)
    return Source("table", path, path.stem)


def _identify_folder(path: Path) -> Source:
    """By what lies in the folder: IDX files, Parquet files with pictures, tables, and otherwise folders of pictures."""
    from whet.data.array_files import is_idx_name
    from whet.data.decode import SUFFIXES

    try:
        entries = [entry for entry in os.scandir(path) if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"The folder {path} can't be read: {error.strerror}.", "Check its permissions.") from None
    if not entries:
        raise DataError(
            f"The folder {path} is empty.", "Give a folder with a folder of pictures per class, or a table."
        )
    name = path.resolve().name or "data"
    names = [entry.name.lower() for entry in entries if entry.is_file()]
    if any(is_idx_name(n) for n in names):
        return Source("idx", path, name)
    if hub_file := _hub_file(path, entries):
        from whet.data.hub import image_column

        if image_column(hub_file):
            return Source("hub", path, name)
    if any(n.endswith(SUFFIXES) for n in names) or not any(n.endswith(TABLE_SUFFIXES) for n in names):
        return Source("folder", path, name)
    folders = [entry for entry in entries if entry.is_dir()]
    return Source("folder" if folders and _holds_pictures(path) else "table", path, name)


def _hub_file(path: Path, entries: Sequence[os.DirEntry[str]]) -> Path | None:
    """A Parquet file in the folder, or where the data hubs put them below it."""
    folders = [path, *(path / entry.name for entry in entries if entry.name.lower() in SUBFOLDERS and entry.is_dir())]
    for folder in folders:
        found = sorted(p for p in folder.glob("*.parquet") if p.is_file())
        if found:
            return found[0]
    return None


def _holds_pictures(path: Path) -> bool:
    from whet.data.images import walk

    return bool(walk(path).images)


def pairs_as_table(pairs: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """({part: (x, y)} as what the tables' reader takes, its options)."""
    pairs = {part: (_columns(np.asarray(x)), np.asarray(y)) for part, (x, y) in pairs.items()}
    if list(pairs) == [""]:
        return pairs[""], {}
    import polars as pl

    widths = sorted({x.shape[1:] for x, _ in pairs.values()})
    if len(widths) > 1:
        raise DataError(f"The parts have examples of several shapes: {widths}.", "Bring them to one shape.")
    for part, (x, y) in pairs.items():
        if len(x) != len(y):
            raise DataError(f"x_{part} has {len(x)} examples and y_{part} has {len(y)}.", "Give one target each.")
    x = np.concatenate([x for x, _ in pairs.values()])
    y = np.concatenate([y for _, y in pairs.values()])
    parts = [part for part, (_, of_part) in pairs.items() for _ in range(len(of_part))]
    frame = pl.DataFrame(
        {**{f"x{i}": np.ascontiguousarray(x[:, i]) for i in range(x.shape[1])}, "y": y, "split": parts}
    )
    return frame, {"target": "y", "split": "split"}


def _as_table(source: Any) -> Any:
    """A holdout as what the tables' reader takes; pictures stay as they are."""
    found = identify(source)
    if found.kind == "pairs" and list(found.value) == [""]:
        return found.value[""]
    return found.value


# -- a holdout of pictures -----------------------------------------------------------------------------------------


def with_holdout(data: Data, holdout: Any) -> Data:
    """The pictures with another source's as their test part. Its classes must be among the data's own."""
    from whet.data import arrays
    from whet.data.decode import Canvas

    assert isinstance(data.x, np.ndarray)
    held = _read(
        identify(holdout),
        target=None,
        task="classification" if data.goal == "classify" else "regression",
        canvas=Canvas(*data.x.shape[1:]),
        check=False,
    )
    if held.domain != "image":
        raise DataError(f"The holdout {held.name} is a table; {data.name} holds pictures.", "Give pictures.")
    assert isinstance(held.x, np.ndarray)
    if held.x.shape[1:3] != data.x.shape[1:3]:
        raise DataError(
            f"The holdout has pictures of the shape {held.x.shape[1:]}; {data.name} has {data.x.shape[1:]}.",
            "Give pictures of one shape.",
        )
    y = held.y if data.goal == "regress" else mapped(held.y, held.classes, data.classes, "The holdout")
    x = _joined(data, dataclasses.replace(held, x=arrays.with_channels(held.x, data.x.shape[3])))
    own = dict(data.official)
    unused = own.pop("test", np.empty(0, np.int64))
    if "train" not in own:
        own["train"] = np.setdiff1d(np.arange(len(data.y)), np.concatenate([unused, own.get("val", unused[:0])]))
    said = [f"The test part is {held.name}: {len(held.y):,} pictures."]
    if len(unused):
        said.append(f"{data.name} has a test part of its own, {len(unused):,} pictures; it is left out.")
    ids = [*(data.ids or map(str, range(len(data.y)))), *(f"{held.name}/{i}" for i in held.ids or range(len(held.y)))]
    return dataclasses.replace(
        data,
        x=x,
        y=np.concatenate([data.y, y]),
        official={**own, "test": np.arange(len(data.y), len(x))},
        ids=ids,
        problems=(*data.problems, *held.problems),
        said=(*data.said, *said),
        fingerprint=hashlib.sha256(f"{data.fingerprint} {held.fingerprint}".encode()).hexdigest(),
    )


def mapped(y: np.ndarray, classes: Sequence[str], known: Sequence[str], what: str) -> np.ndarray:
    """Class indices into `classes` as indices into `known`. Raises DataError for a class that is not known."""
    from whet.data.labels import listed

    unknown = [name for name in classes if name not in known]
    if unknown:
        raise DataError(
            f"{what} has the class {listed(unknown)}, which the training data lacks.",
            f"Known: {listed(list(known), 10)}.",
        )
    index = np.asarray([known.index(name) for name in classes], np.int64)
    return index[y]


def _joined(data: Data, held: Data) -> np.ndarray:
    """Both sources' pictures, one behind the other; in the cache if one of them lies there."""
    from whet.data import arrays, cache

    assert isinstance(data.x, np.ndarray)
    assert isinstance(held.x, np.ndarray)
    xs = (data.x, held.x)
    if not any(isinstance(x, np.memmap) for x in xs):
        return np.concatenate(xs)

    def blocks(notes: dict[str, Any]) -> Iterator[np.ndarray]:
        return (block for x in xs for block in arrays.in_chunks(x))

    key = hashlib.sha256(f"{data.fingerprint} {held.fingerprint}".encode()).hexdigest()[:40]
    return cache.entry(key, data.x.shape[1:], len(data.x) + len(held.x), blocks).x
