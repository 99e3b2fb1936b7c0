"""Putting a module where a non-linearity stood: four ways, the plainest that does it exactly.

swapped      a layer of its own: everything that holds it holds the new one
attribute    a function that the module keeps, `self.activation = F.relu`: the attribute becomes a child
rewritten    an expression in the module's code becomes a call of a child (cuts.py)
watched      the same at run time, where the code can't be rewritten (watched.py)
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from torch import fx, nn

from whet.errors import UserError
from whet.surgery import changes, cuts, forms, source
from whet.surgery.cuts import Cut, Form, find_function
from whet.surgery.known import probe
from whet.surgery.modules import HOOKS, module_at, slots_of
from whet.surgery.places import Place, Site
from whet.surgery.pointwise import maps_each
from whet.surgery.stand_ins import Guard, Pick, kind_of
from whet.surgery.watched import trail_of

Undo = Callable[[], None]
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_ALL_CHILDREN = frozenset({"children", "named_children", "_modules"})


@dataclass
class Operation:
    """A place of a model, the module that is to stand there, and how to put it there."""

    model: nn.Module
    place: Place
    new: nn.Module

    def __post_init__(self) -> None:
        self.owner = module_at(self.model, self.place.path)

    def swap(self) -> tuple[str, list[Undo]]:
        """Replace a layer in everything that holds it. Its hooks and its mode go over to the new one."""
        old = self.owner
        slots = slots_of(self.model, old)
        if not slots or _is_keras(old):
            return self._take_over(old)
        take_after(self.new, old)
        undos: list[Undo] = []
        for slot in slots:
            slot.put(self.new)
            undos.append(functools.partial(slot.put, old))
            undos += tell_encoder_layer(slot.owner, slot.name, self.new)
        return "swapped", undos

    def _take_over(self, layer: nn.Module) -> tuple[str, list[Undo]]:
        """Leave the layer where it is, and let it hand its input on: for the root, and where a graph holds the layers."""
        cut = Cut("call" if _is_keras(layer) else "forward", free_name(layer, self.place.what), "whole")
        return "rewritten", apply_cuts(layer, {cut: self.new})

    def set_attribute(self, name: str) -> tuple[str, list[Undo]]:
        """Replace a function that the owner keeps under this name."""
        return "attribute", [
            changes.add_child(self.owner, name, self.new),
            *tell_encoder_layer(self.owner, name, self.new),
        ]

    @property
    def site(self) -> Site:
        """The expression. UserError if there is none: compiled code."""
        if self.place.site is None or self.place.how == "kernel":
            raise refusal(self.place, "it is computed outside torch's functions, or inside compiled code")
        return self.place.site

    def attribute(self) -> str | None:
        """The attribute of the owner that holds the function which the place calls, if it calls one."""
        node, own = self._node(), self.site.method.co_varnames[0]
        if self.site.inside or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return None
        on_self = isinstance(node.func.value, ast.Name) and node.func.value.id == own
        return node.func.attr if on_self and self._is_meant(vars(self.owner).get(node.func.attr)) else None

    def _is_meant(self, kept: Any) -> bool:
        """Whether what the owner keeps is the function that the place calls, or does nothing else than map each number."""
        function = self.site.function
        return callable(kept) and (kind_of(kept) == kind_of(function) or maps_each(kept, probe()))

    def gives_tensor_only(self) -> bool:
        """Whether the call has one argument; a new function would not know `approximate="tanh"`."""
        node = self._node()
        return isinstance(node, ast.Call) and len(node.args) + len(node.keywords) == 1

    def _node(self) -> source.Found | None:
        text = source.text_of(self.site.method)
        return source.at(text.tree, self.site.span) if text else None

    def cut(self, children: dict[Cut, nn.Module], watched: bool = False) -> Cut:
        """Add to `children` how the owner's code has to be changed, at run time only if `watched`, and what it will call."""
        made = self._cut(free_name(self.owner, self.place.what, {c.child for c in children}), watched)
        if made.form != "guarded":
            children[made] = Pick(self.new, made.position) if made.form == "picked" else self.new
            return made
        shared = next((c for c in children if (c.method, c.span, c.form) == (made.method, made.span, made.form)), made)
        guard = children.setdefault(shared, Guard())
        assert isinstance(guard, Guard)
        guard.answer(self.site.function, self.new)
        return shared

    def _cut(self, child: str, watched: bool) -> Cut:
        site, form = self.site, None if watched else self.form()
        text = source.text_of(site.method)
        if form is None or text is None:
            return self._watched(child)
        span = cuts.shifted(site.span, -site.method.co_firstlineno)
        digest = cuts.digest_of(text)
        is_method = self.place.how == "method"
        made = Cut(self.method, child, form, site.method.co_qualname, span, site.position, site.root, digest)
        return replace(made, is_method=is_method)

    def check(self) -> None:
        """UserError if the place can't have a new child of its owner in its stead."""
        node = self._node()
        if isinstance(node, ast.Call) and any(k.arg == "out" for k in node.keywords):
            raise refusal(self.place, "it writes into the tensor given as out=")
        names = {name for step in self.site.steps for name in source.names_in(step.code)}
        if isinstance(self.owner, _CONTAINERS) or names & _ALL_CHILDREN:
            raise refusal(self.place, "its code goes through all its children, and would run a new one too")

    @property
    def method(self) -> str:
        """The name of the owner's method in whose code the place is, or which calls it by super()."""
        code = self.site.method
        found = method_of(self.owner, code) or overridden(self.owner, code)
        if found is None:
            raise refusal(self.place, self._foreign())
        return found

    def _foreign(self) -> str:
        if isinstance(self.owner, fx.GraphModule):
            return "its code is made from a graph of torch.fx; do the surgery before tracing"
        return "it is computed in a hook, or in a function that is not a method of the module's class"

    def form(self) -> Form | None:
        """How the expression can be rewritten; None if it can only be watched."""
        method = method_of(self.owner, self.site.method)
        return forms.form_of(self.place, self._node(), type(self.owner), method) if method else None

    def _watched(self, child: str) -> Cut:
        site = self.site
        if not site.called or not self.place.count:
            raise refusal(self.place, "its code can't be rewritten, or not together with the method's other places")
        return Cut(self.method, child, "watched", position=site.position, root=site.called, trail=trail_of(site.steps))


