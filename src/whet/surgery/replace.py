"""Replacing activations, wherever and however a model computes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from whet.activations import Formula
from whet.errors import UserError
from whet.surgery import catalogue, operate, select
from whet.surgery import sample as samples
from whet.surgery.changes import Change, Changes, exchange_parameters
from whet.surgery.cuts import Cut
from whet.surgery.find import find
from whet.surgery.modules import every_module, module_at
from whet.surgery.operate import Operation
from whet.surgery.places import Place
from whet.surgery.stand_ins import WriteBack

New = catalogue.Given | Mapping[Any, Any]


def replace_activations(
    model: nn.Module,
    new: New,
    *,
    sample: Any,
    where: select.Where = None,
    per_channel: bool = False,
    inplace: bool = False,
    optimizer: torch.optim.Optimizer | None = None,
) -> tuple[nn.Module, Changes]:
    """The model with other activations, and what was done, place by place.

    `new` is a name of the catalogue, a formula, a module (each place gets a copy), a class or function that makes one, a
    function of a tensor, or a table {where: new} of which the first match counts. `where` says which places are meant
    (`select.chosen`); by default all that `find` calls activations: neither gates nor attention, nor what makes the
    model's own result. `per_channel`: what the catalogue's learned functions learn, they learn for each channel.

    The given model stays as it is, unless `inplace`; then `optimizer` is told of new parameters, and forgets replaced ones.
    Places that already have what is asked for are left alone. Raises UserError, and changes nothing, if a place can't be
    replaced.
    """
    if optimizer is not None:
        _check_optimizer(optimizer, model, inplace)
    places = find(model, sample)
    target = model if inplace else samples.twin(model)
    wanted = _wanted(places, new, where, target)
    changes = Changes(kept=[f"{p.where}: {p.what} ({p.role})" for p in places if all(p is not q for q, _ in wanted)])
    known = list(target.parameters())
    with changes.all_or_nothing():
        _replace(target, places, wanted, per_channel, sample, changes)
        if optimizer is not None:
            gone, fresh = _less(known, target.parameters()), _less(target.parameters(), known)
            changes._inverses.append(exchange_parameters(optimizer, gone, fresh))
    return target, changes


def _less(parameters: Iterable[nn.Parameter], others: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    known = {id(p) for p in others}
    return [p for p in parameters if id(p) not in known]


def _check_optimizer(optimizer: Any, model: nn.Module, inplace: bool) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise UserError(f"{optimizer!r} is no torch optimiser.", "Give the one that trains this model.")
    if not inplace:
        raise UserError(
            "An optimiser trains the model that it was made for, and this would be another.", "Use inplace=True."
        )
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not trained & {id(p) for p in model.parameters()}:
        raise UserError("The optimiser trains none of the model's parameters.", "Give the one that trains this model.")


def _wanted(places: list[Place], new: New, where: select.Where, model: nn.Module) -> list[tuple[Place, Any]]:
    if isinstance(new, Mapping):
        return select.by_pattern(places, new, model)
    return [(place, new) for place in select.chosen(places, where, model)]


def put(model: nn.Module, wanted: list[tuple[Place, Any]], sample: Any, changes: Changes) -> None:
    """Put a new function at each of these places, whatever the model computes with it."""
    _replace(model, [place for place, _ in wanted], wanted, False, sample, changes)


def _replace(
    model: nn.Module,
    places: list[Place],
    wanted: list[tuple[Place, Any]],
    per_channel: bool,
    sample: Any,
    changes: Changes,
) -> None:
    operations = [_operation(model, place, new, per_channel) for place, new in wanted]
    wanted_places = [place for place, _ in wanted]
    due = [operation for operation in operations if not _is_settled(operation, changes)]
    _rewrite([o for o in due if not _replaced_whole(o, places, wanted_places, changes)], changes)
    changes._inverses.extend(operate.tell_encoders(model))
    confirm(model, [o for o in due if o.place.count and not (o.place.how == "module" and _is_ours(o.new))], sample)


def _operation(model: nn.Module, place: Place, new: Any, per_channel: bool) -> Operation:
    if place.role == "recurrent":
        raise operate.refusal(
            place, "a fused kernel computes it; whet.surgery.replace_cells makes cells of other functions"
        )
    made = catalogue.maker_of(new, per_channel).make(place)
    owner = module_at(model, place.path)
    like = next((p for m in (owner, model) for p in m.parameters() if p.is_floating_point()), None)
    made.train(owner.training)
    if like is not None:
        made.to(device=like.device, dtype=like.dtype)
    return Operation(model, place, WriteBack(made) if place.stale else made)


def _is_ours(new: nn.Module) -> bool:
    """Whether it is known what this function makes of a shape: it is the catalogue's, or a formula."""
    return isinstance(new, Formula) or hasattr(new, "catalogue_name")


