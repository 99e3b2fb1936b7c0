"""Which recordings there are, with their labels, parts and speakers: by folders, by names, or by a table.

recordings/CLASS/x.wav              a folder per class, also inside train/val/test folders
{label}_{speaker}_{index}           a pattern for files' names (--pattern); with "/" for their paths
path,label[,split][,speaker]        a CSV; `transcript` in place of `label` is to be written down
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from whet.data import images
from whet.data.core import Problem, Roles
from whet.data.images import PART_NAMES, Found, Kind, files_listing
from whet.data.labels import check_problems, listed, printable
from whet.data.pictures import Listing
from whet.errors import DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus", ".au")
PATHS = ("path", "file", "filename", "file_name", "audio", "wav")
"""What the column of paths may be called."""
LABELS = ("label", "class", "category", "target")
TRANSCRIPTS = ("transcript", "transcription", "text", "sentence")
SPLITS = ("split", "part", "subset")
SPEAKERS = ("speaker", "speaker_id", "client_id")


def is_recording_name(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


RECORDINGS = Kind(is_recording_name, "recording", "recordings")


@dataclass(frozen=True, eq=False)
class Heard:
    """A listing of recordings, not yet decoded."""

    listing: Listing
    speakers: Mapping[str, str] = field(default_factory=dict)
    """id -> who speaks; {}: not known."""
    spoken: bool = False
    """Whether the labels are transcripts."""


def recordings(
    source: Path, *, target: str | None = None, task: str | None = None, split: str | Path | None, roles: Roles
) -> Heard:
    """The recordings of a folder, a table or a file. Raises DataError where there are none, or none with a label."""
    if not source.exists():
        raise images.no_such_path(source, ())
    if source.is_file() and is_recording_name(source.name):
        alone = files_listing(source.name, source.parent, [source.name], None, None)
        return Heard(alone)
    if source.is_file():
        return by_table(source, target, task, split)
    found = images.walk(source, RECORDINGS)
    if not found.images:
        seen = f"; it holds {listed(found.others, 3)}" if found.others else ""
        raise DataError(
            f"The folder {source} holds no recordings ({', '.join(s[1:] for s in SUFFIXES)}){seen}.",
            "Give a folder with a folder of recordings per class, or a CSV of path,label.",
        )
    return by_names(found, split, roles.pattern, target, task)


def everything(source: Path) -> Heard:
    """All recordings of a source, to be predicted: labels only where a table has them or the folders are classes'."""
    if source.is_dir():
        found = images.walk(source, RECORDINGS)
        if (table := own_table(found)) is not None:
            return by_table(table, None, None, None)
        if found.images:
            names = found.images
            labels = [Path(name).parent.name for name in names] if all("/" in name for name in names) else None
            return Heard(files_listing(source.resolve().name, source, names, labels, None, found.problems))
    return recordings(source, split=None, roles=Roles())


def by_names(
    found: Found, split: str | Path | None, pattern: str | None, target: str | None, task: str | None
) -> Heard:
    """A folder's recordings: by its split file, by a pattern, by the one table in it, or by its folders."""
    table = images.split_table(found.root, split)
    if table is not None:
        listing = images.by_table(found, table)
        if not pattern:
            return Heard(listing)
        says = [Pattern(pattern).read(name) or {} for name in listing.ids]
        if "label" not in table.rows[0]:
            listing = dataclasses.replace(listing, labels=[s.get("label") for s in says])
        return Heard(listing, speakers_of(listing.ids, [s.get("speaker") for s in says]))
    if pattern:
        return by_pattern(found, pattern)
    if (own := own_table(found)) is not None:
        heard = by_table(own, target, task, None)
        said = (f"What is said of the recordings is read from {own.name}.", *heard.listing.said)
        return dataclasses.replace(
            heard, listing=dataclasses.replace(heard.listing, name=found.root.resolve().name, said=said)
        )
    return Heard(images.by_folders(found))


def own_table(found: Found) -> Path | None:
    """The one table at a folder's top that names recordings; None where there is none, or more than one."""
    tables = [found.root / name for name in found.others if "/" not in name and is_table(found.root / name)]
    return tables[0] if len(tables) == 1 else None


# -- by a pattern --------------------------------------------------------------------------------------------------


class Pattern:
    """ "{label}_{speaker}_{index}": how a file's name says what it is. With "/" in it the whole path is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        names = re.findall(r"\{(\w*)\}", text)
        if "label" not in names:
            raise DataError(f"The pattern {text!r} has no {{label}}.", "For example: {label}_{speaker}_{index}")
        if len(set(names)) < len(names) or "" in names:
            raise DataError(f"The pattern {text!r} names something twice, or not at all.", "Name each part once.")
        pieces = re.split(r"\{(\w+)\}", text)
        shape = [f"(?P<{p}>[^/]+?)" if i % 2 else re.escape(p) for i, p in enumerate(pieces)]
        self._shape = re.compile("".join(shape))

    def read(self, name: str) -> dict[str, str] | None:
        """What the name of a file says; None where it doesn't fit."""
        stem = name.rpartition(".")[0]
        found = self._shape.fullmatch(stem if "/" in self.text else stem.rpartition("/")[2])
        return found.groupdict() if found else None


def by_pattern(found: Found, text: str) -> Heard:
    """Labels, and speakers and parts where the pattern has them."""
    pattern = Pattern(text)
    read = [(name, pattern.read(name)) for name in found.images]
    fits = [(name, said) for name, said in read if said]
    misses = [Problem(printable(name), f"doesn't fit the pattern {text}") for name, said in read if not said]
    check_problems(misses, len(read), "names")
    says = [said for _, said in fits]
    parts = None
    if "split" in says[0]:
        parts = [part_named(said["split"], name) for name, said in fits]
    listing = files_listing(
        found.root.resolve().name or "recordings",
        found.root,
        [name for name, _ in fits],
        [said["label"] for said in says],
        parts,
        [*found.problems, *misses],
    )
    return Heard(listing, speakers_of(listing.ids, [said.get("speaker") for said in says]))


