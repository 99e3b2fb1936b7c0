"""Forecasts: what came after each window, what errors are measured in, and the metrics.

    n   windows         H   steps ahead         C   channels          S   series

Predictions are (n, H C), step by step, or (n, Q, H C) of Q quantiles, whose middle one is judged; the truth is a `Futures`.
Both are in standard units: a series' values less the mean of its training part, in units of their standard deviation there.
That is the protocol of the long-horizon benchmarks (Zhou et al. 2021, arXiv:2012.07436); MASE and sMAPE don't depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from whet.tasks.goals import Goal
from whet.tasks.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Units:
    """What a series' values are counted in; from its training part, (S, C) each."""

    mean: np.ndarray
    std: np.ndarray
    """1 where the training part is constant."""
    naive: np.ndarray
    """The mean absolute error of the seasonal naive forecast inside the training part, in standard units."""


@dataclass(frozen=True, eq=False)
class Futures:
    """The H steps after each window."""

    values: np.ndarray
    """(n, H, C) in standard units, possibly a view of windows over one array; NaN where nothing was measured."""
    series: np.ndarray
    """(n,) the series that each window is cut from."""
    units: Units

    def __len__(self) -> int:
        return len(self.values)

    def arrays(self) -> dict[str, np.ndarray]:
        """All that it is made of; see `of`."""
        return {"values": self.values, "series": self.series, **vars(self.units)}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Futures:
        """What `arrays` gave."""
        units = Units(*(arrays[name] for name in ("mean", "std", "naive")))
        return cls(arrays["values"], arrays["series"], units)

    def __getitem__(self, rows: Any) -> Futures:
        return Futures(self.values[rows], self.series[rows], self.units)


def errors(y: Futures, p: np.ndarray) -> np.ndarray:
    """(n, H, C) prediction - truth; NaN where there is no truth."""
    found: np.ndarray = middle(p).reshape(y.values.shape) - y.values
    return found


def middle(p: np.ndarray) -> np.ndarray:
    """(n, H C): the forecast, the median of quantiles."""
    return p[:, p.shape[1] // 2] if p.ndim == 3 else p


def mse(y: Futures, p: np.ndarray) -> float:
    """Mean squared error in standard units, over windows, steps and channels."""
    return _mean(errors(y, p) ** 2)


def mae(y: Futures, p: np.ndarray) -> float:
    """Mean absolute error in standard units."""
    return _mean(np.abs(errors(y, p)))


def mase(y: Futures, p: np.ndarray) -> float:
    """Mean absolute scaled error (Hyndman & Koehler 2006): per series and channel, then averaged.

    1 is the error of the seasonal naive forecast within the training part. What is constant there is left out.
    """
    return _mean(by_series(y, np.abs(errors(y, p))) / _positive(y.units.naive))


def smape(y: Futures, p: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (Makridakis 1993), in the data's own units, per series."""
    std, mean = (v[y.series][:, None].astype(y.values.dtype) for v in (y.units.std, y.units.mean))
    said, truth = middle(p).reshape(y.values.shape) * std + mean, y.values * std + mean
    size = np.abs(said) + np.abs(truth)
    return _mean(by_series(y, 200 * np.abs(said - truth) / _positive(size)))


def mean_over(each: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Means over some axes of what is known; NaN where nothing is."""
    known = np.isfinite(each)
    sums = np.where(known, each, 0).sum(axes, dtype=np.float64)
    found: np.ndarray = sums / _positive(known.sum(axes))
    return found


def by_series(y: Futures, each: np.ndarray) -> np.ndarray:
    """(S, C) means of (n, H, C) per series and channel, NaN where there is none."""
    known = np.isfinite(each)
    sums, counts = np.where(known, each, 0).sum(1, dtype=np.float64), known.sum(1)
    shape = y.units.mean.shape
    found = [
        _by_group(y.series, sums[:, c], shape[0]) / _positive(_by_group(y.series, counts[:, c], shape[0]))
        for c in range(shape[1])
    ]
    return np.stack(found, 1)


def _by_group(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    return np.bincount(group, values, groups)


def _positive(x: np.ndarray) -> np.ndarray:
    """The numbers, NaN in place of those that nothing can be divided by."""
    return np.where(x > 0, x, np.nan)


def _mean(x: np.ndarray) -> float:
    known = np.isfinite(x)
    return float(x[known].mean(dtype=np.float64)) if known.any() else float("nan")


# -- how sure they are ---------------------------------------------------------------------------------------------


def stretches(y: Futures, each: np.ndarray) -> np.ndarray:
    """The means of (n, H, C) over stretches of H neighbouring windows of a series, weighted so that their mean is the mean.

    Neighbours share all their steps but one: resampled one by one they would look surer than they are.
    """
    place = np.arange(len(y)) - np.searchsorted(y.series, y.series)  # number of the window within its series
    group = np.unique(y.series * (len(y) + 1) + place // max(1, each.shape[1]), return_inverse=True)[1]
    known = np.isfinite(each)
    sums, counts = np.where(known, each, 0).sum((1, 2), dtype=np.float64), known.sum((1, 2))
    groups = int(group.max(initial=-1)) + 1
    return _by_group(group, sums, groups) * groups / max(1, counts.sum())


def squared(y: Futures, p: np.ndarray) -> np.ndarray:
    return stretches(y, errors(y, p) ** 2)


def absolute(y: Futures, p: np.ndarray) -> np.ndarray:
    return stretches(y, np.abs(errors(y, p)))


def scaled(y: Futures, p: np.ndarray) -> np.ndarray:
    return stretches(y, np.abs(errors(y, p)) / _positive(y.units.naive)[y.series][:, None])


METRICS = {
    m.name: m
    for m in (
        Metric("mse", "min", mse, squared),
        Metric("mae", "min", mae, absolute),
        Metric("mase", "min", mase, scaled),
        Metric("smape", "min", smape),
    )
}


def said_of(outputs: Tensor, scale: Any) -> np.ndarray:
    """(n, H C), or (n, Q, H C), as the network said them."""
    found: np.ndarray = outputs.numpy()
    return found


def row_losses(y: Futures, p: np.ndarray, scale: Any) -> np.ndarray:
    """Squared errors of stretches of windows, for paired comparison."""
    return squared(y, p)


def traced(outputs: Tensor, scale: Any) -> Tensor:
    """As they are, for export."""
    return outputs


def says_quantiles(p: np.ndarray) -> bool:
    """Metrics judge their median alone: weights kept by these leave the outer ones where they began."""
    return p.ndim == 3


GOAL = Goal(
    "forecast",
    "forecast",
    METRICS,
    "mse",
    tuple(METRICS),
    "mse",
    said_of,
    row_losses,
    traced=traced,
    chosen_by_loss=says_quantiles,
)
