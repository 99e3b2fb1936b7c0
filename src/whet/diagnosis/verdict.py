"""Whether a training suffers: judged by what simple methods reach on the same rows, and by whether it moved at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from whet.diagnosis.behind import BEHIND_R2, FAR, Behind, behind, counts, least, margin, mild
from whet.diagnosis.evidence import UNKNOWN, Evidence
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.data import DISAGREE, DISAGREE_R2, FEW, LOPSIDED, SHIFT, STRETCH
from whet.diagnosis.rules.measures import all_alike, fell, step_of
from whet.diagnosis.rules.output import INFORMED, UNHEARD

LIKELY, CERTAIN = 0.5, 0.8
"""Confidence from which a finding counts as a cause; from which it is taken for one on the word of a single seed."""
RECKLESS = 0.8
"""Of a layer's weights that one step moves: from here on what is reached is luck."""
METHODS = {
    "guess": "the same answer for all",
    "start": "the network before its training",
    "neighbours": "the mean of nearest neighbours",
    "linear": "a linear model",
    "random features": "a linear model of random features",
    "mended": "the same training with its surest finding mended",
}
MOSTLY = 0.6
"""Of what neighbours foretell of validation classes beyond the same answer for all, that they don't of training classes."""
APART = 0.3
"""Between training and validation rows, in accuracy or R2."""
NO_BETTER = 0.02
"""R2 above the same answer for all, up to which nothing was learned that holds for other rows."""
CROWDED = 1.5
"""Times its even share of the rows, from which on a class has so many for a reason."""
LEARNED = 0.05
"""A loss that fell by less than this share has not been learned from."""


@dataclass(frozen=True)
class Harm:
    """How a training suffers; `said` is empty where it does not."""

    said: str = ""
    gap: float = 0.0
    """How far it is behind, on the scale of `Evidence.share`."""
    luck: bool = False
    """Whether what it reaches is well enough, and differs from seed to seed."""
    slight: bool = False
    """Behind by so little, for no certain cause, that another seed may not be."""

    def __bool__(self) -> bool:
        return bool(self.said)


def harm(e: Evidence) -> Harm:
    """What the training reached, beside what it should reach at the least."""
    if e.course.broke is not None:
        return Harm(f"the loss became no number (NaN or infinite) at step {e.course.broke}", math.inf)
    if not math.isfinite(e.value):
        return Harm("the metric is no number", math.inf)
    known = {k: v for k, v in e.yardsticks.items() if math.isfinite(v)}
    best = behind(e)
    if best is not None and counts(e, best, not is_unsuspected(e)):
        said = f"{METHODS[best.name]} reaches {known[best.name]:.3g}, this network {e.value:.3g}"
        return Harm(said, best.gap, slight=is_slight(e, best))
    return mistaught(e) or untaught(e) or reckless(e) or apart(e, known) or stuck(e, known)


def is_unsuspected(e: Evidence) -> bool:
    """Whether all that speaks against a training, if anything, is that it still got better when it ended, or has weights in
    common, which may be meant: that speaks against it only where it is behind a mended training."""
    apart = e.share(e.yardsticks.get("mended", math.nan))
    meant = set() if apart - e.share(e.value) > least(e, apart) else {"one layer in several places"}
    return {f.name for f in judge(e) if f.confidence >= LIKELY} <= {"still improving", *meant}


def is_slight(e: Evidence, best: Behind) -> bool:
    paired = e.share(e.yardsticks.get("mended", math.nan)) - e.share(e.value) >= mild(e)  # with the same seed
    return best.gap < FAR * mild(e) and not paired and not any(f.confidence >= CERTAIN for f in judge(e))


def mistaught(e: Evidence) -> Harm:
    """Wrong training targets, which simple methods suffer from as well: held against what validation rows say of each other."""
    gap = e.data.foretold - e.value
    if not is_contradicted(e) or e.metric not in ("accuracy", "r2") or gap <= margin(e, e.data.foretold):
        return Harm()
    said = f"neighbours foretell validation targets by {e.data.foretold:.3g}, this network by {e.value:.3g}"
    return Harm(f"{said}, and training targets contradict their neighbours'", gap)


def is_contradicted(e: Evidence) -> bool:
    """Whether neighbours foretell far less of training targets than of validation targets; of classes, which chance foretells
    in part, whether most of what is beyond it is lost."""
    d, guess = e.data, e.yardsticks.get("guess", math.nan)
    most = d.disagreement > max(DISAGREE, 2 * least(e, d.foretold), MOSTLY * (d.foretold - guess))
    return d.disagreement > DISAGREE_R2 or (e.metric == "accuracy" and most and math.isfinite(guess))


def untaught(e: Evidence) -> Harm:
    """Outputs that the metric asks for and the loss does not."""
    if e.unheard <= UNHEARD or e.informed > INFORMED:
        return Harm()
    return Harm(f"the metric moves by up to {e.unheard:.0%} with outputs that the loss never hears of", e.unheard)


def reckless(e: Evidence) -> Harm:
    """Steps nearly as long as the weights themselves: what comes out is luck, and differs from seed to seed."""
    step = step_of(e)
    if not (math.isfinite(step) and step > RECKLESS and e.known and e.higher_is_better):
        return Harm()
    best = max(e.known.values())
    if e.value < best:
        return Harm(
            f"steps as long as {step:.0%} of the weights leave {e.value:.3g} to chance, beside {best:.3g}",
            best - e.value,
            luck=True,
        )
    return Harm()


