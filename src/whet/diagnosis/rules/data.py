"""What is wrong with the rows: scales, parts that differ, labels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from whet.diagnosis.causes import finding
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.rows import NEIGHBOURS
from whet.diagnosis.rules.measures import FAR_TARGET
from whet.record import Finding

OFFSET, WIDE, NARROW, UNEVEN = 8.0, 12.0, 0.03, 25.0
SHIFT, STRETCH = 1.0, 2.0
FEW = 20
"""Training rows of a class that are too few to say what it looks like."""
GAP = 0.1
"""Between training and validation rows, from which so few rows count as learned by heart."""
LOPSIDED = 5.0
LEAKED = 0.05
STILL = 0.5
DISAGREE, DISAGREE_R2 = 0.12, 0.3
RENAMED = 0.3


def not_numbers(e: Evidence) -> Iterator[Finding]:
    if e.data.bad > 0:
        yield finding(
            "values that are no numbers",
            "CPP",
            f"{e.data.bad:.1%} of the input values are NaN or infinite (one counts), and everything that meets them becomes "
            "NaN.",
            0.98,
            "Find out where they come from, and fill them before training: x = torch.where(x.isfinite(), x, x_mean).",
            share=e.data.bad,
        )


def targets_not_numbers(e: Evidence) -> Iterator[Finding]:
    shares = {"training": e.data.bad_targets, "validation": e.data.bad_val_targets}
    said = " and ".join(f"{share:.1%} of the {part} targets" for part, share in shares.items() if share > 0)
    broken = "the loss of each batch that has one is no number, and the step that follows makes all weights NaN."
    if said:
        yield finding(
            "targets that are no numbers",
            "TCL",
            f"{said} are NaN or infinite (one counts): "
            + (broken if e.data.bad_targets > 0 else "what is measured on that part says nothing of the network."),
            0.98,
            "Drop rows without a target before training, in both parts: keep = y.isfinite().flatten(1).all(1); "
            "x, y = x[keep], y[keep].",
            share=e.data.bad_targets,
            val_share=e.data.bad_val_targets,
        )


def unscaled_inputs(e: Evidence) -> Iterator[Finding]:
    """Inputs far from mean 0 and spread 1: the first layer's gradient has one huge direction."""
    d = e.data
    if not d.numbers or not math.isfinite(d.std):
        return
    within = d.std
    worst = max(d.offset / OFFSET, within / WIDE, NARROW / max(within, 1e-12), d.scales / UNEVEN)
    if worst <= 1 or (within < NARROW and _tiny_is_carried(e)):
        return
    said = [f"one lies {d.offset:.3g} standard deviations away from 0 (from {OFFSET:g} on counts)"] * (
        d.offset > OFFSET
    )
    said += [f"their standard deviation is {within:.3g} ({NARROW:g} to {WIDE:g} is fine)"] * (
        within > WIDE or within < NARROW
    )
    said += [
        f"one varies {d.scales:.3g} times as much as the median one (from {UNEVEN:g} on counts)",
    ] * (d.scales > UNEVEN)
    yield finding(
        "unscaled inputs",
        "CPP",
        f"The inputs are not on a common scale: {', and '.join(said)}. The largest "
        "numbers decide each step, and the others are hardly heard.",
        0.72 + 0.2 * min(1.0, math.log10(worst) / 1.5),
        "Standardise each input by the training part: x = (x - x_train.mean(0)) / x_train.std(0), in every part.",
        offset=d.offset,
        spread=within,
        uneven=d.scales,
        borders=(OFFSET, NARROW, WIDE, UNEVEN),
    )


def _tiny_is_carried(e: Evidence) -> bool:
    """Whether small inputs are made up for by the first layers: answers differ from row to row."""
    return e.start.out_std > 0.05


