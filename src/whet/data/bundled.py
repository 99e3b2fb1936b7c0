"""Small data sets that come with scikit-learn: no network is needed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.data.core import Data

if TYPE_CHECKING:
    import polars as pl

TABLES = {"iris": "species", "wine": "cultivar", "breast-cancer": "diagnosis", "diabetes": "progression"}
"""Name -> what its target is called."""
NAMES = ("digits", *TABLES)


def load_bundled(name: str, *, task: str | None = None, **options: Any) -> Data:
    """A bundled set as `Data`; `name` is one of `NAMES`. Options are those of the tables' loader."""
    return _digits(task) if name == "digits" else _table(name, task, **options)


def _digits(task: str | None) -> Data:
    """1,797 grey 8x8 pictures; their 17 grey levels are spread over 0 to 255."""
    from sklearn.datasets import load_digits

    from whet.data.arrays import Scale, load_pairs

    found = load_digits()
    data = load_pairs("digits", {"": (found.images, found.target)}, task=task, scale=Scale(0.0, 16.0))
    return dataclasses.replace(data, said=())


def _table(name: str, task: str | None, **options: Any) -> Data:
    from whet.data.tables import load_table

    options["target"] = options.get("target") or TABLES[name]
    data = load_table(bundled_frame(name), task=task, **options)
    return dataclasses.replace(data, name=name)


def bundled_frame(name: str) -> pl.DataFrame:
    """A bundled table, target included."""
    import polars as pl
    from sklearn import datasets

    make = getattr(datasets, f"load_{name.replace('-', '_')}")
    # In their own units, as a user's table would be: scikit-learn scales the columns of this one beforehand.
    found = make(scaled=False) if name == "diabetes" else make()
    target = TABLES[name]
    columns = {_plain(column): found.data[:, i] for i, column in enumerate(found.feature_names)}
    classes = getattr(found, "target_names", None)
    values = np.asarray([str(classes[i]) for i in found.target]) if classes is not None else found.target
    return pl.DataFrame({**columns, target: values})


def _plain(column: str) -> str:
    return column.replace(" (cm)", "_cm").replace(" ", "_")
