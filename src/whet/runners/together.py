"""One trial trained by all processes of a world: the first one conducts, the others follow.

    first     search, validate, write ──"do this leg"──> state ──┐
    others    wait ──────────────────────────────────────────────┴──> the same loop, and no files ──> wait

A leg names all that a training is made of, and the first process's state comes with it: a follower remembers nothing.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whet.build import build
from whet.data.prepared import Prepared
from whet.errors import Diverged, UserError
from whet.families.user import remember
from whet.fields import transform_from
from whet.recipe import Recipe
from whet.tasks import Task
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance
from whet.train.plan import Plan, running
from whet.train.world import World, synced


@dataclass(frozen=True)
class Leg:
    """A stretch of a training, as plain data: any process that sees the prepared data can take part in it."""

    recipe: Recipe
    task: Task
    seed: int
    plan: Plan
    horizon: Horizon = field(default_factory=Horizon)
    seconds: float = math.inf
    pause: Horizon | None = None


class Lead:
    """The first process's end of it; see `leading`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder: Path | None = None
        """The run's, which all processes must see; set when it is this run's for sure, and before anything is trained."""
        self._saved = self._on_the_way = False

    @property
    def prepared(self) -> Path:
        assert self.folder is not None
        return self.folder.absolute() / "prepared"

    def join(self, training: Training, data: Prepared) -> None:
        """Make this a training of all processes."""
        training.world = self.world
        if self.world.size == 1:
            return
        synced(training.parts.model)
        if not self._saved:
            data.save(self.prepared)
            self._saved = True

    @contextlib.contextmanager
    def leg(self, training: Training, leg: Leg) -> Iterator[None]:
        """All the others do this leg too, while this process does it within the block."""
        if self.world.size == 1:
            yield
            return
        self.world.first((self.prepared, leg))
        checkpoint.spread(training)
        self._on_the_way = True
        try:
            yield
        except Diverged:  # which all of them meet at the same place
            self._on_the_way = False
            raise
        self._on_the_way = False

    def end(self, out: Path | None) -> None:
        """Tell the others where the result is; None: there is none. Nobody listens where a leg was broken off."""
        if self.folder is not None:
            shutil.rmtree(self.prepared, ignore_errors=True)  # a killed process may have left it, too
        if self.world.size > 1 and not self._on_the_way:
            with contextlib.suppress(RuntimeError):  # the others may have died
                self.world.first(out)


@contextlib.contextmanager
def leading(world: World) -> Iterator[Lead]:
    """Within the block the other processes, which `follow`, take part in what is trained here."""
    lead, out = Lead(world), None
    try:
        yield lead
        out = lead.folder
    finally:
        lead.end(out)


def follow(world: World) -> Path:
    """Take part in what the first process trains, until it says in which folder the result is.

    Raises UserError where it ended without one.
    """
    unheard: Any = None
    while isinstance(said := world.first(unheard), tuple):
        take_part(world, *said)
    if said is None:
        raise UserError("The first process ended without a result.", "It says why.")
    return Path(said)


def take_part(world: World, prepared: Path, leg: Leg) -> None:
    """Do a leg with the others."""
    training = built(world, prepared, leg)
    checkpoint.spread(training)
    with running(leg.plan), contextlib.suppress(Diverged):
        advance(training, leg.seconds, leg.pause)


def built(world: World, prepared: Path, leg: Leg) -> Training:
    """The leg's training, without listeners: the first process alone validates and writes."""
    allow_functions(leg.recipe)
    data = Prepared.load(prepared, transform_from)
    with running(leg.plan):
        parts = build(leg.recipe, leg.task, data, leg.seed, leg.plan)
    synced(parts.model)
    watched = leg.task.watched
    return Training(
        parts,
        leg.horizon,
        leg.seed,
        validate=lambda model: {},
        metric=watched.name,
        higher_is_better=watched.direction == "max",
        world=world,
    )


def allow_functions(recipe: Recipe) -> None:
    """Allow this process to run the user's own functions that a recipe names: the user named them to another process."""
    for name in (recipe["family.factory"], recipe.loss.name):
        if ":" in str(name):
            remember(str(name))
