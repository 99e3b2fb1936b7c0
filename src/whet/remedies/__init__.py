"""Remedies: (Finding, Setup, Evidence) -> an edited set-up, (Findings, Recipe) -> edits, with the reason. Pure: nothing
is trained here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

from whet.recipe import Edit
from whet.record import Finding
from whet.remedies import data, machine, network, output, steps
from whet.remedies.need import Need
from whet.remedies.recipes import recipe_edits
from whet.setups import Setup

Remedy = Callable[[Need], Setup | None]
REMEDIES: Mapping[str, tuple[Remedy, ...]] = {
    **data.REMEDIES,
    **network.REMEDIES,
    **output.REMEDIES,
    **steps.REMEDIES,
    **machine.REMEDIES,
}
"""Finding's name -> what can be done about it, the most promising first; None from a remedy: nothing can be done here."""


def remedy(finding: Finding, need: Need, place: int = 0) -> Setup | None:
    """The set-up with the first of a finding's remedies that can be applied, or with a later one; None where there is none."""
    return next(itertools.islice(alternatives(finding, need), place, None), None)


def alternatives(finding: Finding, need: Need) -> Iterator[Setup]:
    """The set-up with each of a finding's remedies that changes something."""
    edited = (change(need) for change in REMEDIES.get(finding.name, ()))
    yield from (setup for setup in edited if setup is not None)


__all__ = ["REMEDIES", "Edit", "Need", "alternatives", "recipe_edits", "remedy"]
