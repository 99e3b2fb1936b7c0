"""The networks, by name: layer 2, `spec in, nn.Module out`. torch is imported when one is made, not before.

An image network takes (B, C, H, W) floats, normalised; one for sound takes spectrograms (B, 1, mels, frames); a table
network takes numeric (B, F) floats and category (B, K) int64 codes. All give (B, outputs); a network with M members
gives (B, M, outputs) while it is in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Catalogue, Entry
from whet.families.entries.anomalies import ANOMALIES
from whet.families.entries.generators import GENERATORS
from whet.families.entries.pictures import PICTURES
from whet.families.entries.ratings import RATINGS
from whet.families.entries.series import SERIES
from whet.families.entries.shared import late
from whet.families.entries.sounds import SOUNDS
from whet.families.entries.texts import TEXTS
from whet.families.spec import InputSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILIES", "IGNORED", "TREATED", "InputSpec"]

FAMILIES: Catalogue[nn.Module] = Catalogue(
    "family",
    [
        Entry(
            "linear",
            late("linear"),
            "One weight per input and output: linear or softmax regression.",
            cost="next to nothing",
            hurts_when="what is to be learned bends, or inputs matter only together",
            aliases=("softmax",),
        ),
        Entry(
            "mlp",
            late("mlp"),
            "Plain dense layers on the flattened input.",
            defaults={"width": 256, "depth": 2, "dropout": 0.0},
            cost="low; grows with width squared",
            hurts_when="the input is an image that may shift, or a table whose columns need bending one by one",
        ),
        Entry(
            "tabular",
            late("tabular"),
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
                "straight": False,
                "columns": (),
            },
            domains=("table",),
            paper="Gorishniy et al. 2022, arXiv:2203.05556; Gorishniy et al. 2025, arXiv:2410.24210; "
            "Holzmüller et al. 2024, arXiv:2407.04491",
            cost="moderate",
            hurts_when="there are only some dozens of rows",
        ),
        *PICTURES,
        *SOUNDS,
        *SERIES,
        *RATINGS,
        *ANOMALIES,
        *TEXTS,
        *GENERATORS,
        Entry(
            "user",
            late("user"),
            "A network of your own: FILE.py:function that returns an nn.Module. Other parameters are the function's.",
            defaults={"factory": ""},
            open=True,
        ),
    ],
)

_STRAIGHT = {"linear", "series_linear", "chains", "factors"}
_RECURRENT = {"audio_rnn", "gru4rec", "lstm_autoencoder", "series_rnn", "text_rnn"}
"""Their cells bend by functions of their own."""
_LAYER_NORMED = {"audio_transformer", "sasrec", "series_mixer", "series_patch", "text_transformer"}
_UNNORMED = {"item_autoencoder", "ncf", "row_vae", "series_mlp", "series_tcn", "text_bag", "two_tower"}
_JUDGES = {"autoencoder", "committee", "forecaster", "neutral", "one_class"}
IGNORED = {
    "activation": _STRAIGHT | _RECURRENT,
    "norm": _STRAIGHT | _RECURRENT | _LAYER_NORMED | _UNNORMED | _JUDGES,
}
"""Families in which this part of a recipe finds no place: two recipes that differ in it alone are one."""

_CONVOLUTIONAL = {
    *(
        "audio_cnn",
        "audio_crnn",
        "audio_transformer",
        "audio_wave",
        "conv_autoencoder",
        "conv_vae",
        "densenet",
        "fastconv",
    ),
    *("gan", "resnet", "series_tcn", "text_cnn", "text_mix", "textbook", "unet_flow"),
}
_BRANCHED = {
    *(
        "audio_cnn",
        "audio_transformer",
        "autoencoder",
        "committee",
        "conv_autoencoder",
        "forecaster",
        "lstm_autoencoder",
    ),
    *(
        "resnet",
        "row_flow",
        "row_vae",
        "sasrec",
        "series_mixer",
        "series_mlp",
        "series_patch",
        "series_rnn",
        "series_tcn",
    ),
    *("text_transformer", "unet_flow"),
}
TREATED = {
    "delta_orthogonal": ("convolutions", "orthogonal", _CONVOLUTIONAL),
    "fixup": ("residual branches", "he", _BRANCHED),
    "zero_residual": ("residual branches", "he", _BRANCHED),
    "t_fixup": ("attention", "xavier", {"audio_transformer", "sasrec", "series_patch", "text_transformer"}),
}
"""Initialisation -> what it treats in a way of its own, how it draws all else, and the families that have such parts."""
