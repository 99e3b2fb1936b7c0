"""What rules judge by: plain numbers about the data, the network at its start and its end, and the course of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from whet.setups import Course, Criterion


@dataclass(frozen=True)
class DataFacts:
    """Numbers about the rows; NaN where a number makes no sense for this data."""

    rows: int
    val_rows: int
    numbers: bool
    """Whether some of the inputs are numbers with a scale, and not indices."""
    std: float = 1.0
    """Of all inputs."""
    offset: float = 0.0
    """The largest |mean| of a feature, in units of the spread of all inputs about their features' means."""
    scales: float = 1.0
    """The largest spread of a feature over the median one."""
    bad: float = 0.0
    """Share of values that are no numbers."""
    bad_targets: float = 0.0
    """The same of training targets."""
    bad_val_targets: float = 0.0
    """The same of validation targets."""
    constant: float = 0.0
    """Share of features that don't vary."""
    shift: float = 0.0
    """How far validation inputs lie from training inputs, in spreads of the training inputs, overall."""
    stretch: float = 1.0
    """Spread of validation inputs over that of training inputs."""
    classes: int = 0
    """Kinds of target; 0 for values."""
    imbalance: float = 1.0
    """Rows of the most frequent training class over those of the rarest one."""
    rarest: float = 1.0
    """Share of training rows that the rarest class has."""
    unseen: int = 0
    """Classes of validation rows that no training row has."""
    sorted_runs: float = 0.0
    """Of a loader: how much more often than by chance neighbours share a class; 0: shuffled."""
    target_mean: float = 0.0
    target_std: float = 1.0
    target_scales: float = 1.0
    """The largest spread of a column of targets over the smallest one, where they are few."""
    target_low: float = 0.0
    target_high: float = 1.0
    copies: float = 0.0
    """Share of validation rows that are training rows too."""
    disagreement: float = 0.0
    """How much worse neighbours foretell training targets than validation targets, in accuracy or R2."""
    foretold: float = 0.0
    """How well they foretell validation targets."""
    renamed: float = 0.0
    """How much better they foretell them once each class is called by another name, or values are stretched and moved."""
    several: bool = False
    """Whether a row has any number of labels."""


UNKNOWN = ("score", "loss")
"""Metrics without a known scale: a function of one's own, and the loss."""
GATES = {"GRU": 3, "LSTM": 4}
"""Rows of weights for each unit of a recurrent layer."""


@dataclass(frozen=True)
class Layer:
    """A layer with weights, on one batch."""

    path: str
    kind: str
    inputs: int
    """Fan-in."""
    outputs: int
    gain: float
    """Spread of the weights times the square root of the fan-in."""
    same: bool
    """Whether all its units have the same weights."""
    in_zero: float
    """Share of its inputs that are exactly zero."""
    in_still: float
    """Share of its input units that give the same number for every example of the batch."""
    in_ends: float
    """Share of its inputs that lie at the ends of their range: a saturated function before it."""
    out_std: float
    out_largest: float
    gradient: float
    """Norm of its weights' gradient."""
    weight: float
    """Norm of its weights."""
    frozen: bool
    held: bool
    """Whether the optimiser holds its weights."""
    step: float = float("nan")
    """How far one optimiser step moved the weights, relative to their norm."""

    @property
    def width(self) -> int:
        """Numbers that it gives for a row, a place or a time: an embedding's weights lie the other way, and a recurrent layer's
        gates share its units."""
        return self.inputs if self.kind == "Embedding" else self.outputs // GATES.get(self.kind, 1)

    @property
    def given(self) -> int:
        """Numbers that it makes them of; an embedding's are its words."""
        return self.outputs if self.kind == "Embedding" else self.inputs


@dataclass(frozen=True)
class Look:
    """The network at one moment."""

    layers: tuple[Layer, ...]
    loss: float
    out_low: float
    out_high: float
    out_std: float
    """Spread of the outputs about their columns' means: 0 where every example gets the same answer."""
    out_zero: float
    """Share of the outputs that are exactly zero."""
    sums_to_one: bool
    """Whether outputs are rows of probabilities."""
    outputs: int
    finite: bool = True
    columns_sum_to_one: bool = False
    """Whether they are shares over the rows of the batch, column by column."""
    log_shares: bool = False
    """Whether they are logarithms of rows of probabilities."""
    half: str = ""
    """"float16" or "bfloat16" where something is computed in it."""
    overflow: str = ""
    """Where a result was first too large for half precision; "" where none was."""
    reached: float = float("nan")
    """How large it is in float32."""


@dataclass(frozen=True)
class Rounding:
    """What half precision does to a training step; shares in [0, 1]."""

    stored: str = ""
    """"float16" or "bfloat16" where weights are kept in it."""
    lost: float = 0.0
    """Of the gradients that are not zero once the loss is scaled up: which are zero without."""
    where: str = ""
    """The weights that lose most."""
    stayed: float = 0.0
    """Of the weights in half precision that have a gradient: which a step leaves as they were."""
    broke: bool = False
    """Whether a step from finite weights with a finite loss makes weights that are no numbers."""


