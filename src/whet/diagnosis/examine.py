"""Evidence of a set-up: looked at before it trains, trained as it stands, looked at again."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from whet import surgery
from whet.diagnosis import rows
from whet.diagnosis.evidence import Evidence, Look, Rounding, Steps
from whet.diagnosis.look import at_least, look
from whet.diagnosis.precision import HALVES, rounding
from whet.diagnosis.yardsticks import yardsticks
from whet.errors import UserError
from whet.setups import Course, Setup, Trained, train
from whet.setups.parts import Batch
from whet.setups.setup import check_fresh
from whet.setups.training import criterion_of, one_step

BATCH = 256
"""Training rows that the network is looked at with."""
BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
DROPOUTS = (nn.modules.dropout._DropoutNd,)


@dataclass
class Examined:
    """The evidence, and the training that it comes from."""

    evidence: Evidence
    trained: Trained
    beside: tuple[Course, ...] = ()
    """Of other trainings that were watched before it was sure."""

    @property
    def courses(self) -> tuple[Course, ...]:
        return self.trained.course, *self.beside


def examine(
    setup: Setup, seed: int = 0, *, first: Evidence | None = None, stop: Callable[[Course], bool] | None = None
) -> Examined:
    """All that rules ask for. Costs one training of the set-up, and some forward passes.

    `first`: what `before` found, where that is known.
    """
    first = before(setup, seed) if first is None else first
    trained = train(setup, seed, stop=stop)
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
    moved = moves(setup, seed, batch)
    steps = own_steps(setup, seed) if setup.step is not None else Steps()
    start = safely(model, setup, batch, held, moved, steps.autocast)
    assert start is not None
    places, followed = non_linearities(model, batch[0])
    return Evidence(
        data=known.data if known else rows.facts(setup, criterion),
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
        steps=steps,
        dropout=tuple((n, float(m.p)) for n, m in model.named_modules() if isinstance(m, DROPOUTS)),
        norms=sum(isinstance(m, NORMS) for m in model.modules()),
        batch_norms=sum(isinstance(m, BATCH_NORMS) for m in model.modules()),
        activations=places,
        followed=followed,
        repeated=repeated(model),
        rounding=rounded(setup, seed, batch) if start.half else Rounding(),
        yardsticks=known.yardsticks if known else yardsticks(setup, criterion, narrowest(start)),
    )


def narrowest(start: Look) -> int:
    """Units of the narrowest hidden layer; 0 where layers have more than rows of units."""
    return (
        min((x.outputs for x in start.layers[:-1]), default=0) if all(x.kind == "Linear" for x in start.layers) else 0
    )


def repeated(model: nn.Module) -> tuple[str, ...]:
    """The paths of the first layer with weights of its own that stands in several places; () where none does."""
    paths: dict[int, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        if any(True for _ in module.parameters(recurse=False)):
            paths.setdefault(id(module), []).append(path)
    return next((tuple(found) for found in paths.values() if len(found) > 1), ())


def probe_batch(setup: Setup) -> Batch:
    return setup.parts[0].some(BATCH)


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


def settings(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The first group's numbers by their usual names."""
    group = optimizer.param_groups[0]
    found = {
        k: float(group[k]) for k in ("lr", "momentum", "weight_decay", "alpha") if isinstance(group.get(k), int | float)
    }
    if isinstance(group.get("betas"), tuple):
        found |= {"beta1": float(group["betas"][0]), "beta2": float(group["betas"][1])}
    return found


