"""Piecewise activations: straight lines, and curves with a straight or an empty half."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.activations.entry import Activation, of_formula
from whet.activations.native import or_native
from whet.errors import RecipeError

ELU = "max(x, 0) + alpha * expm1(min(x, 0))"
CELU = "max(x, 0) + alpha * expm1(min(x, 0) / alpha)"
SELU = "1.0507009873554805 * (max(x, 0) + 1.6732632423543772 * expm1(min(x, 0)))"
LEAKY = "max(x, 0) + slope * min(x, 0)"
THRESHOLD = "where(x > threshold, x, value)"
SQUARED = "max(x, 0)^2"
STAR = "scale * max(x, 0)^2 + bias"
SMELU = "where(x >= beta, x, where(x <= -beta, 0, (x + beta)^2 / (4 * beta)))"
TAILORED = "(2 / (1 + slope^2))^0.5 * (max(x, 0) + slope * min(x, 0))"
ISRLU = "max(x, 0) + min(x, 0) / sqrt(1 + alpha * min(x, 0)^2)"
SERLU = "1.0786182835772267 * where(x >= 0, x, 2.9042712333296925 * x * exp(min(x, 0)))"
"""The two numbers keep N(0, 1) at mean 0 and variance 1; the paper gives six digits of them."""
ELISH = "where(x >= 0, x, expm1(min(x, 0))) * sigmoid(x)"
HARD_ELISH = "where(x >= 0, x, expm1(min(x, 0))) * clip((x + 1) / 2, 0, 1)"
FLATTEN_T = "max(x, 0) * sigmoid(x) + t"
PLU = "max(alpha * (x + c) - c, min(alpha * (x - c) + c, x))"


class RandomLeaky(nn.Module):
    """max(x, 0) + a min(x, 0), a from U(lower, upper) for every number in training, their mean in evaluation.

    As nn.RReLU, but keeps the drawn slopes alone for the backward pass.
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        super().__init__()
        if lower > upper:
            raise RecipeError(f"rrelu.lower={lower} is above upper={upper}.", "Exchange them.")
        self.lower, self.upper = lower, upper

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.leaky_relu(x, (self.lower + self.upper) / 2)
        drawn = torch.rand_like(x) * (self.upper - self.lower) + self.lower
        return x * drawn.masked_fill(x >= 0, 1)

    def extra_repr(self) -> str:
        return f"lower={self.lower:g}, upper={self.upper:g}"


