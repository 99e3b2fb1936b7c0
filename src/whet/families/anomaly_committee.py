"""A committee: views of a row, each strange in its own way, and what they say together.

    columns      is a number rare in its column?                    tails of each column's distribution
    directions   are the numbers rare together?                     distance in units of their covariance
    others       is a number unlike what the others say?            what each column's regression on all others leaves
    cuts         do few cuts set it apart?                          depth in random trees
    neighbours   is there no place like it?                         distance to the nearest rows, or windows elsewhere
    local        is it farther off than its neighbours are?         the same beside what it is for those rows
    code         can it not be said in a few numbers?               error of an autoencoder, which trains
    told         is it like the anomalies that are known?           distance from a learned centre, which trains too
    steps        is one step of the window strange, or still?       beside the others, see anomaly_steps.py: three more outputs

What trains has one cost, code and told together: anomalies that are known push both away. All that don't train, and the centre,
are set in closed form from training rows when the network is built, without labels, the anomalies among these rows
being left out in rounds: rows that the committee itself finds strangest (Rousseeuw & Van Driessen 1999, the C-step of MCD).
No view is best everywhere, and their mean is rarely far from the best one (Aggarwal & Sathe 2017, Outlier Ensembles, ch. 6).
A view that sees nothing in a row should not outvote one that does: with say = "strange" only views that find it stranger than
the median have a say (the Thresh method of Aggarwal & Sathe 2015, Theoretical Foundations … for Outlier Ensembles), with "far"
these say the root of their mean square (were they normal deviates: the chi-square test of all of them, so that one view at 5
outweighs four at 2), with "loud" the mean is taken of exp s, with "louder" of exp 2 s; all lie between mean and maximum.

v     (B, D) a row or a window as one vector
s     the logarithm of a view's distance, less its median over training rows, over the way from there to their 90 % quantile:
      of a series that stands still most of the time the quartiles lie together
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from whet.errors import RecipeError, UnknownName
from whet.families.anomaly import by_column, exactly, flat_size, verdict
from whet.families.anomaly_autoencoder import Dense
from whet.families.anomaly_cuts import Cuts
from whet.families.anomaly_local import Local
from whet.families.anomaly_one_class import Sphere
from whet.families.anomaly_steps import Steps, now
from whet.families.spec import InputSpec

KNOTS = 64
"""Quantiles that describe a column's distribution."""
TINY = 1e-9
WIDEST = 512
"""Numbers in a vector above which windows are averaged over neighbouring steps: covariances grow with the cube."""
NARROWEST = 0.01
"""A hundredth of the distance is never more than one unit of s: views that hardly vary don't outvote the others."""
CLOSE = 0.01
"""By this the covariance is shrunk where columns are regressed on the others: near-copies have to stay near-copies."""
FARTHEST = 20.0
"""The largest s of all together: its exponential stays a float32 that can be added up."""
NEWEST = 0.05
"""Share of a running estimate that the newest batch gives."""


SAY: dict[str, Callable[[Tensor], Tensor]] = {
    "all": lambda s: s.mean(0),
    "strange": lambda s: s.relu().mean(0),
    "loud": lambda s: s.logsumexp(0) - math.log(len(s)),
    "louder": lambda s: ((2 * s).logsumexp(0) - math.log(len(s))) / 2,
    "far": lambda s: s.relu().square().mean(0).sqrt(),
}
"""s of each view (views, B) -> of all together (B,)."""


