"""Networks for text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import FUNCTIONS, late

if TYPE_CHECKING:
    from torch import nn

TEXTS: list[Entry[nn.Module]] = [
    Entry(
        "text_mix",
        late("text_mix"),
        "Bags of n-grams, linear and bent, and convolutions side by side, trained as one.",
        defaults={
            "hidden": 64,
            "bags": 1,
            "width": 64,
            "filters": 64,
            "sizes": (1, 2, 3),
            "members": 2,
            "dropout": 0.5,
            "linear": 0.5,
            "ratio": False,
        },
        domains=("text",),
        paper="Wang & Manning 2012, Baselines and Bigrams, doi:10.3115/2390665.2390688; Kim 2014, arXiv:1408.5882; "
        "Joulin et al. 2016, arXiv:1607.01759",
        cost="low without convolutions; with them it grows with the texts' length",
        hurts_when="only the order of far-apart words decides",
    ),
    Entry(
        "text_bag",
        late("text_bag"),
        "A bag of hashed n-grams of words and characters, TF-IDF weighted; linear, or with a hidden layer.",
        defaults={"hidden": 0, "dropout": 0.5, "ratio": False},
        domains=("text",),
        paper="Joulin et al. 2016, Bag of Tricks for Efficient Text Classification, arXiv:1607.01759; "
        "ratio: Wang & Manning 2012, doi:10.3115/2390665.2390688",
        cost="low: a sum of rows of a table",
        hurts_when="the order of words decides",
    ),
    Entry(
        "text_cnn",
        late("text_cnn"),
        "Convolutions over tokens, each filter at its strongest place; several members in one.",
        defaults={"width": 64, "filters": 64, "sizes": (1, 2, 3), "members": 3, "dropout": 0.5},
        domains=("text",),
        paper="Kim 2014, Convolutional Neural Networks for Sentence Classification, arXiv:1408.5882",
        cost="moderate; grows with the texts' length",
        hurts_when="there are some hundred short texts: rare words are not learned",
    ),
    Entry(
        "text_rnn",
        late("text_rnn"),
        "GRU or LSTM over tokens, both ways, pooled by attention; also a label per token, or what comes next.",
        defaults={"cell": "gru", "width": 128, "depth": 1, "dropout": 0.3, **FUNCTIONS},
        domains=("text", "tagged", "language"),
        paper="Hochreiter & Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078; attention: Yang et al. 2016, "
        "Hierarchical Attention Networks",
        cost="one step after the other: high for long texts",
        hurts_when="texts are long, or few",
    ),
    Entry(
        "text_transformer",
        late("text_transformer"),
        "Attention between all tokens; also a label per token, or what comes next.",
        defaults={"width": 128, "depth": 2, "heads": 4, "dropout": 0.2},
        domains=("text", "tagged", "language"),
        paper="Vaswani et al. 2017, arXiv:1706.03762; norm first: Xiong et al. 2020, arXiv:2002.04745",
        cost="moderate; grows with the square of the length",
        hurts_when="there are few texts and no pre-training: it has to learn everything from them",
    ),
]
