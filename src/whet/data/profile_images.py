"""What a set of pictures looks like, and what that suggests. Pixels are measured on training rows only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whet.data.core import PARTS, Data, Profile, Row, Section
from whet.data.splits import duplicates, row_groups
from whet.data.symmetry import mirror_gain
from whet.record import Finding
from whet.search.first import HARMFUL, UPSIDE_DOWN

SAMPLE = 2_000
"""Pictures, evenly spread over the training rows, whose pixels are measured."""
CHUNK_BYTES = 1 << 25
FLAT = 2.0
"""A picture whose grey values spread less than this (of 255) shows nothing."""
DARK, BRIGHT = 40.0, 215.0
UNBALANCED = 3.0
"""The largest class against the smallest, from where class weights are worth trying."""
FEW = 20
"""Training examples of a class, below which little can be learned of it."""
NOISY = 10.0
"""Noise (of 255) that can be seen with the naked eye."""
SHOWN = 20
"""Classes that are listed one by one."""


def profile(data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
    """The profile of pictures with this split."""
    assert isinstance(data.x, np.ndarray)
    train = parts["train"]
    sample = train[:: max(1, -(-len(train) // SAMPLE))]
    x = data.x[sample]
    groups = row_groups(data.x)
    classes, class_findings = classes_of(data, train)
    copies, copy_findings = _copies(data, parts, groups)
    pixels, pixel_findings = _pixels(x)
    sections = [Section("Pictures", _pictures(data)), classes, Section("Parts", parts_of(parts, data)), copies, pixels]
    if data.goal == "classify":
        sections.append(Section("Structure", _structure(data, train, x)))
    found = (*data.findings, *class_findings, *copy_findings, *pixel_findings)
    return Profile(data.name, tuple(sections), found)


def _pictures(data: Data) -> tuple[Row, ...]:
    assert isinstance(data.x, np.ndarray)
    n, height, width, channels = data.x.shape
    sizes, modes = data.origin.get("sizes", {}), data.origin.get("modes", {})
    rows = [
        Row("pictures", f"{n:,}", _about_number(n)),
        Row("trained on as", f"{width} x {height}, {_colour(channels)}", _about_size(height, width)),
        Row("decoded", _memory(data.x.nbytes)),
    ]
    if len(sizes) > 1:
        rows.append(Row("sizes in the files", _range_of(sizes), "each is resized to one size, the whole picture kept"))
    elif sizes:
        rows.append(Row("size in the files", next(iter(sizes)).replace("x", " x ")))
    if modes:
        total = sum(modes.values())
        shown = ", ".join(f"{mode} {count / total:.0%}" for mode, count in modes.items())
        rows.append(Row("modes in the files", shown, "all are brought to one" if len(modes) > 1 else ""))
    corrupt = f"{len(data.problems)}"
    if data.problems:
        corrupt += f" (such as {data.problems[0].where}: {data.problems[0].why})"
    rows.append(Row("unreadable", corrupt, "they are skipped; repair or remove them" if data.problems else ""))
    return tuple(rows)


def _memory(size: int) -> str:
    """Bytes in words: "28 KiB", "312 MiB"."""
    return f"{size / (1 << 20):,.0f} MiB" if size >= 10 << 20 else f"{size / (1 << 10):,.0f} KiB"


def _colour(channels: int) -> str:
    return "grey" if channels == 1 else "colour"


def _counted(n: int) -> str:
    return f"{n:,} picture{'' if n == 1 else 's'}"


def _about_number(n: int) -> str:
    if n < 2_000:
        return "few: strong augmentation and several seeds"
    return "enough to train a network from scratch" if n >= 20_000 else "augmentation will matter"


def _about_size(height: int, width: int) -> str:
    side = max(height, width)
    return "a network for small images, no early pooling" if side <= 64 else "a network that shrinks the image early"


def _range_of(sizes: Mapping[str, int]) -> str:
    pairs = [tuple(int(n) for n in size.split("x")) for size in sizes]
    widths, heights = zip(*pairs, strict=True)
    return f"{min(widths)}-{max(widths)} x {min(heights)}-{max(heights)} ({len(sizes)} sizes)"


def classes_of(data: Data, train: np.ndarray) -> tuple[Section, list[Finding]]:
    """The classes with their training examples; for regression, the target's range."""
    if data.goal == "regress":
        y = data.y[train]
        shown = f"{y.min():g} to {y.max():g}, mean {y.mean():g}, standard deviation {y.std():g}"
        return Section("Target", (Row("values", shown),)), []
    counts = np.bincount(data.y[train], minlength=len(data.classes))
    ratio = float(counts.max() / max(1, counts.min()))
    advice = "weigh the classes in the loss; accuracy alone misleads" if ratio >= UNBALANCED else ""
    rows = [
        Row("classes", str(len(counts))),
        Row("largest against smallest", f"{ratio:.1f}", advice),
        Row("always the largest", f"{counts.max() / max(1, counts.sum()):.1%}", "the accuracy to beat"),
    ]
    order = np.argsort(-counts, kind="stable")
    rows += [
        Row(data.classes[i], f"{counts[i]:,}", "few examples: add some" if counts[i] < FEW else "")
        for i in order[:SHOWN]
    ]
    if len(order) > SHOWN:
        rest = counts[order[SHOWN:]]
        rows.append(Row(f"{len(rest)} more", f"{rest.min():,} to {rest.max():,} each"))
    found = []
    if ratio >= UNBALANCED:
        found.append(
            Finding(
                name="class-imbalance",
                cause=f"The largest class has {ratio:.1f} times the examples of the smallest.",
                evidence={"ratio": ratio, "threshold": UNBALANCED},
                severity="info",
                advice="Weigh the classes in the loss, and look at the scores per class.",
            )
        )
    return Section("Classes (training part)", tuple(rows)), found


