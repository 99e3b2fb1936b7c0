"""What images and tables share: their readers, which take whatever no other field does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whet.data import input_spec, load, load_inputs
from whet.data.core import Data, Inputs, Roles
from whet.data.signs import Signs, signs
from whet.fields.base import Field


class CommonField(Field):
    """A field that is read by `whet.data.load`."""

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Images and tables are what is left when no other field takes a source."""
        return False

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return load(source, target=target, task=task, holdout=holdout, split=split)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return input_spec(data)

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        return load_inputs(source, spec)

    def signs(self, data: Data, rows: np.ndarray) -> Signs:
        return signs(data, rows)
