"""The best trials as one network: an ensemble, where validation says that it pays and the user allows it.

    best weights of the best trials -> what they say of the validation rows -> greedy selection -> model.safetensors

Selection is greedy and with replacement (Caruana et al. 2004, Ensemble Selection from Libraries of Models): the network
that helps most is added until none does, and how often each was added is its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from whet import record
from whet.build import build
from whet.errors import CorruptCheckpoint
from whet.families.ensemble import recipe_of, weights_of
from whet.fields import field
from whet.hunt import KEPT
from whet.recipe import Recipe
from whet.run import Run
from whet.runners.trial import holding, recipe_in
from whet.search.score import Score, clearly_better
from whet.tasks import goal
from whet.train import checkpoint
from whet.train.evaluate import outputs
from whet.train.loop import Best, own_random_numbers
from whet.train.plan import running

PICKS = 20
"""Additions at most: shares are no finer than a twentieth."""
GLANCE = 0.02
"""Share of the budget that may be spent to find out whether an ensemble would have paid, where it isn't allowed."""

Judge = Callable[[Tensor], tuple[Score, tuple[float, float]]]
"""Outputs for the validation rows -> (score, what is compared: the lower, the better; ties go by the loss)."""


@dataclass(frozen=True, eq=False)
class Voice:
    """A trained network of one trial."""

    name: str
    recipe: Recipe
    weights: dict[str, Tensor]
    said: Tensor
    """(n, …) its outputs for the validation rows."""
    refit: float = 0.0
    """Seconds to train it again on all rows; 0: it is not to be."""


@dataclass(frozen=True, eq=False)
class Pool:
    """An ensemble that is clearly better than the winner alone."""

    members: tuple[Voice, ...]
    shares: Mapping[str, float]
    value: float
    alone: float
    """What the winner reaches without the others."""


def pool_trials(run: Run) -> None:
    """Deliver an ensemble where it is clearly better than the winner; where there is none, or it isn't allowed, say why."""
    found = best_pool(run)
    if isinstance(found, str):
        if run.order.ensemble:
            run.screen.say(f"No ensemble: {found}.", "bold")
        return
    if run.order.ensemble:
        deliver(run, found)
    else:
        run.screen.say(
            f"An ensemble of {len(found.members)} of these networks would have been better: {found.value:.5g} instead of "
            f"{found.alone:.5g} on the validation part. Allow it with --ensemble.",
            "bold",
        )
    run.say("pooled", shares=found.shares, allowed=run.order.ensemble, value=found.value, alone=found.alone)


def best_pool(run: Run) -> Pool | str:
    """The ensemble that validation chooses, or why there is none, in words."""
    if goal(run.task.goal).pooled is None:
        return f"networks whose goal is to {run.task.goal} are not pooled"
    if run.order.steps:
        return "a fixed number of steps trains one network"
    names = kept(run)
    if len(names) < 2:
        return "one network was trained, and there is no other to add"
    if not has_time(run, len(names)):
        return "there is no time to look for one"
    with running(run.plan):
        voices = [voice(run, name) for name in names]
    able = [v for v in voices if v is not None and fits(run, v)]
    alone = next((v for v in able if v.name == run.winner), None)
    if alone is None or len(able) < 2:
        return "no other network takes its inputs as the best one does"
    return chosen_of(run, able, alone)


def chosen_of(run: Run, able: Sequence[Voice], alone: Voice) -> Pool | str:
    """The greedy selection, where it is clearly better than the winner alone."""
    judge, pool = judge_of(run), pool_of(run)
    shares = selected(fitting(run, able), judge, pool)
    members = tuple(v for v in able if v.name in shares)
    pooled, single = judge(said_by(members, shares, pool))[0], judge(alone.said)[0]
    if len(members) < 2:
        return f"no other of {len(able)} networks adds anything to the best one"
    if not clearly_better(pooled, single, len(able)):
        return f"{len(members)} networks together, {pooled.value:.5g}, are not clearly better than {single.value:.5g} alone"
    return Pool(members, shares, pooled.value, single.value)


def kept(run: Run) -> list[str]:
    """The trials whose best weights lie on the disk: the winner, those from fresh seeds, and others up to `KEPT`."""
    found = [c for c in run.candidates if (run.folder.trial(c.name) / checkpoint.BEST).exists()]
    return [c.name for c in sorted(found, key=lambda c: (c.name != run.winner, -c.afresh))][:KEPT]


def has_time(run: Run, networks: int) -> bool:
    """Time was kept free for an ensemble that is allowed; another one gets a glance where it costs next to nothing."""
    cost = networks * len(run.prepared.rows["val"]) * run.delivery.seconds_per_row
    return run.order.ensemble or cost < min(GLANCE * run.order.budget, run.clock.left / 2)


