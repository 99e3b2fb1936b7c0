"""Activation functions: name -> make(**params) -> nn.Module, elementwise, any shape.

Each entry's summary holds the formula; z is the input.
"""

from __future__ import annotations

from torch import nn

from whet.entry import Catalogue, Entry

ACTIVATIONS: Catalogue[nn.Module] = Catalogue(
    "activation",
    [
        Entry(
            "relu",
            nn.ReLU,
            "max(0, z).",
            paper="Nair & Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
            cost="one comparison; the cheapest of all",
            hurts_when="the learning rate is high: units that are negative everywhere stop learning",
        ),
        Entry(
            "leaky_relu",
            lambda slope: nn.LeakyReLU(slope),
            "z where it is positive, slope z elsewhere.",
            {"slope": 0.01},
            paper="Maas, Hannun & Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
            cost="as relu",
            hurts_when="the slope comes near 1: the network becomes linear",
        ),
        Entry(
            "elu",
            lambda alpha: nn.ELU(alpha),
            "z where it is positive, alpha (exp(z) - 1) elsewhere.",
            {"alpha": 1.0},
            paper="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
            cost="one exponential",
            hurts_when="normalisation follows anyway: its mean near zero buys nothing then",
        ),
        Entry(
            "selu",
            nn.SELU,
            "1.0507 elu(z, alpha=1.6733): keeps mean 0 and variance 1 from layer to layer.",
            paper="Klambauer et al. 2017, Self-Normalizing Neural Networks, arXiv:1706.02515, eq. 2",
            cost="one exponential",
            hurts_when="the start is not lecun, inputs aren't standardised, or dropout breaks its fixed point",
        ),
        Entry(
            "gelu",
            lambda approximate: nn.GELU("tanh" if approximate else "none"),
            "z P(N(0, 1) <= z).",
            {"approximate": False},
            paper="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415",
            cost="one error function (or tanh); some 2-4 times relu in small networks on a CPU (assumed)",
            hurts_when="the network is so small that the activation is a good part of its time",
        ),
        Entry(
            "silu",
            nn.SiLU,
            "z sigmoid(z).",
            paper="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran et al. 2017 (swish), arXiv:1710.05941",
            cost="one sigmoid",
            hurts_when="as gelu",
            aliases=("swish",),
        ),
        Entry(
            "mish",
            nn.Mish,
            "z tanh(softplus(z)).",
            paper="Misra 2020, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681",
            cost="an exponential, a logarithm and a tanh; the dearest here",
            hurts_when="time is short",
        ),
        Entry(
            "tanh",
            nn.Tanh,
            "tanh(z), in (-1, 1).",
            paper="LeCun et al. 1998, Efficient BackProp, section 4.4",
            cost="one tanh",
            hurts_when="the network is deep without normalisation: it saturates and gradients vanish",
        ),
        Entry(
            "sigmoid",
            nn.Sigmoid,
            "1 / (1 + exp(-z)), in (0, 1).",
            paper="Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
            cost="one exponential",
            hurts_when="there is more than one hidden layer: its slope is at most 1/4 and its mean is not zero",
        ),
        Entry(
            "softplus",
            lambda beta: nn.Softplus(beta),
            "log(1 + exp(beta z)) / beta, a smooth relu.",
            {"beta": 1.0},
            paper="Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better Option Pricing",
            cost="an exponential and a logarithm",
            hurts_when="layers are stacked deep: every unit's mean is positive and adds up",
        ),
        Entry(
            "hardswish",
            nn.Hardswish,
            "z clip(z + 3, 0, 6) / 6, a silu of straight lines.",
            paper="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, section 5.2",
            cost="little more than relu",
            hurts_when="second derivatives matter: it has kinks at -3 and 3",
        ),
        Entry(
            "identity",
            nn.Identity,
            "z: no activation, the control of every comparison.",
            cost="none",
            hurts_when="the network should be more than a linear map",
            aliases=("linear",),
        ),
    ],
)

__all__ = ["ACTIVATIONS"]