def parts_differ(e: Evidence) -> Iterator[Finding]:
    """Validation inputs on another scale than training inputs."""
    d = e.data
    if not d.numbers or not math.isfinite(d.shift):
        return
    stretch = max(d.stretch, 1 / max(d.stretch, 1e-12))
    # the spread of a mean of few rows is no shift
    noise = 3 / math.sqrt(max(1, min(d.rows, d.val_rows, 2000)))
    if d.shift > SHIFT + noise or stretch > STRETCH + noise:
        yield finding(
            "validation data on another scale",
            "CPP",
            f"Validation inputs lie {d.shift:.2g} spreads away from the training inputs (from {SHIFT:g} on counts) and vary "
            f"{d.stretch:.2g} times as much (from {STRETCH:g} times, or half, on counts): the network is asked about data that "
            "it has never seen the like of.",
            0.9,
            "Prepare both parts alike, with the training part's numbers: (x_val - x_train.mean(0)) / x_train.std(0).",
            shift=d.shift,
            stretch=d.stretch,
            borders=(SHIFT, STRETCH),
        )


def unscaled_targets(e: Evidence) -> Iterator[Finding]:
    d = e.data
    if d.classes:
        return
    far = max(abs(d.target_mean) / max(d.target_std, 1e-12), d.target_std, 0.02 / max(d.target_std, 1e-12))
    scales = (
        d.target_scales if e.criterion.name in ("mse", "mae", "huber") else 1.0
    )  # as (time, event) are no two values
    uneven = scales * FAR_TARGET / UNEVEN
    if far > FAR_TARGET or uneven > FAR_TARGET:
        apart = (
            f"One column of the targets varies {d.target_scales:.3g} times as much as another one (from {UNEVEN:g} on "
            "counts), so that the loss hardly hears of the other; together"
        )
        far = max(far, uneven)
        yield finding(
            "unscaled targets",
            "CPP",
            f"{apart if scales > UNEVEN else 'The targets'} have the mean {d.target_mean:.3g} and the spread "
            f"{d.target_std:.3g} (a spread above {FAR_TARGET:g} or below {0.02 / FAR_TARGET:g}, or a mean of {FAR_TARGET:g} "
            "spreads, counts); a fresh network says numbers near 0 with a spread below 1, and has to walk all the way.",
            0.6 + 0.25 * min(1.0, math.log10(far / FAR_TARGET) / 1.5 + 0.3),
            "Train on (y - y_train.mean()) / y_train.std(), and turn predictions back: said * y_train.std() + y_train.mean().",
            mean=d.target_mean,
            spread=d.target_std,
            uneven=scales,
            borders=(FAR_TARGET, UNEVEN),
        )


def wrong_labels(e: Evidence) -> Iterator[Finding]:
    d = e.data
    if d.unseen:
        yield finding(
            "classes without examples",
            "TCL",
            f"{d.unseen} of {d.classes} classes occur in the validation part and never in training (one counts): they can't be "
            "learned.",
            0.9,
            "Check how the labels were made, and split each class: train_test_split(x, y, stratify=y).",
            classes=d.unseen,
        )
    if d.disagreement > (DISAGREE if d.classes else DISAGREE_R2):
        yield finding(
            "label noise",
            "TCL",
            f"Of the training rows {d.disagreement:.0%} more than of the validation rows have another label than the rows "
            f"most like them (from {DISAGREE:.0%} on counts): many labels are wrong, or stand beside other rows than their own."
            if d.classes
            else f"Rows that are near tell {d.disagreement:.2f} less (R2) of training targets than of validation targets (from "
            f"{DISAGREE_R2:g} on counts): many of them are wrong, or stand beside other rows than their own.",
            0.55 + 0.4 * min(1.0, d.disagreement / 0.4),
            "Check that x[i] and y[i] still belong together after sorting, shuffling and joining; then look at the rows whose "
            f"nearest {NEIGHBOURS} neighbours all have another label.",
            share=d.disagreement,
            border=DISAGREE if d.classes else DISAGREE_R2,
        )


def other_names(e: Evidence) -> Iterator[Finding]:
    """Validation targets that mean something else than training targets: one too high, in other units, inverted."""
    d = e.data
    if d.renamed <= RENAMED or d.shift > SHIFT or not 1 / STRETCH < d.stretch < STRETCH:
        return
    how = "each class stood for another one" if d.classes else "they were stretched and moved"
    yield finding(
        "targets of another meaning",
        "TCL" if d.classes else "CPP",
        f"Training rows would foretell validation targets by {d.renamed:.2f} more ({'accuracy' if d.classes else 'R2'}, from "
        f"{RENAMED:g} on counts) if {how}: the same target does not mean the same in both parts.",
        0.9,
        "Make the targets of both parts by the same code: one table of names and indices, the training part's mean and spread.",
        gain=d.renamed,
        border=RENAMED,
    )