def parts_of(parts: Mapping[str, np.ndarray], data: Data, drawn: str = "drawn, stratified") -> tuple[Row, ...]:
    """The parts with their sizes, and where they come from."""
    return tuple(
        Row(part, f"{len(parts[part]):,}", "the source's own" if part in data.official else drawn)
        for part in PARTS
        if part in parts
    )


def _copies(data: Data, parts: Mapping[str, np.ndarray], groups: np.ndarray) -> tuple[Section, list[Finding]]:
    """Exact copies: within the training part, across parts, and with contradicting labels."""
    train = parts["train"]
    within = len(train) - len(np.unique(groups[train]))
    rows = [Row("copies within train", f"{within:,}", "remove them: they count double" if within else "")]
    seen = np.unique(groups[train])
    for part in ("val", "test"):
        n = int(np.isin(groups[parts[part]], seen).sum())
        rows.append(Row(f"{part} pictures also in train", f"{n:,}", "the score is too good" if n else ""))
    found = [f for f in (duplicates(data, parts, groups),) if f]
    if data.goal == "classify":
        pairs = np.unique(np.stack([groups[train], data.y[train]]), axis=1)[0]
        torn = int((np.unique(pairs, return_counts=True)[1] > 1).sum())
        rows.append(Row("same picture, other label", f"{torn:,}", "correct these labels" if torn else ""))
        if torn:
            cause = f"In the training part, {_counted(torn)} occur with more than one label."
            evidence = {"pictures": torn}
            found.append(Finding("contradicting-labels", cause, evidence=evidence, advice="Correct the labels."))
    return Section("Copies", tuple(rows)), found


def _pixels(x: np.ndarray) -> tuple[Section, list[Finding]]:
    grey = greys(x)
    brightness, contrast = grey.mean(axis=(1, 2)), grey.std(axis=(1, 2))
    flat = float((contrast < FLAT).mean())
    dark, bright = float((brightness < DARK).mean()), float((brightness > BRIGHT).mean())
    noise = float(np.median(noise_of(grey))) if min(grey.shape[1:]) >= 3 else 0.0
    rows = [
        Row(
            "brightness",
            f"mean {brightness.mean():.0f}, from {brightness.min():.0f} to {brightness.max():.0f} (of 255)",
        ),
        Row("contrast", f"mean {contrast.mean():.0f}", "low: stretch the contrast" if contrast.mean() < 15 else ""),
        Row("spread of brightness", f"{brightness.std():.0f}", _about_light(float(brightness.std()))),
        Row("dark, bright", f"{dark:.0%}, {bright:.0%}"),
        Row("near-constant pictures", f"{flat:.1%}", "look at them: they show nothing" if flat else ""),
        Row(
            "noise",
            f"{noise:.1f} (of 255)",
            "noisy, or of fine texture" if noise > NOISY and min(x.shape[1:3]) >= 32 else "",
        ),
        Row("pixels exactly black or white", f"{((grey <= 0) | (grey >= 255)).mean():.0%}"),
    ]
    if x.shape[3] == 3:
        colourless = float((x == x[..., :1]).all(axis=(1, 2, 3)).mean())
        advice = "no colour in it: one channel is enough" if colourless == 1 else ""
        rows.append(Row("pictures without colour", f"{colourless:.0%}", advice))
    found = []
    if flat > 0.01:
        cause = f"{flat:.1%} of the pictures are of one value."
        found.append(Finding("near-constant-pictures", cause, evidence={"share": flat}, advice="Look at them."))
    return Section(f"Pixels ({len(x):,} training pictures)", tuple(rows)), found


def _about_light(spread: float) -> str:
    return "the light varies: brightness augmentation fits" if spread > 30 else ""


def greys(x: np.ndarray) -> np.ndarray:
    """float32 (n, height, width): the mean over channels, at most about `CHUNK_BYTES` of them."""
    x = x[: max(1, CHUNK_BYTES // (4 * max(1, int(np.prod(x.shape[1:3])))))]
    return x.mean(axis=3, dtype=np.float32)


def noise_of(grey: np.ndarray) -> np.ndarray:
    """(n,) the standard deviation of the noise in each picture; fine texture counts as noise.

    J. Immerkaer, Fast Noise Variance Estimation (1996): the response to a mask that is blind to edges and slopes.
    """
    g = grey
    rows = g[:, :-2] - 2 * g[:, 1:-1] + g[:, 2:]  # (n, height - 2, width)
    response = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return np.sqrt(np.pi / 2) / 6 * np.abs(response).mean(axis=(1, 2))


def _structure(data: Data, train: np.ndarray, x: np.ndarray) -> tuple[Row, ...]:
    """What a quick judge says of mirror images, and the borders of shifts."""
    assert isinstance(data.x, np.ndarray)
    across, upside = mirror_gain(data.x, data.y, train)
    grey = greys(x)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    plain = float((border.std(axis=1) < FLAT).mean())
    return (
        Row("left-right mirror images", f"{across:+.1f} standard errors", _about_flips(across, HARMFUL, "horizontal")),
        Row("upside-down images", f"{upside:+.1f} standard errors", _about_flips(upside, UPSIDE_DOWN, "vertical")),
        Row("plain borders", f"{plain:.0%}", "shifts lose nothing" if plain > 0.8 else ""),
    )


def _about_flips(gain: float, least: float, which: str) -> str:
    """Of what flipped images add to the accuracy of a quick classifier, which is unsure below 2 standard errors."""
    if gain < least:
        return f"no {which} flips: a quick classifier does worse with them"
    return f"a quick classifier does better with {which} flips" if gain > 2 else f"{which} flips look harmless"
