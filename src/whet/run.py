"""A run: what its steps share, from the data to the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whet.data.core import Data, Profile
from whet.data.prepared import Prepared
from whet.data.signs import Signs
from whet.delivery import Delivery
from whet.journal import Journal
from whet.recipe import Recipe
from whet.record import Finding
from whet.run_folder import Order, RunFolder
from whet.runners.serial import Serial
from whet.runners.together import Lead
from whet.screen import Screen
from whet.search.first import Candidate
from whet.search.space import Parameter
from whet.tasks import Task
from whet.train.horizon import Clock
from whet.train.plan import Plan
from whet.train.world import ALONE

LAST_MOMENT = 0.05
"""Seconds of training that are not worth another slice."""


@dataclass
class Run:
    """What the steps of one run share."""

    order: Order
    folder: RunFolder
    journal: Journal
    clock: Clock
    screen: Screen
    data: Data
    workers: int
    """Trials side by side; 0: as many as pay."""
    fixed: Recipe | None
    space: Mapping[str, Parameter] = field(default_factory=dict)
    """What the user wants searched; empty: what the field says."""
    lead: Lead = field(default_factory=lambda: Lead(ALONE))
    """This process's end of a training by several processes."""
    cluster: str | None = None
    """The address of a Ray cluster on which trials run; None: this machine."""
    storage: str | None = None
    """A URL for what the cluster's nodes share; None: they see the run's folder."""
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    signs: Signs = field(default_factory=Signs)
    profile: Profile = field(init=False)
    baselines: dict[str, np.ndarray] = field(default_factory=dict)
    """name -> what it says of the test rows."""
    task: Task = field(init=False)
    prepared: Prepared = field(init=False)
    plan: Plan = field(init=False)
    candidates: list[Candidate] = field(default_factory=list)
    runner: Serial = field(init=False)
    delivery: Delivery = field(init=False)
    winner: str = ""
    why: str = ""
    fates: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further entries of result.json."""
    took: dict[str, float] = field(default_factory=dict)
    """Seconds that each step took in this process."""

    @property
    def time_to_train(self) -> float:
        """Seconds until training must end so that the test and the report fit into the budget; at least a moment."""
        return max(LAST_MOMENT, self.clock.left - self.delivery.seconds_to_finish())

    def say(self, event: str, **fields: Any) -> None:
        """Write an event into the journal."""
        self.journal.say(event, self.clock.spent, **fields)
