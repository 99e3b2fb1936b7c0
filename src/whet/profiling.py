"""What the data looks like, and what that suggests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whet import prior
from whet.data import load, split
from whet.data.core import Data, Profile
from whet.data.signs import Signs, signs


def profile(
    data: Any, *, target: str | None = None, task: str | None = None, holdout: Any = None, split: str | None = None
) -> Profile:
    """The profile of a source: size, classes, missing values, ranges, duplicates, corrupt files, and suggestions."""
    found = load(data, target=target, task=task, holdout=holdout, split=split)
    return profile_of(found, _split(found))


def profile_of(data: Data, parts: Mapping[str, np.ndarray], seen: Signs | None = None) -> Profile:
    """The profile of data that is loaded and split; `seen`: its signs, if they are known already."""
    if data.domain == "image":
        from whet.data.profile_images import profile as look
    else:
        from whet.data.profile_tables import profile as look
    seen = signs(data, parts["train"]) if seen is None else seen
    given = prior.hints(seen, data.domain, data.goal, len(parts["train"]))
    return prior.told(look(data, parts), seen, given, data.domain)


def _split(data: Data) -> dict[str, np.ndarray]:
    return split(data, seed=0)
