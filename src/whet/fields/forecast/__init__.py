"""Forecasts: one or many series on a regular grid, with gaps, calendars and other columns known up to now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch

from whet import regularise
from whet.augment import AUGMENTS
from whet.augment.series import Reshaping
from whet.data.core import Data, Inputs, Profile, Roles
from whet.data.prepared import Prepared
from whet.errors import RecipeError
from whet.fields.base import Field, Shown, Wanted, refuse
from whet.fields.forecast.asking import WIDTHS, answer, load_inputs, spec_of
from whet.fields.forecast.building import load
from whet.fields.forecast.intervals import Intervals
from whet.fields.forecast.least_squares import chosen_strength
from whet.fields.forecast.likeness import likeness
from whet.fields.forecast.recipes import MANY, near, series_recipes
from whet.fields.forecast.transform import Reshaped, SeriesTransform
from whet.figures import Figure
from whet.losses import LOSSES
from whet.recipe import Choice, Recipe
from whet.record import Finding
from whet.search.first import Candidate, Facts
from whet.tasks import Baseline, Task, make_task
from whet.train.parts import Prepare

NAMES = ("forecast", "forecasting", "forecasts", "time-series", "timeseries")


class ForecastField(Field):
    """Windows of a panel of series."""

    name = "series"
    tasks = NAMES
    nouns = ("window", "windows")
    roles = ("time", "series", "horizon", "lookback")
    key = "time"
    calibrates = True

    def takes(self, source: Any, task: str | None, roles: Roles) -> bool:
        """Whoever names a horizon, or asks for a forecast, wants one."""
        if task is not None:
            return task.lower() in NAMES
        return roles.horizon is not None

    def likeness(self, head: pl.DataFrame) -> str:
        return likeness(head)

    def load(
        self, source: Any, *, target: str | None, task: str | None, holdout: Any, split: Any, roles: Roles
    ) -> Data:
        return load(source, target=target, holdout=holdout, split=split, roles=roles)

    def input_spec(self, data: Data) -> dict[str, Any]:
        return spec_of(data)

    def load_inputs(self, source: Any, spec: Mapping[str, Any]) -> Inputs:
        return load_inputs(source, spec)

    def split(self, data: Data, seed: int) -> dict[str, np.ndarray]:
        """In time, as it was loaded: nothing is drawn."""
        return dict(data.official)

    def task(self, data: Data) -> Task:
        """Many channels are judged by the squared error in standard units, single ones by MASE."""
        panel = data.x.panel
        metric = "mse" if len(panel.channels) > 1 else "mase"
        made = make_task("series", "forecast", (), data.target, metric_name=metric)
        return replace(made, name="forecast", outputs=panel.horizon * len(panel.channels))

    def copies(self, data: Data, parts: Mapping[str, np.ndarray]) -> Finding | None:
        """Windows overlap; their forecasts never do across parts."""
        return None

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.fields.forecast.profiling import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        panel = data.x.panel
        rows = {name: torch.from_numpy(parts[name]) for name in ("train", "val")}
        return Prepared("series", panel.inputs(), panel.target(), data.y, rows, SeriesTransform.of(data.x))

    def transform_from(self, state: Mapping[str, Any]) -> SeriesTransform:
        return SeriesTransform.from_dict(state)

    def seen_by(self, recipe: Recipe, transform: Any) -> SeriesTransform:
        """With the quantiles that the recipe's network is to say."""
        seen: SeriesTransform = replace(transform, levels=levels_of(recipe.loss))
        return seen

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        refuse((), mixers, self.nouns[1])
        return Reshaped(tuple(reshaping(choice) for choice in augment))

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        panel = data.x.panel
        more = {
            "horizon": panel.horizon,
            "season": panel.season,
            "series": len(panel.names),
            "covariates": len(panel.helpers),
        }
        if 1 < panel.season <= panel.lookback and len(parts["train"]) * len(panel.channels) >= MANY:
            more["shrink"] = chosen_strength(panel, parts["train"], parts["val"])
        return {"more": more}

    def recipes(self, facts: Facts) -> list[Candidate]:
        return series_recipes(facts)

    def neighbours(
        self, recipe: Recipe, seed: int, best_share: float, hinted: Sequence[Candidate]
    ) -> Iterator[Candidate]:
        return near(recipe, seed)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        from whet.fields.forecast.baselines import baselines

        return baselines(wanted)

    def calibration(self, network: Any, data: Prepared) -> dict[str, Any]:
        """How wide intervals have to be, by the validation part."""
        rows = data.rows["val"]
        said = network.from_tensors(data.inputs, rows)
        return {WIDTHS: Intervals.fit(data.raw_target[rows.numpy()], said, data.inputs[0], rows).to_dict()}

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        """From the windows at hand: nothing is cut anew."""
        said: np.ndarray = network.from_tensors(prepared.inputs, torch.from_numpy(rows))
        return said

    def extra(self, shown: Shown) -> dict[str, Any]:
        from whet.fields.forecast.results import extra

        return extra(shown)

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        from whet.fields.forecast.pictures import figures

        return figures(shown)

    def columns(self, task: Task, predicted: np.ndarray, inputs: Inputs) -> dict[str, Any]:
        """series, step, prediction, low, high: the lines of a forecast, its stamps in front."""
        return answer(predicted, inputs.x)


def levels_of(loss: Choice) -> tuple[float, ...]:
    """The quantiles that a network of this loss says; none: one number."""
    if loss.name != "quantiles":
        return ()
    return tuple(LOSSES[loss.name].fill(loss.params)["levels"])


def reshaping(choice: Choice) -> Reshaping:
    """What a recipe's augmentation does to windows. Raises RecipeError for one of other data."""
    entry = AUGMENTS[choice.name]
    made = entry.make(**entry.fill(choice.params))
    if not isinstance(made, Reshaping):
        known = ", ".join(e.name for e in AUGMENTS if "series" in e.domains)
        raise RecipeError(f"{entry.name} does not change windows of series.", f"Choose one of {known}.")
    return made


FIELD = ForecastField()
