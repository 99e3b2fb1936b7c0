"""What texts look like, and what that suggests."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from whet.data.core import PARTS, Data, Profile, Row, Section
from whet.fields.text.pictures import counted_words
from whet.fields.text.words import WITHOUT_SPACES

SHOWN = 12
UNBALANCED = 5.0
MANY_UNSEEN = 0.1
MOST_TEXTS = 20_000
"""Texts of a part that words are counted in."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    """Of the training part, but for its own size and what of the other parts' words it has seen."""
    texts = {p: data.x.get_column("text").gather(rows[:MOST_TEXTS]).to_list() for p, rows in parts.items()}
    sizes = [
        Row(p, f"{len(parts[p]):,}", "the source's own" if p in data.official else "drawn, stratified")
        for p in PARTS
        if p in parts
    ]
    unknown = len(data.origin.get("unknown", ()))
    if unknown:
        sizes.append(Row("out of scope", f"{unknown:,}", "of no class that training has; they measure what is unknown"))
    sections = (
        Section("Texts (training part)", lines(data, texts)),
        Section("Parts", tuple(sizes)),
        target(data, parts),
    )
    return Profile(data.name, sections, data.findings)


def lines(data: Data, texts: Mapping[str, list[str]]) -> tuple[Row, ...]:
    train = texts["train"]
    counts = counted_words(train)
    lengths = np.array([len(text.split()) for text in train])
    total, once = sum(counts.values()), sum(n == 1 for n in counts.values())
    later = counted_words([*texts.get("val", []), *texts.get("test", [])])
    unseen = sum(n for word, n in later.items() if word not in counts) / max(1, sum(later.values()))
    unspaced = len(re.findall(f"[{WITHOUT_SPACES}]", "".join(train))) / max(1, sum(map(len, train)))
    long = "long: n-grams say most of it" if lengths.mean() > 150 else ""
    rows = [
        Row("texts", f"{len(data):,}"),
        Row(
            "words in a text",
            f"{lengths.mean():.1f} on average, {np.median(lengths):.0f} median, {lengths.max():,} at most",
            long,
        ),
        Row("different words", f"{len(counts):,} among {total:,}; {once / max(1, len(counts)):.0%} of them occur once"),
        Row(
            "words of other parts that training lacks",
            f"{unseen:.1%}",
            "many: parts of words and characters matter" if unseen > MANY_UNSEEN else "",
        ),
    ]
    if unspaced > 0.1:
        rows.append(Row("scripts without spaces", f"{unspaced:.0%} of the characters", "characters count as words"))
    if data.problems:
        rows.append(
            Row("left out", f"{len(data.problems):,}", f"the first: {data.problems[0].where}, {data.problems[0].why}")
        )
    return tuple(rows)


def target(data: Data, parts: Mapping[str, np.ndarray]) -> Section:
    """Classes and their shares, labels, or values."""
    y, title = data.y[parts["train"]], f"Target {data.target!r} (training part)"
    if data.goal == "regress":
        low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
        return Section(title, (Row("values", f"{low:.4g} to {high:.4g} (5 % to 95 %), {middle:.4g} in the middle"),))
    counts = y.sum(0) if y.ndim == 2 else np.bincount(y, minlength=len(data.classes))
    order = np.argsort(-counts, kind="stable")
    ratio = counts.max() / max(1, counts.min())
    advice = "accuracy alone misleads: look at each class" if ratio >= UNBALANCED and y.ndim == 1 else ""
    rows = [
        Row("labels" if y.ndim == 2 else "classes", f"{len(counts):,}"),
        Row("largest against smallest", f"{ratio:.1f}", advice),
        *(Row(data.classes[i], f"{counts[i] / len(y):.1%}") for i in order[:SHOWN]),
    ]
    if len(order) > SHOWN:
        rows.append(Row(f"{len(order) - SHOWN:,} more", f"{counts[order[SHOWN:]].sum() / len(y):.1%} together"))
    return Section(title, tuple(rows))
