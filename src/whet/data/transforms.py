"""A table's columns as what a network takes: scaled numbers and category indices; fitted on training rows, then frozen.

Numbers: the robust scale and smooth clip of RealMLP (Holzmüller et al. 2024, "Better by Default"). Bins: the quantiles
that piecewise-linear encodings need (Gorishniy et al. 2022, "On Embeddings for Numerical Features").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from whet.errors import DataError
from whet.rng import generator

if TYPE_CHECKING:
    import polars as pl  # 0.2 s, which pictures do without: imported where a table is at hand

CLIP = 3.0
"""Scaled numbers lie in (-CLIP, CLIP), however far out a value is."""
HUGE = 1e150
"""Larger values are read as this one, so that no difference overflows."""
BINS = 48
EDGE_ROWS = 200_000
"""Rows from which bin edges are found; more are thinned out."""
DATE_PARTS = ("year", "month", "day", "weekday", "hour", "minute")
MANY = 50
"""A column with more categories than this also says how frequent each one is."""


@dataclass(frozen=True)
class Numeric:
    """One numeric output column: (x[source] part - centre) * scale, clipped."""

    name: str
    source: str
    part: str
    """"value", "missing", "count", "days" or one of `DATE_PARTS`."""
    fill: float
    """What a missing value is read as: the training median."""
    centre: float
    scale: float


@dataclass(frozen=True)
class Category:
    """One category output column: index 1 for the most frequent value; 0 for rare and unseen ones."""

    source: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    """Training rows of each value."""
    missing: int
    """The index of missing values; 0 where there were too few of them in training."""

    @property
    def cardinality(self) -> int:
        """Number of indices, 0 included."""
        return len(self.values) + 1 + (self.missing > 0)


@dataclass(frozen=True)
class TableTransform:
    """Columns -> (float32 (n, F), int64 (n, K)). Nothing that it meets later changes it."""

    numerics: tuple[Numeric, ...]
    categories: tuple[Category, ...]
    edges: tuple[tuple[float, ...], ...]
    """Per numeric output column, the strictly increasing bin edges of its transformed training values."""
    kept: tuple[str, ...] = ()
    """The columns that a network sees, by name; empty: all of them."""

    @classmethod
    def fit(cls, x: pl.DataFrame, y: np.ndarray, goal: str) -> TableTransform:
        """Learn from training rows: medians, scales, categories, bins. Columns that don't vary are left out.

        Raises DataError if no column varies.
        """
        import polars as pl

        n = x.height
        categories = tuple(c for s in x if s.dtype == pl.String and (c := _fit_category(s)) is not None)
        plans = [plan for s in x if s.dtype != pl.String for plan in _number_parts(s)]
        plans += [(c.source, "count") for c in categories if len(c.values) > MANY]
        plans += [(s.name, "missing") for s in x if s.dtype != pl.String and s.null_count()]
        by_source = {c.source: c for c in categories}
        numerics, edges = [], []
        for source, part in plans:
            raw = _raw_values(x.get_column(source), part, by_source)
            numeric = _fit_numeric(source, part, raw)
            if numeric is not None:
                numerics.append(numeric)
                edges.append(_edges(_scaled(raw, numeric), n))
        if not numerics and not categories:
            raise DataError("No column varies over the training rows: there is nothing to learn from.", "Add columns.")
        return cls(tuple(numerics), categories, tuple(edges))

    @property
    def numeric_names(self) -> tuple[str, ...]:
        return tuple(n.name for n in self.numerics)

    @property
    def category_names(self) -> tuple[str, ...]:
        return tuple(c.source for c in self.categories)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of indices of each category column."""
        return tuple(c.cardinality for c in self.categories)

    @property
    def bins(self) -> list[Tensor]:
        """Bin edges per numeric column: float32, strictly increasing, at least two."""
        return [torch.tensor(e, dtype=torch.float32) for e in self.edges]

    def apply(self, x: pl.DataFrame) -> tuple[Tensor, Tensor]:
        """(numeric float32 (n, F), category int64 (n, K)) of any rows with the training table's columns."""
        numeric = np.empty((x.height, len(self.numerics)), np.float32)
        by_source = {c.source: c for c in self.categories}
        for i, plan in enumerate(self.numerics):
            numeric[:, i] = _scaled(_raw_values(x.get_column(plan.source), plan.part, by_source), plan)
        category = np.empty((x.height, len(self.categories)), np.int64)
        for i, known in enumerate(self.categories):
            category[:, i] = _indices(x.get_column(known.source), known)
        return torch.from_numpy(numeric), torch.from_numpy(category)

    def pieces(self, x: pl.DataFrame) -> Iterator[tuple[Tensor, Tensor]]:
        """The same: a table's columns are small."""
        yield self.apply(x)

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,): the numbers of a row."""
        return (len(self.numerics),)

    def seen(self) -> tuple[list[int], list[int]]:
        """The places of the numbers and of the categories that a network sees."""
        numbers = [i for i, name in enumerate(self.numeric_names) if not self.kept or name in self.kept]
        return numbers, [i for i, name in enumerate(self.category_names) if not self.kept or name in self.kept]

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the table that a network sees something of."""
        numbers, categories = self.seen()
        found = (*(self.numerics[i].source for i in numbers), *(self.categories[i].source for i in categories))
        return tuple(dict.fromkeys(found))

    def spec(self) -> dict[str, Any]:
        """What a network's `InputSpec` says of the inputs."""
        numbers, categories = self.seen()
        bins, sizes = self.bins, self.cardinalities
        return {
            "domain": "table",
            "shape": (len(numbers),),
            "cardinalities": tuple(sizes[i] for i in categories),
            "bins": [bins[i] for i in numbers],
        }

    def drawn(self, rows: int, seed: int) -> dict[str, Tensor]:
        """Random raw inputs by name: float32 (rows, F) and int64 (rows, K) within their ranges."""
        draw = torch.Generator().manual_seed(seed)
        numeric = torch.randn(rows, len(self.numerics), generator=draw)
        columns = [torch.randint(0, c, (rows,), generator=draw) for c in self.cardinalities]
        category = torch.stack(columns, 1) if columns else torch.zeros(rows, 0, dtype=torch.int64)
        return {"numeric": numeric, "category": category}

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and texts: survives JSON unchanged."""
        return {
            "numerics": [asdict(n) for n in self.numerics],
            "categories": [{**asdict(c), "values": list(c.values), "counts": list(c.counts)} for c in self.categories],
            "edges": [list(e) for e in self.edges],
            "kept": list(self.kept),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TableTransform:
        """The transform that `to_dict` wrote down."""
        return cls(
            tuple(Numeric(**n) for n in state["numerics"]),
            tuple(
                Category(c["source"], tuple(c["values"]), tuple(c["counts"]), c["missing"]) for c in state["categories"]
            ),
            tuple(tuple(e) for e in state["edges"]),
            tuple(state.get("kept", ())),
        )


def _number_parts(series: pl.Series) -> list[tuple[str, str]]:
    import polars as pl

    if series.dtype == pl.Datetime:
        return [(series.name, "days"), *((series.name, part) for part in DATE_PARTS)]
    return [(series.name, "value")]


def _raw_values(series: pl.Series, part: str, categories: Mapping[str, Category]) -> np.ndarray:
    """(n,) float64 with NaN for missing values."""
    import polars as pl

    if part == "missing":
        return series.is_null().cast(pl.Float64).to_numpy()
    if part == "count":
        known = categories[series.name]
        counts = np.zeros(known.cardinality)
        counts[1 : len(known.values) + 1] = known.counts
        return np.log1p(counts)[_indices(series, known)]
    if part == "days":
        number = series.cast(pl.Int64).cast(pl.Float64) / 86_400e6
    elif part != "value":
        number = getattr(series.dt, part)().cast(pl.Float64)
    else:
        number = series.cast(pl.Float64)
    values = number.to_numpy()
    if not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, np.nan)
    return values


def _fit_numeric(source: str, part: str, raw: np.ndarray) -> Numeric | None:
    """The robust scale of the training values; None if they don't vary."""
    found = np.clip(raw[~np.isnan(raw)], -HUGE, HUGE)
    if not found.size:
        return None
    low, quarter, median, three_quarters, high = np.quantile(found, [0, 0.25, 0.5, 0.75, 1])
    if not high > low:
        return None
    scale = 1 / (three_quarters - quarter) if three_quarters > quarter else 2 / (high - low)
    if not np.isfinite(scale):
        return None
    name = source if part == "value" else f"{source}.{part}"
    return Numeric(name, source, part, float(median), float(median), float(scale))


