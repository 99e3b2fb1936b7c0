"""Activation functions: a catalogue of entries, each with its formula, its facts and an implementation.

>>> import whet
>>> whet.activations.get("leaky_relu", slope=0.2)
LeakyReLU(negative_slope=0.2)
>>> whet.activations.formula("x * tanh(exp(a * x))", a=1.0)
Formula(x * tanh(exp(a * x)))
>>> whet.activations.facts("tanh").odd
True
"""

from __future__ import annotations

import warnings
from typing import Any

from torch import nn

from whet.activations import bounded, dynamic, gated, learned, outputs, periodic, rectified, smooth
from whet.activations.entry import KINDS, Activation, Activations
from whet.activations.expression.check import check, told
from whet.activations.facts import Facts, facts
from whet.activations.formula import Formula, prepare
from whet.errors import RecipeError, UnknownName

ACTIVATIONS = Activations(
    "activation",
    [
        *rectified.ENTRIES,
        *smooth.ENTRIES,
        *bounded.ENTRIES,
        *periodic.ENTRIES,
        *learned.ENTRIES,
        *dynamic.ENTRIES,
        *gated.ENTRIES,
        *outputs.ENTRIES,
    ],
    unlisted=[smooth.TANH_GELU],
)


def names(kind: str | None = None) -> tuple[str, ...]:
    """The names of all activations, or of one kind: fixed, learned, dynamic, gated, output."""
    if kind is not None and kind not in KINDS:
        raise UnknownName("kind of activation", kind, KINDS)
    return tuple(entry.name for entry in ACTIVATIONS if kind in (None, entry.kind))


def get(name: str, *, channels: int | None = None, dim: int | None = None, **params: Any) -> nn.Module:
    """A fresh module of this name or alias, with these parameters in place of the defaults.

    `channels` gives learned and dynamic activations parameters per channel, and `dim` says along which dimension channels
    lie; the rest have no use for them. Raises UnknownName, and RecipeError for a parameter that doesn't fit.
    """
    if not isinstance(name, str) or set(name) & set("()*/+^"):
        raise RecipeError(f"{name!r} is no name.", "whet.activations.names() gives them; formula() takes formulas.")
    entry = ACTIVATIONS[name]
    return entry.make(**entry.fill(params), **entry.placed(channels, dim))


def formula(text: str, *, channels: int | None = None, dim: int = 1, **learnable: float) -> Formula:
    """A module from a formula in x, such as "x * tanh(exp(a * x))"; parameters given by keyword are learned.

    They start at the value given: one number each, or one per channel with `channels`. The grammar is in
    `whet.activations.expression.grammar`. Raises RecipeError with the position of what can't be read, and warns of poles,
    gaps and overflow within |x| <= 1e4.
    """
    made = Formula(text, learn=learnable, channels=channels, dim=dim)
    if problems := check(prepare(text, {}, learnable)):
        warnings.warn(f"{text}: {told(problems)}. Keep inputs away from there, or guard it.", stacklevel=2)
    return made


__all__ = ["ACTIVATIONS", "KINDS", "Activation", "Facts", "Formula", "facts", "formula", "get", "names"]
