"""The search space: which parameters there are, which depend on others, and how a choice of all of them is drawn.

A space is a mapping of names to parameters that never changes: what edits it returns another one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from whet.errors import SearchError, UnknownName, UserError, shown
from whet.search import table
from whet.search.choices import Categorical
from whet.search.conditions import holds, ordered
from whet.search.plain import STEP, Side, as_plain
from whet.search.ranges import Float, Int, Number

Parameter = Float | Int | Categorical
Params = dict[str, Any]
"""Names and values of the parameters that are chosen; those whose condition does not hold are not in it."""


LISTED = 10_000
"""Choices up to which a space without a Float is listed, so that none is tried twice and the end is seen."""


class Space(Mapping[str, Parameter]):
    """Parameters by name. A list stands for `Categorical(list)`.

    >>> space = Space({
    ...     "optimizer": ["sgd", "adamw"],
    ...     "learning_rate": Float(1e-5, 1.0, log=True, prior=1e-3),
    ...     "momentum": Float(0.0, 0.99, when={"optimizer": "sgd"}),
    ... })
    >>> space.sample(np.random.default_rng(1))
    """

    candidates: tuple[Params, ...] | None = None
    """The only choices there are; None: whatever the parameters allow."""

    def __init__(self, parameters: Mapping[str, Parameter | Sequence[Any]]) -> None:
        if not isinstance(parameters, Mapping) or not parameters:
            raise SearchError(
                f"A Space needs parameters by name, not {parameters!r}.", 'Write Space({"lr": Float(…)}).'
            )
        self._parameters = {name: as_parameter(name, p) for name, p in parameters.items()}
        self._order = ordered(self._parameters)
        self._in_order = self._order == list(self._parameters)
        edges = np.cumsum([0, *(p.width for p in self._parameters.values())]).tolist()
        self._columns = {n: slice(a, b) for n, a, b in zip(self._parameters, edges, edges[1:], strict=False)}
        self.width: int = edges[-1]
        """Columns of an encoding."""
        self.encoded = np.empty((0, self.width))
        """(candidates, width) of a list of candidates."""
        self._index: dict[str, int] = {}

    @classmethod
    def of_candidates(cls, candidates: Iterable[Mapping[str, Any]]) -> Space:
        """The space in which only these can be chosen. What kind each parameter is follows from its values."""
        from whet.search.candidates import inferred

        candidates = list(candidates)
        if not all(isinstance(c, Mapping) for c in candidates):
            raise SearchError(f"candidates={shown(candidates[:3])} are no dicts.", 'Write [{"lr": 0.1}, {"lr": 0.2}].')
        found = {key(c): {str(name): as_plain(v) for name, v in c.items()} for c in candidates}  # each once
        space = cls(inferred(list(found.values())))
        space.candidates = tuple(found.values())
        space.encoded = np.array([space.encode(c) for c in space.candidates])
        space._index = {k: i for i, k in enumerate(found)}
        return space

    # -- a mapping ---------------------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._parameters:
            raise UnknownName("parameter", name, self._parameters)
        return self._parameters[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    # -- values ------------------------------------------------------------------------------------------------------

    def assemble(self, value_of: Callable[[str], Any]) -> Params:
        """The value of every parameter whose condition holds; those that others depend on are asked for first."""
        params: Params = {}
        for name in self._order:
            if holds(self._parameters[name].when, params):
                params[name] = value_of(name)
        return params if self._in_order else {n: params[n] for n in self._parameters if n in params}

    def sample(self, random: np.random.Generator) -> Params:
        """A choice drawn by the parameters' priors; one of the candidates, where there are some."""
        if self.candidates is not None:
            return dict(self.candidates[int(random.integers(len(self.candidates)))])
        return self.assemble(lambda name: self._parameters[name].draw(random))

    def check(self, params: Mapping[str, Any]) -> Params:
        """`params` as they are stored. Raises UserError for a name or a value that does not belong here."""
        for name in params:
            self[name]
        if self.candidates is not None:
            return dict(self.candidates[self.index(params)])

        def value_of(name: str) -> Any:
            if name not in params:
                raise SearchError(
                    f"The parameter {name!r} has no value.", f"Give {name}=…: {table.values_of(self[name])}."
                )
            try:
                return self[name].check(params[name])
            except UserError as error:
                raise SearchError(f"{name}: {error.what}", error.next_step) from None

        found = self.assemble(value_of)
        for name in params:
            if name not in found:
                raise SearchError(
                    f"{name}={params[name]!r} has no effect here.", f"It is chosen when {table.when_of(self[name])}."
                )
        return found

    def index(self, params: Mapping[str, Any]) -> int:
        """Which of the candidates these are."""
        found = self._index.get(key(params))
        if found is None:
            raise SearchError(f"{dict(params)!r} is none of the {len(self.candidates or ())} candidates.")
        return found

    @property
    def size(self) -> float:
        """At most so many choices; infinite with a Float."""
        if self.candidates is not None:
            return len(self.candidates)
        return math.prod(p.size for p in self._parameters.values())

    @cached_property
    def listed(self) -> tuple[Params, ...]:
        """All choices of a small space without a Float; empty where there are more than LISTED."""
        return tuple(self._every(self._order, {})) if self.candidates is None and self.size <= LISTED else ()

    @cached_property
    def count(self) -> float:
        """How many choices there are; infinite where they can't be listed."""
        return len(self.candidates or self.listed) or math.inf

    def _every(self, names: list[str], params: Params) -> Iterator[Params]:
        if not names:
            yield {n: params[n] for n in self._parameters if n in params}
        elif not holds(self._parameters[names[0]].when, params):
            yield from self._every(names[1:], params)
        else:
            for value in self._parameters[names[0]].values:
                yield from self._every(names[1:], {**params, names[0]: value})

    # -- the unit cube -----------------------------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of an encoding's columns: "lr", "activation=relu", …"""
        each = ((n, p.choices if isinstance(p, Categorical) else None) for n, p in self._parameters.items())
        return tuple(c for n, choices in each for c in ([f"{n}={v}" for v in choices] if choices else [n]))

    def encode(self, params: Mapping[str, Any]) -> np.ndarray:
        """(width,) in [0, 1]: numbers by their place in the range, categories one-hot.

        A parameter that is not chosen: 0.5, or no category at all.
        """
        row: list[float] = []
        for name, p in self._parameters.items():
            row.extend(p.encode(params[name]) if name in params else p.idle)
        return np.array(row)

    def decode(self, x: np.ndarray) -> Params:
        """The choice nearest to a point of the cube."""
        return self.assemble(lambda name: self._parameters[name].decode(x[self._columns[name]]))

    def neighbour(
        self, params: Mapping[str, Any], random: np.random.Generator, changes: int = 1, step: float = STEP
    ) -> Params:
        """`params` with so many of them changed by about `step`; what newly counts is drawn."""
        able = [n for n in params if self[n].size > 1]
        chosen = set(random.permutation(able)[:changes].tolist()) if able else set()

        def value_of(name: str) -> Any:
            p = self._parameters[name]
            if name not in params:
                return p.draw(random)
            return p.near(params[name], random, step) if name in chosen else params[name]

        return self.assemble(value_of)

    def beside(self, params: Mapping[str, Any], random: np.random.Generator, step: float) -> list[Params]:
        """`params` with one of them changed, by `step` or to another category, in every way; what newly counts is drawn."""
        return [self._changed(params, n, v, random) for n in params for v in self[n].beside(params[n], step)]

    def _changed(self, params: Mapping[str, Any], name: str, value: Any, random: np.random.Generator) -> Params:
        known = {**params, name: value}
        return self.assemble(lambda n: known[n] if n in known else self._parameters[n].draw(random))

    # -- edges -------------------------------------------------------------------------------------------------------

    def edges(self, params: Mapping[str, Any]) -> dict[str, Side]:
        """The parameters that lie on an end of their range, and which end."""
        found = {name: self[name].edge(value) for name, value in params.items()}
        return {name: side for name, side in found.items() if side}

    def widened(self, edges: Mapping[str, Side]) -> Space:
        """The space, wider at these ends where the parameters' `limits` allow it."""
        return self.replace({name: self[name].widened(side) for name, side in edges.items()})

    # -- editing -----------------------------------------------------------------------------------------------------

    def replace(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> Space:
        """The space with other parameters under known names: `space.replace(lr=Float(…))`, or a mapping."""
        self._editable()
        new = {**(changes or {}), **more}
        for name in new:
            self[name]
        return Space({**self._parameters, **new})

    def without(self, *names: str) -> Space:
        """The space without these parameters."""
        self._editable()
        for name in names:
            self[name]
        return Space({n: p for n, p in self._parameters.items() if n not in names})

    def _editable(self) -> None:
        if self.candidates is not None:
            raise SearchError("A list of candidates can't be edited.", "Make another one with Space.of_candidates.")

    # -- as text -----------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """The space as plain data: equal spaces say the same."""
        if self.candidates is not None:
            text = json.dumps(self.candidates, sort_keys=True)
            return {"candidates": len(self.candidates), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        return {name: p.describe() for name, p in self._parameters.items()}

    def table(self) -> str:
        """One line per parameter, for people."""
        return table.of_space(self)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        if self.candidates is not None:
            return f"<Space of {len(self.candidates)} candidates over {', '.join(self)}>"
        return f"Space({self._parameters!r})"


def as_parameter(name: Any, given: Any) -> Parameter:
    if not isinstance(name, str) or not name:
        raise SearchError(f"{name!r} is no name of a parameter.")
    if isinstance(given, list):
        return Categorical(given)
    if isinstance(given, Number | Categorical):
        return given  # type: ignore[return-value]
    raise SearchError(f"{name}={given!r} is no parameter.", "Use Float(low, high), Int(low, high), or a list.")


def key(params: Mapping[str, Any]) -> str:
    """Equal for equal parameters, in whatever order, before and after JSON."""
    return json.dumps({n: as_plain(v) for n, v in params.items()}, sort_keys=True)
