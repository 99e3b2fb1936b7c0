"""What the data looks like, and what that suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from whet import prior
from whet.asked import refuse_run, roles_of
from whet.data.core import Data, Profile
from whet.data.signs import Signs
from whet.fields import field, load


def profile(
    data: Any,
    *,
    target: str | None = None,
    task: str | None = None,
    holdout: Any = None,
    split: str | None = None,
    **roles: Any,
) -> Profile:
    """The profile of a source: size, classes, missing values, ranges, duplicates, corrupt files, and suggestions.

    `roles` says what columns are (`time`, `user`, …), as in `whet.fit`.
    """
    refuse_run(data, holdout)
    found = load(data, target=target, task=task, holdout=holdout, split=split, roles=roles_of(roles))
    return replace(profile_of(found, field(found.domain).split(found, 0)), said=found.said)


def profile_of(data: Data, parts: Mapping[str, np.ndarray], seen: Signs | None = None) -> Profile:
    """The profile of data that is loaded and split; `seen`: its signs, if they are known already."""
    own = field(data.domain)
    seen = own.signs(data, parts["train"]) if seen is None else seen
    given = prior.hints(seen, data.domain, data.goal, len(parts["train"]))
    found = own.profile(data, parts)
    return prior.told(found, seen, given, data.domain) if given or seen != Signs() else found
