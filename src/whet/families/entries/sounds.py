"""Networks for sound: on spectrograms, and one on the waveform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whet.entry import Entry
from whet.families.entries.shared import FUNCTIONS, late

if TYPE_CHECKING:
    from torch import nn

SOUNDS: list[Entry[nn.Module]] = [
    Entry(
        "audio_cnn",
        late("audio_cnn"),
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
        late("audio_rnn"),
        "GRU or LSTM over the frames, both ways, pooled by attention; also one answer per step.",
        defaults={"cell": "gru", "width": 128, "depth": 2, "dropout": 0.2, **FUNCTIONS},
        domains=("audio", "sequence"),
        paper="Hochreiter & Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078; Schuster & Paliwal 1997",
        cost="one step after the other: high for long recordings",
        hurts_when="recordings are long, or few",
    ),
    Entry(
        "audio_crnn",
        late("audio_crnn"),
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
        late("audio_transformer"),
        "Attention between groups of frames; also one answer per step.",
        defaults={"width": 128, "depth": 3, "heads": 4, "patch": 3, "dropout": 0.1},
        domains=("audio", "sequence"),
        paper="Vaswani et al. 2017, arXiv:1706.03762; of spectrograms: Gong et al. 2021, arXiv:2104.01778",
        cost="moderate; grows with the square of the length",
        hurts_when="there are few recordings: it has to learn what a convolution knows",
    ),
    Entry(
        "audio_wave",
        late("audio_wave"),
        "Convolutions on the waveform: the first layer learns the filters that a spectrogram has by construction.",
        defaults={"widths": (64, 64, 128, 256), "dropout": 0.2},
        domains=("audio",),
        paper="Dai et al. 2017, Very Deep Convolutional Neural Networks for Raw Waveforms, arXiv:1610.00087",
        cost="moderate",
        hurts_when="there are few recordings: spectrograms are the better start",
    ),
]