def _is_settled(operation: Operation, changes: Changes) -> bool:
    """Whether nothing is to be done: the layer is of this kind already, or unreached code can't be rewritten."""
    place = operation.place
    if place.how != "module":
        if stays := not place.count and operation.form() is None:
            changes.kept.append(f"{place.where}: {place.what}, not reached, can't be rewritten")
        return stays
    if same := catalogue.same(operation.owner, operation.new):
        changes.kept.append(f"{place.where}: {place.what} already")
    return same


def _replaced_whole(operation: Operation, places: list[Place], wanted: list[Place], changes: Changes) -> bool:
    """Whether the place was replaced without touching code: a layer, or a function that the owner keeps."""
    place = operation.place
    if place.how == "module":
        _note(changes, operation, *operation.swap())
        return True
    operation.check()
    name = operation.attribute()
    if name is None or not _all_meant(operation, name, places, wanted):
        return False
    _note(changes, operation, *operation.set_attribute(name))
    return True


def _all_meant(operation: Operation, name: str, places: list[Place], wanted: list[Place]) -> bool:
    """Whether every place where the owner calls this attribute is to be replaced, and gives it a tensor only."""
    others = [p for p in places if p.path == operation.place.path and p.site and p.how == "call"]
    users = [u for u in (Operation(operation.model, p, operation.new) for p in others) if u.attribute() == name]
    return all(any(u.place is w for w in wanted) and u.gives_tensor_only() for u in users)


def _note(changes: Changes, operation: Operation, how: str, undos: list[operate.Undo]) -> None:
    place = operation.place
    changes.add(Change(place.where, place.what, _label(operation.new), how), *undos)


def _label(module: nn.Module) -> str:
    inner = module.function if isinstance(module, WriteBack) else module
    return (
        f"{type(inner).__name__}, written back" if inner is not module else str(module).partition("\n")[0].rstrip("(")
    )


def _rewrite(operations: list[Operation], changes: Changes) -> None:
    by_owner: dict[int, list[Operation]] = {}
    for operation in operations:
        by_owner.setdefault(id(operation.owner), []).append(operation)
    for group in by_owner.values():
        watched = {operation.method for operation in group if operation.form() is None}
        children: dict[Cut, nn.Module] = {}
        made = [operation.cut(children, operation.method in watched) for operation in group]
        undos = operate.apply_cuts(group[0].owner, children)
        for operation, cut in zip(group, made, strict=True):
            how = "watched" if cut.form == "watched" else "rewritten"
            _note(changes, operation, how, undos if operation is group[0] else [])


def confirm(model: nn.Module, operations: list[Operation], sample: Any) -> None:
    """Run a copy of the changed model; UserError if a new function is not called though its place is reached."""
    if not operations:
        return
    copied = samples.twin(model)
    twins = {id(m): c for (_, m), (_, c) in zip(every_module(model), every_module(copied), strict=True)}
    calls = Calls()
    for operation in operations:
        calls.follow(twins[id(operation.new)], operation.place)
    with samples.quietly(model.training, copied):
        calls.run(copied, sample)
    with samples.quietly(not model.training, copied), contextlib.suppress(UserError):
        calls.run(copied, sample)
    for operation in operations:
        if operation.place not in calls.done:
            raise operate.refusal(operation.place, "the new function was not called there")


class Calls:
    """Which new functions are called in a run, and which one is at work when it fails."""

    def __init__(self) -> None:
        self.done: list[Place] = []
        self.running: list[Place] = []

    def follow(self, new: nn.Module, place: Place) -> None:
        """From now on note the calls of this new function."""
        new.register_forward_pre_hook(lambda *_: self.running.append(place))
        new.register_forward_hook(self._finished)

    def _finished(self, new: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        shapes = [tuple(t.shape) if isinstance(t, Tensor) else type(t).__name__ for t in (*given[:1], output)]
        if shapes[:1] != shapes[-1:] and not _is_ours(new):
            raise UserError(f"it turns {shapes[0]} into {shapes[-1]}")
        self.done.append(self.running.pop())

    def run(self, model: nn.Module, sample: Any) -> None:
        """The model on its sample. UserError names the place whose new function failed."""
        try:
            samples.run(model, sample)
        except UserError as error:
            if not self.running:
                raise
            raise operate.refusal(
                self.running[-1], f"the new function fails there: {error.__cause__ or error}"
            ) from error
