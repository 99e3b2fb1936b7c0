"""Sentences with a tag for each word, from CoNLL files and from JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whet.data.table_sources import PART_NAMES
from whet.errors import DataError, did_you_mean, nearest
from whet.fields.text.folders import read_file

CONLL = (".conll", ".bio", ".iob", ".iob2", ".conll03")
FOLDER_ENDINGS = CONLL
JSON = (".jsonl", ".ndjson", ".json")
TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "labels", "pos_tags", "pos", "ner")


@dataclass(frozen=True)
class Sentence:
    """Words and their tags, as many of each; no tags where they are to be predicted."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def read_sentences(source: Any, holdout: Any, target: str | None) -> dict[str, list[Sentence]]:
    """part -> sentences; "" for a source without parts. Raises DataError where there is no tagged sentence."""
    if isinstance(source, tuple | list):
        return {"": pairs(source)}
    path = Path(source)
    files = parts_of(path) if path.is_dir() else {"": path}
    if holdout is not None:
        files = {"train" if part == "" else part: file for part, file in files.items() if part != "test"}
        files["test"] = Path(holdout)
    found = {part: read(file, target) for part, file in files.items()}
    for part, sentences in found.items():
        if not sentences or any(not s.tags for s in sentences):
            raise DataError(f"{files[part]} has sentences without tags.", "Give a tag for each word.")
    return found


def sentences_of(source: Any) -> tuple[list[Sentence], bool]:
    """(sentences to predict, whether they have tags)."""
    if isinstance(source, list | tuple):
        found = [Sentence(tuple(s.split()) if isinstance(s, str) else tuple(map(str, s)), ()) for s in source]
    elif not isinstance(source, str | os.PathLike) or not Path(source).exists():
        raise DataError(f"{source!r} holds no sentences.", "Give a CoNLL file, JSON lines or a list.")
    elif Path(source).suffix.lower() == ".txt":
        text, why = read_file(Path(source))
        if text is None:
            raise DataError(f"{source} {why}.", "Give a text in UTF-8.")
        found = [Sentence(tuple(line.split()), ()) for line in text.splitlines() if line.strip()]
    else:
        found = read(Path(source), None)
    if not found:
        raise DataError(f"{source} holds no sentence.", "Look at the data.")
    return found, all(s.tags for s in found)


def parts_of(folder: Path) -> dict[str, Path]:
    """The files of a folder by the part that they are."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (*CONLL, *JSON))
    found = {
        part: file for part, names in PART_NAMES.items() for file in files if file.name.split(".")[0].lower() in names
    }
    if "train" in found:
        return found
    if len(files) == 1:
        return {"": files[0]}
    raise DataError(f"{folder} holds {len(files)} files of sentences and none is train.", "Name one of them.")


def read(path: Path, target: str | None) -> list[Sentence]:
    text, why = read_file(path)
    if text is None:
        raise DataError(f"{path} {why}.", "Give a CoNLL file or JSON lines.")
    return json_sentences(text, path, target) if path.suffix.lower() in JSON else conll_sentences(text, path)


def conll_sentences(text: str, path: Path) -> list[Sentence]:
    """A word and its tag per line, the tag in the last column; an empty line ends a sentence."""
    found, words, tags = [], [], []
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        parts = line.split()
        if parts and not line.startswith(("-DOCSTART-", "#\t", "# ")):
            if len(parts) < 2:
                raise DataError(f"{path} line {number} has a word and no tag: {line!r}.", "Write: word tag.")
            words.append(parts[0])
            tags.append(parts[-1])
        elif words:
            found.append(Sentence(tuple(words), tuple(tags)))
            words, tags = [], []
    return found


def json_sentences(text: str, path: Path, target: str | None) -> list[Sentence]:
    """Objects with a list of tokens and a list of tags, one per line or in one list."""
    try:
        rows = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(x) for x in text.splitlines() if x.strip()]
        )
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.", "Give an object per line.") from None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} holds no JSON objects.", "Give an object with tokens and tags per line.")
    names = list(rows[0])
    words = next((n for n in names if n.lower() in TOKENS), None)
    if words is None:
        raise DataError(f"{path} has no list of tokens.", f"It has: {', '.join(names)}; call it tokens.")
    tags = target or next((n for n in names if n.lower() in TAGS), None)
    if target is not None and target not in names:
        raise DataError(f"{path} has no list {target!r}.", did_you_mean(nearest(target, names), names))
    return [sentence(row, words, tags, f"{path} row {i}") for i, row in enumerate(rows, start=1)]


def sentence(row: dict[str, Any], words: str, tags: str | None, where: str) -> Sentence:
    tokens = tuple(str(t) for t in row.get(words) or ())
    said = tuple(str(t) for t in row.get(tags) or ()) if tags else ()
    if said and len(said) != len(tokens):
        raise DataError(f"{where} has {len(tokens)} tokens and {len(said)} tags.", "Give one tag per token.")
    return Sentence(tokens, said)


def pairs(source: Sequence[Any]) -> list[Sentence]:
    """(lists of words, lists of tags) as sentences."""
    words, tags = source
    if len(words) != len(tags):
        raise DataError(f"There are {len(words):,} sentences and {len(tags):,} lists of tags.", "Give one each.")
    return [
        sentence({"tokens": list(w), "tags": list(t)}, "tokens", "tags", f"Sentence {i}")
        for i, (w, t) in enumerate(zip(words, tags, strict=True))
    ]
