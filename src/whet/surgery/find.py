"""Every non-linearity that a model computes: what the witnesses saw, gathered into places.

event (observe.py) ──unit_of──> what one would replace as a whole ──role_of──> Place
a layer that does nothing else      nn.ReLU, a SiLU of somebody's own        one place, "module"
a function that does nothing else   swish(x), self.activation(x)             one place, "call"
arithmetic that is one function     x * torch.sigmoid(x), x * exp(-abs(x))   one place, "formula"
the rest                            F.relu(x), x.relu_(), x.clamp(min=0)     one place per expression
"""

from __future__ import annotations

import contextlib
import itertools
import math
from dataclasses import replace
from typing import Any

from torch import nn

from whet.errors import UserError
from whet.surgery import sample as samples
from whet.surgery import unreached
from whet.surgery.compositions import Spelt
from whet.surgery.events import Event
from whet.surgery.modules import own_layers
from whet.surgery.observe import Witness, observe
from whet.surgery.places import Place, origin
from whet.surgery.pointwise import Pointwise
from whet.surgery.units import Expression, Formula, Helper, Layer, Unit


def find(model: nn.Module, sample: Any) -> list[Place]:
    """Every non-linearity that the model computes on `sample`, in order, with where, what, how, how often and which shape.

    `sample` is a tensor, a tuple of arguments, or a dict of keyword arguments. The model is run as it stands and in its
    other mode (training or evaluation), on copies: it is left as it was. What its code would compute on other samples is
    listed too, with count 0, as far as the text shows it. Raises UserError if the sample does not fit.
    """
    samples.check(model)
    witnesses = [observe(model, sample, model.training)]
    with contextlib.suppress(UserError):  # say, batch norm of one example in training
        witnesses.append(observe(model, sample, not model.training))
    seen = _staged(_merged([gathered(w) for w in witnesses]))
    visited = set().union(*(w.visited for w in witnesses))
    return seen + unreached.places(model, seen, visited)


def _merged(runs: list[list[Place]]) -> list[Place]:
    known: dict[Any, Place] = {}
    for place in itertools.chain(*runs):
        mine = known.setdefault(_key(place), place)
        if place.stale:
            known[_key(place)] = replace(mine, stale=True)
    return list(known.values())


def _key(place: Place) -> tuple[Any, ...]:
    return place.path, place.what, place.how, place.site and place.site.key


def _staged(places: list[Place]) -> list[Place]:
    smallest, stage, staged = math.inf, 0, []
    for place in places:
        area = math.prod(place.shape[2:]) if place.shape and len(place.shape) >= 3 and place.role == "activation" else 0
        if area and area < smallest:
            stage, smallest = stage + math.isfinite(smallest), area
        staged.append(replace(place, stage=stage))
    return staged


def gathered(witness: Witness) -> list[Place]:
    """The places of one run, in the order of their first event."""
    groups: dict[Any, list[Event]] = {}
    pointwise = Pointwise(dict(own_layers(witness.model)))
    for event in witness.events:
        groups.setdefault(_unit_of(event, pointwise, witness.spelt), []).append(event)
    return [place for unit, events in groups.items() for place in unit.places(events)]


def _unit_of(event: Event, pointwise: Pointwise, spelt: dict[Event, Spelt]) -> Unit:
    if layer := pointwise.layer_of(event):
        return Layer(*layer)
    helps = event.helper and event.steps[event.own - 1].span and pointwise.is_function(event)
    if event in spelt:
        return Formula(event.path, spelt[event], spelt[event].inside and not helps)
    if event.helper and helps:
        return Helper(event.path, event.steps[event.own - 1], origin(event.helper.function))
    return Expression(event.path, event.steps, event.what, origin(event.function))
