"""A table's search that is over in a moment: one small first recipe, and one change of it."""

from __future__ import annotations

import pytest
import torch

from whet import hunt, tune
from whet.fields import field
from whet.recipe import Choice, Recipe
from whet.search import Float
from whet.search.first import Candidate
from whet.search.policy import Move, New
from whet.search.space import Parameter
from whet.search.view import StudyView

TINY = Recipe(
    family=Choice("tabular", width=8, depth=1, members=2, bins=4),
    norm=Choice("none"),
    batch_size=32,
    steps=24,
    optimizer=Choice("adamw", lr=0.01),
)


class Whole:
    """So many whole trainings, one after the other."""

    def __init__(self, count: int) -> None:
        self.count = count

    def next(self, view: StudyView) -> Move | None:
        return New(view.max_resource) if len(view.trials) < self.count else None


def lay_out(monkeypatch: pytest.MonkeyPatch, name: str, path: str, value: object, **more: Parameter) -> None:
    """Every table's first recipe is TINY, and the change called `name` puts a value at a path; `more` is searched too.

    What a training costs decides nothing: these are too short to be told apart.
    """
    torch.set_num_threads(1)
    monkeypatch.setattr(hunt, "is_cheaper", lambda *_: False)
    own, other = field("table"), Candidate(name, TINY.put(path, value), name)
    space = {"optimizer.lr": Float(1e-3, 1e-1, log=True), **more}
    monkeypatch.setattr(own, "portfolio", lambda facts: [Candidate("plain", TINY, "plain")])
    monkeypatch.setattr(own, "neighbours", lambda *_: iter([other]))
    monkeypatch.setattr(own, "space", lambda recipe, hinted: space)


def some_trials(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """No more trials than that, however fast the machine is."""
    monkeypatch.setattr(tune, "usual", lambda: Whole(count))
