"""Every elementwise activation once more, in the most obvious numpy: what the papers print, with the defaults in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

Array = np.ndarray
e, pi, where = np.exp, np.pi, np.where


def sigmoid(x: Array) -> Array:
    return 1 / (1 + e(-x))


def softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def cdf(x: Array) -> Array:
    return special.ndtr(x)


def relu(x: Array) -> Array:
    return where(x > 0, x, 0)


def leaky(x: Array, slope: float) -> Array:
    return where(x > 0, x, slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return where(x > 0, x, alpha * (e(x) - 1))


def shrink(x: Array, by: float) -> Array:
    return where(x > by, x - by, where(x < -by, x + by, 0))


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

TWINS: dict[str, Callable[[Array], Array]] = {
    # rectified
    "relu": relu,
    "leaky_relu": lambda x: leaky(x, 0.01),
    "rrelu": lambda x: leaky(x, 11 / 48),  # in evaluation
    "tailored_leaky_relu": lambda x: np.sqrt(2 / (1 + 0.43**2)) * leaky(x, 0.43),
    "relu6": lambda x: np.minimum(np.maximum(0, x), 6),
    "bounded_relu": lambda x: np.minimum(np.maximum(0, x), 1),
    "threshold": lambda x: where(x > 1, x, 0),
    "shifted_relu": lambda x: np.maximum(-1, x),
    "abs": np.abs,
    "squared_relu": lambda x: relu(x) ** 2,
    "star_relu": lambda x: (relu(x) ** 2 - 0.5) / np.sqrt(1.25),
    "smelu": lambda x: where(np.abs(x) <= 1, (x + 1) ** 2 / 4, relu(x)),
    "elu": elu,
    "celu": elu,
    "selu": lambda x: SELU_SCALE * elu(x, SELU_ALPHA),
    "serlu": lambda x: 1.0786182835772267 * where(x >= 0, x, 2.9042712333296925 * x * e(x)),
    "isrlu": lambda x: where(x >= 0, x, x / np.sqrt(1 + x**2)),
    "elish": lambda x: where(x >= 0, x / (1 + e(-x)), (e(x) - 1) / (1 + e(-x))),
    "hard_elish": lambda x: where(x >= 0, x, e(x) - 1) * np.maximum(0, np.minimum(1, (x + 1) / 2)),
    "flatten_t_swish": lambda x: where(x >= 0, x / (1 + e(-x)), 0) - 0.2,
    "hardswish": lambda x: x * np.minimum(np.maximum(0, x + 3), 6) / 6,
    "nlrelu": lambda x: np.log(relu(x) + 1),
    "plu": lambda x: where(np.abs(x) <= 1, x, 0.1 * (x - np.sign(x)) + np.sign(x)),
    "hard_shrink": lambda x: where(np.abs(x) > 0.5, x, 0),
    "soft_shrink": lambda x: shrink(x, 0.5),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "identity": lambda x: x,
    # smooth
    "gelu": lambda x: 0.5 * x * (1 + special.erf(x / np.sqrt(2))),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "silu": lambda x: x / (1 + e(-x)),
    "e_swish": lambda x: 1.375 * x / (1 + e(-x)),
    "b_silu": lambda x: (x + 1.67) * sigmoid(x) - 0.835,
    "mish": lambda x: x * np.tanh(softplus(x)),
    "tanh_exp": lambda x: x * np.tanh(e(x)),
    "serf": lambda x: x * special.erf(softplus(x)),
    "golu": lambda x: x * e(-e(-x)),
    "logish": lambda x: x * np.log(1 + sigmoid(x)),
    "smish": lambda x: x * np.tanh(np.log(1 + sigmoid(x))),
    "phish": lambda x: x * np.tanh(x * cdf(x)),
    "tanh_soft": lambda x: np.tanh(0.87 * x) * softplus(x),
    "aptx": lambda x: (1 + np.tanh(x)) * x / 2,
    "pflu": lambda x: x / 2 * (1 + x / np.sqrt(1 + x**2)),
    "fpflu": lambda x: where(x > 0, x, x / (1 + x**2)),
    "aria2": lambda x: x * (1 + e(-2 * x)) ** -1.5,
    "atlu": lambda x: x * (np.arctan(x) + pi / 2) / pi,
    "softplus": softplus,
    "shifted_softplus": lambda x: softplus(x) - np.log(2),
    "squareplus": lambda x: 0.5 * (x + np.hypot(x, 2)),
    "log_sigmoid": lambda x: -softplus(-x),
    "lisht": lambda x: x * np.tanh(x),
    "sgelu": lambda x: 0.1 * x * special.erf(x / np.sqrt(2)),
    "bent_identity": lambda x: (np.sqrt(x**2 + 1) - 1) / 2 + x,
    "symlog": lambda x: np.sign(x) * np.log(np.abs(x) + 1),
    # bounded
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tempered_sigmoid": lambda x: 2 / (1 + e(-2 * x)) - 1,
    "tanh": np.tanh,
    "lecun_tanh": lambda x: 1.7159 * np.tanh(2 * x / 3),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "penalized_tanh": lambda x: where(x > 0, np.tanh(x), 0.25 * np.tanh(x)),
    "arctan": np.arctan,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "erf": special.erf,
    "isru": lambda x: x / np.sqrt(1 + x**2),
    "sqnl": lambda x: where(np.abs(x) > 2, np.sign(x), where(x < 0, x + x**2 / 4, x - x**2 / 4)),
    "probit": cdf,
    "cloglog": lambda x: 1 - e(-e(x)),
    "dsilu": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    "gaussian": lambda x: e(-(x**2) / 2),
    "laplacian": lambda x: e(-np.abs(x)),
    "inverse_quadratic": lambda x: 1 / (1 + x**2),
    "inverse_multiquadric": lambda x: 1 / np.sqrt(1 + x**2),
    # periodic
    "sine": np.sin,
    "cosine": np.cos,
    "gelu_sine": lambda x: x * cdf(x) + 0.1 * np.sin(x),
    "gcu": lambda x: x * np.cos(x),
    "finer": lambda x: np.sin((np.abs(x) + 1) * x),
    "gabor": lambda x: np.cos(5 * x) * e(-(x**2)),
    "exp_sin": lambda x: e(-np.sin(x)),
    # learned, as they start
    "prelu": lambda x: leaky(x, 0.25),
    "srelu": lambda x: where(x <= 0, 0.2 * x, x),
    "apl": relu,
    "pwlu": relu,
    "spline": lambda x: x * sigmoid(x),
    "rational": lambda x: (
        np.polyval([0.15187, 0.9294, 2.0065, 1.65206, 0.50501, 0.03358], x)
        / (1 + np.abs(np.polyval([0.30072, 0, 3.97314, 0, 0], x)))
    ),
    "poly_relu": lambda x: (relu(x) + relu(x) ** 2 + relu(x) ** 3) / 3,
    "pelu": elu,
    "mpelu": elu,
    "xielu": lambda x: where(x > 0, 0.8 * x**2 + 0.5 * x, 0.8 * (e(x) - 1) - 0.8 * x + 0.5 * x),
    "swish_beta": lambda x: x * sigmoid(x),
    "acon_c": lambda x: x * sigmoid(x),
    "aglu": lambda x: x * sigmoid(x),
    "smu": lambda x: (1.25 * x + 0.75 * x * special.erf(0.75 * x)) / 2,
    "xsilu": lambda x: x * sigmoid(x),
    "xgelu": lambda x: x * cdf(x),
    "xatlu": lambda x: x * (np.arctan(x) + pi / 2) / pi,
    "arelu": lambda x: where(x > 0, (1 + sigmoid(np.float64(2))) * x, 0.9 * x),
    "snake": lambda x: x + np.sin(x) ** 2,
    "snake_beta": lambda x: x + np.sin(x) ** 2,
    "sinlu": lambda x: (x + np.sin(x)) * sigmoid(x),
    "mixture": lambda x: (x + relu(x) + np.tanh(x)) / 3,
    "dyt": lambda x: np.tanh(x / 2),
    "derf": lambda x: special.erf(x / 2),
}
"""name -> value in float64."""

OTHER_PARAMETERS: dict[str, tuple[dict[str, float], Callable[[Array], Array]]] = {
    "leaky_relu": ({"slope": 0.2}, lambda x: leaky(x, 0.2)),
    "rrelu": ({"lower": 0.2, "upper": 0.6}, lambda x: leaky(x, 0.4)),
    "tailored_leaky_relu": ({"slope": 0.7}, lambda x: np.sqrt(2 / 1.49) * leaky(x, 0.7)),
    "bounded_relu": ({"cap": 3.0}, lambda x: np.clip(x, 0, 3)),
    "threshold": ({"threshold": 0.3, "value": -2.0}, lambda x: where(x > 0.3, x, -2)),
    "star_relu": ({"scale": 2.0, "bias": 0.5}, lambda x: 2 * relu(x) ** 2 + 0.5),
    "smelu": ({"beta": 2.0}, lambda x: where(np.abs(x) <= 2, (x + 2) ** 2 / 8, relu(x))),
    "elu": ({"alpha": 0.5}, lambda x: elu(x, 0.5)),
    "celu": ({"alpha": 0.5}, lambda x: where(x > 0, x, 0.5 * (e(x / 0.5) - 1))),
    "isrlu": ({"alpha": 3.0}, lambda x: where(x >= 0, x, x / np.sqrt(1 + 3 * x**2))),
    "flatten_t_swish": ({"t": 0.4}, lambda x: where(x >= 0, x * sigmoid(x), 0) + 0.4),
    "nlrelu": ({"beta": 2.0}, lambda x: np.log(2 * relu(x) + 1)),
    "plu": ({"alpha": 0.3, "c": 2.0}, lambda x: where(np.abs(x) <= 2, x, 0.3 * (x - 2 * np.sign(x)) + 2 * np.sign(x))),
    "hard_shrink": ({"threshold": 1.5}, lambda x: where(np.abs(x) > 1.5, x, 0)),
    "soft_shrink": ({"threshold": 1.5}, lambda x: shrink(x, 1.5)),
    "gelu": ({"approximate": True}, lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / pi) * (x + 0.044715 * x**3)))),
    "e_swish": ({"beta": 2.0}, lambda x: 2 * x * sigmoid(x)),
    "b_silu": ({"alpha": 1.0}, lambda x: (x + 1) * sigmoid(x) - 0.5),
    "tanh_soft": ({"alpha": 0.5}, lambda x: np.tanh(0.5 * x) * softplus(x)),
    "aptx": ({"alpha": 0.5, "beta": 2.0, "gamma": 0.7}, lambda x: (0.5 + np.tanh(2 * x)) * 0.7 * x),
    "aria2": ({"alpha": 2.0, "beta": 0.5}, lambda x: x * (1 + e(-0.5 * x)) ** -2),
    "softplus": ({"beta": 3.0}, lambda x: softplus(3 * x) / 3),
    "squareplus": ({"b": 1.0}, lambda x: 0.5 * (x + np.hypot(x, 1))),
    "sgelu": ({"alpha": 1.0}, lambda x: x * special.erf(x / np.sqrt(2))),
    "tempered_sigmoid": (
        {"scale": 1.5, "temperature": 3.0, "offset": 0.5},
        lambda x: 1.5 * sigmoid(3 * x) - 0.5,
    ),
    "penalized_tanh": ({"slope": 0.5}, lambda x: where(x > 0, np.tanh(x), 0.5 * np.tanh(x))),
    "isru": ({"alpha": 3.0}, lambda x: x / np.sqrt(1 + 3 * x**2)),
    "gaussian": ({"width": 2.0}, lambda x: e(-(x**2) / 8)),
    "laplacian": ({"width": 2.0}, lambda x: e(-np.abs(x) / 2)),
    "inverse_quadratic": ({"width": 2.0}, lambda x: 4 / (4 + x**2)),
    "inverse_multiquadric": ({"width": 2.0}, lambda x: 2 / np.sqrt(4 + x**2)),
    "sine": ({"frequency": 30.0}, lambda x: np.sin(30 * x)),
    "cosine": ({"frequency": 2.0}, lambda x: np.cos(2 * x)),
    "gelu_sine": ({"amplitude": 0.5}, lambda x: x * cdf(x) + 0.5 * np.sin(x)),
    "finer": ({"frequency": 2.0}, lambda x: np.sin(2 * (np.abs(x) + 1) * x)),
    "gabor": ({"frequency": 3.0, "scale": 0.5}, lambda x: np.cos(3 * x) * e(-(x**2) / 4)),
    "exp_sin": ({"frequency": 2.0}, lambda x: e(-np.sin(2 * x))),
    "prelu": ({"slope": 0.1}, lambda x: leaky(x, 0.1)),
    "srelu": (
        {"low": -1.0, "left": 0.5, "high": 2.0, "right": 3.0},
        lambda x: where(x >= 2, 2 + 3 * (x - 2), where(x <= -1, -1 + 0.5 * (x + 1), x)),
    ),
    "poly_relu": (
        {"a0": 0.5, "a1": -1.0, "a2": 2.0, "a3": 0.25},
        lambda x: 0.5 - relu(x) + 2 * relu(x) ** 2 + 0.25 * relu(x) ** 3,
    ),
    "pelu": ({"a": 2.0, "b": 0.5}, lambda x: where(x >= 0, 4 * x, 2 * (e(x / 0.5) - 1))),
    "mpelu": ({"alpha": 2.0, "beta": 0.5}, lambda x: where(x > 0, x, 2 * (e(0.5 * x) - 1))),
    "xielu": (
        {"alpha_p": 0.3, "alpha_n": 1.2, "beta": 0.2},
        lambda x: where(x > 0, 0.3 * x**2 + 0.2 * x, 1.2 * (e(x) - 1) - 1.2 * x + 0.2 * x),
    ),
    "swish_beta": ({"beta": 2.0}, lambda x: x * sigmoid(2 * x)),
    "acon_c": ({"p1": 1.2, "p2": -0.3, "beta": 2.0}, lambda x: 1.5 * x * sigmoid(3 * x) - 0.3 * x),
    "aglu": ({"log_lambda": np.log(2.0), "kappa": 0.5}, lambda x: x * (2 * e(-0.5 * x) + 1) ** -0.5),
    "smu": ({"slope": 0.5, "mu": 3.0}, lambda x: (1.5 * x + 0.5 * x * special.erf(1.5 * x)) / 2),
    "xsilu": ({"a": 0.3}, lambda x: x * (sigmoid(x) * 1.6 - 0.3)),
    "xgelu": ({"a": 0.3}, lambda x: x * (cdf(x) * 1.6 - 0.3)),
    "xatlu": ({"a": 0.3}, lambda x: x * ((np.arctan(x) / pi + 0.5) * 1.6 - 0.3)),
    "arelu": ({"alpha": 0.5, "beta": 0.0}, lambda x: where(x > 0, 1.5 * x, 0.5 * x)),
    "snake": ({"a": 2.0}, lambda x: x + np.sin(2 * x) ** 2 / 2),
    "snake_beta": ({"a": 2.0, "b": 0.5}, lambda x: x + np.sin(2 * x) ** 2 / 0.5),
    "sinlu": ({"a": 0.5, "b": 2.0}, lambda x: (x + 0.5 * np.sin(2 * x)) * sigmoid(x)),
    "dyt": ({"alpha": 1.5}, lambda x: np.tanh(1.5 * x)),
    "derf": ({"alpha": 1.5}, lambda x: special.erf(1.5 * x)),
}
"""name -> other parameters than the defaults, and the value with these."""
