"""Is this source made of texts, and which columns hold them? Decided by looking at its first rows, and said aloud.

A column is running text where its values have several words and hardly one is repeated. A table is a text source where
such columns stand beside a target and little else: beside further columns of numbers or categories it stays a table,
unless --text names the column or --task says text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from whet.data.checks import CAMEL_ID, ID_NAME, WORDS
from whet.data.table_splits import SPLIT_COLUMNS
from whet.data.targets import TARGET_NAMES
from whet.fields.text.words import WITHOUT_SPACES

FEWEST = 6
"""With fewer rows nothing is inferred: --text names the column."""
DISTINCT = 0.5
"""The share of different values from which on a column is running text."""
UNSPACED = 12.0
"""Characters of scripts without spaces that count as much as several words."""
FURTHER = 2
"""Columns of text that may stand beside text and target, such as a second label."""
FOLDS = ("fold", "folds", "cv", "cv_fold", "kfold")
LABELS = (*TARGET_NAMES, "sentiment", "category", "intent", "topic", "rating", "stars", "score", "emotion", "polarity")
"""Names of columns that say what a text is."""
TEXT_TASKS = ("text", "text-classification", "text-regression", "text-multilabel", "multilabel", "multi-label")


def is_text_task(task: str | None) -> bool:
    return (task or "").lower() in TEXT_TASKS


def running_text(column: pl.Series) -> bool:
    """Whether these values are sentences rather than categories."""
    if column.dtype != pl.String:
        return False
    filled = column.drop_nulls()
    filled = filled.filter(filled.str.strip_chars() != "")
    if filled.len() < FEWEST or filled.n_unique() <= DISTINCT * filled.len():
        return False
    spaced = filled.str.count_matches(r"\S+").mean()
    unspaced = filled.str.count_matches(f"[{WITHOUT_SPACES}]").mean()
    return float(spaced) >= WORDS or float(unspaced) >= UNSPACED  # type: ignore[arg-type]


def text_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold running text."""
    return [c.name for c in frame if running_text(c)]


def label_column(frame: pl.DataFrame, texts: Sequence[str]) -> str | None:
    """The column that says what the texts are: by its name, else the last that is neither text, number of a row, nor part."""
    lower = {c.strip().lower(): c for c in reversed(frame.columns) if c not in texts}
    named = next((lower[name] for name in LABELS if name in lower), None)
    left = [c for c in frame.columns if c not in texts and not is_aside(frame.get_column(c))]
    return named or (left[-1] if left else None)


def is_aside(column: pl.Series) -> bool:
    """Whether a column names rows, or parts of a split."""
    name = column.name.strip().lower()
    return bool(name in (*SPLIT_COLUMNS, *FOLDS) or ID_NAME.search(column.name) or CAMEL_ID.search(column.name))


def is_text_table(frame: pl.DataFrame, target: str | None = None) -> bool:
    """Whether texts and a label are all there is, rows' names and parts apart."""
    texts = [c for c in text_columns(frame) if c != target]
    label = target or label_column(frame, texts)
    if not texts or label is None or label not in frame.columns:
        return False
    further = [c for c in frame if c.name not in (*texts, label) and not is_aside(c)]
    return len(further) <= FURTHER and all(is_category(c) for c in further)


def is_category(column: pl.Series) -> bool:
    """Words, not numbers: a column of numbers beside a text is something that a table's network can use."""
    if column.dtype != pl.String:
        return False
    filled = column.drop_nulls()
    return bool(filled.len()) and filled.cast(pl.Float64, strict=False).null_count() > filled.len() / 2


def tokens_and_tags(frame: pl.DataFrame) -> tuple[str, str] | None:
    """The columns of words and of their labels in a table of JSON lists; None where there are none."""
    lists = [
        c.name for c in frame if c.dtype == pl.String and re.match(r"\s*\[", str(c.drop_nulls().head(1).to_list()))
    ]
    words = [c for c in lists if c.lower() in ("tokens", "words")]
    tags = [c for c in lists if c.lower() in ("tags", "ner_tags", "labels", "pos_tags", "pos", "ner")]
    return (words[0], tags[0]) if words and tags else None
