"""Initialisations: name -> make(**params) -> init(model, generator), which re-draws a model's weights in place.

>>> import torch, whet.init
>>> model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
>>> report = whet.init.auto_(model, sample=torch.randn(64, 8), generator=torch.Generator().manual_seed(0))
>>> print(report.depth, report.shaped)
1 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Generator, nn

from whet.entry import Catalogue, Entry
from whet.init.draw import Initialise, default, delta_orthogonal, he, identity, lecun, orthogonal, xavier

if TYPE_CHECKING:
    from whet.init.auto import Done, Report, auto_
    from whet.init.residual import fixup_, lsuv_, t_fixup_, zero_residual_

_LATE = {
    "auto_": "auto",
    "Done": "auto",
    "Report": "auto",
    "zero_residual_": "residual",
    "fixup_": "residual",
    "lsuv_": "residual",
    "t_fixup_": "residual",
}
"""Public names whose files load surgery and theory, which a plain initialisation does without."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"whet.init.{_LATE[name]}"), name)


def _late(name: str, file: str = "residual") -> Any:
    """A maker from a file that is loaded when it is first asked for."""

    def make(**params: float) -> Initialise:
        import importlib

        made: Initialise = getattr(importlib.import_module(f"whet.init.{file}"), name)(**params)
        return made

    return make


def _auto() -> Initialise:
    def init(model: nn.Module, generator: Generator) -> None:
        from whet.init.auto import auto_

        auto_(model, None, generator)

    return init


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
            "auto",
            _auto,
            "Walks the whole network: shapes activations in deep plain parts, keeps lengths, starts branches small.",
            paper="Martens et al. 2021, Rapid training without skips, arXiv:2110.01765; Xiao et al. 2018, arXiv:1806.05393; "
            "Mishkin & Matas 2016, arXiv:1511.06422 (with a sample: whet.init.auto_)",
            cost="a second for 60 layers; in deep plain parts two multiplications and additions per activation, for ever",
            hurts_when="weights are then loaded into a network that was not shaped: the activations would not match",
        ),
        Entry(
            "he",
            he,
            "Weights of variance gain^2 / fan in; keeps the signal's length through relu. Biases 0.",
            {"gain": 2.0**0.5, "distribution": "normal"},
            paper="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852",
            cost="none",
            hurts_when="the activation is not relu-like: the signal grows by up to sqrt(2) per layer",
            aliases=("kaiming",),
        ),
        Entry(
            "xavier",
            xavier,
            "Weights of variance 2 gain^2 / (fan in + fan out): between forward and backward. Biases 0.",
            {"gain": 1.0, "distribution": "uniform"},
            paper="Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward nets, eq. 16",
            cost="none",
            hurts_when="the activation is relu: half of the signal is lost per layer",
            aliases=("glorot",),
        ),
        Entry(
            "lecun",
            lecun,
            "Weights of variance 1 / fan in; keeps the length through linear maps and selu. Biases 0.",
            {"distribution": "normal"},
            paper="LeCun et al. 1998, Efficient BackProp, section 4.6",
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
        Entry(
            "delta_orthogonal",
            delta_orthogonal,
            "Convolutions with an orthonormal middle tap and no other: every spatial pattern keeps its length. Biases 0.",
            {"gain": 2.0**0.5},
            paper="Xiao et al. 2018, Dynamical Isometry and a Mean Field Theory of CNNs, arXiv:1806.05393",
            cost="as orthogonal",
            hurts_when="the network is shallow: neighbouring pixels don't meet at first",
        ),
        Entry(
            "identity",
            identity,
            "Each output starts as one input, times gain; of a convolution at the same position. Biases 0.",
            {"gain": 1.0},
            paper="Le, Jaitly & Hinton 2015, A Simple Way to Initialize Recurrent Networks of ReLUs, arXiv:1504.00941; "
            "for convolutions Zagoruyko & Komodakis 2017, DiracNets, arXiv:1706.00388",
            cost="none",
            hurts_when="outputs outnumber inputs: the rest start dead; and nothing breaks the symmetry of equal inputs",
            aliases=("dirac",),
        ),
        Entry(
            "zero_residual",
            _late("zero_residual"),
            "He's weights, and the last norm or layer of each residual branch at 0: the network starts as its skips.",
            {"gain": 2.0**0.5},
            paper="Goyal et al. 2017, Accurate, Large Minibatch SGD, arXiv:1706.02677, section 5.1",
            cost="one run on a made-up batch",
            hurts_when="nothing: without branches it is he",
        ),
        Entry(
            "fixup",
            _late("fixup"),
            "He's weights, smaller in residual branches, whose last layers start at 0 (the head too). For sums without norms.",
            {"gain": 2.0**0.5},
            paper="Zhang, Dauphin & Ma 2019, Fixup Initialization, arXiv:1901.09321, section 3, rules 1 and 2 "
            "(rule 3, scalar biases and a multiplier per branch, changes the network and is left out)",
            cost="one run on a made-up batch",
            hurts_when="the branches have norms, which undo the scales",
        ),
        Entry(
            "t_fixup",
            _late("t_fixup"),
            "Xavier's weights, smaller in attention values, outputs and feed-forward layers. For transformers without norms.",
            paper="Huang et al. 2020, Improving Transformer Optimization Through Better Initialization, ICML, section 3.2",
            cost="one run on a made-up batch",
            hurts_when="the blocks keep their norms",
            aliases=("tfixup",),
        ),
        Entry(
            "lsuv",
            _late("lsuv"),
            "Orthonormal weights, divided layer by layer so that each output has variance gain^2 on a made-up batch.",
            {"gain": 1.0},
            paper="Mishkin & Matas 2016, All you need is a good init, arXiv:1511.06422, algorithm 1",
            cost="one run; whet.init.lsuv_ takes a batch of real data",
            hurts_when="the activation has a large mean: examples grow alike although lengths are kept",
        ),
    ],
)

LOOKING = ("auto", "zero_residual", "fixup", "lsuv", "t_fixup")
"""Entries that do better on a batch of real data: their functions with a trailing underscore take it."""

__all__ = ["INITS", "LOOKING", "Done", "Initialise", "Report", "auto_", "fixup_", "lsuv_", "t_fixup_", "zero_residual_"]
