"""Remedies: (Finding, Setup, Evidence) -> an edited set-up, (Findings, Recipe) -> edits, with the reason. Pure: nothing
is trained here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from whet.recipe import Edit
from whet.record import Finding
from whet.remedies import data, network, output, steps
from whet.remedies.need import Need
from whet.remedies.recipes import recipe_edits
from whet.setups import Setup

Remedy = Callable[[Need], Setup | None]
REMEDIES: Mapping[str, Remedy] = {**data.REMEDIES, **network.REMEDIES, **output.REMEDIES, **steps.REMEDIES}
"""Finding's name -> what is done about it; None from a remedy: nothing can be done here."""


def remedy(finding: Finding, need: Need) -> Setup | None:
    """The set-up with the remedy for a finding; None where there is none, or where it changes nothing."""
    known = REMEDIES.get(finding.name)
    return None if known is None else known(need)


__all__ = ["REMEDIES", "Edit", "Need", "recipe_edits", "remedy"]
