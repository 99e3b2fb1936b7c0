"""Which calls are non-linearities: by the name of a torch function for what a program says, by the name of an ATen
kernel for what is computed in the end.

A call is recognised from its function and its arguments, because `x.clamp(min=0)` is a rectifier and
`x.clamp(min=1e-6)` is a guard against a division by zero. Kernels are counted where their input depends on the model's
input: the exponential of a parameter is no activation.

What is no non-linearity here: products of two tensors (attention scores, gates are found through the function that
opens them), sums, norms that one kernel computes, pooling, sorting and picking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


ACTIVATIONS = words(
    "relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid tanh hard_tanh hard_sigmoid hardswish softplus "
    "log_sigmoid prelu rrelu threshold soft_shrink hard_shrink tanh_shrink softsign erf sine cosine arctan sinh "
    "asinh"
)
"""Names that are activations wherever they stand."""

SQUASHING = frozenset({"sigmoid", "hard_sigmoid"})
"""Activations that often open gates, or make probabilities of a model's outputs."""

BOUNDED = SQUASHING | {"tanh", "hard_tanh"}
"""Where one of these makes the model's own result, that is meant to be a probability, or a number in (-1, 1)."""

WEIGHING = words("softmax softmin log_softmax gumbel_softmax attention logsumexp logcumsumexp")
"""Weights that sum to one: attention, routing, or class probabilities."""

GATED = frozenset({"glu"})

ARITHMETIC = words(
    "exp exp2 expm1 log log2 log10 log1p logit pow square sqrt rsqrt reciprocal abs sign erfc erfinv tan asin "
    "acos acosh atanh cosh atan2 sinc heaviside clamp maximum minimum compare round "
    "logaddexp logaddexp2 remainder fmod frac hypot copysign angle polar bucketize searchsorted "
    "ndtr ndtri log_ndtr erfcx entr xlogy xlog1py lgamma digamma polygamma zeta airy_ai i0 i0e i1 i1e "
    "bessel_j0 bessel_j1 bessel_y0 bessel_y1 spherical_bessel_j0"
)
"""Non-linear, but as often arithmetic (a norm, a distance, a guard) as an activation."""

SPELLINGS = {
    "sin": "sine",
    "cos": "cosine",
    "atan": "arctan",
    "logsigmoid": "log_sigmoid",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "hardshrink": "hard_shrink",
    "softshrink": "soft_shrink",
    "tanhshrink": "tanh_shrink",
    "hard_swish": "hardswish",
    "expit": "sigmoid",
    "swish": "silu",
    "absolute": "abs",
    "float_power": "pow",
    "arctan2": "atan2",
    "arcsin": "asin",
    "arccos": "acos",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "clip": "clamp",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "_threshold": "threshold",
    "gammaln": "lgamma",
    "psi": "digamma",
    "mvlgamma": "lgamma",
    "multigammaln": "lgamma",
    "floor_divide": "round",
    "fmax": "maximum",
    "fmin": "minimum",
    "sgn": "sign",
    "floor": "round",
    "ceil": "round",
    "trunc": "round",
    "scaled_dot_product_attention": "attention",
    "masked_softmax": "softmax",
}
"""Other names of the same functions."""

LOSSES = words(
    "cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits mse_loss l1_loss smooth_l1_loss "
    "huber_loss kl_div ctc_loss gaussian_nll_loss poisson_nll_loss"
)
NORMALISERS = words(
    "normalize layer_norm batch_norm group_norm instance_norm rms_norm local_response_norm cosine_similarity norm"
)

KERNELS: Mapping[str, str] = {
    "_softmax": "softmax",
    "_safe_softmax": "softmax",
    "_masked_softmax": "softmax",
    "_log_softmax": "log_softmax",
    "log_sigmoid_forward": "log_sigmoid",
    "_prelu_kernel": "prelu",
    "rrelu_with_noise": "rrelu",
    "rrelu_with_noise_functional": "rrelu",
    "_scaled_dot_product_flash_attention_for_cpu": "attention",
    "_scaled_dot_product_flash_attention": "attention",
    "_scaled_dot_product_efficient_attention": "attention",
    "_scaled_dot_product_cudnn_attention": "attention",
    "_scaled_dot_product_attention_math": "attention",
    "_native_multi_head_attention": "softmax",
    "_transformer_encoder_layer_fwd": "transformer layer",
    "mkldnn_rnn_layer": "recurrent",
    "_thnn_fused_lstm_cell": "recurrent",
    "_thnn_fused_gru_cell": "recurrent",
    "_cudnn_rnn": "recurrent",
    "fake_quantize_per_tensor_affine_cachemask": "round",
    "fake_quantize_per_channel_affine_cachemask": "round",
    "huber_loss": "huber_loss",
    "smooth_l1_loss": "smooth_l1_loss",
    "binary_cross_entropy": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "gt": "compare",
    "ge": "compare",
    "lt": "compare",
    "le": "compare",
}
"""Kernels whose names differ from what they compute."""

