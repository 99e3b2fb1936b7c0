"""Parquet tables with a picture per row, as the data hubs lay them out: a column of {bytes, path}, and a label.

They are read a row group at a time, so memory holds the largest row group (the hubs write 100 to 1,000 rows each).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from whet.data import decode, pictures
from whet.data.core import Data
from whet.data.images import PART_NAMES
from whet.data.labels import listed, printable
from whet.data.pictures import Listing
from whet.errors import DataError, did_you_mean, nearest

LABELS = ("label", "labels", "class", "target", "fine_label", "category", "y")
"""What a label's column may be called, the likeliest first."""
CHUNK_BYTES = 1 << 24


def _parquet() -> Any:
    import pyarrow.parquet

    return pyarrow.parquet


def image_column(file: Path) -> str | None:
    """The column that holds encoded pictures; None if the file is another table, or can't be read."""
    import pyarrow as pa

    try:
        schema = _parquet().read_schema(file)
    except (OSError, pa.ArrowException):
        return None
    for column in schema:
        kind = column.type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type):
            return str(column.name)
        if _is_binary(kind) and re.fullmatch(r"(image|img|picture|photo|png|jpe?g)(_?bytes)?", column.name.lower()):
            return str(column.name)
    return None


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def part_of(file: Path, root: Path) -> str:
    """The part that a file's name, or its folder's, says: "train-00000-of-00002.parquet" is of "train"."""
    for name in (file.stem, *(folder.name for folder in file.parents if folder != root and root in folder.parents)):
        if part := PART_NAMES.get(re.split(r"[^A-Za-z]+", name)[0].lower()):
            return part
    return ""


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files in a folder and the folders in it, by name."""
    found = [path for path in folder.rglob("*.parquet") if path.is_file() and not path.name.startswith(".")]
    return sorted(found)


def load_parquet(
    source: Path,
    *,
    target: str | None = None,
    task: str | None = None,
    split: str | None = None,
    canvas: decode.Canvas | None = None,
    check: bool = True,
) -> Data:
    """A Parquet file of pictures, or a folder of such files, as `Data`."""
    return pictures.read(list_parquet(source, target, split=split), task=task, canvas=canvas, check=check)


def list_parquet(source: Path, target: str | None = None, labelled: bool = True, split: str | None = None) -> Listing:
    """The pictures of a Parquet file or folder, with labels and parts. Unlabelled ones are allowed for prediction."""
    files, parts, said = [source], [""], []
    if source.is_dir():
        files = parquet_files(source)
        parts = [part_of(file, source) for file in files]
        if "train" in parts:
            if left := [file.name for file, part in zip(files, parts, strict=True) if not part]:
                said.append(f"Files that name no part are left out: {listed(left)}.")
            pairs = [(file, part) for file, part in zip(files, parts, strict=True) if part]
            files, parts = [file for file, _ in pairs], [part for _, part in pairs]
        else:
            parts = [""] * len(files)
    column = image_column(files[0])
    if column is None:
        raise DataError(f"{files[0]} has no column of pictures.", "Give a column of {bytes, path}.")
    label = _label_column(files[0], column, target, labelled)
    ids: list[str] = []
    labels: list[Any] = []
    of_part: list[str] = []
    for file, part in zip(files, parts, strict=True):
        names, values, own = _columns(file, column, label, split)
        ids += names
        labels += values
        of_part += [part] * len(names) if own is None else own
    return Listing(
        name=printable(source.stem if source.is_file() else source.resolve().name),
        ids=ids,
        labels=labels if label else None,
        parts=of_part if any(of_part) else None,
        files=tuple(files),
        chunks=lambda most: _chunks(files, column, most),
        sample=lambda most: _sample(files, column, most),
        said=tuple(said),
        classes=_class_names(files[0], label) if label else (),
    )


def _label_column(file: Path, image: str, target: str | None, needed: bool) -> str | None:
    names = [name for name in _parquet().read_schema(file).names if name != image]
    if target is not None and target in names:
        return target
    if target is not None and needed:
        raise DataError(f"{file.name} has no column {target!r}.", did_you_mean(nearest(target, names), names))
    for name in LABELS:
        if name in names:
            return name
    if len(names) == 1:
        return str(names[0])
    if not needed:
        return None
    raise DataError(
        f"{file.name} doesn't tell which column is the label (columns: {', '.join(names) or 'none'}).",
        "Name it with --target.",
    )


def _columns(
    file: Path, image: str, label: str | None, split: str | None
) -> tuple[list[str], list[Any], list[str] | None]:
    """The pictures' paths (or their row numbers), their labels, and their parts where a column says them."""
    import pyarrow as pa

    opened = _parquet().ParquetFile(file)
    kind = opened.schema_arrow.field(image).type
    has_path = pa.types.is_struct(kind) and kind.get_field_index("path") >= 0
    if split is not None and split not in opened.schema_arrow.names:
        names = list(opened.schema_arrow.names)
        raise DataError(f"{file.name} has no column {split!r} to split by.", did_you_mean(nearest(split, names), names))
    columns = ([f"{image}.path"] if has_path else []) + [name for name in (label, split) if name]
    try:
        table = opened.read(columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(file, error) from None
    n = opened.metadata.num_rows
    paths: list[str | None] = [None] * n
    if has_path:
        paths = [path for chunk in table.column(image).chunks for path in chunk.field("path").to_pylist()]
    names = [printable(path) if path else f"{file.stem}:{row}" for row, path in enumerate(paths)]
    values = table.column(label).to_pylist() if label else [None] * n
    return names, values, _parts(table.column(split).to_pylist(), file) if split else None


def _parts(values: list[Any], file: Path) -> list[str]:
    unknown = sorted({str(value) for value in values if str(value).lower() not in PART_NAMES})
    if unknown:
        raise DataError(f"{file.name} has the splits {listed(unknown)}.", "Known: train, val and test.")
    return [PART_NAMES[str(value).lower()] for value in values]


def _class_names(file: Path, label: str) -> tuple[str, ...]:
    """Class names that the data hubs keep in the schema beside whole-number labels."""
    meta = _parquet().read_schema(file).metadata or {}
    try:
        feature = json.loads(meta[b"huggingface"])["info"]["features"][label]
        return tuple(printable(str(name)) for name in feature["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _batches(file: Path, image: str, most: int, groups: Sequence[int] | None = None) -> Iterator[list[bytes]]:
    """The encoded pictures in order, at most `most` and about `CHUNK_BYTES` at a time. A missing one is empty."""
    import pyarrow as pa

    try:
        opened = _parquet().ParquetFile(file)
        meta = opened.metadata
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)) / max(1, meta.num_rows)
        rows = max(1, min(most, int(CHUNK_BYTES / max(1.0, size))))
        for batch in opened.iter_batches(batch_size=rows, columns=[image], row_groups=groups, use_threads=False):
            column = batch.column(0)
            encoded = column.field("bytes") if pa.types.is_struct(column.type) else column
            yield [value or b"" for value in encoded.to_pylist()]
    except (OSError, pa.ArrowException) as error:
        raise _damaged(file, error) from None


def _chunks(files: Sequence[Path], image: str, most: int) -> Iterator[list[bytes]]:
    for file in files:
        yield from _batches(file, image, most)


def _sample(files: Sequence[Path], image: str, most: int) -> list[bytes]:
    """Pictures from the beginning of a few row groups of every file (of up to 8 files)."""
    chosen = files[:: max(1, len(files) // 8)][:8]
    found: list[bytes] = []
    for file in chosen:
        n = _parquet().ParquetFile(file).metadata.num_row_groups
        for group in sorted({0, n // 2, max(0, n - 1)} & set(range(n))):
            found += next(_batches(file, image, max(8, most // (3 * len(chosen))), [group]), [])
    return found


def _damaged(file: Path, error: Exception) -> DataError:
    why = " ".join(str(error).split())[:120]
    return DataError(f"{file} can't be read as a Parquet file: {why}.", "It may be damaged or incomplete.")
