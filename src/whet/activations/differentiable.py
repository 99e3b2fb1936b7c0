"""A formula on tensors, differentiable as often as you like.

The backward pass keeps the input and nothing else, and computes the derivative's formula from it, so that gradients are
exact where the textbook's chain rule overflows. Arithmetic is in float32, or float64 for float64 inputs and sines' arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, is_grad_enabled
from torch.autograd import forward_ad

from whet.activations.expression import Node, derive
from whet.activations.expression.bounds import guarded
from whet.activations.expression.evaluate import is_tracing, program, run
from whet.activations.expression.turning import widened
from whet.activations.kernel.function import backward, forward, is_plain, kernel_for, multiply
from whet.activations.kernel.library import Kernel
from whet.errors import RecipeError


def apply(plan: Plan, x: Tensor, *parameters: Tensor) -> Tensor:
    """The formula on x, differentiable as often as you like, in x's dtype."""
    kernel = kernel_for(plan, x, parameters)
    return _by_torch(plan, x, *parameters) if kernel is None else by_kernel(plan, kernel, x, *parameters)


def without_transforms(function: type[torch.autograd.Function]) -> Callable[..., Tensor]:
    """Its `apply`, for where no transform is active: `Function.apply` would first look for one, which takes 1.5 us."""
    entered: Callable[..., Tensor] = super(torch.autograd.Function, function).apply  # type: ignore[misc]
    return entered


def _by_torch(plan: Plan, x: Tensor, *parameters: Tensor) -> Tensor:
    """… by torch's own operations, in the form that suits what torch is doing."""
    check_floating(x)
    if torch.compiler.is_exporting() or is_tracing():
        return plan(x, *parameters)
    if torch.compiler.is_compiling():
        return _Compiled.apply(plan, x, *parameters)
    if torch._C._are_functorch_transforms_active():
        return _Transformed.apply(plan, x, *parameters)
    return _Elementwise.apply(plan, None, x, *parameters)


def check_floating(x: Tensor) -> None:
    """RecipeError for whole numbers, and for complex ones."""
    if not x.is_floating_point():
        raise RecipeError(f"An activation takes floating-point tensors, not {x.dtype}.", "Convert with x.float().")


class Plan:
    """A formula with the order of its inputs, and its derivatives, each made when first asked for."""

    def __init__(self, node: Node, names: tuple[str, ...]) -> None:
        self.node, self.names = node, names
        self.program = program(widened(guarded(node)))
        self.kernels: dict[torch.dtype, Kernel | None] = {}

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(node: Node, names: tuple[str, ...]) -> Plan:
        """The one plan of a formula whose inputs are x and these."""
        return Plan(node, names)

    @staticmethod
    def ready(node: Node, names: tuple[str, ...]) -> Plan:
        """… with its first derivatives made, since torch.compile can't trace how they are."""
        plan = Plan.of(node, names)
        assert len(plan.slopes) == 1 + len(names)
        return plan

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan.ready, (self.node, self.names)

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        return self

    @cached_property
    def slopes(self) -> tuple[Plan, ...]:
        """The derivatives with respect to x and each parameter."""
        return tuple(Plan.of(derive(self.node, name), self.names) for name in ("x", *self.names))

    def __call__(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """The formula's value by torch's own operations, in x's dtype."""
        y = self.wide(x, *parameters).to(x.dtype)
        return x.view_as(x) if y is x else y

    def wide(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """… before it is rounded to x's dtype: float32, or float64 for a float64 x."""
        wide = torch.float64 if x.dtype == torch.float64 else torch.float32
        values = {"x": x.to(wide)} | {n: p.to(wide) for n, p in zip(self.names, parameters, strict=True)}
        (answer,) = run(self.program, values)
        if not isinstance(answer, Tensor):
            constant = torch.full_like(x, answer, dtype=wide)
            # ONNX takes away an input that nothing depends on.
            return torch.where(x == x, constant, constant) if is_tracing() else constant
        return answer if "x" in self.program.names else answer + torch.zeros_like(x, dtype=wide)


def save(ctx: Any, *tensors: Tensor) -> None:
    """For the backward pass; and for forward-mode derivatives, where somebody is taking some: 0.4 us."""
    ctx.save_for_backward(*tensors)
    if forward_ad._current_level >= 0:
        ctx.save_for_forward(*tensors)


class _Elementwise(torch.autograd.Function):
    """Keeps the inputs only; each derivative is a formula of them again."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, kernel: Kernel | None, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.plan, ctx.kernel = plan, kernel
        save(ctx, x, *parameters)
        return plan(x, *parameters) if kernel is None else forward(kernel, x, parameters)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = tensors = ctx.saved_tensors
        kernel = ctx.kernel
        if kernel is None or is_grad_enabled() or not (is_plain(g) and is_plain(x)):
            return (None, None, *_gradients(ctx.plan, g, tensors, ctx.needs_input_grad[2:]))
        if not parameters:
            return None, None, multiply(kernel, g, x)
        return (None, None, *backward(kernel, g, x, parameters))

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        slopes = zip(tangents[-len(ctx.saved_tensors) :], ctx.plan.slopes, strict=True)
        terms = [apply(slope, *ctx.saved_tensors) * t for t, slope in slopes if t is not None]
        return sum(terms[1:], terms[0]).to(ctx.saved_tensors[0].dtype)


by_kernel = without_transforms(_Elementwise)
"""(plan, kernel, x, *parameters) where `kernel_for` gave a kernel."""


class _Transformed(torch.autograd.Function):
    """The same for torch.func's transforms, which want another form of it, slower to call."""

    generate_vmap_rule = True
    jvp = _Elementwise.jvp

    @staticmethod
    def forward(plan: Plan, *tensors: Tensor) -> Tensor:
        return plan(*tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.plan, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *_gradients(ctx.plan, g, ctx.saved_tensors, ctx.needs_input_grad[1:]))


class _Compiled(torch.autograd.Function):
    """The same in the few words that torch.compile understands."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *tensors: Tensor) -> Tensor:
        ctx.plan = plan
        ctx.save_for_backward(*tensors)
        return plan(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        return (None, *(_sum_to(g * ctx.plan.slopes[i].wide(*tensors), t) for i, t in enumerate(tensors)))


def _gradients(
    plan: Plan, g: Tensor, tensors: tuple[Tensor, ...], wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """g times each derivative that is wanted, by torch's operations; to be differentiated again where that is asked for."""
    of = apply if torch.is_grad_enabled() else Plan.wide
    wide = torch.promote_types(g.dtype, torch.float32)
    pairs = zip(wanted, tensors, plan.slopes, strict=True)
    return tuple(_sum_to(g.to(wide) * of(slope, *tensors), t) if want else None for want, t, slope in pairs)


def _sum_to(grad: Tensor, like: Tensor) -> Tensor:
    """A gradient in its input's dtype, summed over the dimensions along which that was broadcast."""
    return (grad if grad.shape == like.shape else grad.sum_to_size(like.shape)).to(like.dtype)
