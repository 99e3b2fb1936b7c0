"""Other initial weights, other functions, wider layers."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from whet.errors import UserError
from whet.remedies.need import Factory, Need
from whet.setups import Setup
from whet.setups.apart import OwnWeights
from whet.setups.code import coded, said_of
from whet.setups.lengths import ADAPTIVE
from whet.setups.operations import AutoInit, InsertActivations, ReplaceActivations, Unfreeze, UsualNorms, odd_norms
from whet.setups.widths import Widen

SQUASHING = ("sigmoid", "hard_sigmoid", "softmax")
RECTIFIERS = ("relu", "relu6", "squared_relu")
LIKELY_DEAD = 0.1
"""Chance that rectified units pass nothing on from which they are exchanged."""
GROWING = ("exp", "square", "exponential", "pow", "cube", "sinh", "cosh")


def draw_weights(need: Need) -> Setup:
    """Weights by theory; norms' gains too, where they are as odd as the weights."""
    setup = need.setup.with_operation(UsualNorms()) if odd_norms(need.setup.fresh(0)) else need.setup
    return setup.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def living_weights(need: Need) -> Setup | None:
    """Weights that carry the signal; where so few rectified units are likely to lose it all, a sloped function too."""
    return sloped_function(need) if born_dead(need) > LIKELY_DEAD and rectified(need) else draw_weights(need)


def born_dead(need: Need) -> float:
    """The chance that an example reaches nothing: all units of some layer below zero, whatever the weights' size.

    1 - (1 - 2^-n)^k for k layers of n rectified units with symmetric weights (Rister & Rubin 2020, Probabilistic bounds on
    neuron death in deep rectifier networks, arXiv:2007.06192).
    """
    return 1 - (1 - 2.0**-need.narrow) ** need.depth


def rectified(need: Need) -> tuple[str, ...]:
    names = (what for _, what, role in need.activations if what in RECTIFIERS and role != "output")
    return tuple(dict.fromkeys(names))


def sloped_function(need: Need) -> Setup | None:
    """A function with a slope on both sides in place of the rectifiers."""
    return with_function(need, "elu", rectified(need))


def unsquashed_function(need: Need) -> Setup | None:
    """A function that does not saturate, in place of those that do."""
    names = (what for _, what, role in need.activations if what in SQUASHING and role != "output")
    return with_function(need, "elu", tuple(dict.fromkeys(names)))


def with_function(need: Need, new: str, names: tuple[str, ...]) -> Setup | None:
    """Another function in the place of these, and the weights that go with it."""
    if not names:
        return None
    change = ReplaceActivations(new, names, tuple(x[:8] for x in need.sample))
    changed = need.setup.with_operation(change, need.edit("activation", names[0], new))
    return changed.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def tamer_function(need: Need) -> Setup | None:
    """A function that keeps what it is given."""
    names = (what for _, what, role in need.activations if what in GROWING and role != "output")
    return with_function(need, "elu", tuple(dict.fromkeys(names)))


def insert_functions(need: Need) -> Setup:
    """A function behind each hidden layer, and the weights that go with it: a rectifier where it is likely to live."""
    new = "elu" if born_dead(need) > LIKELY_DEAD else "relu"
    changed = need.setup.with_operation(InsertActivations(new), need.edit("activation", "none", new))
    return changed.with_operation(AutoInit(need.sample, moves(need)), need.edit("init", "the network's own", "auto"))


def moves(need: Need) -> float:
    """How far the optimiser moves a weight in a step; 0 where steps are as long as gradients."""
    return min(need.settings.get("lr", 0.0), 0.01) if need.optimizer in ADAPTIVE else 0.0


def widen(need: Need) -> Setup | None:
    """Wider alone, or with recurrent layers beside it where only that fits."""
    path = need.finding.where
    if not path:
        return None
    width = max(32, 4 * int(need.finding.evidence.get("classes") or 1))
    old = need.finding.evidence.get("width")
    edit = need.edit(f"width of {path}", old, width)
    alone, together = (need.setup.with_operation(Widen(path, width, both), edit) for both in (False, True))
    return together if not fits(alone, need) and fits(together, need) else alone


def fits(setup: Setup, need: Need) -> bool:
    """Whether its network takes the rows."""
    try:
        with torch.no_grad():
            setup.fresh(0)(*(x[:8] for x in need.sample))
    except (UserError, RuntimeError):
        return False
    return True


def own_weights(need: Need) -> Setup:
    """Weights of its own for each place of a layer that stands in several."""
    edit = need.edit("weights of repeated layers", "one set", "a set for each place")
    return need.setup.with_operation(OwnWeights(), edit)


def hold_all(need: Need) -> Setup:
    """The same optimiser over every parameter, all of them free."""
    edit = need.edit("frozen weights", need.finding.evidence.get("layers"), 0)
    return need.setup.with_operation(Unfreeze(), edit).edited(optimizer=over_all(need.setup.optimizer))


def over_all(own: Factory) -> Factory:
    """A factory of the same optimiser over all the parameters that it is given."""

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        made = own(parameters)
        return type(made)(parameters, **{k: v for k, v in made.defaults.items() if k in known(made)})

    return coded(make, f"whet.remedies.network.over_all({said_of(own, 'original.optimizer')})")


def known(optimizer: torch.optim.Optimizer) -> set[str]:
    """The names that an optimiser's class takes."""
    return set(inspect.signature(type(optimizer).__init__).parameters)


REMEDIES = {
    "weights that are all alike": (draw_weights,),
    "initial weights far too large": (draw_weights,),
    "initial weights far too small": (living_weights, sloped_function),
    "vanishing signal": (living_weights, sloped_function),
    "deep and squashing": (draw_weights, unsquashed_function),
    "saturated units": (draw_weights,),
    "answers that jump": (draw_weights,),
    "dead units from the start": (draw_weights, sloped_function),
    "activation that grows without bound": (tamer_function,),
    "no non-linearity": (insert_functions,),
    "bottleneck": (widen,),
    "too narrow": (widen,),
    "one layer in several places": (own_weights,),
    "weights that the optimiser does not hold": (hold_all,),
    "frozen weights": (hold_all,),
}