ENTRIES = [
    Activation(
        "relu",
        nn.ReLU,
        "x where it is positive, 0 elsewhere.",
        formula="max(x, 0)",
        year=2010,
        paper="Nair & Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
        cost="one comparison",
        hurts_when="the learning rate is high: units that are negative everywhere stop learning",
    ),
    Activation(
        "leaky_relu",
        lambda slope: nn.LeakyReLU(slope),
        "x where it is positive, slope x elsewhere.",
        {"slope": 0.01},
        formula=LEAKY,
        ranges={"slope": (-1.0, 1.0)},
        year=2013,
        paper="Maas, Hannun & Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        cost="one comparison",
        hurts_when="the slope comes near 1: the network becomes linear",
    ),
    Activation(
        "rrelu",
        RandomLeaky,
        "Leaky relu whose slope is drawn anew for every number in training; their mean in evaluation.",
        {"lower": 1 / 8, "upper": 1 / 3},
        formula="max(x, 0) + (lower + upper) / 2 * min(x, 0)",
        ranges={"lower": (0.0, 1.0), "upper": (0.0, 1.0)},
        year=2015,
        paper="Xu et al. 2015, Empirical Evaluation of Rectified Activations, arXiv:1505.00853, section 2.4",
        cost="a random number",
        hurts_when="the network under-fits already: it is noise, a regulariser",
    ),
    Activation(
        "tailored_leaky_relu",
        of_formula(TAILORED),
        "Leaky relu scaled to keep the length of the signal; theory sets the slope from the depth (0.43: 50 layers).",
        {"slope": 0.43},
        formula=TAILORED,
        ranges={"slope": (0.0, 1.0)},
        year=2022,
        paper="Zhang, Botev & Martens 2022, Deep Learning without Shortcuts, arXiv:2203.08120",
        cost="one comparison",
        hurts_when="the slope isn't chosen for the depth, or there are skips or norms: they do its work already",
        aliases=("tat_leaky_relu",),
    ),
    Activation(
        "relu6",
        nn.ReLU6,
        "Relu that stops at 6.",
        formula="clip(x, 0, 6)",
        year=2010,
        paper="Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10; MobileNets, arXiv:1704.04861",
        cost="two comparisons",
        hurts_when="nothing is quantised and inputs are large: it is flat on both sides",
    ),
    Activation(
        "bounded_relu",
        of_formula("clip(x, 0, cap)"),
        "Relu that stops at a cap.",
        {"cap": 1.0},
        formula="clip(x, 0, cap)",
        ranges={"cap": (1e-3, 1e3)},
        year=2016,
        paper="Liew, Khalil-Hani & Bakhteri 2016, Bounded Activation Functions, Neurocomputing 216",
        cost="two comparisons",
        hurts_when="inputs go beyond the cap: no gradient on either side",
        aliases=("relu_n",),
    ),
    Activation(
        "threshold",
        of_formula(THRESHOLD),
        "x above a threshold, a constant below it.",
        {"threshold": 1.0, "value": 0.0},
        formula=THRESHOLD,
        ranges={"threshold": (-10.0, 10.0), "value": (-10.0, 10.0)},
        year=2015,
        paper="Konda, Memisevic & Krueger 2015, Zero-Bias Autoencoders, arXiv:1402.3337",
        cost="one comparison",
        hurts_when="anything but zero-bias autoencoders: it jumps, and most units are silent",
        aliases=("thresholded_relu", "trec"),
    ),
    Activation(
        "shifted_relu",
        of_formula("max(x, -1)"),
        "Relu moved to (-1, -1), so that its mean comes near zero.",
        formula="max(x, -1)",
        year=2016,
        paper="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289 (SReLU in its figures)",
        cost="one comparison",
        hurts_when="sparse activations are wanted: it gives no zeros",
    ),
    Activation(
        "abs",
        of_formula("abs(x)"),
        "The absolute value: only the size counts, not the sign.",
        formula="abs(x)",
        year=2009,
        paper="Jarrett et al. 2009, What Is the Best Multi-Stage Architecture for Object Recognition?",
        cost="one operation",
        hurts_when="the sign carries meaning",
        aliases=("absolute",),
    ),
    Activation(
        "squared_relu",
        of_formula(SQUARED),
        "The square of relu.",
        formula=SQUARED,
        year=2021,
        paper="So et al. 2021, Primer, arXiv:2109.08668",
        cost="a comparison and a product",
        hurts_when="no normalisation holds the inputs: it grows with their square",
        aliases=("relu_squared", "relu2"),
    ),
    Activation(
        "star_relu",
        of_formula(STAR),
        "Squared relu with mean 0 and variance 1 for inputs from N(0, 1).",
        {"scale": 0.8944271909999159, "bias": -0.4472135954999579},
        formula=STAR,
        ranges={"scale": (-10.0, 10.0), "bias": (-10.0, 10.0)},
        year=2022,
        paper="Yu et al. 2022, MetaFormer Baselines for Vision, arXiv:2210.13452 (learns both numbers)",
        cost="a comparison and two products",
        hurts_when="no normalisation holds the inputs: it grows with their square",
    ),
    Activation(
        "smelu",
        of_formula(SMELU),
        "Relu whose kink is a parabola from -beta to beta.",
        {"beta": 1.0},
        formula=SMELU,
        ranges={"beta": (1e-3, 100.0)},
        year=2022,
        paper="Shamir & Lin 2022, Real World Large Scale Recommendation Systems Reproducibility, arXiv:2202.06499",
        cost="two comparisons and a square",
        hurts_when="a relu trains well and runs need not be reproducible: it only costs more",
    ),
    Activation(
        "elu",
        or_native(ELU, F.elu),
        "x where it is positive, alpha (exp(x) - 1) elsewhere.",
        {"alpha": 1.0},
        formula=ELU,
        ranges={"alpha": (1e-3, 10.0)},
        year=2016,
        paper="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
        cost="one exponential",
        hurts_when="normalisation follows anyway: its mean near zero buys nothing then",
    ),
    Activation(
        "celu",
        or_native(CELU, F.celu),
        "Elu that is smooth at 0 for every alpha.",
        {"alpha": 1.0},
        formula=CELU,
        ranges={"alpha": (1e-2, 10.0)},
        year=2017,
        paper="Barron 2017, Continuously Differentiable Exponential Linear Units, arXiv:1704.07483",
        cost="one exponential",
        hurts_when="normalisation follows anyway: its mean near zero buys nothing then",
    ),
    Activation(
        "selu",
        or_native(SELU, F.selu),
        "Scaled elu that keeps mean 0 and variance 1 from layer to layer.",
        formula=SELU,
        year=2017,
        paper="Klambauer et al. 2017, Self-Normalizing Neural Networks, arXiv:1706.02515, eq. 2",
        cost="one exponential",
        hurts_when="the start is not lecun, inputs aren't standardised, or dropout breaks its fixed point",
    ),
    Activation(
        "serlu",
        of_formula(SERLU),
        "Selu with a bump instead of a floor: it returns to zero for large negative x.",
        formula=SERLU,
        year=2018,
        paper="Zhang & Li 2018, Effectiveness of Scaled Exponentially-Regularized Linear Units, arXiv:1807.10117",
        cost="one exponential",
        hurts_when="the start is not lecun or inputs aren't standardised; and its bump takes gradients to zero",
    ),
    Activation(
        "isrlu",
        of_formula(ISRLU),
        "An elu without exponential: x / sqrt(1 + alpha x^2) on the negative side.",
        {"alpha": 1.0},
        formula=ISRLU,
        ranges={"alpha": (1e-3, 100.0)},
        year=2017,
        paper="Carlile et al. 2017, Inverse Square Root Linear Units, arXiv:1710.09967",
        cost="a square root and a division",
        hurts_when="normalisation follows anyway: its mean near zero buys nothing then",
    ),
    Activation(
        "elish",
        of_formula(ELISH),
        "Silu where x is positive, elu times sigmoid elsewhere.",
        formula=ELISH,
        year=2018,
        paper="Basirat & Roth 2018, The Quest for the Golden Activation Function, arXiv:1808.00783",
        cost="two exponentials",
        hurts_when="time is short: silu costs half and looks much the same",
    ),
    Activation(
        "hard_elish",
        of_formula(HARD_ELISH),
        "Elish with a sigmoid of straight lines.",
        formula=HARD_ELISH,
        year=2018,
        paper="Basirat & Roth 2018, arXiv:1808.00783",
        cost="one exponential",
        hurts_when="inputs are below -1: nothing passes there",
    ),
    Activation(
        "flatten_t_swish",
        of_formula(FLATTEN_T),
        "x sigmoid(x) where x is positive, 0 elsewhere; all moved by t.",
        {"t": -0.2},
        formula=FLATTEN_T,
        ranges={"t": (-2.0, 2.0)},
        year=2018,
        paper="Chieng et al. 2018, Flatten-T Swish, arXiv:1812.06247",
        cost="one exponential",
        hurts_when="units die: nothing passes below zero, as in relu",
        aliases=("fts",),
    ),
    Activation(
        "hardswish",
        nn.Hardswish,
        "x clip(x + 3, 0, 6) / 6, a silu of straight lines and a parabola.",
        formula="x * clip(x + 3, 0, 6) / 6",
        year=2019,
        paper="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, section 5.2",
        cost="little more than relu",
        hurts_when="second derivatives matter: it has kinks at -3 and 3",
        aliases=("hard_swish",),
    ),
    Activation(
        "nlrelu",
        of_formula("log1p(beta * max(x, 0))"),
        "The logarithm of 1 + beta relu(x): large inputs are compressed.",
        {"beta": 1.0},
        formula="log1p(beta * max(x, 0))",
        ranges={"beta": (1e-3, 100.0)},
        year=2019,
        paper="Liu et al. 2019, Natural-Logarithm-Rectified Activation Function, arXiv:1908.03682",
        cost="one logarithm",
        hurts_when="inputs are large: its slope falls as 1 / x",
    ),
    Activation(
        "plu",
        of_formula(PLU),
        "x near zero, and slope alpha beyond c: a tanh of straight lines that never goes flat.",
        {"alpha": 0.1, "c": 1.0},
        formula=PLU,
        ranges={"alpha": (0.0, 1.0), "c": (1e-3, 100.0)},
        year=2018,
        paper="Nicolae 2018, PLU: The Piecewise Linear Unit Activation Function, arXiv:1809.09534",
        cost="two comparisons",
        hurts_when="inputs are small: it is linear there",
    ),
    Activation(
        "hard_shrink",
        lambda threshold: nn.Hardshrink(threshold),
        "x where |x| exceeds a threshold, 0 elsewhere.",
        {"threshold": 0.5},
        formula="where(abs(x) > threshold, x, 0)",
        ranges={"threshold": (0.0, 100.0)},
        year=1994,
        paper="Donoho & Johnstone 1994, Ideal Spatial Adaptation by Wavelet Shrinkage",
        cost="one comparison",
        hurts_when="small inputs matter: it is zero there, and jumps",
        aliases=("hardshrink",),
    ),
    Activation(
        "soft_shrink",
        lambda threshold: nn.Softshrink(threshold),
        "x moved towards zero by a threshold, 0 where it would cross.",
        {"threshold": 0.5},
        formula="x - clip(x, -threshold, threshold)",
        ranges={"threshold": (0.0, 100.0)},
        year=1995,
        paper="Donoho 1995, De-Noising by Soft-Thresholding; the proximal step of L1",
        cost="one comparison",
        hurts_when="small inputs matter: it is zero there",
        aliases=("softshrink",),
    ),
    Activation(
        "tanh_shrink",
        of_formula("x - tanh(x)"),
        "x - tanh(x): nothing near zero, x moved by 1 far away.",
        formula="x - tanh(x)",
        cost="one tanh",
        hurts_when="inputs are small: it starts as x^3 / 3, and its gradient vanishes at zero",
        aliases=("tanhshrink",),
    ),
    Activation(
        "identity",
        nn.Identity,
        "x: no activation, the control of every comparison.",
        formula="x",
        cost="none",
        hurts_when="the network should be more than a linear map",
        aliases=("linear",),
    ),
]
