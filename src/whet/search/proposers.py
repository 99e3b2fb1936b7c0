"""What is tried next. A proposer is one method, and a pure function of what is known and of a generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from whet.errors import SearchError, UnknownName
from whet.search import choice
from whet.search.plain import STEP
from whet.search.space import Params, key
from whet.search.state import State
from whet.search.view import StudyView

TRIES = 20
"""Proposals that may be known already before another way is looked for."""


@runtime_checkable
class Proposer(Protocol):
    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        """Parameters of the space. Of a list of candidates the one nearest to them is taken."""
        ...


class Random:
    """Anything, by the parameters' priors."""

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        if view.space.candidates is not None:
            return view.space.candidates[int(random.choice(np.flatnonzero(view.left)))]
        return view.space.sample(random)


class Local:
    """Changes of a few parameters of one of the best trials, from small ones to large ones; now and then anything."""

    first = 8
    """Trials with a value before it begins; drawn at random. Assumed, as the three below."""
    anything = 0.2
    """The share of proposals that are drawn at random later on."""
    share = 0.2
    """The best so many of all trials are changed, the better ones more often."""
    steps = (-1.0, 0.5)
    """Steps are STEP times ten to the power of a number between these."""

    def propose(self, view: StudyView, random: np.random.Generator) -> Params:
        ranked = choice.ranked(view)
        if len(ranked) < self.first or random.random() < self.anything:
            return Random().propose(view, random)
        able = max(2, int(self.share * len(ranked)))
        base = ranked[min(int(able * random.random() ** 2), len(ranked) - 1)]
        changes = int(random.geometric(0.5))
        return view.space.neighbour(base.params, random, changes, STEP * 10 ** random.uniform(*self.steps))


def proposer_for(policy: object, given: str | Proposer | None) -> Proposer:
    """The proposer that was asked for; none was: the policy, where it proposes too."""
    if given is None:
        return policy if isinstance(policy, Proposer) else Local()
    if isinstance(given, str):
        return proposer_named(given)
    if isinstance(given, type) or not isinstance(given, Proposer):
        raise SearchError(
            f"proposer={given!r} can't say what is tried.", "Give a name, or an object with a method propose."
        )
    return given


def proposer_named(name: str) -> Proposer:
    """The proposer of this name."""
    makers = makers_of()
    if name not in makers:
        raise UnknownName("proposer", name, makers)
    return makers[name]()


def makers_of() -> dict[str, Callable[[], Proposer]]:
    from whet.search.model import Model
    from whet.search.samplers import CmaEs, OptunaSampler

    optuna = {name: lambda name=name: OptunaSampler(name) for name in ("tpe", "gp", "auto")}
    return {"random": Random, "local": Local, "model": Model, **optuna, "cmaes": CmaEs}


def proposed(state: State, proposer: Proposer, random: np.random.Generator) -> Params:
    """What is tried next: never the same twice where the space has something else."""
    if state.space.candidates is not None:
        return nearest_left(state, proposer.propose(state, random))
    for _ in range(TRIES):
        params = proposer.propose(state, random)
        if key(params) not in state.seen:
            return params
    untried = [p for p in state.space.listed if key(p) not in state.seen]
    return untried[int(random.integers(len(untried)))] if untried else state.space.sample(random)


def nearest_left(state: State, params: Params) -> Params:
    """The candidate that is nearest in the unit cube, of those that have not been tried."""
    left = np.flatnonzero(state.left)
    away = ((state.space.encoded[left] - state.space.encode(params)) ** 2).sum(1)
    candidates = state.space.candidates
    if candidates is None or not len(left):
        raise SearchError("There is no candidate left.")
    return candidates[int(left[away.argmin()])]
