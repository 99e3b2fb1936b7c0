"""Other initial weights, other functions, wider layers."""

from __future__ import annotations

from whet.remedies.need import Need
from whet.setups import Setup
from whet.setups.operations import AutoInit, InsertActivations, ReplaceActivations, Unfreeze, Widen

ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adamax", "Lion", "Muon")
SQUASHING = ("sigmoid", "hard_sigmoid", "softmax")
GROWING = ("exp", "square", "exponential", "pow", "cube", "sinh", "cosh")


def draw_weights(need: Need) -> Setup:
    return need.setup.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def tamer_function(need: Need) -> Setup:
    """A function that keeps what it is given, and weights that go with it."""
    names = tuple(dict.fromkeys(w for _, w, role in need.activations if w in GROWING and role != "output"))
    new = ReplaceActivations("elu", names, tuple(x[:8] for x in need.sample))
    changed = need.setup.with_operation(new, need.edit("activation", names[0] if names else "?", "elu"))
    return changed.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def insert_functions(need: Need) -> Setup:
    """A rectifier behind each hidden layer, and the weights that go with it."""
    changed = need.setup.with_operation(InsertActivations(), need.edit("activation", "none", "relu"))
    return changed.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def moves(need: Need) -> float:
    """How far the optimiser moves a weight in a step; 0 where steps are as long as gradients."""
    return min(need.settings.get("lr", 0.0), 0.01) if need.optimizer in ADAPTIVE else 0.0


def widen(need: Need) -> Setup | None:
    path = need.finding.where
    if not path:
        return None
    width = max(32, 4 * int(need.finding.evidence.get("classes") or 1))
    old = need.finding.evidence.get("width")
    return need.setup.with_operation(Widen(path, width), need.edit(f"width of {path}", old, width))


def hold_all(need: Need) -> Setup:
    """The same optimiser over every parameter, all of them free."""
    own = need.setup.optimizer

    def make(parameters):  # type: ignore[no-untyped-def]
        made = own(parameters)
        return type(made)(parameters, **{k: v for k, v in made.defaults.items() if k in known(made)})

    edit = need.edit("frozen weights", need.finding.evidence.get("layers"), 0)
    return need.setup.with_operation(Unfreeze(), edit).edited(optimizer=make)


def known(optimizer):  # type: ignore[no-untyped-def]
    """The names that an optimiser's class takes."""
    import inspect

    return set(inspect.signature(type(optimizer).__init__).parameters)


REMEDIES = {
    "weights that are all alike": draw_weights,
    "initial weights far too large": draw_weights,
    "initial weights far too small": draw_weights,
    "vanishing signal": draw_weights,
    "deep and squashing": draw_weights,
    "dead units from the start": draw_weights,
    "activation that grows without bound": tamer_function,
    "no non-linearity": insert_functions,
    "bottleneck": widen,
    "weights that the optimiser does not hold": hold_all,
    "frozen weights": hold_all,
}