def voice(run: Run, name: str) -> Voice | None:
    """A trial's best network and what it says; None where its weights can't be read."""
    folder = run.folder.trial(name)
    try:
        weights, meta = checkpoint.read(folder / checkpoint.BEST)
    except (CorruptCheckpoint, OSError):
        return None
    recipe = recipe_in(folder)
    with own_random_numbers():
        parts = build(recipe, run.task, run.prepared, run.order.seed, run.plan)
    with holding(parts.model, weights) as model:
        said = outputs(model, parts.prepare, run.prepared.inputs, run.prepared.rows["val"], run.plan)
    seconds = record.read(folder / "record.jsonl").steps[-1].seconds
    best = Best(meta["best"]["score"], meta["best"]["step"], {})
    return Voice(name, recipe, weights, said, run.delivery.refit_seconds(best, recipe, seconds))


def fits(run: Run, one: Voice) -> bool:
    """Whether it takes its inputs as the winner does: one network has one transform."""
    own, transform = field(run.data.domain), run.prepared.transform
    winner = next(c.recipe for c in run.candidates if c.name == run.winner)
    seen, wanted = own.seen_by(one.recipe, transform), own.seen_by(winner, transform)
    return seen is wanted or seen.to_dict() == wanted.to_dict()


def fitting(run: Run, voices: Sequence[Voice]) -> list[Voice]:
    """Where the winner is to be trained again on all rows, only what can be too: the cheapest first, as long as there is time.

    That gains more than an ensemble does: on california-housing 2.5 % beside 0.3 %.
    """
    if not run.delivery.kept:
        return list(voices)
    left = run.time_to_train + run.delivery.kept
    found: list[Voice] = []
    for one in sorted(voices, key=lambda v: v.refit):
        if one.refit and sum(v.refit for v in found) + one.refit <= left:
            found.append(one)
    return found


# -- selection -----------------------------------------------------------------------------------------------------


def selected(voices: Sequence[Voice], judge: Judge, pool: Callable[[Tensor, Tensor], Tensor]) -> dict[str, float]:
    """name -> share of the greedy ensemble; the best network alone where no other one helps."""
    picks: Counter[str] = Counter()
    best = (float("inf"), float("inf"))
    while picks.total() < PICKS:
        tried = {v.name: judge(said_by(voices, picks + Counter([v.name]), pool))[1] for v in voices}
        name = min(tried, key=lambda n: tried[n])
        if not tried[name] < best:
            break
        best = tried[name]
        picks[name] += 1
    return {name: count / picks.total() for name, count in picks.items()}


def said_by(voices: Sequence[Voice], shares: Mapping[str, float], pool: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """What these networks say together."""
    own = [v for v in voices if shares.get(v.name)]
    weights = torch.tensor([shares[v.name] for v in own], dtype=torch.float32)
    return pool(torch.stack([v.said for v in own]), weights / weights.sum())


def pool_of(run: Run) -> Callable[[Tensor, Tensor], Tensor]:
    found = goal(run.task.goal).pooled
    assert found is not None, "asked before whether there is one"
    return found


def judge_of(run: Run) -> Judge:
    """How outputs are judged by the metric that is watched."""
    asked, scale, watched = goal(run.task.goal), run.prepared.scale, run.task.watched
    truth = run.prepared.raw_target[run.prepared.rows["val"].numpy()]

    def judge(said: Tensor) -> tuple[Score, tuple[float, float]]:
        predicted = asked.predictions(said, scale)
        rows, value = asked.row_losses(truth, predicted, scale), watched.function(truth, predicted)
        loss = asked.fit_loss(truth, predicted, scale) if asked.fit_loss else float(rows.mean())
        score = -value if watched.direction == "max" else value
        return Score(value, rows), (float(rows.mean()) if run.task.chosen_by_rows else score, loss)

    return judge


# -- delivery ------------------------------------------------------------------------------------------------------


def deliver(run: Run, pool: Pool) -> None:
    """Put the ensemble in the place of the winner's network; recipe.toml stays the winner's, which can be trained again."""
    members = pool.members
    recipe = recipe_of([v.recipe for v in members], [pool.shares[v.name] for v in members])
    with own_random_numbers():
        run.delivery.pooled(recipe, weights_of([v.weights for v in members]))
    run.delivery.kept = sum(v.refit for v in members)
    run.extra |= {"ensemble": dict(pool.shares), "validation": pool.value}
    said = f"{pool.value:.5g} instead of {pool.alone:.5g}"
    run.why += f"; pooled with others: {said}"
    run.screen.say(f"An ensemble of {len(members)} networks is delivered: {said} on the validation part.", "bold")