def speakers_of(ids: Sequence[str], names: Sequence[str | None]) -> dict[str, str]:
    """id -> speaker; {} where one of them is not known."""
    known = {name: who for name, who in zip(ids, names, strict=True) if who}
    return known if len(known) == len(ids) else {}


def part_named(text: str, where: str) -> str:
    part = PART_NAMES.get(text.strip().lower())
    if part is None:
        raise DataError(f"{where} has the split {text!r}.", "Known: train, val and test.")
    return part


# -- by a table ----------------------------------------------------------------------------------------------------


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV or TSV file, by lower-case column names."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape").replace("\0", "")
    except OSError as error:
        raise DataError(f"{file} can't be read: {error.strerror}.", "Check its permissions.") from None
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    try:
        rows = csv.DictReader(text.splitlines(), delimiter=delimiter, strict=True)
        return [
            {(k or "").strip().lower(): (v or "").strip() for k, v in r.items() if isinstance(v, str)} for r in rows
        ]
    except csv.Error as error:
        raise DataError(f"{file} is no CSV file: {error}.", "Give the columns path,label.") from None


def is_table(file: Path) -> bool:
    """Whether a table names recordings: by the columns, and by the first row."""
    if file.suffix.lower() not in (".csv", ".tsv"):
        return False
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as lines:
            head, first = lines.readline(), lines.readline()
    except OSError:
        return False
    cells = re.split(r"[,\t]", first.strip())
    named = {c.strip().strip('"').lower() for c in re.split(r"[,\t]", head.strip())}
    return bool(named & {*PATHS}) and any(is_recording_name(cell.strip().strip('"')) for cell in cells)


def by_table(file: Path, target: str | None, task: str | None, split: str | Path | None) -> Heard:
    """A CSV with a path per row, and what is to be said of it."""
    rows = rows_of(file)
    columns = list(rows[0]) if rows else []
    path = next((c for c in PATHS if c in columns), None)
    if path is None:
        raise DataError(
            f"{file} has no column of paths (seen: {', '.join(columns) or 'nothing'}).", "Give the columns path,label."
        )
    column, spoken = asked_for(file, columns, target, task)
    rows, problems = there(file, rows, path)
    parts = parts_of(file, rows, columns, path, split)
    listing = files_listing(
        file.stem,
        file.parent,
        [row[path] for row in rows],
        None if column is None else [printable(row.get(column, "")) or None for row in rows],
        parts,
        problems,
    )
    who = next((c for c in SPEAKERS if c in columns), None)
    return Heard(listing, speakers_of(listing.ids, [row.get(who) for row in rows]) if who else {}, spoken)


def asked_for(file: Path, columns: Sequence[str], target: str | None, task: str | None) -> tuple[str | None, bool]:
    """(the column that is to be learned, whether it is a transcript)."""
    if target is not None:
        if target.lower() not in columns:
            raise DataError(f"{file} has no column {target!r}.", f"It has {', '.join(columns)}.")
        return target.lower(), is_transcription(task) or (task is None and target.lower() in TRANSCRIPTS)
    label = next((c for c in LABELS if c in columns), None)
    transcript = next((c for c in TRANSCRIPTS if c in columns), None)
    if is_transcription(task) or label is None:
        return transcript, transcript is not None
    return label, False


TRANSCRIPTION = ("transcribe", "transcription", "speech-to-text", "audio-transcription")
TASKS = (*TRANSCRIPTION, "audio-classification", "audio-regression")


def is_transcription(task: str | None) -> bool:
    return task is not None and task.lower() in TRANSCRIPTION


def there(file: Path, rows: Sequence[dict[str, str]], path: str) -> tuple[list[dict[str, str]], list[Problem]]:
    """The rows whose files are there, and the problems with the others."""
    found, problems = [], []
    for row in rows:
        row[path] = row[path].replace("\\", "/")
        if row[path] and (file.parent / row[path]).is_file():
            found.append(row)
        else:
            problems.append(Problem(printable(row[path]) or "an empty path", "is listed and not there"))
    check_problems(problems, len(rows), f"recordings of {file.name}")
    if twice := len(found) - len({row[path] for row in found}):
        raise DataError(f"{file} lists {twice} recordings more than once.", "List each of them once.")
    return found, problems


def parts_of(
    file: Path, rows: Sequence[dict[str, str]], columns: Sequence[str], path: str, split: str | Path | None
) -> list[str] | None:
    """The part of each row: by a column of the table, or by another table of path,split."""
    if split is not None and str(split).lower() not in columns:
        table = images.split_table(file.parent, split)
        assert table is not None
        known = {Path(table.file.parent, row["path"]).resolve(): row["split"] for row in table.rows}
        known |= {Path(file.parent, row["path"]).resolve(): row["split"] for row in table.rows}
        said = [known.get((file.parent / row[path]).resolve()) for row in rows]
        if missing := said.count(None):
            raise DataError(f"{table.file} names no part for {missing} of {len(said)} recordings.", "Name them all.")
        return [part_named(text or "", row[path]) for text, row in zip(said, rows, strict=True)]
    column = str(split).lower() if split is not None else next((c for c in SPLITS if c in columns), None)
    return None if column is None else [part_named(row.get(column, ""), row[path]) for row in rows]