def moves(setup: Setup, seed: int, batch: Batch) -> dict[str, float]:
    """path -> how far a step moves each layer's weights at first, relative to their norm; of a copy."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    weights = {n: m.weight for n, m in model.named_modules() if isinstance(getattr(m, "weight", None), nn.Parameter)}
    size = setup.batch_size
    small: Batch = tuple(x[:size] for x in batch[0]), batch[1][:size]
    model.train()
    before = {n: w.detach().clone() for n, w in weights.items()}
    try:
        one_step(setup, model, small, optimizer)
    except RuntimeError:
        return {}
    usual = usual_share(optimizer)
    return {
        n: usual * float((w.detach() - before[n]).norm()) / at_least(float(before[n].norm()), len(w))
        for n, w in weights.items()
    }


def usual_share(optimizer: torch.optim.Optimizer) -> float:
    """Later steps beside the first one: RMSprop's first is 1 / sqrt(1 - alpha) times as long, with momentum later ones are:
    1 / (1 - momentum) times where gradients agree, 1 / sqrt(1 - momentum^2) times where each is another; between the two."""
    known = settings(optimizer)
    if isinstance(optimizer, torch.optim.RMSprop):
        return (1 - known.get("alpha", 0.99)) ** 0.5
    if isinstance(optimizer, torch.optim.SGD):
        return 1 / max(0.01, 1 - known.get("momentum", 0.0)) ** 0.5
    return 1.0


def rounded(setup: Setup, seed: int, batch: Batch) -> Rounding:
    """What half precision does to a step of these rows."""
    small: Batch = tuple(x[: setup.batch_size] for x in batch[0]), batch[1][: setup.batch_size]
    with contextlib.suppress(Exception):  # whatever the user's code raises: the training itself will show it
        return rounding(setup, seed, small)
    return Rounding()


def own_steps(setup: Setup, seed: int) -> Steps:
    """What the user's own training step does beside forward, backward and step."""
    evaluates, autocast = surroundings(setup, seed)
    return replace(side_effects(setup, seed, autocast), evaluates=evaluates, autocast=autocast)


def surroundings(setup: Setup, seed: int) -> tuple[bool, str]:
    """(whether a step of the user's own runs the network in evaluation mode, the type that it lets torch compute in); found
    on a copy."""
    model, (inputs, target) = setup.fresh(seed), probe_batch(setup)
    modes: list[bool] = []
    types: list[str] = []

    def called(module: nn.Module, _: Any) -> None:
        modes.append(module.training)
        kind = target.device.type
        types.append(HALVES.get(torch.get_autocast_dtype(kind), "") if torch.is_autocast_enabled(kind) else "")

    model.register_forward_pre_hook(called)
    small: Batch = tuple(x[: setup.batch_size] for x in inputs), target[: setup.batch_size]
    try:
        one_step(setup, model.train(), small, setup.optimiser_of(model))
    except Exception:  # whatever the user's code raises: the training itself will show it
        return False, ""
    return bool(modes) and not any(modes), types[0] if types else ""


def under(autocast: str, kind: str) -> torch.autocast:
    """Torch's autocast to a type on a kind of device; "": none."""
    return torch.autocast(kind, dtype=getattr(torch, autocast) if autocast else None, enabled=bool(autocast))


def side_effects(setup: Setup, seed: int, autocast: str) -> Steps:
    """What a step of the user's own adds to the loss's gradient, and whether gradients pile up; found on a copy."""
    model = setup.fresh(seed)
    optimizer = setup.optimiser_of(model)
    inputs, target = probe_batch(setup)
    small: Batch = tuple(x[: setup.batch_size] for x in inputs), target[: setup.batch_size]
    model.eval()  # the same numbers twice, whatever dropout would draw
    seen: list[Tensor] = []

    def kept(*_: Any, **__: Any) -> None:
        seen.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))

    optimizer.register_step_pre_hook(kept)
    model.train = lambda mode=True: model  # type: ignore[method-assign]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    parameters = [p for p in model.parameters() if p.requires_grad]
    with under(autocast, target.device.type):
        value = setup.loss(model(*small[0]), small[1])
    own = torch.autograd.grad(value, parameters, allow_unused=True)
    plain = torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, own, strict=True)]
    )
    try:
        for _ in range(3):
            one_step(setup, model, small, optimizer)
    except Exception:  # whatever the user's code raises: the training itself will show it
        return Steps()
    if len(seen) < 3 or any(len(s) != len(plain) for s in seen) or not float(plain.norm()):
        return Steps()
    piled = float(seen[2].norm()) > 2.5 * float(seen[0].norm()) > 0
    return Steps(pull(seen[0], plain), piled)


def pull(seen: Tensor, plain: Tensor) -> float:
    """What a step adds to the loss's gradient, relative to what it leaves of that one: a loss that is only scaled adds none."""
    kept = plain * float(seen @ plain / (plain @ plain))
    return float((seen - kept).norm() / kept.norm()) if bool(kept.any()) else 0.0


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
