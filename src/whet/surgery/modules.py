"""The modules of a model and everything that holds them: registered children, plain attributes, lists and dicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Any

from torch import nn

_OWN = frozenset(vars(nn.Module()))
"""Attributes that every module has."""
HOOKS = tuple(n for n in vars(nn.Module()) if re.search("hooks|with_kwargs|always_called", n) and "state_dict" not in n)
"""Attributes of a module that hold its hooks."""


def every_module(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Path and module, also of those in plain attributes, lists, tuples and dicts, which torch does not register."""
    seen: set[int] = set()
    todo = list(model.named_modules())
    for path, module in todo:
        if id(module) not in seen:
            seen.add(id(module))
            yield path, module
            for slot in _hidden_slots(module):
                if id(slot.module) not in seen:
                    todo.extend(slot.module.named_modules(prefix=f"{path}.{slot.name}".lstrip(".")))


def module_at(model: nn.Module, path: str) -> nn.Module:
    """The module with this path, as `every_module` names it."""
    try:
        return model.get_submodule(path)
    except AttributeError:
        return dict(every_module(model))[path]


def own_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Path and module of the activations of our own catalogue, each the outermost."""
    inside: list[str] = []
    for path, module in every_module(model):
        if is_own(module) and not any(path.startswith(f"{outer}.") for outer in inside):
            inside.append(path)
            yield path, module


def is_own(module: nn.Module) -> bool:
    """Whether the module's class is one of whet's activations."""
    return type(module).__module__.startswith("whet.activations")


@dataclass
class Slot:
    """One place that holds a module."""

    owner: nn.Module
    name: str
    table: Any
    key: Any
    module: nn.Module

    def put(self, module: nn.Module) -> None:
        """Let this place hold another module."""
        if isinstance(self.table, tuple):
            field = self.name.partition("[")[0]
            items = list(vars(self.owner)[field])  # another slot may have changed it
            items[self.key] = module
            self.table = vars(self.owner)[field] = tuple(items)
        else:
            self.table[self.key] = module
            if self.table is self.owner._modules and isinstance(self.owner, nn.TransformerDecoderLayer):
                vars(self.owner)[self.key] = module  # its copies look there, and else compute relu
        self.module = module


def _hidden_slots(module: nn.Module) -> Iterator[Slot]:
    registered = list(module._modules.values())
    for field, value in vars(module).items():
        if isinstance(value, nn.Module) and all(value is not child for child in registered):
            yield Slot(module, field, vars(module), field, value)
        if field in _OWN or isinstance(value, nn.Module):
            continue
        for key, item in _items(value):
            if isinstance(item, nn.Module):
                yield Slot(module, f"{field}[{key!r}]", value, key, item)


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, MutableMapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, MutableSequence | tuple) else []


def slots(model: nn.Module) -> Iterator[Slot]:
    """Every place in the model that holds a module."""
    for _, owner in every_module(model):
        yield from [
            Slot(owner, name, owner._modules, name, child)
            for name, child in owner._modules.items()
            if child is not None
        ]
        yield from _hidden_slots(owner)


def slots_of(model: nn.Module, module: nn.Module) -> list[Slot]:
    """Everything in the model that holds this module."""
    return [slot for slot in slots(model) if slot.module is module]
