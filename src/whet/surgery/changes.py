"""What surgery did, place by place, and how to take it back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Change:
    """One thing that was done."""

    where: str
    """The place: a module's path, and the line of its code if an expression was exchanged."""
    what: str
    """What stood there."""
    now: str
    """What stands there."""
    how: str
    """swapped: another layer. attribute: a function that the module keeps. rewritten: an expression in its code. watched:
    calls are redirected while the module runs; torch.compile can't follow there."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} -> {self.now} ({self.how})"


@dataclass
class Changes:
    """All changes of one operation: a list to read, and `undo()`."""

    done: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Places that were left as they are, each with the reason."""
    _inverses: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.done)

    def __len__(self) -> int:
        return len(self.done)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.done), *(f"left: {line}" for line in self.kept)]) or "nothing changed"

    def undo(self) -> None:
        """Take everything back, in the model (and the optimiser) that was changed. A second call does nothing."""
        while self._inverses:
            self._inverses.pop()()
        self.done.clear()

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take everything back if what is done in this context fails or is interrupted."""
        try:
            yield
        except BaseException:
            self.undo()
            raise

    def add(self, change: Change, *inverses: Callable[[], None]) -> None:
        """Note a change, and what takes it back, in the order in which it was done."""
        self.done.append(change)
        self._inverses.extend(inverses)


def set_class(module: nn.Module, kind: type) -> Callable[[], None]:
    """Give the module another class; returns what takes it back."""
    old = type(module)
    module.__class__ = kind

    def undo() -> None:
        module.__class__ = old

    return undo


def add_child(owner: nn.Module, name: str, child: nn.Module) -> Callable[[], None]:
    """Give the owner a child under a name that is free, or hides a plain attribute; returns what takes it back."""
    hidden = {name: vars(owner).pop(name)} if name in vars(owner) else {}
    owner._modules[name] = child
    if hidden and isinstance(owner, nn.TransformerDecoderLayer):  # its copies look there, and else compute relu
        vars(owner)[name] = child

    def undo() -> None:
        del owner._modules[name]
        vars(owner).update(hidden)

    return undo


def set_value(owner: Any, name: str, value: Any) -> Callable[[], None]:
    """Set a plain attribute; returns what takes it back."""
    old = vars(owner)[name]
    vars(owner)[name] = value
    return lambda: vars(owner).__setitem__(name, old)


def exchange_parameters(
    optimizer: torch.optim.Optimizer, gone: list[nn.Parameter], fresh: list[nn.Parameter]
) -> Callable[[], None]:
    """Let the optimiser train new parameters, with the settings of its first group, and forget those that the model has no
    more; returns what takes it back."""
    groups, lost = optimizer.param_groups, {id(p) for p in gone}
    before = [list(group["params"]) for group in groups]
    kept: dict[torch.Tensor, Any] = {p: optimizer.state.pop(p) for p in gone if p in optimizer.state}
    for group in groups:
        group["params"][:] = [p for p in group["params"] if id(p) not in lost]
    groups[0]["params"].extend(fresh)

    def undo() -> None:
        for group, params in zip(groups, before, strict=False):
            group["params"][:] = params
        for parameter in fresh:
            optimizer.state.pop(parameter, None)
        optimizer.state.update(kept)

    return undo
