"""Activations with parameters that are learned, one set for the layer or one per channel (`channels=`).

Where a formula says the function, it is the implementation. Its parameters start at the values that are given as defaults;
those that have to stay positive go through softplus, and start at its inverse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from torch import nn

from whet.activations.entry import Activation, of_learned
from whet.activations.formula import Formula
from whet.activations.mixture import mixture
from whet.activations.norms import derf, dyt
from whet.activations.splines import PiecewiseLinear, Spline
from whet.errors import RecipeError

SLOPE = (-10.0, 10.0)
POSITIVE = (1e-2, 100.0)
PRELU = "max(x, 0) + slope * min(x, 0)"
MPELU = "max(x, 0) + alpha * expm1(beta * min(x, 0))"
PELU = "a / b * max(x, 0) + a * expm1(min(x, 0) / b)"
XIELU = "where(x > 0, alpha_p * x^2 + beta * x, alpha_n * (expm1(min(x, 0)) - x) + beta * x)"
SRELU = "x + (right - 1) * max(x - high, 0) + (left - 1) * min(x - low, 0)"
AGLU = "x * exp(-softplus(log_lambda - kappa * x) * exp(-log_lambda))"
ACON_C = "(p1 - p2) * x * sigmoid(beta * (p1 - p2) * x) + p2 * x"
SMU = "((1 + slope) * x + (1 - slope) * x * erf(mu * (1 - slope) * x)) / 2"
POLY_RELU = "a0 + max(x, 0) * (a1 + max(x, 0) * (a2 + max(x, 0) * a3))"
AMPLIFY = "(1 + sigmoid(beta)) * max(x, 0) + clip(alpha, 0.01, 0.99) * min(x, 0)"
RATIONAL = (
    "(a0 + x * (a1 + x * (a2 + x * (a3 + x * (a4 + x * a5))))) / (1 + abs(x * (b1 + x * (b2 + x * (b3 + x * b4)))))"
)
FITTED = {
    "a0": 0.03358, "a1": 0.50501, "a2": 1.65206, "a3": 2.0065, "a4": 0.9294, "a5": 0.15187,
    "b1": 0.0, "b2": 3.97314, "b3": 0.0, "b4": 0.30072,
}  # fmt: skip
"""The coefficients that come nearest to leaky relu (slope 0.01) on [-3, 3] in the mean of squares; a test fits them anew."""


def positive(formula: str, *names: str) -> Callable[..., nn.Module]:
    """As `of_learned`, with these parameters kept positive: what is learned is the inverse softplus of each."""
    text = formula
    for name in names:
        text = re.sub(rf"\b{name}\b", f"softplus({name})", text)

    def make(channels: int | None = None, dim: int = 1, **params: float) -> nn.Module:
        learn = {k: math.log(math.expm1(v)) if k in names else v for k, v in params.items()}
        return Formula(text, learn=learn, channels=channels, dim=dim)

    return make


def xielu(alpha_p: float, alpha_n: float, beta: float, channels: int | None = None, dim: int = 1) -> nn.Module:
    """xIELU: softplus keeps alpha_p above 0 and alpha_n above beta; beta itself stays. Huang & Schlag 2024, section 3."""
    if alpha_n <= beta:
        raise RecipeError(f"xielu.alpha_n={alpha_n} is not above beta={beta}.", "The paper starts at 0.8 and 0.5.")
    text = XIELU.replace("alpha_p", "softplus(p)").replace("alpha_n", "(beta + softplus(n))")
    learn = {"p": math.log(math.expm1(alpha_p)), "n": math.log(math.expm1(alpha_n - beta))}
    return Formula(text, learn=learn, fix={"beta": beta}, channels=channels, dim=dim)


def smu(slope: float, mu: float, channels: int | None = None, dim: int = 1) -> nn.Module:
    """SMU with a fixed slope and a learned mu, as in the paper."""
    return Formula(SMU, learn={"mu": mu}, fix={"slope": slope}, channels=channels, dim=dim)


def apl_formula(hinges: int) -> tuple[str, dict[str, float]]:
    """Relu with hinges at equal distances in [-1, 1] and slopes of zero: the paper does not say how they start."""
    start: dict[str, float] = {}
    for s in range(int(hinges)):
        start |= {f"a{s}": 0.0, f"b{s}": 2 * (s + 0.5) / int(hinges) - 1}
    return " + ".join(["max(x, 0)", *(f"a{s} * max(b{s} - x, 0)" for s in range(int(hinges)))]), start


def apl(hinges: int, channels: int | None = None, dim: int = 1) -> nn.Module:
    """An adaptive piecewise linear unit with this many hinges."""
    text, start = apl_formula(hinges)
    return Formula(text, learn=start, channels=channels, dim=dim)


def rational(channels: int | None = None, dim: int = 1) -> nn.Module:
    """A quotient of polynomials of degrees 5 and 4 with a denominator of at least 1, from leaky relu."""
    return Formula(RATIONAL, learn=FITTED, channels=channels, dim=dim)


def extended(gate: str) -> str:
    """x times a gate in (0, 1), which is stretched to (-a, 1 + a)."""
    return f"(1 + 2 * a) * (x * {gate}) - a * x"


ENTRIES = [
    Activation(
        "prelu",
        of_learned(PRELU),
        "Leaky relu that learns its slope.",
        {"slope": 0.25},
        formula=PRELU,
        kind="learned",
        ranges={"slope": SLOPE},
        year=2015,
        wants_channels=True,
        paper="He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852",
        cost="one comparison",
        hurts_when="weight decay reaches the slope (here it doesn't): it would be drawn to relu",
        aliases=("parametric_relu",),
    ),
    Activation(
        "srelu",
        of_learned(SRELU),
        "Three straight pieces: x between two learned points, learned slopes beyond them.",
        {"low": 0.0, "left": 0.2, "high": 1.0, "right": 1.0},
        formula=SRELU,
        kind="learned",
        ranges={"low": SLOPE, "left": SLOPE, "high": SLOPE, "right": SLOPE},
        year=2016,
        wants_channels=True,
        paper="Jin et al. 2016, Deep Learning with S-Shaped Rectified Linear Activation Units, arXiv:1512.07030",
        cost="two comparisons",
        hurts_when="rates are high: its four numbers move faster than the weights around them",
        aliases=("s_shaped_relu",),
    ),
    Activation(
        "apl",
        apl,
        "Relu plus `hinges` learned hinges, each a slope and a place.",
        {"hinges": 2},
        formula=apl_formula(2)[0],
        spell=apl_formula,
        kind="learned",
        ranges={"hinges": (1, 32)},
        year=2015,
        wants_channels=True,
        paper="Agostinelli et al. 2015, Learning Activation Functions to Improve Deep Neural Networks, arXiv:1412.6830",
        cost="a comparison per hinge",
        hurts_when="inputs lie far from the hinges: only the outer slopes learn",
    ),
    Activation(
        "pwlu",
        PiecewiseLinear,
        "Straight lines through learned heights: any curve between -reach and reach.",
        {"cells": 16, "reach": 3.0},
        kind="learned",
        ranges={"cells": (2, 1024), "reach": (1e-2, 1e3)},
        year=2021,
        wants_channels=True,
        paper="Zhou et al. 2021, Learning Specialized Activation Functions with the Piecewise Linear Unit, arXiv:2104.03693",
        cost="two look-ups",
        hurts_when="inputs aren't standardised: the heights are then in the wrong place",
        aliases=("piecewise_linear",),
    ),
    Activation(
        "spline",
        Spline,
        "A silu plus a cubic spline with learned coefficients, as on the edges of a KAN.",
        {"cells": 8, "reach": 3.0},
        kind="learned",
        ranges={"cells": (1, 1024), "reach": (1e-2, 1e3)},
        year=2024,
        wants_channels=True,
        paper="Liu et al. 2024, KAN: Kolmogorov-Arnold Networks, arXiv:2404.19756, section 2.2",
        cost="four look-ups and an exponential",
        hurts_when="time is short, or inputs aren't standardised",
        aliases=("b_spline", "kan"),
    ),
    Activation(
        "rational",
        rational,
        "A quotient of polynomials with learned coefficients, degrees 5 and 4; starts as leaky relu.",
        formula=RATIONAL,
        spell=lambda: (RATIONAL, FITTED),
        kind="learned",
        year=2020,
        wants_channels=True,
        paper="Molina, Schramowski & Kersting 2020, Padé Activation Units, arXiv:1907.06732 (safe form)",
        cost="two polynomials and a division",
        hurts_when="rates are high, or inputs large: it grows as x, but its coefficients act as x^5",
        aliases=("pau", "pade"),
    ),
    Activation(
        "poly_relu",
        of_learned(POLY_RELU),
        "A learned polynomial of relu, of degree 3.",
        {"a0": 0.0, "a1": 1 / 3, "a2": 1 / 3, "a3": 1 / 3},
        formula=POLY_RELU,
        kind="learned",
        ranges={"a0": SLOPE, "a1": SLOPE, "a2": SLOPE, "a3": SLOPE},
        year=2024,
        wants_channels=True,
        paper="Zhuo et al. 2024, Polynomial Composition Activations, arXiv:2411.03884",
        cost="a comparison and three products",
        hurts_when="no normalisation holds the inputs: it grows with their cube",
    ),
    Activation(
        "pelu",
        positive(PELU, "a", "b"),
        "Elu with a learned slope a / b and floor -a.",
        {"a": 1.0, "b": 1.0},
        formula=PELU,
        kind="learned",
        ranges={"a": POSITIVE, "b": POSITIVE},
        year=2016,
        wants_channels=True,
        paper="Trottier, Giguère & Chaib-draa 2016, Parametric Exponential Linear Unit, arXiv:1605.09332",
        cost="one exponential",
        hurts_when="batch norm stands in front: the paper found it to hurt there",
    ),
    Activation(
        "mpelu",
        of_learned(MPELU),
        "Elu with a learned floor -alpha and rate beta.",
        {"alpha": 1.0, "beta": 1.0},
        formula=MPELU,
        kind="learned",
        ranges={"alpha": SLOPE, "beta": POSITIVE},
        year=2018,
        wants_channels=True,
        paper="Li et al. 2018, Multiple Parametric Exponential Linear Units, arXiv:1606.00305",
        cost="one exponential",
        hurts_when="a learned beta turns negative: the left side then grows exponentially",
    ),
    Activation(
        "xielu",
        xielu,
        "The integral of an elu: a parabola on the right, a bent line on the left, both learned.",
        {"alpha_p": 0.8, "alpha_n": 0.8, "beta": 0.5},
        formula=XIELU,
        kind="learned",
        ranges={"alpha_p": POSITIVE, "alpha_n": POSITIVE, "beta": (0.0, 10.0)},
        year=2024,
        wants_channels=True,
        paper="Huang & Schlag 2024, Deriving Activation Functions Using Integration, arXiv:2411.13010",
        cost="one exponential",
        hurts_when="no normalisation holds the inputs: it grows with their square",
    ),
    Activation(
        "swish_beta",
        of_learned("x * sigmoid(beta * x)"),
        "x sigmoid(beta x), with beta learned: between x / 2 and relu.",
        {"beta": 1.0},
        formula="x * sigmoid(beta * x)",
        kind="learned",
        ranges={"beta": SLOPE},
        year=2017,
        wants_channels=True,
        paper="Ramachandran, Zoph & Le 2017, Searching for Activation Functions, arXiv:1710.05941, section 4",
        cost="one exponential",
        hurts_when="the network is small: silu alone does as well",
        aliases=("learned_swish",),
    ),
    Activation(
        "acon_c",
        of_learned(ACON_C),
        "A smooth maximum of p1 x and p2 x, with all three parameters learned.",
        {"p1": 1.0, "p2": 0.0, "beta": 1.0},
        formula=ACON_C,
        kind="learned",
        ranges={"p1": SLOPE, "p2": SLOPE, "beta": SLOPE},
        year=2021,
        wants_channels=True,
        paper="Ma et al. 2021, Activate or Not: Learning Customized Activation, arXiv:2009.04759, section 3.2",
        cost="one exponential",
        hurts_when="beta is drawn to zero: the unit becomes linear",
        aliases=("acon",),
    ),
    Activation(
        "aglu",
        of_learned(AGLU),
        "x (lambda exp(-kappa x) + 1)^(-1 / lambda), with both learned; silu at the start.",
        {"log_lambda": 0.0, "kappa": 1.0},
        formula=AGLU,
        kind="learned",
        ranges={"log_lambda": (-4.0, 4.0), "kappa": POSITIVE},
        year=2024,
        wants_channels=True,
        paper="Alexandridis et al. 2024, Adaptive Parametric Activation, arXiv:2407.08567",
        cost="two exponentials and a logarithm",
        hurts_when="time is short, and classes are balanced",
    ),
    Activation(
        "smu",
        smu,
        "A leaky relu with a rounded kink, whose sharpness mu is learned.",
        {"slope": 0.25, "mu": 1.0},
        formula=SMU,
        kind="learned",
        ranges={"slope": (-1.0, 1.0), "mu": (1e-2, 1e6)},
        year=2022,
        wants_channels=True,
        paper="Biswas et al. 2022, SMU: Smooth Activation Function Using Smoothing Maximum Technique, arXiv:2111.04682",
        cost="one error function",
        hurts_when="mu grows: its gradient is then zero nearly everywhere",
    ),
    Activation(
        "xsilu",
        of_learned(extended("sigmoid(x)")),
        "Silu whose gate is stretched to (-a, 1 + a), with a learned.",
        {"a": 0.0},
        formula=extended("sigmoid(x)"),
        kind="learned",
        ranges={"a": SLOPE},
        year=2024,
        wants_channels=True,
        paper="Huang 2024, Expanded Gating Ranges Improve Activation Functions, arXiv:2405.20768",
        cost="one exponential",
        hurts_when="it has been studied in language models only",
    ),
    Activation(
        "xgelu",
        of_learned(extended("Phi(x)")),
        "Gelu whose gate is stretched to (-a, 1 + a), with a learned.",
        {"a": 0.0},
        formula=extended("Phi(x)"),
        kind="learned",
        ranges={"a": SLOPE},
        year=2024,
        wants_channels=True,
        paper="Huang 2024, Expanded Gating Ranges Improve Activation Functions, arXiv:2405.20768",
        cost="one error function",
        hurts_when="it has been studied in language models only",
    ),
    Activation(
        "xatlu",
        of_learned(extended("(atan(x) / pi + 0.5)")),
        "Atlu whose gate is stretched to (-a, 1 + a), with a learned.",
        {"a": 0.0},
        formula=extended("(atan(x) / pi + 0.5)"),
        kind="learned",
        ranges={"a": SLOPE},
        year=2024,
        wants_channels=True,
        paper="Huang 2024, Expanded Gating Ranges Improve Activation Functions, arXiv:2405.20768",
        cost="one arctangent",
        hurts_when="it has been studied in language models only",
    ),
    Activation(
        "arelu",
        of_learned(AMPLIFY),
        "Relu that learns to amplify what is positive and how much to pass of what is not.",
        {"alpha": 0.9, "beta": 2.0},
        formula=AMPLIFY,
        kind="learned",
        ranges={"alpha": SLOPE, "beta": SLOPE},
        year=2020,
        wants_channels=True,
        paper="Chen et al. 2020, AReLU: Attention-Based Rectified Linear Unit, arXiv:2006.13858",
        cost="one comparison",
        hurts_when="layers are many and nothing holds the signal: it starts at slope 1.88",
    ),
    Activation(
        "snake",
        of_learned("x + sin(a * x)^2 / a"),
        "x + sin(a x)^2 / a, with the frequency a learned: monotone, and periodic on top.",
        {"a": 1.0},
        domains=("audio", "series", "coordinates"),
        formula="x + sin(a * x)^2 / a",
        kind="learned",
        ranges={"a": POSITIVE},
        year=2020,
        wants_channels=True,
        paper="Ziyin, Hartwig & Ueda 2020, Neural Networks Fail to Learn Periodic Functions, arXiv:2006.08195",
        cost="one sine",
        hurts_when="nothing in the data repeats itself",
        aliases=("snake_alpha",),
    ),
    Activation(
        "snake_beta",
        of_learned("x + sin(a * x)^2 / b"),
        "Snake with frequency and height learned apart.",
        {"a": 1.0, "b": 1.0},
        domains=("audio", "series", "coordinates"),
        formula="x + sin(a * x)^2 / b",
        kind="learned",
        ranges={"a": POSITIVE, "b": POSITIVE},
        year=2023,
        wants_channels=True,
        paper="Lee et al. 2023, BigVGAN, arXiv:2206.04658 (the published code's variant)",
        cost="one sine",
        hurts_when="nothing in the data repeats itself, or b comes near zero",
    ),
    Activation(
        "sinlu",
        of_learned("(x + a * sin(b * x)) * sigmoid(x)"),
        "Silu with a learned wave: (x + a sin(b x)) sigmoid(x).",
        {"a": 1.0, "b": 1.0},
        formula="(x + a * sin(b * x)) * sigmoid(x)",
        kind="learned",
        ranges={"a": SLOPE, "b": SLOPE},
        year=2022,
        wants_channels=True,
        paper="Paul et al. 2022, SinLU: Sinu-Sigmoidal Linear Unit, Mathematics 10(3):337",
        cost="an exponential and a sine",
        hurts_when="time is short",
    ),
    Activation(
        "mixture",
        mixture,
        "A mean of other entries with learned weights; equal shares at the start.",
        {"of": ("identity", "relu", "tanh")},
        kind="learned",
        year=2018,
        wants_channels=True,
        paper="Manessi & Rozza 2018, Learning Combinations of Activation Functions, arXiv:1801.09403",
        cost="that of its members together",
        hurts_when="one of its members alone does as well: it costs their sum",
    ),
    Activation(
        "dyt",
        dyt,
        "gamma tanh(alpha x) + beta, in the place of a normalisation.",
        {"alpha": 0.5},
        formula="tanh(alpha * x)",
        kind="learned",
        ranges={"alpha": POSITIVE},
        year=2025,
        wants_channels=True,
        paper="Zhu et al. 2025, Transformers without Normalization, arXiv:2503.10622",
        cost="one tanh",
        hurts_when="it replaces a batch norm in a convolutional network: the paper loses accuracy there",
        aliases=("dynamic_tanh",),
    ),
    Activation(
        "derf",
        derf,
        "gamma erf(alpha x + shift) + beta, in the place of a normalisation.",
        {"alpha": 0.5},
        formula="erf(alpha * x)",
        kind="learned",
        ranges={"alpha": POSITIVE},
        year=2025,
        wants_channels=True,
        paper="Chen et al. 2025, Stronger Normalization-Free Transformers, arXiv:2512.10938",
        cost="one error function",
        hurts_when="it replaces a batch norm in a convolutional network, for which it has not been made",
        aliases=("dynamic_erf",),
    ),
]