_KNOWN = ACTIVATIONS | WEIGHING | GATED | ARITHMETIC


def plain_name(function: Callable) -> str:
    """The name of a torch function or method, without the underscore of its in-place form: `relu_` -> `relu`."""
    name: str = getattr(function, "__name__", type(function).__name__)
    name = name if name.startswith("__") else name.rstrip("_").removeprefix("special_")
    return SPELLINGS.get(name, name)


def is_in_place(function: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether the call overwrites its input."""
    name: str = getattr(function, "__name__", "")
    if kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__")):
        return True
    position = IN_PLACE_ARGUMENT.get(plain_name(function))
    return position is not None and len(args) > position and args[position] is True


IN_PLACE_ARGUMENT = {
    "relu": 1,
    "relu6": 1,
    "silu": 1,
    "mish": 1,
    "selu": 1,
    "hardsigmoid": 1,
    "hardswish": 1,
    "elu": 2,
    "celu": 2,
    "leaky_relu": 2,
    "threshold": 3,
    "hardtanh": 3,
    "rrelu": 4,
}
"""Where `inplace` stands among the arguments of functions in torch.nn.functional."""


def recognise(function: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """The non-linearity that this call computes, or None. Looks at constants, never at a tensor's many values.

    >>> recognise(torch.clamp, (torch.zeros(1),), {"min": 0}), recognise(torch.add, (1, 2), {})
    ('relu', None)
    """
    name = plain_name(function)
    if name == "clamp":
        return _clamp(function, args, kwargs)
    if name in ("maximum", "minimum", "max", "min"):
        return _extreme(name, args, kwargs)
    if name == "logaddexp":
        return "softplus" if any(_is(a, 0) for a in args[:2]) else name
    if name == "threshold":
        return (
            "relu" if [*args[1:3], *(kwargs.get(k) for k in ("threshold", "value") if k in kwargs)] == [0, 0] else name
        )
    if name == "mul":
        return "square" if len(args) > 1 and args[0] is args[1] else None
    return name if name in _KNOWN else None


def position_of(what: str | None, args: Sequence[Any]) -> int:
    """Which argument holds the tensor that is mapped: the second one in torch.maximum(zero, x), torch.logaddexp(zero, x)."""
    return int(what in ("relu", "softplus") and len(args) > 1 and isinstance(args[1], Tensor) and _is(args[0], 0))


def _clamp(function: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    low, high = clamp_bounds(getattr(function, "__name__", ""), args[1:], kwargs)
    if _is(low, 0):
        return "relu" if high is None else "relu6" if _is(high, 6) else "clamp"
    return "hard_tanh" if _is(low, -1) and _is(high, 1) else "clamp"


def clamp_bounds(name: str, bounds: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The lower and the upper bound in a call of clamp, clip, clamp_min or clamp_max; None for one that isn't there."""
    first = bounds[0] if bounds else None
    if name.startswith("clamp_max"):
        return None, kwargs.get("max", first)
    low = kwargs.get("min", first)
    return low, kwargs.get("max", bounds[1] if len(bounds) > 1 else None)


def _extreme(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    other = args[1] if len(args) > 1 else kwargs.get("other")
    if not isinstance(other, Tensor):  # max(x), max(x, dim): a reduction
        return None
    if name in ("maximum", "max") and any(_is(t, 0) for t in (other, args[0])):
        return "relu"
    return "maximum" if name in ("maximum", "max") else "minimum"


def _is(bound: Any, value: float) -> bool:
    if isinstance(bound, Tensor):
        return not bound.is_meta and bool((bound == value).all())
    return isinstance(bound, int | float) and bound == value


def kernel_name(function: torch._ops.OpOverload, args: Sequence[Any]) -> str | None:
    """The non-linearity that an ATen kernel computes, or None."""
    base: str = function._schema.name.partition("::")[2].removeprefix("special_")
    name = KERNELS.get(base) or SPELLINGS.get(base.rstrip("_"), base.rstrip("_"))
    if name == "mul":
        return "square" if len(args) > 1 and args[0] is args[1] else None
    return name if name in _KNOWN or name in KERNELS.values() else None