def not_shuffled(e: Evidence) -> Iterator[Finding]:
    if e.data.sorted_runs > 0.5:
        yield finding(
            "data sorted by class",
            "CPP",
            "Examples come sorted by class, or nearly: neighbours share theirs far more often than by chance "
            f"({e.data.sorted_runs:.0%} of the way from chance to always; from 50 % on counts). Each batch pulls the network "
            "towards its own class, and the next one away again.",
            0.85,
            "Let the loader shuffle: DataLoader(..., shuffle=True).",
            runs=e.data.sorted_runs,
            border=0.5,
        )


def few_rows(e: Evidence) -> Iterator[Finding]:
    """Too few rows for what the network could hold: it learns them by heart."""
    last = e.course.last
    per = e.data.rows / max(1, e.data.classes)
    if last is None or not e.higher_is_better or per >= FEW:
        return
    gap = last.train - last.val
    if gap > GAP:
        yield finding(
            "too few data",
            "TRD",
            f"{e.data.rows} training rows, {per:.0f} a class (below {FEW} counts), are learned by heart: {e.metric} "
            f"{last.train:.2f} on them, {last.val:.2f} on others.",
            0.85,
            "Collect more rows: that is the only real cure. A smaller network, weight decay and augmentation help a little.",
            rows=e.data.rows,
            per_class=per,
            gap=gap,
            border=FEW,
        )


def rare_classes(e: Evidence) -> Iterator[Finding]:
    """Classes with so few rows that they are learned by heart, or not at all, beside one with many."""
    d, last = e.data, e.course.last
    rows = d.rarest * d.rows
    if last is None or not d.classes or d.imbalance <= LOPSIDED or rows >= FEW or d.rows < FEW * d.classes:
        return
    if e.higher_is_better and last.train - last.val > GAP:
        yield finding(
            "rare classes",
            "TRD",
            f"The rarest class has {rows:.0f} training rows (below {FEW} counts), the most frequent one {d.imbalance:.0f} "
            f"times as many (from {LOPSIDED:g} on counts): {e.metric} {last.train:.2f} on training rows, {last.val:.2f} on "
            "others. A network that hardly sees a class hardly learns it.",
            0.8,
            "Collect more rows of the rare classes; nn.CrossEntropyLoss(weight=1 / rows_of_each_class) helps a little.",
            rows=rows,
            imbalance=d.imbalance,
            border=FEW,
        )


def leak(e: Evidence) -> Iterator[Finding]:
    """Validation rows that are training rows too: what is measured on them is flattered."""
    if e.data.copies > LEAKED:
        yield finding(
            "rows in both parts",
            "LKG",
            f"{e.data.copies:.0%} of the validation rows are training rows too (from {LEAKED:.0%} on counts): the network may "
            "know them by heart, and will do worse on new ones.",
            0.3,
            "Drop equal rows before you split: np.unique(x, axis=0, return_index=True)[1] are the rows to keep.",
            share=e.data.copies,
            border=LEAKED,
        )


def constant_inputs(e: Evidence) -> Iterator[Finding]:
    if e.data.constant > STILL:
        yield finding(
            "inputs that never vary",
            "CPP",
            f"{e.data.constant:.0%} of the inputs have the same value in all rows (from {STILL:.0%} on counts), and say "
            "nothing.",
            0.95 if e.data.constant == 1 else 0.3,
            "Look whether they were read rightly; leave out what is constant: x[:, x_train.std(0) > 0].",
            share=e.data.constant,
            border=STILL,
        )


RULES = (
    not_numbers,
    targets_not_numbers,
    unscaled_inputs,
    parts_differ,
    unscaled_targets,
    constant_inputs,
    wrong_labels,
    other_names,
    not_shuffled,
    few_rows,
    rare_classes,
    leak,
)
