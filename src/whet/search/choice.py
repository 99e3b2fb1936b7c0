"""Which trial is the best so far, by validation alone, and what its place in the space says."""

from __future__ import annotations

import math
from collections import Counter

from whet.search.plain import Side
from whet.search.view import FAILED, StudyView, Track

AGREE = 3
"""So many of the best trials have to lie on the same edge before it counts: one lies there by chance."""
ENOUGH = 10
"""Trials with a value from which on edges are looked at."""


def rank(track: Track) -> tuple[float, float, float, int]:
    """Sorts the better trial first: by its newest value; of equal ones the cheaper, then the earlier."""
    return (track.value, track.cost, -track.resource, track.number)


def able(view: StudyView) -> list[Track]:
    """The trials that can win: they have a value, and they have not failed."""
    return [t for t in view.trials if t.state != FAILED and not math.isnan(t.value)]


def best(view: StudyView) -> Track | None:
    """The trial whose newest value is the best, however far it has come; None while there is none."""
    return min(able(view), key=rank, default=None)


def ranked(view: StudyView) -> list[Track]:
    """All trials that can win, the best first."""
    return sorted(able(view), key=rank)


def on_edges(view: StudyView) -> dict[str, Side]:
    """The ends of ranges on which the AGREE best trials lie together; empty while fewer than ENOUGH have a value."""
    found = ranked(view)
    if len(found) < ENOUGH:
        return {}
    seen = Counter(edge for t in found[:AGREE] for edge in view.space.edges(t.params).items())
    return {name: side for (name, side), count in seen.items() if count == AGREE}


def warnings(view: StudyView) -> list[str]:
    """What a person should know about the space."""
    said = []
    for name, side in on_edges(view).items():
        end = getattr(view.space[name], side)
        said.append(
            f"The {AGREE} best trials have {name} on the {'lower' if side == 'low' else 'upper'} end of its range ({end:g}): "
            "better ones may lie outside. Give a wider one, or limits=(low, high) up to which the search may widen it."
        )
    return said
