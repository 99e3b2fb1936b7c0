"""What a comparison found: the arms, their paired differences, and what that means in words. The same as compare.json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from whet.errors import OutputError
from whet.report import wording
from whet.search.verdict import contrasts, half_for_other_rows, shown

NAME = "compare.json"
DEARER, LEAST_SECONDS = 1.25, 1.0
"""Arms that cost this many times what the cheapest does are said to, where a training is long enough to tell."""


@dataclass(frozen=True)
class ArmResult:
    """One arm, as it was measured."""

    name: str
    scores: tuple[float, ...]
    """Of each seed, on the test part; NaN where a training gave no network."""
    lr: float
    """The learning rate that its trainings began with."""
    seconds: float
    """Per training: the median."""
    steps: int
    diverged: int
    """Trainings that diverged, and were begun again with a lower rate or given up."""
    recipe: Mapping[str, Any] = field(repr=False)
    failed: int = 0
    """Trainings that gave no score; an arm with one loses."""
    fault: str = ""
    """What they did: diverged, ran out of memory, was killed, failed."""
    why: str = ""
    """The same with its reason."""

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds."""
        return float(np.std(self.scores, ddof=1))


@dataclass(frozen=True)
class Pair:
    """One arm beside another: the difference of their scores, paired by seed."""

    first: str
    second: str
    difference: float
    """First minus second, in the metric's own unit."""
    half: float
    """Half of the interval over seeds; see `whet.search.verdict.Contrast`."""
    half_rows: float | None
    """The same over other test rows as well; None where the metric says nothing about single rows."""
    p: float
    """Corrected for the number of arms."""
    smallest: float
    """The smallest difference that these seeds would have shown in 8 of 10 cases."""
    said: str

    @property
    def clear(self) -> bool:
        """Whether the difference is measurable."""
        return abs(self.difference) > self.half

    @property
    def interval(self) -> tuple[float, float]:
        return self.difference - self.half, self.difference + self.half


