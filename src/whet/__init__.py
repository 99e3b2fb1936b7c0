"""whet sharpens neural networks: it finds what trains best on your data in the time given, and says why.

>>> import whet
>>> result = whet.fit("digits", budget="60s")     # doctest: +SKIP
>>> result.value, result.ci95, result.baselines    # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from whet import openmp

_HOMES = {
    "fit": "whet.improve",
    "Result": "whet.result",
    "compare": "whet.comparing.conduct",
    "Comparison": "whet.comparing.comparison",
    "predict": "whet.predicting",
    "Predictions": "whet.predicting",
    "generate": "whet.generating",
    "export": "whet.exporting",
    "profile": "whet.profiling",
    "Setup": "whet.setups",
    "watch": "whet.doctor",
    "diagnose": "whet.doctor",
    "Diagnosis": "whet.doctor",
    "repair": "whet.repairing",
    "Repair": "whet.repaired",
    "Profile": "whet.data.core",
    "load": "whet.data",
    "Data": "whet.data.core",
    "Recipe": "whet.recipe",
    "Choice": "whet.recipe",
    "Edit": "whet.recipe",
    "Record": "whet.record",
    "Step": "whet.record",
    "Finding": "whet.record",
    "Entry": "whet.entry",
    "Catalogue": "whet.entry",
    "WhetError": "whet.errors",
    "UserError": "whet.errors",
    "DataError": "whet.errors",
    "RecipeError": "whet.errors",
    "BudgetError": "whet.errors",
    "OutputError": "whet.errors",
    "WhetClassifier": "whet.sklearn",
    "WhetRegressor": "whet.sklearn",
}
"""Public name -> where it lives. Imported at first use, so that `import whet` costs nothing."""
_PACKAGES = ("activations", "theory", "init", "surgery")
"""Packages that are reached as attributes: `whet.activations.get("mish")`. Imported at first use as well."""

__all__ = list(_HOMES)

if TYPE_CHECKING:
    from whet import activations as activations
    from whet import init as init
    from whet import surgery as surgery
    from whet import theory as theory
    from whet.comparing.comparison import Comparison as Comparison
    from whet.comparing.conduct import compare as compare
    from whet.data import load as load
    from whet.data.core import Data as Data
    from whet.data.core import Profile as Profile
    from whet.doctor import Diagnosis as Diagnosis
    from whet.doctor import diagnose as diagnose
    from whet.doctor import watch as watch
    from whet.entry import Catalogue as Catalogue
    from whet.entry import Entry as Entry
    from whet.errors import BudgetError as BudgetError
    from whet.errors import DataError as DataError
    from whet.errors import OutputError as OutputError
    from whet.errors import RecipeError as RecipeError
    from whet.errors import UserError as UserError
    from whet.errors import WhetError as WhetError
    from whet.exporting import export as export
    from whet.generating import generate as generate
    from whet.improve import fit as fit
    from whet.predicting import Predictions as Predictions
    from whet.predicting import predict as predict
    from whet.profiling import profile as profile
    from whet.recipe import Choice as Choice
    from whet.recipe import Edit as Edit
    from whet.recipe import Recipe as Recipe
    from whet.record import Finding as Finding
    from whet.record import Record as Record
    from whet.record import Step as Step
    from whet.repaired import Repair as Repair
    from whet.repairing import repair as repair
    from whet.result import Result as Result
    from whet.setups import Setup as Setup
    from whet.sklearn import WhetClassifier as WhetClassifier
    from whet.sklearn import WhetRegressor as WhetRegressor


def __getattr__(name: str) -> Any:
    if name not in _PACKAGES and name not in _HOMES:
        raise AttributeError(f"module 'whet' has no attribute {name!r}")
    with openmp.patient():
        if name in _PACKAGES:
            return importlib.import_module(f"whet.{name}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, *_PACKAGES])
