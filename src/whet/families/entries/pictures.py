"""Networks for pictures; some of them read spectrograms too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import late

if TYPE_CHECKING:
    from torch import nn

PICTURES: list[Entry[nn.Module]] = [
    Entry(
        "textbook",
        late("textbook"),
        "The tutorial network: conv 32 - pool - conv 64 - pool - dense 64.",
        defaults={"width": 32, "depth": 2, "dropout": 0.0},
        domains=("image", "audio"),
        paper="LeCun et al. 1998, doi:10.1109/5.726791",
        cost="low",
        hurts_when="trained long without regularisation: it over-fits",
    ),
    Entry(
        "fastconv",
        late("fastconv"),
        "Whitening first layer and a few stages of wide 3x3 convolutions.",
        defaults={"widths": (64, 128, 256), "depth": 2, "patch": 2, "dropout": 0.0},
        domains=("image", "audio"),
        paper="Jordan 2024, arXiv:2404.00498",
        cost="moderate; 0.06 G multiply-adds forward for a 32x32 image at 64-128-256",
        hurts_when="what matters is finer than a few pixels of an image that was made smaller",
    ),
    Entry(
        "resnet",
        late("resnet"),
        "Residual network of 10 to 101 layers; small images get a stem that keeps their pixels.",
        defaults={"depth": 18, "width": 1.0, "stochastic_depth": 0.0, "dropout": 0.0},
        domains=("image", "audio"),
        paper="He et al. 2016, arXiv:1512.03385; zero-initialised branches: Goyal et al. 2017, arXiv:1706.02677",
        cost="high: 0.6 GFLOP forward for a 32x32 image at depth 18",
        hurts_when="time is short and there is no GPU",
    ),
    Entry(
        "densenet",
        late("densenet"),
        "DenseNet-BC: each layer reads the maps of all layers before it.",
        defaults={"depth": 121, "growth": 32, "dropout": 0.0},
        domains=("image", "audio"),
        paper="Huang et al. 2017, arXiv:1608.06993",
        cost="high, and much memory traffic for its few weights",
        hurts_when="time is short: many thin layers keep no processor busy",
    ),
]
