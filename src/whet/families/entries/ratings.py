"""Networks that recommend: to a user, from what was had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import late

if TYPE_CHECKING:
    from torch import nn

RATINGS: list[Entry[nn.Module]] = [
    Entry(
        "chains",
        late("recommend", "chains"),
        "Which item followed which, counted, over the newest items with learned weights; with `ease`, what goes together.",
        defaults={"ease": False},
        domains=("ratings",),
        paper="mixture transitions: Raftery 1985, JRSS B 47(3); item-item cosine: Sarwar et al. 2001; Steck 2019",
        cost="low; memory for 200 followers of each item",
        hurts_when="there are no times, or their order says nothing (without `ease`)",
    ),
    Entry(
        "factors",
        late("recommend", "factors"),
        "A vector for each user and each item, and their product; biases where ratings are predicted.",
        defaults={"width": 64, "dropout": 0.0, "pull": 0.1, "chain": False, "ease": False},
        domains=("ratings",),
        paper="Koren, Bell & Volinsky 2009, Matrix Factorization Techniques",
        cost="low",
        hurts_when="users come and go: a new one has no vector",
        aliases=("matrix_factorisation",),
    ),
    Entry(
        "ncf",
        late("recommend", "ncf"),
        "Factors, and a perceptron on the vectors of user and item; predicts ratings.",
        defaults={"width": 32, "dropout": 0.2, "pull": 0.05},
        domains=("ratings",),
        paper="He et al. 2017, Neural Collaborative Filtering, arXiv:1708.05031, section 3.4",
        cost="low",
        hurts_when="all items are to be ranked: it refuses; the product alone is often as good (Rendle et al. 2020)",
    ),
    Entry(
        "two_tower",
        late("recommend", "two_tower"),
        "A perceptron makes the user's vector, from what was had last and who it is; items have vectors of their own.",
        defaults={"width": 64, "dropout": 0.3, "length": 50, "pull": 0.05, "chain": False, "ease": False},
        domains=("ratings",),
        paper="Covington, Adams & Sargin 2016, Deep Neural Networks for YouTube Recommendations, section 3",
        cost="moderate",
        hurts_when="there are few interactions of each item",
    ),
    Entry(
        "item_autoencoder",
        late("recommend", "item_autoencoder"),
        "What a user had, half of it hidden, through a narrow layer, back to all items.",
        defaults={"width": 128, "dropout": 0.0, "noise": 0.5, "chain": False, "ease": False},
        domains=("ratings",),
        paper="Liang et al. 2018, arXiv:1802.05814, the denoising one of section 2.3",
        cost="moderate",
        hurts_when="what was had last tells more than what was had at all",
    ),
    Entry(
        "gru4rec",
        late("recommend", "gru4rec"),
        "A recurrent network over what was had last, in order.",
        defaults={"width": 64, "dropout": 0.3, "length": 50, "chain": False, "ease": False},
        domains=("ratings",),
        paper="Hidasi et al. 2016, arXiv:1511.06939; trained on a softmax over all items",
        cost="high: one step after the other",
        hurts_when="there are no times, or few interactions",
    ),
    Entry(
        "sasrec",
        late("recommend", "sasrec"),
        "Attention between what was had last, in order.",
        defaults={"width": 64, "depth": 2, "heads": 2, "dropout": 0.3, "length": 50, "chain": False, "ease": False},
        domains=("ratings",),
        paper="Kang & McAuley 2018, arXiv:1808.09781; trained on a softmax over all items",
        cost="high",
        hurts_when="there are no times, or few interactions",
    ),
]
