"""The networks, by name: layer 2, `spec in, nn.Module out`. torch is imported when one is made, not before.

An image network takes (B, C, H, W) floats, normalised; one for sound takes spectrograms (B, 1, mels, frames); a table
network takes numeric (B, F) floats and category (B, K) int64 codes. All give (B, outputs); a network with M members
gives (B, M, outputs) while it is in training.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from whet.entry import Catalogue, Entry
from whet.families.spec import InputSpec

if TYPE_CHECKING:
    from torch import nn

__all__ = ["FAMILIES", "IGNORED", "InputSpec"]


def _late(file: str, function: str = "make") -> Callable[..., nn.Module]:
    """A function of a file in this package, imported at the first call."""

    def make(spec: InputSpec, **params: Any) -> nn.Module:
        made: nn.Module = getattr(importlib.import_module(f"whet.families.{file}"), function)(spec, **params)
        return made

    return make


FUNCTIONS = {"inner": "tanh", "gate": "sigmoid"}
"""Of a recurrent cell, as torch's kernels have them; other names or formulas of activations run step by step."""
WINDOW = {"centre": "mean", "scale": True, "calendar": False}
"""How a forecast's windows are normalised, and whether the calendar adds to it."""

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
            domains=("image", "audio"),
            paper="LeCun et al. 1998, doi:10.1109/5.726791",
            cost="low",
            hurts_when="trained long without regularisation: it over-fits",
        ),
        Entry(
            "fastconv",
            _late("fastconv"),
            "Whitening first layer and a few stages of wide 3x3 convolutions.",
            defaults={"widths": (64, 128, 256), "depth": 2, "patch": 2, "dropout": 0.0},
            domains=("image", "audio"),
            paper="Jordan 2024, arXiv:2404.00498",
            cost="moderate; 0.06 G multiply-adds forward for a 32x32 image at 64-128-256",
            hurts_when="what matters is finer than a few pixels of an image that was made smaller",
        ),
        Entry(
            "resnet",
            _late("resnet"),
            "Residual network of 10 to 101 layers; small images get a stem that keeps their pixels.",
            defaults={"depth": 18, "width": 1.0, "stochastic_depth": 0.0, "dropout": 0.0},
            domains=("image", "audio"),
            paper="He et al. 2016, arXiv:1512.03385; zero-initialised branches: Goyal et al. 2017, arXiv:1706.02677",
            cost="high: 0.6 GFLOP forward for a 32x32 image at depth 18",
            hurts_when="time is short and there is no GPU",
        ),
        Entry(
            "densenet",
            _late("densenet"),
            "DenseNet-BC: each layer reads the maps of all layers before it.",
            defaults={"depth": 121, "growth": 32, "dropout": 0.0},
            domains=("image", "audio"),
            paper="Huang et al. 2017, arXiv:1608.06993",
            cost="high, and much memory traffic for its few weights",
            hurts_when="time is short: many thin layers keep no processor busy",
        ),
        Entry(
            "audio_cnn",
            _late("audio_cnn"),
            "Convolutions on log-mel spectrograms, plain or residual; mean and maximum over time and bands.",
            defaults={"widths": (32, 64, 128), "residual": True, "dropout": 0.2},
            domains=("audio",),
            paper="Hershey et al. 2017, CNN Architectures for Large-Scale Audio Classification, arXiv:1609.09430; "
            "He et al. 2016, arXiv:1512.03385",
            cost="moderate",
            hurts_when="the order of what is heard decides, over more than a second",
        ),
        Entry(
            "audio_rnn",
            _late("audio_rnn"),
            "GRU or LSTM over the frames, both ways, pooled by attention; also one answer per step.",
            defaults={"cell": "gru", "width": 128, "depth": 2, "dropout": 0.2, **FUNCTIONS},
            domains=("audio", "sequence"),
            paper="Hochreiter & Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078; Schuster & Paliwal 1997",
            cost="one step after the other: high for long recordings",
            hurts_when="recordings are long, or few",
        ),
        Entry(
            "audio_crnn",
            _late("audio_crnn"),
            "Convolutions that shorten the spectrogram, then GRU or LSTM both ways; also one answer per step.",
            defaults={
                "cell": "gru",
                "widths": (32, 64, 64),
                "stride": 4,
                "width": 96,
                "depth": 1,
                "dropout": 0.2,
                **FUNCTIONS,
            },
            domains=("audio", "sequence"),
            paper="Choi et al. 2017, Convolutional Recurrent Neural Networks, arXiv:1609.04243; "
            "Amodei et al. 2016, Deep Speech 2, arXiv:1512.02595",
            cost="moderate",
            hurts_when="units follow each other faster than `stride` frames",
        ),
        Entry(
            "audio_transformer",
            _late("audio_transformer"),
            "Attention between groups of frames; also one answer per step.",
            defaults={"width": 128, "depth": 3, "heads": 4, "patch": 3, "dropout": 0.1},
            domains=("audio", "sequence"),
            paper="Vaswani et al. 2017, arXiv:1706.03762; of spectrograms: Gong et al. 2021, arXiv:2104.01778",
            cost="moderate; grows with the square of the length",
            hurts_when="there are few recordings: it has to learn what a convolution knows",
        ),
        Entry(
            "audio_wave",
            _late("audio_wave"),
            "Convolutions on the waveform: the first layer learns the filters that a spectrogram has by construction.",
            defaults={"widths": (64, 64, 128, 256), "dropout": 0.2},
            domains=("audio",),
            paper="Dai et al. 2017, Very Deep Convolutional Neural Networks for Raw Waveforms, arXiv:1610.00087",
            cost="moderate",
            hurts_when="there are few recordings: spectrograms are the better start",
        ),
        Entry(
            "series_linear",
            _late("series_linear"),
            "One linear map from a look-back to a horizon, of windows as NLinear, DLinear or RLinear centre them.",
            defaults={"form": "rlinear", "kernel": 25, "individual": False, "dropout": 0.0, "calendar": False},
            domains=("series",),
            paper="Zeng et al. 2023, arXiv:2205.13504, section 4; Li et al. 2023, arXiv:2305.10721",
            cost="next to nothing",
            hurts_when="the future bends with the past",
        ),
        Entry(
            "series_mlp",
            _late("series_mlp"),
            "Several perceptrons in one, each beside a linear map, for every channel alike.",
            defaults={"width": 128, "members": 4, "dropout": 0.3, **WINDOW},
            domains=("series",),
            paper="Das et al. 2023, TiDE, arXiv:2304.08424, section 4, without its decoder",
            cost="low",
            hurts_when="there are only some hundreds of windows",
        ),
        Entry(
            "series_mixer",
            _late("series_mixer"),
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
            _late("series_tcn"),
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
            _late("series_rnn"),
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
            _late("series_patch"),
            "A transformer over overlapping patches of each channel.",
            defaults={"patch": 16, "width": 16, "depth": 3, "heads": 4, "dropout": 0.3, "mixing": False, **WINDOW},
            domains=("series",),
            paper="Nie et al. 2023, arXiv:2211.14730, section 3",
            cost="high",
            hurts_when="time is short, or there are fewer than some thousands of windows",
            aliases=("patchtst",),
        ),
        Entry(
            "chains",
            _late("recommend", "chains"),
            "Which item followed which, counted, and mixed over the newest items with learned weights.",
            domains=("ratings",),
            paper="mixture transitions: Raftery 1985, JRSS B 47(3); item-item cosine: Sarwar et al. 2001",
            cost="low; memory for 200 followers of each item",
            hurts_when="there are no times, or their order says nothing",
        ),
        Entry(
            "factors",
            _late("recommend", "factors"),
            "A vector for each user and each item, and their product; biases where ratings are predicted.",
            defaults={"width": 64, "dropout": 0.0, "pull": 0.1, "chain": False},
            domains=("ratings",),
            paper="Koren, Bell & Volinsky 2009, Matrix Factorization Techniques",
            cost="low",
            hurts_when="users come and go: a new one has no vector",
            aliases=("matrix_factorisation",),
        ),
        Entry(
            "ncf",
            _late("recommend", "ncf"),
            "Factors, and a perceptron on the vectors of user and item; predicts ratings.",
            defaults={"width": 32, "dropout": 0.2, "pull": 0.05},
            domains=("ratings",),
            paper="He et al. 2017, Neural Collaborative Filtering, arXiv:1708.05031, section 3.4",
            cost="low",
            hurts_when="all items are to be ranked: it refuses; the product alone is often as good (Rendle et al. 2020)",
        ),
        Entry(
            "two_tower",
            _late("recommend", "two_tower"),
            "A perceptron makes the user's vector, from what was had last and who it is; items have vectors of their own.",
            defaults={"width": 64, "dropout": 0.3, "length": 50, "pull": 0.05, "chain": False},
            domains=("ratings",),
            paper="Covington, Adams & Sargin 2016, Deep Neural Networks for YouTube Recommendations, section 3",
            cost="moderate",
            hurts_when="there are few interactions of each item",
        ),
        Entry(
            "item_autoencoder",
            _late("recommend", "item_autoencoder"),
            "What a user had, half of it hidden, through a narrow layer, back to all items.",
            defaults={"width": 128, "dropout": 0.0, "noise": 0.5, "chain": False},
            domains=("ratings",),
            paper="Liang et al. 2018, arXiv:1802.05814, the denoising one of section 2.3",
            cost="moderate",
            hurts_when="what was had last tells more than what was had at all",
        ),
        Entry(
            "gru4rec",
            _late("recommend", "gru4rec"),
            "A recurrent network over what was had last, in order.",
            defaults={"width": 64, "dropout": 0.3, "length": 50, "chain": False},
            domains=("ratings",),
            paper="Hidasi et al. 2016, arXiv:1511.06939; trained on a softmax over all items",
            cost="high: one step after the other",
            hurts_when="there are no times, or few interactions",
        ),
        Entry(
            "sasrec",
            _late("recommend", "sasrec"),
            "Attention between what was had last, in order.",
            defaults={"width": 64, "depth": 2, "heads": 2, "dropout": 0.3, "length": 50, "chain": False},
            domains=("ratings",),
            paper="Kang & McAuley 2018, arXiv:1808.09781; trained on a softmax over all items",
            cost="high",
            hurts_when="there are no times, or few interactions",
        ),
        Entry(
            "committee",
            _late("anomaly_committee"),
            "Rare values, rare directions, few cuts, far neighbours and an autoencoder's error, judged together.",
            defaults={
                "views": ("columns", "directions", "cuts", "neighbours", "code"),
                "shrink": 0.05,
                "places": 2000,
                "k": 10,
                "rounds": 2,
                "say": "all",
                "trim": 0.15,
                "width": 64,
                "code": 8,
            },
            domains=("anomaly",),
            paper="Aggarwal & Sathe 2017, Outlier Ensembles; Li et al. 2022, arXiv:2201.00382; Liu et al. 2008, "
            "Isolation Forest; Ramaswamy et al. 2000; "
            "Akbarinia & Cloez 2019, arXiv:1901.05708",
            cost="low; grows with the places that are remembered",
            hurts_when="one view alone is known to be right",
        ),
        Entry(
            "autoencoder",
            _late("anomaly_autoencoder"),
            "A dense autoencoder that begins as the principal components of training rows.",
            defaults={"width": 64, "depth": 1, "code": 8},
            domains=("anomaly",),
            paper="Baldi & Hornik 1989; Hinton & Salakhutdinov 2006",
            cost="low",
            hurts_when="the code is so wide that anomalies fit through it",
        ),
        Entry(
            "conv_autoencoder",
            _late("anomaly_autoencoder", "conv"),
            "Convolutions over time down to a narrow code, and back.",
            defaults={"width": 32, "code": 4},
            domains=("anomaly",),
            paper="Masci et al. 2011, Stacked Convolutional Auto-Encoders",
            cost="moderate",
            hurts_when="rows have no order",
        ),
        Entry(
            "lstm_autoencoder",
            _late("anomaly_autoencoder", "lstm"),
            "An LSTM reads the window, another writes it again from the last step to the first.",
            defaults={"width": 32},
            domains=("anomaly",),
            paper="Malhotra et al. 2016, arXiv:1607.00148",
            cost="one step after the other: high for long windows",
            hurts_when="rows have no order, or time is short",
        ),
        Entry(
            "forecaster",
            _late("anomaly_forecaster"),
            "Predicts the newest steps from the ones before; what it misses is strange.",
            defaults={"width": 64, "depth": 1, "ahead": 1},
            domains=("anomaly",),
            paper="Hundman et al. 2018, arXiv:1802.04431",
            cost="low",
            hurts_when="a strange state lasts: it is predicted well from itself",
        ),
        Entry(
            "one_class",
            _late("anomaly_one_class", "sphere"),
            "Maps normal rows near a fixed centre (Deep SVDD); with labels, known anomalies away from it (Deep SAD).",
            defaults={"width": 64, "depth": 1, "code": 16},
            domains=("anomaly",),
            paper="Ruff et al. 2018, Deep One-Class Classification; Ruff et al. 2020, arXiv:1906.02694",
            cost="low",
            hurts_when="it trains long, or the activation is bounded: everything ends at the centre",
        ),
        Entry(
            "neutral",
            _late("anomaly_one_class", "transformed"),
            "Learned views of a row that are near it and unlike each other; strange rows break that.",
            defaults={"width": 32, "depth": 1, "views": 8, "temperature": 0.1},
            domains=("anomaly",),
            paper="Qiu et al. 2021, Neural Transformation Learning, arXiv:2103.16440",
            cost="moderate: a small network per view",
            hurts_when="training rows are full of anomalies",
        ),
        Entry(
            "text_mix",
            _late("text_mix"),
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
            },
            domains=("text",),
            paper="Wang & Manning 2012, Baselines and Bigrams, doi:10.3115/2390665.2390688; Kim 2014, arXiv:1408.5882; "
            "Joulin et al. 2016, arXiv:1607.01759",
            cost="low without convolutions; with them it grows with the texts' length",
            hurts_when="only the order of far-apart words decides",
        ),
        Entry(
            "text_bag",
            _late("text_bag"),
            "A bag of hashed n-grams of words and characters, TF-IDF weighted; linear, or with a hidden layer.",
            defaults={"hidden": 0, "dropout": 0.5},
            domains=("text",),
            paper="Joulin et al. 2016, Bag of Tricks for Efficient Text Classification, arXiv:1607.01759",
            cost="low: a sum of rows of a table",
            hurts_when="the order of words decides",
        ),
        Entry(
            "text_cnn",
            _late("text_cnn"),
            "Convolutions over tokens, each filter at its strongest place; several members in one.",
            defaults={"width": 64, "filters": 64, "sizes": (1, 2, 3), "members": 3, "dropout": 0.5},
            domains=("text",),
            paper="Kim 2014, Convolutional Neural Networks for Sentence Classification, arXiv:1408.5882",
            cost="moderate; grows with the texts' length",
            hurts_when="there are some hundred short texts: rare words are not learned",
        ),
        Entry(
            "text_rnn",
            _late("text_rnn"),
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
            _late("text_transformer"),
            "Attention between all tokens; also a label per token, or what comes next.",
            defaults={"width": 128, "depth": 2, "heads": 4, "dropout": 0.2},
            domains=("text", "tagged", "language"),
            paper="Vaswani et al. 2017, arXiv:1706.03762; norm first: Xiong et al. 2020, arXiv:2002.04745",
            cost="moderate; grows with the square of the length",
            hurts_when="there are few texts and no pre-training: it has to learn everything from them",
        ),
        Entry(
            "unet_flow",
            _late("generate_unet"),
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
            _late("generate_vae"),
            "Makes pictures: a convolutional variational autoencoder whose noise of pixels is found by the data.",
            defaults={"width": 32, "code": 32},
            domains=("pictures",),
            paper="Kingma & Welling 2014, arXiv:1312.6114; sigma: Rybkin et al. 2021, arXiv:2006.13202",
            cost="low; one pass for a picture",
            hurts_when="pictures should be sharp: what the code does not say is averaged",
        ),
        Entry(
            "gan",
            _late("generate_gan"),
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
            _late("generate_rows", "flow"),
            "Makes rows of a table: flow matching on normal scores and categories, with residual dense layers.",
            defaults={"width": 256, "depth": 3, "steps": 10},
            domains=("rows",),
            paper="Lipman et al. 2023, arXiv:2210.02747; for tables: Kotelnikov et al. 2023, TabDDPM, arXiv:2209.15421",
            cost="moderate; 2 * steps - 1 passes for a row",
            hurts_when="a category has very many values",
        ),
        Entry(
            "row_vae",
            _late("generate_rows", "vae"),
            "Makes rows of a table: a variational autoencoder with a normal number or a softmax for each column.",
            defaults={"width": 256, "code": 16},
            domains=("rows",),
            paper="Xu et al. 2019, Modeling Tabular data using Conditional GAN (TVAE), arXiv:1907.00503, section 4.3",
            cost="low",
            hurts_when="columns hang together in fine detail: a code of some numbers loses it",
        ),
        Entry(
            "user",
            _late("user"),
            "A network of your own: FILE.py:function that returns an nn.Module.",
            defaults={"factory": ""},
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