def apart(e: Evidence, known: dict[str, float]) -> Harm:
    """A network that knows its training rows and hardly any others."""
    last, guess = e.course.last, known.get("guess", 0.0)
    if last is None or e.metric not in ("accuracy", "r2", *UNKNOWN):
        return Harm()
    gap = last.train - last.val
    if e.metric in UNKNOWN:  # as a share of what was learned
        guess = known.get("guess", known.get("start", math.nan))
        learned = last.train - guess
        if not e.above(last.train, guess):
            return Harm()
        gap /= learned
    elsewhere = e.data.numbers and (e.data.shift > SHIFT or not 1 / STRETCH < e.data.stretch < STRETCH)
    nothing = any(f.name == "nothing carries over" for f in judge(e))
    if e.metric in UNKNOWN and not (nothing or (elsewhere and gap > APART)):
        return Harm()  # what training rows have ahead there is known of no sound training
    at_guess = last.val <= guess + margin(e, guess)
    thin = e.data.classes > 0 and e.data.rarest * e.data.rows < FEW
    if gap > (APART / 2 if at_guess else APART / 3 if elsewhere or thin else APART):
        return Harm(f"{last.train:.3g} on training rows and {last.val:.3g} on validation rows", gap)
    return Harm()


def stuck(e: Evidence, known: dict[str, float]) -> Harm:
    """A loss that never moved, or outputs that are alike for every example."""
    last = e.course.last
    if last is None:
        return Harm()
    guess = known.get("guess")
    if e.metric in UNKNOWN and guess is not None:
        near = all_alike(e) and abs(e.value - guess) <= LEARNED * max(abs(e.value), abs(guess))
        if near or not (e.above(last.train, guess) or e.above(e.value, guess)):
            return Harm(f"the same answer for all reaches {guess:.3g}, this network {e.value:.3g}", BEHIND_R2)
        start = known.get("start", math.nan)
        if any(f.name == "a loss that works against the metric" for f in judge(e)):
            return Harm(f"the network before its training reaches {start:.3g}, this network {e.value:.3g}", BEHIND_R2)
        if is_unsuspected(e):
            return Harm()  # a weak signal: what it says is better than that
        guess = None
    at_guess = guess is not None and e.share(last.train) <= e.share(guess) + 0.05
    no_better = guess is not None and e.share(e.value) <= e.share(guess) + NO_BETTER
    nothing = no_better or (at_guess and e.share(e.value) <= BEHIND_R2)
    if e.metric in ("r2", "rmse", "mae") and nothing and not is_hardly_there(e, known):
        return Harm(f"it says hardly more than the same answer for all: {e.metric} {e.value:.3g}", BEHIND_R2)
    if guess is not None and e.metric == "accuracy" and is_guessing(e, last.train, guess):
        return Harm(f"it says hardly more than the same answer for all: accuracy {e.value:.3g}", margin(e, e.value))
    hardly = guess is not None and e.metric == "accuracy" and is_hardly_above(e, guess)
    suspected = at_guess and not is_unsuspected(e)  # where nothing is, there may be hardly anything to learn
    if (guess is None or suspected or hardly) and has_not_fallen(e):
        said = f"the training loss went from {e.course.first_loss:.3g} to {last.loss:.3g}: nothing was learned"
        return Harm(said, fell(e))
    return Harm()


def is_hardly_there(e: Evidence, known: dict[str, float]) -> bool:
    """Whether values have a signal so weak that simple methods, too, say hardly more than one answer for all, and the training
    gets what they do and nothing speaks against it."""
    shares = {name: e.share(value) for name, value in known.items()}
    guess, best = shares.pop("guess", math.nan), max(shares.values(), default=math.nan)
    gets = e.share(e.value) > guess and best - e.share(e.value) <= NO_BETTER
    return gets and best > guess and is_unsuspected(e) and not all_alike(e)


def has_not_fallen(e: Evidence) -> bool:
    """Whether a training loss ended where it began; one that is next to 0, or may be negative, says nothing."""
    last = e.course.last
    return last is not None and e.course.first_loss > 0 and last.loss > 1e-3 and fell(e) < LEARNED


def is_certain(e: Evidence) -> bool:
    return any(f.confidence >= CERTAIN for f in judge(e))


def is_guessing(e: Evidence, train: float, guess: float) -> bool:
    """Whether an accuracy says no more than one answer for all does, for a certain cause, and on its own rows too. However few
    rows there are, half of the way to all being right is more than that."""
    half = (1 - guess) / 2
    guesses = e.value - guess <= min(margin(e, guess), half) and train - guess < min(FAR * mild(e), half)
    return guesses and is_certain(e) and (e.data.imbalance < LOPSIDED or few_by_chance(e, guess))


def few_by_chance(e: Evidence, guess: float) -> bool:
    """Whether rows are so few that classes are never even, none of them being most of the rows."""
    return e.data.rows < FEW * e.data.classes and guess <= CROWDED / e.data.classes


def is_hardly_above(e: Evidence, guess: float) -> bool:
    """Whether an accuracy is little more than one answer for all has, for a certain cause; a weak signal is none, and a network
    that was good before it was tuned knows the most of what it knows from there."""
    tuned = e.yardsticks.get("start", guess) > guess + least(e, guess)
    return e.value - guess < FAR * mild(e) and is_certain(e) and not tuned