def _scaled(raw: np.ndarray, plan: Numeric) -> np.ndarray:
    """(n,) float32: filled, scaled and smoothly clipped, z / sqrt(1 + (z / CLIP)²)."""
    filled = np.clip(np.where(np.isnan(raw), plan.fill, raw), -HUGE, HUGE)
    z = np.clip((filled - plan.centre) * plan.scale, -1e30, 1e30)
    return (z / np.sqrt(1 + (z / CLIP) ** 2)).astype(np.float32)


def _edges(values: np.ndarray, n: int) -> tuple[float, ...]:
    """Strictly increasing float32 edges of the transformed training values: at most `BINS` + 3, at least 2.

    Measured on adult (92 % zeros in a column): plain quantiles, which collapse there, cost 1 point of accuracy.
    """
    if len(values) > EDGE_ROWS:
        rows = generator(0, "edges").integers(0, len(values), EDGE_ROWS)
        values = np.concatenate([values[rows], [values.min(), values.max()]]).astype(np.float32)
    distinct, counts = np.unique(values, return_counts=True)
    edges = _apart(_quantiles(distinct, counts, max(2, min(BINS, n // 8))))
    if edges.size < 2:
        edges = np.append(edges, np.float32(edges[-1] + 1))
    return tuple(float(v) for v in edges)


def _quantiles(distinct: np.ndarray, counts: np.ndarray, bins: int) -> np.ndarray:
    """Quantiles, but a value that holds more than a bin's share of the rows gets one edge and leaves the rest theirs."""
    if distinct.size <= bins + 1:
        return distinct
    own = np.zeros(distinct.size, bool)
    while True:  # one heavy value less makes a bin of what is left smaller, and the next value heavy
        rest, places = int(counts[~own].sum()), int(bins + 1 - own.sum())
        heavy = ~own & (counts > rest / max(places, 1))
        if not heavy.any():
            break
        own |= heavy
    reached = np.cumsum(np.where(own, 0, counts)) / max(rest, 1)
    at = np.searchsorted(reached, np.linspace(0, 1, max(places, 2)) - 1e-12)
    chosen = distinct[np.minimum(at, distinct.size - 1)]
    return np.unique(np.concatenate([distinct[own], chosen, distinct[[0, -1]]]))


def _apart(edges: np.ndarray) -> np.ndarray:
    """Without edges that lie so close to the one before that a bin's inverse width would explode; the last one stays."""
    least = 1e-6 * (edges[-1] - edges[0])
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge - kept[-1] > least:
            kept.append(edge)
    if len(kept) > 1:
        kept[-1] = edges[-1]
    return np.asarray(kept, np.float32)


def _fit_category(series: pl.Series) -> Category | None:
    """The frequent values of a text column; None if all rows would get the same index."""
    import polars as pl

    n = series.len()
    least = 2 if n < 1000 else max(4, n // 10_000)
    counts = series.value_counts(name="n").filter(pl.col("n") >= least)
    counts = counts.drop_nulls(series.name).sort(["n", series.name], descending=[True, False])
    values = tuple(counts.get_column(series.name).to_list())
    missing = len(values) + 1 if series.null_count() >= least else 0
    if not values and not missing:
        return None
    if counts.height == 1 and counts.item(0, "n") == n:
        return None
    if missing and series.null_count() == n:
        return None
    return Category(series.name, values, tuple(counts.get_column("n").to_list()), missing)


def _indices(series: pl.Series, known: Category) -> np.ndarray:
    """(n,) int64 category indices."""
    import polars as pl

    if not known.values:
        index = pl.repeat(0, series.len(), dtype=pl.Int64, eager=True)
    else:
        index = series.replace_strict(
            list(known.values), list(range(1, len(known.values) + 1)), default=0, return_dtype=pl.Int64
        )
    if series.null_count():
        index = index.set(series.is_null(), known.missing)
    return index.to_numpy()


@dataclass(frozen=True)
class TargetScale:
    """Regression targets as numbers of mean 0 and standard deviation 1, and back."""

    mean: float
    std: float

    @classmethod
    def fit(cls, y: np.ndarray) -> TargetScale:
        """From the training rows' targets."""
        std = float(np.std(y))
        return cls(float(np.mean(y)), std if std > 0 and np.isfinite(std) else 1.0)

    def apply(self, y: np.ndarray) -> Tensor:
        """(n,) float32."""
        return torch.from_numpy(((np.asarray(y, np.float64) - self.mean) / self.std).astype(np.float32))

    def invert(self, scaled: Tensor | np.ndarray | Sequence[float]) -> np.ndarray:
        """float64 values in the target's own unit, in the shape that was given."""
        values = scaled.detach().cpu().numpy() if isinstance(scaled, Tensor) else np.asarray(scaled)
        return values.astype(np.float64) * self.std + self.mean

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, float]) -> TargetScale:
        return cls(float(state["mean"]), float(state["std"]))