def refusal(place: Place, why: str) -> UserError:
    """The error for a place where nothing can be put."""
    return UserError(
        f"{place.what} at {place.where} can't be replaced: {why.rstrip('.')}.",
        f"Leave it out by where=lambda place: place.where != {place.where!r}.",
    )


def method_of(owner: nn.Module, code: CodeType) -> str | None:
    """The name under which the owner's class has the method with this code, decorated or not; None if it has none."""
    for name in dict.fromkeys(name for kind in type(owner).__mro__ for name in vars(kind)):
        value = inspect.getattr_static(type(owner), name)
        if find_function(value, lambda c: c is code):
            return None if value is vars(nn.Module).get(name) or name in vars(owner) else name
    return None


def overridden(owner: nn.Module, code: CodeType) -> str | None:
    """The name of the method of a base class that has this code, where a class below has another; None if there is none."""
    tables = (vars(kind) for kind in type(owner).__mro__ if not kind.__module__.startswith("torch."))
    names = (name for table in tables for name, value in table.items() if find_function(value, lambda c: c is code))
    return next((name for name in names if name not in vars(owner)), None)


def free_name(owner: nn.Module, what: str, taken: set[str] | None = None) -> str:
    """A name for a new child, such as "relu_0", that the owner does not use."""
    base = what if what.isidentifier() else "activation"
    names = (f"{base}_{i}" for i in itertools.count())
    return next(n for n in names if not hasattr(owner, n) and n not in (taken or ()))


def apply_cuts(owner: nn.Module, children: dict[Cut, nn.Module]) -> list[Undo]:
    """Give the owner changed code and the children that it calls; returns what takes it back."""
    undos = [changes.add_child(owner, cut.child, child) for cut, child in children.items()]
    return [*undos, changes.set_class(owner, cuts.changed_class(owner, tuple(children)))]


def take_after(new: nn.Module, old: nn.Module) -> None:
    """Hooks and mode of the old layer, for the new one."""
    new.train(old.training)
    for name in HOOKS:
        vars(new)[name] = vars(old)[name]


def tell_encoder_layer(owner: nn.Module, name: str, new: nn.Module) -> list[Undo]:
    """torch's encoder layer keeps a note of its activation, by which it chooses a kernel that computes that one inside."""
    if name != "activation" or "activation_relu_or_gelu" not in vars(owner):
        return []
    exact = type(new) is nn.GELU and new.approximate == "none"
    return [changes.set_value(owner, "activation_relu_or_gelu", 1 if type(new) is nn.ReLU else 2 if exact else 0)]


def tell_encoders(model: nn.Module) -> list[Undo]:
    """torch's encoder packs sequences for that kernel; it must not where its layers don't use it any more."""
    return [
        changes.set_value(encoder, "use_nested_tensor", False)
        for encoder in model.modules()
        if isinstance(encoder, nn.TransformerEncoder) and getattr(encoder, "use_nested_tensor", False)
        and not all(getattr(layer, "activation_relu_or_gelu", 1) for layer in encoder.layers)
    ]  # fmt: skip


def _is_keras(module: nn.Module) -> bool:
    return any(kind.__module__.startswith("keras.") for kind in type(module).__mro__)
