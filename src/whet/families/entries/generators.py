"""Networks that make more of what they have seen: pictures, and rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import late

if TYPE_CHECKING:
    from torch import nn

GENERATORS: list[Entry[nn.Module]] = [
    Entry(
        "unet_flow",
        late("generate_unet"),
        "Makes pictures: flow matching, from noise along straight paths, with a small U-Net told the class.",
        defaults={"width": 64, "depth": 1, "patch": 2, "steps": 5},
        domains=("pictures",),
        paper="Lipman et al. 2023, Flow Matching for Generative Modeling, arXiv:2210.02747; rectified flow: Liu et al. "
        "2023, arXiv:2209.03003; U-Net: Ronneberger et al. 2015, arXiv:1505.04597",
        cost="high to train; 2 * steps - 1 passes for a picture",
        hurts_when="there is time for some hundred steps only",
    ),
    Entry(
        "conv_vae",
        late("generate_vae"),
        "Makes pictures: a convolutional variational autoencoder whose noise of pixels is found by the data.",
        defaults={"width": 32, "code": 32},
        domains=("pictures",),
        paper="Kingma & Welling 2014, arXiv:1312.6114; sigma: Rybkin et al. 2021, arXiv:2006.13202",
        cost="low; one pass for a picture",
        hurts_when="pictures should be sharp: what the code does not say is averaged",
    ),
    Entry(
        "gan",
        late("generate_gan"),
        "Makes pictures: a generator against a critic with spectral norm.",
        defaults={"width": 32, "code": 64, "loss": "hinge"},
        domains=("pictures",),
        paper="Goodfellow et al. 2014, arXiv:1406.2661; Miyato et al. 2018, arXiv:1802.05957; Miyato & Koyama 2018, "
        "arXiv:1802.05637",
        cost="moderate; one pass for a picture",
        hurts_when="it is not watched: players can lose each other, and kinds of pictures can vanish",
    ),
    Entry(
        "row_flow",
        late("generate_rows", "flow"),
        "Makes rows of a table: flow matching on normal scores and categories, with residual dense layers.",
        defaults={"width": 256, "depth": 3, "steps": 10},
        domains=("rows",),
        paper="Lipman et al. 2023, arXiv:2210.02747; for tables: Kotelnikov et al. 2023, TabDDPM, arXiv:2209.15421",
        cost="moderate; 2 * steps - 1 passes for a row",
        hurts_when="a category has very many values",
    ),
    Entry(
        "row_vae",
        late("generate_rows", "vae"),
        "Makes rows of a table: a variational autoencoder with a normal number or a softmax for each column.",
        defaults={"width": 256, "code": 16},
        domains=("rows",),
        paper="Xu et al. 2019, Modeling Tabular data using Conditional GAN (TVAE), arXiv:1907.00503, section 4.3",
        cost="low",
        hurts_when="columns hang together in fine detail: a code of some numbers loses it",
    ),
]
