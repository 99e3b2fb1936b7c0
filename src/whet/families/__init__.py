"""The networks, by name: layer 2, `spec in, nn.Module out`. torch is imported when one is made, not before.

An image network takes (B, C, H, W) floats, normalised; a table network takes numeric (B, F) floats and category
(B, K) int64 codes. Both give (B, outputs); a network with M members gives (B, M, outputs) while it is in training.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from whet.entry import Catalogue, Entry
from whet.families.spec import InputSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILIES", "InputSpec"]


def _late(file: str) -> Callable[..., nn.Module]:
    """`make` of a file in this package, imported at the first call."""

    def make(spec: InputSpec, **params: Any) -> nn.Module:
        made: nn.Module = importlib.import_module(f"whet.families.{file}").make(spec, **params)
        return made

    return make


FAMILIES: Catalogue[nn.Module] = Catalogue(
    "family",
    [
        Entry(
            "linear",
            _late("linear"),
            "One weight per input and output: linear or softmax regression.",
            cost="next to nothing",
            hurts_when="what is to be learned bends, or inputs matter only together",
            aliases=("softmax",),
        ),
        Entry(
            "mlp",
            _late("mlp"),
            "Plain dense layers on the flattened input.",
            defaults={"width": 256, "depth": 2, "dropout": 0.0},
            cost="low; grows with width squared",
            hurts_when="the input is an image that may shift, or a table whose columns need bending one by one",
        ),
        Entry(
            "tabular",
            _late("tabular"),
            "Several small dense networks in one for tables, over embedded numbers and categories.",
            defaults={
                "width": 256,
                "depth": 2,
                "dropout": 0.1,
                "embedding": "ple",
                "bins": 48,
                "embedding_dim": 0,
                "sigma": 0.3,
                "members": 8,
            },
            domains=("table",),
            paper="Gorishniy et al. 2022, arXiv:2203.05556; Gorishniy et al. 2025, arXiv:2410.24210; "
            "Holzmüller et al. 2024, arXiv:2407.04491",
            cost="moderate",
            hurts_when="there are only some dozens of rows",
        ),
        Entry(
            "textbook",
            _late("textbook"),
            "The tutorial network: conv 32 - pool - conv 64 - pool - dense 64.",
            defaults={"width": 32, "depth": 2, "dropout": 0.0},
            domains=("image",),
            paper="LeCun et al. 1998, doi:10.1109/5.726791",
            cost="low",
            hurts_when="trained long without regularisation: it over-fits",
        ),
        Entry(
            "fastconv",
            _late("fastconv"),
            "Whitening first layer and a few stages of wide 3x3 convolutions.",
            defaults={"widths": (64, 128, 256), "depth": 2, "patch": 2, "dropout": 0.0},
            domains=("image",),
            paper="Jordan 2024, arXiv:2404.00498",
            cost="moderate; 0.06 G multiply-adds forward for a 32x32 image at 64-128-256",
            hurts_when="what matters is finer than a few pixels of an image that was made smaller",
        ),
        Entry(
            "resnet",
            _late("resnet"),
            "Residual network of 10 to 101 layers; small images get a stem that keeps their pixels.",
            defaults={"depth": 18, "width": 1.0, "stochastic_depth": 0.0, "dropout": 0.0},
            domains=("image",),
            paper="He et al. 2016, arXiv:1512.03385; zero-initialised branches: Goyal et al. 2017, arXiv:1706.02677",
            cost="high: 0.6 GFLOP forward for a 32x32 image at depth 18",
            hurts_when="time is short and there is no GPU",
        ),
        Entry(
            "densenet",
            _late("densenet"),
            "DenseNet-BC: each layer reads the maps of all layers before it.",
            defaults={"depth": 121, "growth": 32, "dropout": 0.0},
            domains=("image",),
            paper="Huang et al. 2017, arXiv:1608.06993",
            cost="high, and much memory traffic for its few weights",
            hurts_when="time is short: many thin layers keep no processor busy",
        ),
        Entry(
            "user",
            _late("user"),
            "A network of your own: FILE.py:function that returns an nn.Module.",
            defaults={"factory": ""},
        ),
    ],
)
