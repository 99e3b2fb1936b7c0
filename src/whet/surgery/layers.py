"""Surgery on layers that are no activations: chosen by path, pattern, class or question; replaced, added to, frozen."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Iterator

from torch import nn

from whet.errors import UnknownName, UserError
from whet.surgery import operate
from whet.surgery import sample as samples
from whet.surgery.changes import Change, Changes
from whet.surgery.cuts import Cut
from whet.surgery.modules import every_module, slots_of

Which = None | str | type[nn.Module] | Callable[[str, nn.Module], bool]
"""All; a path, what is inside it, or a pattern of paths; a class; or a question asked of path and module."""


def chosen(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], where: Which = None
) -> Iterator[tuple[str, nn.Module]]:
    """The modules of these kinds that `where` means. UnknownName for a path that means none of them."""
    known = [(path, m) for path, m in every_module(model) if isinstance(m, kinds)]
    found = [(path, m) for path, m in known if _means(where, path, m)]
    if isinstance(where, str) and not found:
        raise UnknownName("layer", where, {path for path, _ in known if path})
    yield from found


def _means(where: Which, path: str, module: nn.Module) -> bool:
    if where is None:
        return True
    if isinstance(where, str):
        return path == where or path.startswith(f"{where}.") or fnmatch.fnmatchcase(path, where)
    if isinstance(where, type):
        return isinstance(module, where)
    return bool(where(path, module))


def target(model: nn.Module, inplace: bool) -> nn.Module:
    """The model to change: itself, or a copy."""
    samples.check(model)
    return model if inplace else samples.twin(model)


def swap(model: nn.Module, path: str, old: nn.Module, new: nn.Module, changes: Changes) -> None:
    """Put `new` wherever `old` is held, and note it."""
    slots = slots_of(model, old)
    if not slots:
        raise UserError(f"{path or 'The model itself'} can't be exchanged.", "Make it a part of a larger module.")
    operate.take_after(new, old)
    like = next((p for p in [*old.parameters(), *model.parameters()] if p.is_floating_point()), None)
    if like is not None:
        new.to(like.device, like.dtype)
    for slot in slots:
        slot.put(new)
    changes.add(
        Change(path, type(old).__name__, str(new).partition("\n")[0], "swapped"),
        *(functools.partial(slot.put, old) for slot in slots),
    )


def append(path: str, module: nn.Module, name: str, new: nn.Module, changes: Changes) -> None:
    """Let a layer hand its result through `new`, which becomes its child: the names of all weights stay."""
    like = next((p for p in module.parameters() if p.is_floating_point()), None)
    if like is not None:
        new.to(like.device, like.dtype)
    new.train(module.training)
    child = operate.free_name(module, name)
    undos = operate.apply_cuts(module, {Cut("forward", child, "after"): new})
    changes.add(
        Change(path, type(module).__name__, f"… and then {str(new).partition(chr(10))[0]}", "rewritten"), *undos
    )


def freeze(model: nn.Module, where: Which = None, *, frozen: bool = True) -> Changes:
    """Let the weights of these layers be (or, with `frozen` False, train them again), in place. `undo()` takes it back."""
    samples.check(model)
    changes = Changes()
    for path, module in chosen(model, (nn.Module,), where):
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad == frozen:
                parameter.requires_grad_(not frozen)
                undo = functools.partial(parameter.requires_grad_, frozen)
                words = ("trained", "frozen") if frozen else ("frozen", "trained")
                changes.add(Change(f"{path}.{name}".lstrip("."), *words, "requires_grad"), _silently(undo))
    return changes


def _silently(function: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        function()

    return run


def reset(model: nn.Module, where: Which = None) -> Changes:
    """Give these layers new weights as their class draws them (`reset_parameters`), in place. `undo()` brings the old back.

    For other starts see whet.init.
    """
    samples.check(model)
    changes = Changes()
    for path, module in chosen(model, (nn.Module,), where):
        draw = getattr(module, "reset_parameters", None)
        own = {n: t for n, t in module.state_dict().items() if "." not in n}
        if callable(draw) and own:
            before = {name: tensor.clone() for name, tensor in own.items()}
            draw()
            undo = functools.partial(module.load_state_dict, before, strict=False)
            changes.add(Change(path, type(module).__name__, "drawn anew", "reset_parameters"), _silently(undo))
    return changes