class Columns(nn.Module):
    """Sum over columns of -log 2 min(F, 1 - F), F a column's distribution function, linear between quantiles.

    After Li et al. 2022, ECOD, arXiv:2201.00382; beyond the ends it goes on rising, in standard deviations.
    """

    knots: Tensor
    """(KNOTS, D) quantiles, from the lowest value to the highest."""
    spread: Tensor
    rows: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("knots", torch.zeros(KNOTS, size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("rows", torch.tensor(1.0))

    def fit(self, v: Tensor) -> None:
        at = torch.linspace(0, 1, KNOTS, dtype=v.dtype)
        self.knots.copy_(torch.quantile(v, at, dim=0))
        self.spread.copy_(v.std(0, unbiased=False).clamp(min=1e-3))
        self.rows.fill_(len(v))

    def each(self, v: Tensor) -> Tensor:
        """(B, D)"""
        low, high = self.knots[:-1], self.knots[1:]
        below = ((v[:, None] - low) / (high - low).clamp(min=TINY)).clamp(0, 1).mean(1)
        beyond = (v - self.knots[-1]).relu() + (self.knots[0] - v).relu()
        share = (2 * torch.minimum(below, 1 - below)).clamp(max=1) + 1 / self.rows
        return (-share.log()).relu() + beyond / self.spread

    def forward(self, v: Tensor) -> Tensor:
        return self.each(v).sum(1)


class Directions(nn.Module):
    """(v - m)' (C + shrink mean-variance I)^-1 (v - m): Mahalanobis's distance with a shrunk covariance C."""

    mean: Tensor
    precision: Tensor
    """(D, D)"""

    def __init__(self, size: int, shrink: float) -> None:
        super().__init__()
        self.shrink = shrink
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("precision", torch.eye(size))

    def fit(self, v: Tensor) -> None:
        self.mean.copy_(v.mean(0))
        centred = (v - self.mean).double()
        cov = centred.T @ centred / max(1, len(v) - 1)
        floor = self.shrink * cov.diagonal().mean() + TINY
        eye = torch.eye(len(cov), dtype=cov.dtype)
        self.precision.copy_(torch.linalg.inv(cov + floor * eye))

    def each(self, v: Tensor) -> Tensor:
        """(B, D) what each number adds to the distance."""
        centred = v - self.mean
        return centred * (centred @ self.precision)

    def forward(self, v: Tensor) -> Tensor:
        return self.each(v).sum(1).relu()


class Others(Directions):
    """Sum over columns of (P (v - m))_i^2 / P_ii, P the inverse of the shrunk covariance.

    (P (v - m))_i / P_ii is what the regression of column i on all others leaves, and 1 / P_ii its variance (Lauritzen 1996,
    Graphical Models, section 5.1.3): a number that breaks a correlation is far off here, and one far along it is not.
    """

    def each(self, v: Tensor) -> Tensor:
        """(B, D) each column's squared deviate."""
        return ((v - self.mean) @ self.precision).square() / self.precision.diagonal()


class Neighbours(nn.Module):
    """The mean distance to the nearest training rows, from the `first` of them to the k-th.

    From the nearest on: Angiulli & Pizzuti 2002; the k-th alone: Ramaswamy et al. 2000.

    Of windows: to the nearest one that does not overlap with the very nearest, which for a training window is itself; so
    this is the matrix profile without normalisation (Yeh et al. 2016; Akbarinia & Cloez 2019, arXiv:1901.05708).
    """

    known: Tensor
    """(places, D) the rows that are remembered."""
    place: Tensor
    """(places,) when each of them ended, in steps."""

    def __init__(self, size: int, places: int, k: int, zone: float, first: int = 1) -> None:
        super().__init__()
        self.k, self.first, self.zone = k, first, zone
        self.register_buffer("known", torch.zeros(places, size))
        self.register_buffer("place", torch.full((places,), -1.0))

    def fit(self, v: Tensor, place: Tensor) -> None:
        """`place`: when each window ends, in steps."""
        some = torch.linspace(0, len(v) - 1, len(self.known)).round().long()  # fewer rows than places: some twice
        self.known.copy_(v[some])
        self.place.copy_(place[some])

    def forward(self, v: Tensor) -> Tensor:
        squares = (v * v).sum(1, keepdim=True) + (self.known * self.known).sum(1) - 2 * v @ self.known.T
        if not self.zone:
            return squares.topk(self.k, dim=1, largest=False).values[:, self.first - 1 :].relu().sqrt().mean(1)
        nearest = self.place[squares.argmin(1)]
        same = (self.place - nearest[:, None]).abs() < self.zone
        elsewhere = torch.where(same, squares.amax(1, keepdim=True), squares)
        return elsewhere.amin(1).relu()


class Scale(nn.Module):
    """log distance -> s."""

    median: Tensor
    range: Tensor
    least: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("median", torch.tensor(0.0))
        self.register_buffer("range", torch.tensor(1.0))
        self.register_buffer("least", torch.tensor(TINY))

    def fit(self, distance: Tensor) -> None:
        self.least.copy_(1e-6 * distance.median() + TINY)
        logs = (distance + self.least).log()
        middle, high = torch.quantile(logs, torch.tensor([0.5, 0.9], dtype=logs.dtype))
        self.median.copy_(middle)
        self.range.copy_((high - middle).clamp(min=NARROWEST))

    def follow(self, distance: Tensor) -> None:
        """Move towards a batch's median and range."""
        before = self.median.clone(), self.range.clone()
        self.fit(distance)
        for new, old in zip((self.median, self.range), before, strict=True):
            new.mul_(NEWEST).add_(old, alpha=1 - NEWEST)

    def forward(self, distance: Tensor) -> Tensor:
        return ((distance + self.least).log() - self.median) / self.range


class Committee(nn.Module):
    """See the top of this file."""

    def __init__(
        self,
        spec: InputSpec,
        views: Sequence[str],
        shrink: float,
        places: int,
        k: int,
        first: int,
        rounds: int,
        trim: float,
        width: int,
        code: int,
        say: str,
    ) -> None:
        super().__init__()
        if say not in SAY:
            raise UnknownName("way of saying", say, SAY)
        self.rounds, self.trim, self.say = rounds, trim, SAY[say]
        self.calibration_rows = places
        self.steps = spec.shape[1] if len(spec.shape) == 2 else 0
        self.pool = -(-flat_size(spec) // WIDEST) if self.steps else 1
        size = spec.shape[0] * -(-self.steps // self.pool) if self.steps else flat_size(spec)
        rows = int(spec.more.get("rows", places))
        near = min(k, places, rows)
        self.stride = max(1.0, rows / places)
        made: dict[str, nn.Module] = {
            "columns": Columns(size),
            "directions": Directions(size, shrink),
            "others": Others(size, CLOSE),
            "cuts": Cuts(),
            "neighbours": Neighbours(size, min(places, rows), near, float(self.steps), min(first, near)),
            "local": Local(size, min(places, rows)),
        }
        if unknown := [v for v in views if v not in (*made, "code", "told", "steps")]:
            raise RecipeError(f"committee.views: {unknown[0]!r} is none of {', '.join(made)}, code, told, steps.")
        self.views: Any = nn.ModuleDict({name: made[name] for name in views if name in made})
        self.code = Dense(spec, width, 1, code)
        self.told = Sphere(spec, width, 1, 2 * code) if "told" in views else None
        self.single = Steps(spec.shape[0], self.steps, rows) if "steps" in views and self.steps else None
        self.scales: Any = nn.ModuleDict({name: Scale() for name in views if name != "steps"})

    def vector(self, x: Tensor) -> Tensor:
        """(B, D)"""
        if self.pool > 1:
            x = nn.functional.avg_pool1d(x, self.pool, ceil_mode=True, count_include_pad=False)
        return x.flatten(1)

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Fit the views on these rows, again without the strangest of them in each round."""
        v, place = self.vector(x), torch.arange(len(x)) * self.stride
        clean = torch.arange(len(v))
        for left in range(self.rounds, -1, -1):
            self.fit_views(v, clean, place)
            if left and self.views:
                kept = max(2, math.ceil((1 - self.trim) * len(v)))
                clean = self.closed_form(v).topk(kept, largest=False).indices.sort().values
        self.code.calibrate(x[clean])
        if self.single is not None:
            self.single.fit(x)
        if self.told is not None:
            self.told.calibrate(x[clean])
            self.scales["told"].fit(self.told(x))
        if "code" in self.scales:
            self.scales["code"].fit((self.code(x) - x).square().flatten(1).mean(1))

    def fit_views(self, v: Tensor, clean: Tensor, place: Tensor) -> None:
        """The views on clean rows, their units on all: views that left rows out would lose their own tails, and be loud."""
        for name, view in self.views.items():
            view.fit(v[clean], place[clean]) if name == "neighbours" else view.fit(v[clean])
            self.scales[name].fit(view(v))

    def closed_form(self, v: Tensor) -> Tensor:
        """(B,) what the views that don't train say together."""
        return torch.stack([self.scales[name](view(v)) for name, view in self.views.items()]).mean(0)

    def forward(self, x: Tensor) -> Tensor:
        with exactly(x):
            errors = by_column((self.code(x) - x).square())
            learned = {"code": errors.mean(1)} | ({"told": self.told(x)} if self.told is not None else {})
            cost = torch.stack(list(learned.values())).sum(0)
            if self.training:  # the other views don't learn, and would be computed for nothing
                for name in self.scales.keys() & learned.keys():
                    self.scales[name].follow(learned[name].detach())
                return verdict(cost, errors.detach())
            score, columns = self.said(self.vector(x), learned), self.blame(x, errors)
            if self.single is None:
                return verdict(cost, columns, score)
            single = self.single(x)
            return torch.cat([verdict(cost, columns, score + now(single)), single], dim=1)

    def said(self, v: Tensor, learned: dict[str, Tensor]) -> Tensor:
        """(B,) exp of what the views say together: 1 is usual, and a window in which one step is far off counts as that."""
        found = [self.scales[name](view(v)) for name, view in self.views.items()]
        if "code" in self.scales:
            found.append(self.scales["code"](learned["code"]))
        said = self.say(torch.stack(found))
        if self.told is not None:  # it has as much say as all others together
            said = SAY["far"](torch.stack([said, self.scales["told"](learned["told"])]))
        return said.clamp(max=FARTHEST).exp()

    def blame(self, x: Tensor, errors: Tensor) -> Tensor:
        """(B, F) how strange each column is: what it adds to the directions' distance, or the autoencoder's error."""
        if "directions" not in self.views or self.pool > 1:
            return errors
        shares: Tensor = self.views["directions"].each(x.flatten(1))
        return by_column(shares.view_as(x)).relu()


def make(
    spec: InputSpec,
    views: Sequence[str] = ("columns", "directions", "cuts", "neighbours", "code"),
    shrink: float = 0.005,
    places: int = 2000,
    k: int = 10,
    first: int = 10,
    rounds: int = 2,
    trim: float = 0.15,
    width: int = 64,
    code: int = 8,
    say: str = "all",
) -> nn.Module:
    """`k`, `first`: see Neighbours. `say`: one of SAY."""
    return Committee(spec, views, shrink, places, k, first, rounds, trim, width, code, say)