@dataclass(frozen=True)
class Comparison:
    """The outcome of `whet.compare`."""

    folder: Path
    metric: str
    direction: str
    """"max" or "min": which way the metric is better."""
    seeds: tuple[int, ...]
    n: int
    """Test rows."""
    arms: tuple[ArmResult, ...]
    pairs: tuple[Pair, ...]
    """Every arm beside the first, and the best beside the others."""
    said: tuple[str, ...]
    """The outcome in sentences, the headline first."""
    notes: tuple[str, ...]
    """What to keep in mind: divergence, rates at an edge, costs."""
    details: Mapping[str, Any] = field(repr=False)
    """All of compare.json."""

    @classmethod
    def read(cls, folder: Path) -> Comparison:
        """The finished comparison in a folder. Raises OutputError where there is none."""
        try:
            found = json.loads((Path(folder) / NAME).read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise OutputError(f"{folder} holds no finished comparison.", "Start the same command to go on.") from None
        except (OSError, ValueError) as error:
            raise OutputError(f"{Path(folder) / NAME} can't be read: {error}.", "Compare again.") from error
        return cls.from_dict(Path(folder), found)

    @classmethod
    def from_dict(cls, folder: Path, found: Mapping[str, Any]) -> Comparison:
        arms = [{k: a[k] for k in ArmResult.__dataclass_fields__ if k in a} for a in found["arms"]]
        return cls(
            folder=folder,
            arms=tuple(ArmResult(**{**a, "scores": tuple(_number(s) for s in a["scores"])}) for a in arms),
            pairs=tuple(Pair(**p) for p in found["pairs"]),
            details=found,
            metric=found["metric"],
            direction=found["direction"],
            n=found["n"],
            seeds=tuple(found["seeds"]),
            said=tuple(found["said"]),
            notes=tuple(found["notes"]),
        )

    def __str__(self) -> str:
        return "\n".join(self.said)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


# -- from scores to words --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """What the scores say."""

    pairs: tuple[Pair, ...]
    said: tuple[str, ...]
    best: str
    """The arm with the best mean; empty where no two can be told apart."""


def judge(
    names: Sequence[str],
    scores: np.ndarray,
    metric: str,
    direction: str,
    rows: Mapping[int, np.ndarray] | None = None,
    n: int = 0,
    why: Mapping[int, str] | None = None,
) -> Judged:
    """The verdicts on scores (arms, seeds). An arm with a score that is no number loses, and that is said.

    `rows`: arm -> (seeds, n) what each of n test rows adds to its score. `why`: arm -> what its failed trainings did.
    """
    sound = [i for i in range(len(names)) if np.isfinite(scores[i]).all()]
    left_out = tuple(loser(names[i], scores[i], (why or {}).get(i, "")) for i in range(len(names)) if i not in sound)
    if len(sound) == 1:
        only = names[sound[0]]
        return Judged((), (f"{only} wins: it is the only arm whose trainings all gave a network.", *left_out), only)
    if len(sound) < 2 or scores.shape[1] < 2:
        return Judged((), ("Nothing can be compared: two arms with two seeds each are the least.", *left_out), "")
    y = scores[sound]
    found = contrasts(y, grain=1 / n if metric in wording.SHARES and n else 0.0)
    best = int((y.mean(1) if direction == "max" else -y.mean(1)).argmax())
    pairs = []
    for c in shown(found, best):
        a, b = sound[c.first], sound[c.second]
        wide = None
        if rows is not None and a in rows and b in rows:
            wide = half_for_other_rows(rows[a] - rows[b], c)
        pair = Pair(names[a], names[b], c.difference, c.half, wide, c.p, c.smallest, "")
        pairs.append(Pair(**{**asdict(pair), "said": sentence(pair, metric, direction, y.shape[1])}))
    if not any(c.clear for c in found):
        return Judged(tuple(pairs), (nothing(pairs, metric, y.shape[1]), *left_out), "")
    behind = {c.second if c.first == best else c.first for c in found if c.clear and best in (c.first, c.second)}
    level = [names[sound[i]] for i in range(len(sound)) if i not in behind]
    head = headline(names[sound[best]], level, len(sound))
    return Judged(tuple(pairs), (*head, *(p.said for p in pairs), *left_out), names[sound[best]])


def loser(name: str, scores: np.ndarray, why: str) -> str:
    """What is said of an arm with trainings that gave no score.

    >>> loser("log(x)", np.array([np.nan, 0.5]), "diverged: The loss became nan at step 0.")
    'log(x) loses: 1 of its 2 trainings diverged: The loss became nan at step 0.'
    """
    said = why or "gave no network that could be measured"
    return f"{name} loses: {int((~np.isfinite(scores)).sum())} of its {len(scores)} trainings {said.rstrip('.')}."


def nothing(pairs: Sequence[Pair], metric: str, seeds: int) -> str:
    """What is said where no two arms can be told apart."""
    if len(pairs) == 1:
        return pairs[0].said
    arms = len({name for p in pairs for name in (p.first, p.second)})
    (least,) = amount(metric, max(p.smallest for p in pairs))
    return (
        f"No measurable difference between the {arms} arms (the smallest that {seeds} seeds would have shown: "
        f"{least}{unit(metric)})."
    )


def headline(best: str, level: Sequence[str], arms: int) -> tuple[str, ...]:
    """What is to be said of more than two arms at once."""
    if arms == 2:
        return ()
    if len(level) == 1:
        return (f"{best} is the best of {arms}.",)
    return (f"The best of {arms} can't be told: {' and '.join(level)} are level.",)


def sentence(pair: Pair, metric: str, direction: str, seeds: int) -> str:
    """One pair in words.

    >>> sentence(Pair("mish", "relu", 0.0043, 0.0021, 0.003, 0.01, 0.003, ""), "accuracy", "max", 5)
    'mish beats relu by 0.43 ± 0.21 points (5 paired seeds), and would on other test rows too (± 0.30).'
    """
    if not pair.clear:
        (least,) = amount(metric, pair.smallest)
        return (
            f"{pair.first} and {pair.second}: no measurable difference (the smallest that {seeds} seeds would have "
            f"shown: {least}{unit(metric)})."
        )
    ahead = (pair.difference > 0) == (direction == "max")
    winner, loser = (pair.first, pair.second) if ahead else (pair.second, pair.first)
    half, size, wide = amount(metric, pair.half, abs(pair.difference), pair.half_rows or 0.0)
    return f"{winner} beats {loser} by {size} ± {half}{unit(metric)} ({seeds} paired seeds){_elsewhere(pair, wide)}."


def _elsewhere(pair: Pair, wide: str) -> str:
    if pair.half_rows is None:
        return ", on these test rows"
    if abs(pair.difference) > pair.half_rows:
        return f", and would on other test rows too (± {wide})"
    return f" on these test rows; on others it might not (± {wide})"


def unit(metric: str) -> str:
    """What differences of a metric are counted in."""
    return " points" if metric in wording.SHARES else f" {wording.metric_name(metric)}"


def amount(metric: str, value: float, *others: float) -> list[str]:
    """Sizes in the metric's unit, all with the decimals that give the first one two digits."""
    scale = 100 if metric in wording.SHARES else 1
    digits = min(8, max(0, 1 - math.floor(math.log10(scale * value)))) if 0 < value < math.inf else 2
    return [f"{scale * v:.{digits}f}" for v in (value, *others)]


def costs(names: Sequence[str], seconds: Sequence[Sequence[float]], by: str) -> list[str]:
    """A note on arms that took longer for the same steps: even their quickest training, beside the slowest of the cheapest.

    A machine that is busy now and then makes some trainings slow, and none quick.
    """
    cheapest = min(range(len(names)), key=lambda a: min(seconds[a]))
    least, most = min(seconds[cheapest]), max(seconds[cheapest])
    if by != "steps" or least < LEAST_SECONDS:
        return []
    dear = [
        f"{names[a]} took {min(each) / least:.1f} times as long"
        for a, each in enumerate(seconds)
        if min(each) > DEARER * most
    ]
    if not dear:
        return []
    return [f"For as many steps as {names[cheapest]}, {', '.join(dear)}; --by seconds gives all the same time."]


def twins(names: Sequence[str], same: Sequence[tuple[object, ...]], recipes: Sequence[object]) -> list[str]:
    """A note on arms whose recipes differ and whose trainings don't, to the bit: what was changed is not used here."""
    found = [
        f"{names[a]} and {names[b]}"
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if same[a] == same[b] and recipes[a] != recipes[b]
    ]
    return (
        [f"{', '.join(found)} trained to the same numbers: this network makes no use of the choice."] if found else []
    )