@dataclass(frozen=True)
class Steps:
    """What the training step does beside forward, backward and step."""

    penalty: float = 0.0
    """Norm of the gradient that the step adds to the loss's own, relative to that one."""
    shrinks: float = 1.0
    """What the step leaves of the gradient's length, by clipping it for one."""
    accumulates: bool = False
    """Whether gradients of earlier steps are still there."""
    along: float = 1.0
    """The cosine between the step's gradient and the loss's own: below 0 it drives the loss up."""
    still: str = ""
    """Why weights stay where they are: "no step" is taken, or there is "no gradient" left when it is; "" where they move."""
    evaluates: bool = False
    """Whether the network is trained in evaluation mode."""
    autocast: str = ""
    """The type that the step lets torch compute in; "" where it leaves that as it is."""


@dataclass(frozen=True)
class Aim:
    """What a loss that is none of the known ones makes of right and of wrong answers."""

    astray: float = 0.0
    """How much better it likes other answers than the right ones, as a share of what it tells them apart by."""
    heard: float = 1.0
    """What wrong answers cost to the rows of the class that it hears least of, over those of the class it hears most of."""
    deaf: bool = False
    """Whether it likes wrong classes as much as the right ones."""


@dataclass(frozen=True)
class Evidence:
    """All that rules may look at."""

    data: DataFacts
    start: Look
    end: Look | None
    course: Course
    criterion: Criterion
    metric: str
    higher_is_better: bool
    optimizer: str
    settings: Mapping[str, float]
    """lr, momentum, weight_decay, beta1, beta2 of the first group."""
    batch_size: int
    epochs: int
    steps: Steps
    dropout: tuple[tuple[str, float], ...]
    """(path, share) of each dropout layer."""
    norms: int
    activations: tuple[tuple[str, str, str], ...]
    """(where, what, role) of each non-linearity that the model computes; () if it can't be followed."""
    followed: bool
    """Whether the model could be followed."""
    batch_norms: int = 0
    """How many of the norms take the batch's statistics."""
    batches: int = 0
    """Of an epoch, where a loader says how many; 0: as many as the rows make."""
    repeated: tuple[str, ...] = ()
    """Paths of one and the same layer with weights, where it has several."""
    aim: Aim = Aim()
    rounding: Rounding = Rounding()
    born: str = ""
    """Where a fresh network first makes numbers that are none; "" where it makes none such."""
    wobble: float = 0.0
    """How far two answers to the same rows differ in evaluation mode, in spreads of the answers."""
    unseen: float = 0.0
    """Share of what varies in a row that no answer depends on."""
    unheard: float = 0.0
    """How far a metric of one's own moves, as a share of it, with outputs that the loss hears nothing of."""
    informed: float = 0.0
    """By how much of itself that metric is better with these outputs than with their mean: what they know."""
    passed_by: tuple[str, ...] = ()
    """Paths of narrow layers that answers get round."""
    jumps: float = 0.0
    """How far a fresh network's answers move, in their spreads, where inputs are moved by a hundredth of theirs."""
    yardsticks: Mapping[str, float] = field(default_factory=dict)
    """name -> the metric that a simple method reaches on the same rows."""

    @property
    def value(self) -> float:
        """The metric at the end."""
        last = self.course.last
        return float("nan") if last is None or self.course.broke is not None else last.val

    @property
    def classify(self) -> bool:
        return self.data.classes > 0

    @property
    def known(self) -> dict[str, float]:
        """The yardsticks that are numbers; what the fresh network reaches, which may be luck, only where one answer for all
        is none of them."""
        found = {name: value for name, value in self.yardsticks.items() if math.isfinite(value)}
        if "guess" in found:
            found.pop("start", None)
        return found

    def above(self, one: float, other: float) -> bool:
        """Whether one value of the metric is better than another one."""
        return one > other if self.higher_is_better else one < other

    def share(self, value: float) -> float:
        """A value of the metric on a scale where 1 is perfect: an accuracy as it is; of errors the share of what the mean
        leaves unexplained that is explained, R2 for squares. Of a loss, or a metric of one's own, which has no such scale, the
        way from the same answer for all to the same training mended. NaN where what it takes is not known."""
        guess = self.yardsticks.get("guess", self.yardsticks.get("start", math.nan))
        if self.metric in UNKNOWN:
            way = self.yardsticks.get("mended", math.nan) - guess
            return (value - guess) / way if self.above(guess + way, guess) else math.nan
        if self.higher_is_better:
            return value
        if self.metric not in ("rmse", "mae") or not guess > 0:
            return math.nan
        ratio = value / guess
        return 1 - (ratio**2 if self.metric == "rmse" else ratio)
