"""Networks that forecast: from a look-back of every channel to a horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import FUNCTIONS, late

if TYPE_CHECKING:
    from torch import nn

WINDOW = {"centre": "mean", "scale": True, "calendar": False}
"""How a forecast's windows are normalised, and whether the calendar adds to it."""

SERIES: list[Entry[nn.Module]] = [
    Entry(
        "series_linear",
        late("series_linear"),
        "One linear map from a look-back to a horizon, of windows as NLinear, DLinear or RLinear centre them.",
        defaults={
            "form": "rlinear",
            "start": "mean",
            "shrink": 0.0,
            "own": 0.0,
            "kernel": 25,
            "individual": False,
            "dropout": 0.0,
            "calendar": False,
        },
        domains=("series",),
        paper="Zeng et al. 2023, arXiv:2205.13504, section 4; Li et al. 2023, arXiv:2305.10721; "
        "own: Evgeniou & Pontil 2004, doi:10.1145/1014052.1014067",
        cost="next to nothing",
        hurts_when="the future bends with the past",
    ),
    Entry(
        "series_mlp",
        late("series_mlp"),
        "Several perceptrons in one, each beside a linear map, for every channel alike.",
        defaults={"width": 128, "members": 4, "dropout": 0.3, **WINDOW},
        domains=("series",),
        paper="Das et al. 2023, TiDE, arXiv:2304.08424, section 4, without its decoder",
        cost="low",
        hurts_when="there are only some hundreds of windows",
    ),
    Entry(
        "series_mixer",
        late("series_mixer"),
        "Perceptrons over time and over channels in turn.",
        defaults={"width": 64, "depth": 2, "dropout": 0.3, "mixing": True, **WINDOW},
        domains=("series",),
        paper="Chen et al. 2023, TSMixer, arXiv:2303.06053, figure 1",
        cost="low",
        hurts_when="channels have nothing to do with each other: set mixing off",
        aliases=("tsmixer",),
    ),
    Entry(
        "series_tcn",
        late("series_tcn"),
        "Dilated causal convolutions that see the whole look-back.",
        defaults={"width": 32, "depth": 0, "kernel": 3, "dropout": 0.1, "mixing": True, **WINDOW},
        domains=("series",),
        paper="Bai et al. 2018, arXiv:1803.01271, section 3",
        cost="high: every step of every window in each layer",
        hurts_when="the horizon is long: all of it comes from one vector",
        aliases=("tcn",),
    ),
    Entry(
        "series_rnn",
        late("series_rnn"),
        "A recurrent cell, gru or lstm, over segments of the look-back.",
        defaults={
            "cell": "gru",
            "width": 128,
            "depth": 1,
            "patch": 24,
            "dropout": 0.1,
            "mixing": False,
            **FUNCTIONS,
            **WINDOW,
        },
        domains=("series",),
        paper="Cho et al. 2014, arXiv:1406.1078; Hochreiter & Schmidhuber 1997; Lin et al. 2023, arXiv:2308.11200",
        cost="moderate",
        hurts_when="the horizon is long: all of it comes from one vector",
    ),
    Entry(
        "series_patch",
        late("series_patch"),
        "A transformer over overlapping patches of each channel.",
        defaults={"patch": 16, "width": 16, "depth": 3, "heads": 4, "dropout": 0.3, "mixing": False, **WINDOW},
        domains=("series",),
        paper="Nie et al. 2023, arXiv:2211.14730, section 3",
        cost="high",
        hurts_when="time is short, or there are fewer than some thousands of windows",
        aliases=("patchtst",),
    ),
]
