"""Data to predict: the same kind and shape as a model was trained on, or one clear line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whet.data.core import Data, Inputs
from whet.data.sources import Source, identify, pairs_as_table
from whet.errors import DataError


def input_spec(data: Data) -> dict[str, Any]:
    """What `load_inputs` needs to know of the training data; JSON-able, part of task.json."""
    if data.domain == "table":
        from whet.data.tables import table_spec

        return table_spec(data)
    assert isinstance(data.x, np.ndarray)
    return {
        "domain": "image",
        "shape": [int(n) for n in data.x.shape[1:]],
        "scale": list(data.origin.get("scale", (0.0, 255.0))),
        "target": data.target,
        "goal": data.goal,
        "classes": list(data.classes),
    }


def load_inputs(source: Any, spec: Mapping[str, Any]) -> Inputs:
    """A source to predict, for a model whose training data had this `input_spec`.

    Picture files of any size and mode are brought to the model's shape. Arrays must have its height and width; grey
    and colour are turned into each other. Of a source with a test part, that part is taken. Labels are returned where
    the source has them and all are known. Raises DataError for data of another kind or shape.
    """
    if spec["domain"] == "table":
        return _table(source, spec)
    found = _identify_inputs(source)
    if found.kind in ("folder", "picture", "hub"):
        return _encoded(found, spec)
    return _arrays(found, spec)


def _table(source: Any, spec: Mapping[str, Any]) -> Inputs:
    from whet.data import tables
    from whet.data.arrays import from_torch, is_torch_data
    from whet.data.bundled import TABLES

    if isinstance(source, str | Path):
        found = identify(source)
        if found.kind in ("folder", "picture", "hub", "idx"):
            raise DataError(f"{found.name} holds pictures; the model takes a table.", "Give a table.")
        if found.kind == "bundled" and found.value in TABLES:
            from whet.data.bundled import bundled_frame

            return tables.load_inputs(bundled_frame(found.value), spec)
        if found.kind == "npz":
            return _npz_table(found.value, spec)
    elif is_torch_data(source):
        return tables.load_inputs(pairs_as_table({"": from_torch(source)})[0], spec)
    return tables.load_inputs(source, spec)


def _npz_table(path: Path, spec: Mapping[str, Any]) -> Inputs:
    from whet.data import tables

    x, y = _npz(path)
    if x.ndim not in (1, 2):
        raise DataError(f"{path} holds examples of the shape {x.shape[1:]}; the model takes a table.", "Give a table.")
    return tables.load_inputs(x if y is None else pairs_as_table({"": (x, y)})[0], spec)


def _identify_inputs(source: Any) -> Source:
    """As for training; also arrays without targets."""
    if isinstance(source, np.ndarray) or hasattr(source, "detach"):
        from whet.data.arrays import as_array

        return Source("pairs", {"": (as_array(source), None)}, "the array", channels_first=hasattr(source, "detach"))
    return identify(source)


# -- picture files and Parquet -------------------------------------------------------------------------------------


def _encoded(found: Source, spec: Mapping[str, Any]) -> Inputs:
    from whet.data import labels, pictures
    from whet.data.decode import Canvas

    listing = _listing(found)
    said = list(listing.said)
    if listing.parts and "test" in listing.parts:
        rows = [i for i, part in enumerate(listing.parts) if part == "test"]
        said.append(f"The source's own test part is taken: {len(rows):,} of {len(listing):,} pictures.")
        listing = pictures.subset(listing, rows)
    done = pictures.decoded(listing, Canvas(*spec["shape"]))
    problems = (*listing.problems, *done.problems)
    if len(listing) == 1 and problems:
        raise DataError(f"The picture {found.value} can't be read: {problems[0].why}.", "Look at the file.")
    labels.check_problems(problems, len(listing) + len(listing.problems), "pictures")
    y = None
    if listing.labels is not None:
        y = known_labels([listing.labels[i] for i in done.kept], spec, said, listing.classes)
    ids = [listing.ids[i] for i in done.kept]
    return Inputs(done.entry.x, ids, y, problems, (*said, *pictures.sentences(done, problems), *done.entry.said))


def _listing(found: Source):  # type: ignore[no-untyped-def]
    from whet.data import hub, images

    if found.kind == "hub":
        return hub.list_parquet(found.value, labelled=False)
    if found.kind == "picture":
        return images.files_listing(found.name, found.value.parent, [found.value.name], None, None)
    walked = images.walk(found.value)
    try:
        listing = images.list_folder(found.value)
    except DataError:
        if not walked.images:
            raise
        return images.files_listing(found.name, found.value, walked.images, None, None, walked.problems)
    if listing.parts or len(listing) == len(walked.images):
        return listing
    return images.files_listing(found.name, found.value, walked.images, None, None, walked.problems)


def known_labels(
    values: Sequence[Any] | np.ndarray, spec: Mapping[str, Any], said: list[str], names: Sequence[str] = ()
) -> np.ndarray | None:
    """Labels as the model's class indices or values; None, and a sentence, where one is missing or not known."""
    from whet.data import labels

    if any(value is None for value in values):
        said.append("Some labels are missing: the predictions are not scored.")
        return None
    try:
        y, _, classes, _ = labels.encode(values, spec["goal"])
    except DataError:
        said.append("The labels are no numbers: the predictions are not scored.")
        return None
    if spec["goal"] == "regress":
        return y
    if names and all(c.isdecimal() and int(c) < len(names) for c in classes):
        classes = tuple(names[int(c)] for c in classes)
    known = list(spec["classes"])
    unknown = [name for name in classes if name not in known]
    if unknown:
        said.append(f"Labels such as {unknown[0]!r} are none of the model's classes: the predictions are not scored.")
        return None
    return np.asarray([known.index(name) for name in classes], np.int64)[y]


