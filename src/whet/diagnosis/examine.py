"""Evidence of a set-up: looked at before it trains, trained as it stands, looked at again."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from whet import surgery
from whet.diagnosis import rows
from whet.diagnosis.aims import aim
from whet.diagnosis.born import born
from whet.diagnosis.dependence import jumps, passed_by, unseen
from whet.diagnosis.evidence import UNKNOWN, Evidence, Look, Rounding, Steps
from whet.diagnosis.first_steps import moves, own_steps, probe_batch, rounded, settings, under
from whet.diagnosis.look import look
from whet.diagnosis.rules.measures import FEW_UNITS
from whet.diagnosis.yardsticks import same_for_all, unheard, yardsticks
from whet.errors import UserError
from whet.setups import Course, Setup, Trained, train
from whet.setups.parts import Batch
from whet.setups.setup import check_fresh
from whet.setups.training import criterion_of, forward

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
DROPOUTS = (nn.modules.dropout._DropoutNd,)
WOBBLES = 64
"""Rows that are asked about twice."""
NO_GRADIENT = "Leave out torch.no_grad(), .detach() and .item() between the inputs and the loss, and return a tensor."


@dataclass
class Examined:
    """The evidence, and the training that it comes from."""

    evidence: Evidence
    trained: Trained
    beside: tuple[Course, ...] = ()
    """Of other trainings that were watched before it was sure."""
    mended: Trained | None = None
    """With its surest finding mended, where that was one of them."""

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.trained.course, *self.beside


def examine(
    setup: Setup,
    seed: int = 0,
    *,
    first: Evidence | None = None,
    epochs: int | None = None,
    stop: Callable[[Course], bool] | None = None,
    onward: Trained | None = None,
) -> Examined:
    """All that rules ask for. Costs one training of the set-up, and some forward passes.

    `first`: what `before` found, where that is known. `epochs`: fewer than the set-up's own. `onward`: a training that it goes
    on from (`setups.train`).
    """
    first = before(setup, seed) if first is None else first
    trained = train(setup, seed, epochs=epochs, stop=stop, onward=onward)
    if first.metric in UNKNOWN:
        fresh = setup.fresh(seed)
        known = {**first.yardsticks, **same_for_all(setup, fresh, trained.model)}
        moves_by, informed = unheard(setup, fresh, trained.model)
        first = replace(first, yardsticks=known, unheard=moves_by, informed=informed)
    optimizer_of = {id(p) for p in trained.model.parameters()}
    end = safely(trained.model, setup, probe_batch(setup), optimizer_of, {}, first.steps.autocast)
    return Examined(replace(first, course=trained.course, end=end), trained)


def before(setup: Setup, seed: int = 0, known: Evidence | None = None) -> Evidence:
    """The evidence that is there before training: the data, the fresh network, its first step. Raises UserError.

    `known`: of a set-up with the same rows, whose facts and yardsticks are taken over.
    """
    check_fresh(setup)
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    criterion = criterion_of(setup, model)
    batch = probe_batch(setup)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    moved = moves(setup, seed)
    steps = own_steps(setup, seed, moved) if setup.step is not None else Steps()
    start = safely(model, setup, batch, held, moved, steps.autocast)
    if start is None:
        raise UserError("No gradient comes back from the loss.", NO_GRADIENT)
    places, followed = non_linearities(model, batch[0])
    facts = known.data if known else rows.facts(setup, criterion)
    return Evidence(
        data=facts,
        start=start,
        end=None,
        course=Course(),
        criterion=criterion,
        metric=setup.metric if isinstance(setup.metric, str) else "score",
        higher_is_better=setup.higher_is_better,
        optimizer=type(optimizer).__name__,
        settings=settings(optimizer),
        batch_size=setup.batch_size if setup.parts[0].loader is None else len(next(iter(setup.parts[0].batches(0)))[1]),
        epochs=setup.epochs,
        batches=setup.parts[0].count(setup.batch_size) if setup.parts[0].loader is not None else 0,
        steps=steps,
        dropout=tuple((n, float(m.p)) for n, m in model.named_modules() if isinstance(m, DROPOUTS)),
        norms=sum(isinstance(m, NORMS) for m in model.modules()),
        batch_norms=sum(isinstance(m, BATCH_NORMS) for m in model.modules()),
        activations=places,
        followed=followed,
        repeated=repeated(model),
        aim=aim(setup.loss, forward(model, batch[0]), batch[1], criterion, facts.classes > 0),
        rounding=rounded(setup, seed) if start.half else Rounding(),
        born="" if start.finite else born(model, batch[0]),
        wobble=wobble(model, batch[0]),
        unseen=unseen(model, batch[0]),
        passed_by=passed_by(model, batch[0], narrow(start, facts.classes)),
        jumps=jumps(model, batch[0]),
        yardsticks=known.yardsticks if known else yardsticks(setup, criterion, narrowest(start)),
    )


def wobble(model: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    """How far two answers to the same rows differ in evaluation mode, in spreads of the answers; random state is put back."""
    few = tuple(x[:WOBBLES] for x in inputs)
    with torch.random.fork_rng(devices=[]):
        first, second = (forward(model, few).float() for _ in range(2))
    spread = float(first.std(correction=0))
    return float((first - second).square().mean().sqrt()) / spread if spread > 0 else 0.0


def narrowest(start: Look) -> int:
    """Units of the narrowest hidden layer; 0 where layers have more than rows of units."""
    return (
        min((x.outputs for x in start.layers[:-1]), default=0) if all(x.kind == "Linear" for x in start.layers) else 0
    )


def narrow(start: Look, classes: int) -> list[str]:
    """Paths of hidden layers that may be too narrow."""
    return [x.path for x in start.layers[:-1] if x.width <= max(FEW_UNITS, classes // 4)]


def repeated(model: nn.Module) -> tuple[str, ...]:
    """The paths of the first layer with weights of its own that stands in several places; () where none does."""
    paths: dict[int, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if any(True for _ in module.parameters(recurse=False)):
            paths.setdefault(id(module), []).append(path)
    return next((tuple(found) for found in paths.values() if len(found) > 1), ())


def safely(
    model: nn.Module, setup: Setup, batch: Batch, held: set[int], moved: Mapping[str, float], autocast: str = ""
) -> Look | None:
    """A look, under the autocast that the set-up's own step has; None where the network gives no numbers to look at."""
    state = torch.default_generator.get_state()
    try:
        with under(autocast, batch[1].device.type):
            return look(model, setup.loss, *batch, held, dict(moved))
    except (RuntimeError, ValueError, StopIteration):
        return None
    finally:
        torch.default_generator.set_state(state)


def non_linearities(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[tuple[tuple[str, str, str], ...], bool]:
    """((where, what, role) of each non-linearity, whether the model could be followed)."""
    few = tuple(x[:8] for x in inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            places = surgery.find(copy.deepcopy(model), few if len(few) > 1 else few[0])
    except (UserError, RuntimeError, ValueError, TypeError):
        return (), False
    return tuple((p.where, p.what, p.role) for p in places for _ in range(max(1, p.count))), True
