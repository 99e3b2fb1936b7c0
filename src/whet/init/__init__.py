"""Initialisations: name -> make(**params) -> init(model, generator), which re-draws Linear and Conv layers in place."""

from __future__ import annotations

from whet.entry import Catalogue, Entry
from whet.init.auto import Done, Report, auto_
from whet.init.draw import Initialise, default, he, lecun, orthogonal, xavier

INITS: Catalogue[Initialise] = Catalogue(
    "initialisation",
    [
        Entry(
            "default",
            default,
            "What torch draws: weights and biases uniform in +-1/sqrt(fan in).",
            paper="LeCun et al. 1998, Efficient BackProp, section 4.6 (with variance 1 / (3 fan in))",
            cost="none",
            hurts_when="the network is deep without normalisation: the signal shrinks by sqrt(6) per relu layer",
        ),
        Entry(
            "he",
            he,
            "Normal weights of variance gain^2 / fan in; keeps the signal's length through relu. Biases 0.",
            {"gain": 2.0**0.5},
            paper="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, eq. 10",
            cost="none",
            hurts_when="the activation is not relu-like: the signal grows by up to sqrt(2) per layer",
            aliases=("kaiming",),
        ),
        Entry(
            "xavier",
            xavier,
            "Uniform weights of variance 2 gain^2 / (fan in + fan out): between forward and backward. Biases 0.",
            {"gain": 1.0},
            paper="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward nets, eq. 12, 16",
            cost="none",
            hurts_when="the activation is relu: half of the signal is lost per layer",
            aliases=("glorot",),
        ),
        Entry(
            "lecun",
            lecun,
            "Normal weights of variance 1 / fan in; keeps the length through linear maps and selu. Biases 0.",
            paper="LeCun et al. 1998, Efficient BackProp, section 4.6, eq. 16",
            cost="none",
            hurts_when="the activation is relu: half of the signal is lost per layer",
        ),
        Entry(
            "orthogonal",
            orthogonal,
            "Weights with orthonormal rows or columns, times gain: every direction keeps its length. Biases 0.",
            {"gain": 2.0**0.5},
            paper="Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics, arXiv:1312.6120",
            cost="a QR decomposition per layer: seconds for layers of several thousand units",
            hurts_when="layers are very wide and the time is short",
        ),
    ],
)

__all__ = ["INITS", "Done", "Initialise", "Report", "auto_"]
