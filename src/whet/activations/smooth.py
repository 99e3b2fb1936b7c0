"""Smooth activations that go to infinity: gates of x by itself, and soft versions of relu."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from whet.activations.entry import Activation, of_formula
from whet.activations.kernel.function import LEAST
from whet.activations.native import or_native

MISH = "x * tanh(softplus(x))"
TANH_EXP = "x * tanh(exp(x))"
SERF = "x * erf(softplus(x))"
GOLU = "x * exp(-exp(-x))"
SOFTPLUS = "softplus(beta * x) / beta"
SQUAREPLUS = "(x + sqrt(x^2 + b)) / 2"
QUICK_GELU = "x * sigmoid(1.702 * x)"
LOGISH = "x * log1p(sigmoid(x))"
SMISH = "x * tanh(log1p(sigmoid(x)))"
PHISH = "x * tanh(x * Phi(x))"
TANH_SOFT = "tanh(alpha * x) * softplus(x)"
APTX = "(alpha + tanh(beta * x)) * gamma * x"
PFLU = "x * (1 + x / sqrt(1 + x^2)) / 2"
FPFLU = "max(x, x / (1 + x^2))"
ARIA2 = "x * exp(-alpha * softplus(-beta * x))"
SGELU = "alpha * x * erf(x / 1.4142135623730951)"
E_SWISH = "beta * x * sigmoid(x)"
B_SILU = "(x + alpha) * sigmoid(x) - alpha / 2"
ATLU = "x * (atan(x) / pi + 0.5)"
BENT = "(sqrt(x^2 + 1) - 1) / 2 + x"
SYMLOG = "sign(x) * log1p(abs(x))"
GELU = "x * Phi(x)"
GELU_TANH = "x / 2 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x^3)))"


def gelu(approximate: bool) -> nn.Module:
    """Gelu, or its approximation by a tanh."""
    kind = "tanh" if approximate else "none"
    return or_native(GELU_TANH if approximate else GELU, F.gelu, least=LEAST, approximate=kind)()


TANH_GELU = Activation(
    "gelu_tanh",
    lambda: gelu(True),
    "Gelu approximated by a tanh: gelu with approximate = True, by the name that surgery calls it.",
    formula=GELU_TANH,
    year=2016,
    paper="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415, section 2",
)

ENTRIES = [
    Activation(
        "gelu",
        gelu,
        "x times the share of N(0, 1) that lies below x; `approximate` uses a tanh.",
        {"approximate": False},
        formula=GELU,
        spellings={"approximate": {"none": False, "tanh": True}},
        spell=lambda approximate: (GELU_TANH if approximate else GELU, {}),
        year=2016,
        paper="Hendrycks & Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415, section 2",
        cost="one error function",
        hurts_when="the network is so small that the activation is a good part of its time",
    ),
    Activation(
        "quick_gelu",
        of_formula(QUICK_GELU),
        "Gelu with a sigmoid in place of the error function; at most 0.02 away.",
        formula=QUICK_GELU,
        year=2016,
        paper="Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2; used by CLIP, arXiv:2103.00020",
        cost="one exponential",
        hurts_when="weights were trained with the exact gelu",
    ),
    Activation(
        "silu",
        nn.SiLU,
        "x sigmoid(x).",
        formula="x * sigmoid(x)",
        year=2016,
        paper="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran et al. 2017 (swish), arXiv:1710.05941",
        cost="one exponential",
        hurts_when="the network is so small that the activation is a good part of its time",
        aliases=("swish",),
    ),
    Activation(
        "e_swish",
        of_formula(E_SWISH),
        "Silu times beta.",
        {"beta": 1.375},
        formula=E_SWISH,
        ranges={"beta": (0.1, 10.0)},
        year=2018,
        paper="Alcaide 2018, E-swish, arXiv:1801.07145 (beta from 1 to 2)",
        cost="one exponential",
        hurts_when="normalisation follows: it undoes the factor",
    ),
    Activation(
        "b_silu",
        of_formula(B_SILU),
        "Silu moved to the left, through the origin: bounded below by -alpha / 2 or little less.",
        {"alpha": 1.67},
        formula=B_SILU,
        ranges={"alpha": (0.0, 10.0)},
        year=2025,
        paper="Horuz et al. 2025, The Resurrection of the ReLU, arXiv:2505.22074 (there as relu's gradient)",
        cost="one exponential",
        hurts_when="it has been studied little",
    ),
    Activation(
        "mish",
        of_formula(MISH),  # torch's own has no second derivative above 88
        "x tanh(softplus(x)).",
        formula=MISH,
        year=2019,
        paper="Misra 2020, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681",
        cost="one exponential",
        hurts_when="time is short and no fast kernel is at hand",
    ),
    Activation(
        "tanh_exp",
        of_formula(TANH_EXP),
        "x tanh(exp(x)).",
        formula=TANH_EXP,
        year=2020,
        paper="Liu & Di 2020, TanhExp, arXiv:2003.09855; the same as TeLU, Fernandez & Mali 2024, arXiv:2412.20269",
        cost="two exponentials",
        hurts_when="time is short and no fast kernel is at hand",
        aliases=("telu", "tanhexp"),
    ),
    Activation(
        "serf",
        of_formula(SERF),
        "x erf(softplus(x)).",
        formula=SERF,
        year=2021,
        paper="Nag et al. 2023, Serf: Log-Softplus ERror Activation Function, arXiv:2108.09598",
        cost="exponential, logarithm, error function",
        hurts_when="time is short: it looks much like mish",
    ),
    Activation(
        "golu",
        of_formula(GOLU),
        "x times Gompertz's curve exp(-exp(-x)).",
        formula=GOLU,
        year=2025,
        paper="Das et al. 2025, Gompertz Linear Units, arXiv:2502.03654",
        cost="two exponentials",
        hurts_when="negative inputs carry much: its left side falls off doubly exponentially",
    ),
    Activation(
        "logish",
        of_formula(LOGISH),
        "x log(1 + sigmoid(x)).",
        formula=LOGISH,
        year=2021,
        paper="Zhu et al. 2021, Logish: A New Nonlinear Nonmonotonic Activation Function, Neurocomputing 458",
        cost="an exponential and a logarithm",
        hurts_when="layers are stacked without norm: its slope stays below 1, so that signals shrink",
    ),
    Activation(
        "smish",
        of_formula(SMISH),
        "x tanh(log(1 + sigmoid(x))).",
        formula=SMISH,
        year=2022,
        paper="Wang, Ren & Wang 2022, Smish, Electronics 11(4):540 (alpha = beta = 1)",
        cost="exponential, logarithm, tanh",
        hurts_when="layers are stacked without norm: its slope stays below 1, so that signals shrink",
    ),
    Activation(
        "phish",
        of_formula(PHISH),
        "x tanh(gelu(x)).",
        formula=PHISH,
        year=2022,
        paper="Naveen 2022, Phish: A Novel Activation Function, TechRxiv 17283824",
        cost="an error function and a tanh",
        hurts_when="time is short: it has been studied little",
    ),
    Activation(
        "tanh_soft",
        of_formula(TANH_SOFT),
        "tanh(alpha x) softplus(x).",
        {"alpha": 0.87},
        formula=TANH_SOFT,
        ranges={"alpha": (1e-2, 10.0)},
        year=2020,
        paper="Biswas et al. 2020, TanhSoft, arXiv:2009.03863 (TanhSoft-1)",
        cost="exponential, logarithm, tanh",
        hurts_when="time is short",
    ),
    Activation(
        "aptx",
        of_formula(APTX),
        "(alpha + tanh(beta x)) gamma x: with the defaults, x sigmoid(2 x).",
        {"alpha": 1.0, "beta": 1.0, "gamma": 0.5},
        formula=APTX,
        ranges={"alpha": (-10.0, 10.0), "beta": (1e-2, 10.0), "gamma": (1e-2, 10.0)},
        year=2022,
        paper="Kumar 2022, APTx: Better Activation Function than MISH, SWISH, and ReLU's Variants, arXiv:2209.06119",
        cost="one tanh",
        hurts_when="silu is at hand: it is a silu with a steeper gate",
    ),
    Activation(
        "pflu",
        of_formula(PFLU),
        "x (1 + x / sqrt(1 + x^2)) / 2: a silu with a power function's gate.",
        formula=PFLU,
        year=2021,
        paper="Zhu et al. 2021, PFLU and FPFLU, Neurocomputing 429",
        cost="a square root and a division",
        hurts_when="strongly negative inputs should not count: its left tail falls only as 1 / x",
    ),
    Activation(
        "fpflu",
        of_formula(FPFLU),
        "x where it is positive, x / (1 + x^2) elsewhere.",
        formula=FPFLU,
        year=2021,
        paper="Zhu et al. 2021, PFLU and FPFLU, Neurocomputing 429",
        cost="one division",
        hurts_when="strongly negative inputs should not count: its left tail falls only as 1 / x",
    ),
    Activation(
        "aria2",
        of_formula(ARIA2),
        "x (1 + exp(-beta x))^-alpha: a silu with a sharper or softer gate.",
        {"alpha": 1.5, "beta": 2.0},
        formula=ARIA2,
        ranges={"alpha": (1e-2, 10.0), "beta": (1e-2, 10.0)},
        year=2018,
        paper="Patwardhan, Ingalhalikar & Walambe 2018, ARiA, arXiv:1805.08878",
        cost="two exponentials and a logarithm",
        hurts_when="time is short",
    ),
    Activation(
        "atlu",
        of_formula(ATLU),
        "x times an arctangent's gate in (0, 1).",
        formula=ATLU,
        year=2024,
        paper="Huang 2024, Expanded Gating Ranges Improve Activation Functions, arXiv:2405.20768",
        cost="one arctangent",
        hurts_when="strongly negative inputs should not count: it tends to -1 / pi, not to 0",
    ),
    Activation(
        "softplus",
        or_native(SOFTPLUS, F.softplus, threshold=40),
        "log(1 + exp(beta x)) / beta, a smooth relu.",
        {"beta": 1.0},
        formula=SOFTPLUS,
        ranges={"beta": (1e-2, 100.0)},
        year=2001,
        paper="Dugas et al. 2001, Incorporating Second-Order Functional Knowledge for Better Option Pricing",
        cost="an exponential and a logarithm",
        hurts_when="layers are stacked deep: every unit's mean is positive and adds up",
    ),
    Activation(
        "shifted_softplus",
        of_formula("softplus(x) - 0.6931471805599453"),
        "Softplus moved down through the origin.",
        formula="softplus(x) - 0.6931471805599453",
        year=2017,
        paper="Schütt et al. 2017, SchNet, arXiv:1706.08566",
        cost="an exponential and a logarithm",
        hurts_when="second derivatives don't matter: elu costs less",
        aliases=("ssp",),
    ),
    Activation(
        "squareplus",
        of_formula(SQUAREPLUS),
        "(x + sqrt(x^2 + b)) / 2: a softplus without exponential.",
        {"b": 4.0},
        formula=SQUAREPLUS,
        ranges={"b": (1e-6, 100.0)},
        year=2021,
        paper="Barron 2021, Squareplus: A Softplus-Like Algebraic Rectifier, arXiv:2112.11687",
        cost="one square root",
        hurts_when="layers are stacked deep: every unit's mean is positive and adds up",
    ),
    Activation(
        "log_sigmoid",
        of_formula("-softplus(-x)"),
        "The logarithm of the sigmoid; never positive.",
        formula="-softplus(-x)",
        cost="an exponential and a logarithm",
        hurts_when="it stands between layers: it is made for losses",
        aliases=("logsigmoid",),
    ),
    Activation(
        "lisht",
        of_formula("x * tanh(x)"),
        "x tanh(x): an absolute value that is smooth at zero.",
        formula="x * tanh(x)",
        year=2019,
        paper="Roy et al. 2019, LiSHT, arXiv:1901.05894",
        cost="one tanh",
        hurts_when="the sign carries meaning",
    ),
    Activation(
        "sgelu",
        of_formula(SGELU),
        "alpha x erf(x / sqrt(2)): gelu made even, a smooth absolute value.",
        {"alpha": 0.1},
        formula=SGELU,
        ranges={"alpha": (1e-3, 10.0)},
        year=2019,
        paper="Yu & Su 2019, Symmetrical Gaussian Error Linear Units, arXiv:1911.03925",
        cost="one error function",
        hurts_when="the sign carries meaning",
    ),
    Activation(
        "bent_identity",
        of_formula(BENT),
        "(sqrt(x^2 + 1) - 1) / 2 + x: slope 1/2 far left, 3/2 far right.",
        formula=BENT,
        cost="one square root",
        hurts_when="the network should be far from linear",
    ),
    Activation(
        "symlog",
        of_formula(SYMLOG),
        "sign(x) log(1 + |x|): the logarithm for both signs.",
        formula=SYMLOG,
        year=2023,
        paper="Hafner et al. 2023, Mastering Diverse Domains through World Models, arXiv:2301.04104",
        cost="one logarithm",
        hurts_when="inputs are small: it is nearly linear there",
    ),
]