# -- arrays --------------------------------------------------------------------------------------------------------


def _arrays(found: Source, spec: Mapping[str, Any]) -> Inputs:
    from whet.data import array_files, arrays

    names: Sequence[str] = ()
    said: list[str] = []
    scale = arrays.Scale(*spec.get("scale", (0.0, 255.0)))
    match found.kind:
        case "npz":
            x, y = _npz(found.value)
        case "idx":
            x, y = _idx(found.value, said)
            names = array_files.class_names(found.value if found.value.is_dir() else found.value.parent)
        case "bundled" if found.value == "digits":
            from whet.data.bundled import load_bundled

            data = load_bundled("digits")
            x, y = np.asarray(data.x), np.asarray(data.classes)[data.y]
        case "pairs":
            part = "test" if "test" in found.value else next(iter(found.value))
            x, y = found.value[part]
        case _:
            raise DataError(f"{found.name} is a table; the model takes pictures of {_size(spec)}.", "Give pictures.")
    assert isinstance(x, np.ndarray)
    if x.ndim == len(spec["shape"]) and tuple(x.shape) == tuple(spec["shape"]):
        x = x[None]  # one picture
    if not arrays.is_picture(x):
        raise DataError(f"{found.name} has the shape {x.shape}; the model takes pictures of {_size(spec)}.", "")
    shaped = arrays.nhwc(x, found.channels_first)
    if shaped.shape[1:3] != tuple(spec["shape"][:2]):
        raise DataError(
            f"{found.name} has pictures of the shape {shaped.shape[1:]}; the model takes {tuple(spec['shape'])}.",
            "Bring them to the model's height and width, or give picture files: those are resized.",
        )
    if x.dtype == np.uint8:
        scale = arrays.Scale(0.0, 255.0)
    elif scale.trivial:
        scale = arrays.value_scale(shaped)
    pixels = arrays.with_channels(arrays.to_uint8(shaped, scale), spec["shape"][2])
    return Inputs(pixels, None, None if y is None else known_labels(y, spec, said, names), (), tuple(said))


def _size(spec: Mapping[str, Any]) -> str:
    return "x".join(str(n) for n in spec["shape"])


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The test part's (x, y) if there is one, else the only one's; y is None where the file has none."""
    from whet.data import array_files

    npz = array_files.read_npz(path)
    try:
        chosen = array_files.npz_names(list(npz), path)
    except DataError:
        lower = {name.lower(): name for name in npz}
        for name in ("x", "x_test", "data", "images", "features", *([next(iter(lower))] if len(lower) == 1 else [])):
            if name in lower:
                return array_files.member(npz, lower[name], path), None
        raise
    x, y = chosen.get("test") or chosen.get("") or next(iter(chosen.values()))
    return array_files.member(npz, x, path), array_files.member(npz, y, path)


def _idx(path: Path, said: list[str]) -> tuple[np.ndarray, np.ndarray | None]:
    from whet.data import array_files

    if path.is_file() and "label" not in path.name.lower():
        pair = next((p for p in _pairs_beside(path) if path in p), None)
        return array_files.read_idx(path), None if pair is None else array_files.read_idx(pair[1])
    pairs = array_files.idx_pairs(path)
    if "test" in pairs and len(pairs) > 1:
        said.append("The source's own test part is taken.")
    x, y = pairs.get("test") or next(iter(pairs.values()))
    return array_files.read_idx(x), array_files.read_idx(y)


def _pairs_beside(path: Path) -> list[tuple[Path, Path]]:
    from whet.data import array_files

    try:
        return list(array_files.idx_pairs(path.parent).values())
    except DataError:
        return []
