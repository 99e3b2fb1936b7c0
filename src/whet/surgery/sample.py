"""Running a model on a sample without leaving a trace: no gradient, no random number drawn, no buffer changed."""

from __future__ import annotations

import contextlib
import copy
import copyreg
import itertools
import random
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from whet.errors import UserError, WhetError

LONGEST_CHAIN = 5_000
"""Calls deep that a copy may go; Keras chains its layers, and needs some ten per layer. Far more could end the process."""


def run(model: nn.Module, sample: Any) -> Any:
    """The model on a sample: a tensor, a tuple of arguments, or a dict of keyword arguments. UserError if it fails."""
    _check_lasting(sample)
    try:
        if isinstance(sample, Mapping):
            return model(**sample)
        return model(*sample) if isinstance(sample, tuple) else model(sample)
    except WhetError:
        raise
    except Exception as error:
        raise UserError(
            f"The model fails on this sample ({describe(sample)}): {_short(error).rstrip('.')}.",
            "Give a sample that model(sample) accepts; a tuple holds arguments, a dict keyword arguments.",
        ) from error


def _check_lasting(value: Any) -> None:
    if isinstance(value, Iterator):
        raise UserError(
            f"The sample holds a {type(value).__name__}, which can be read only once, and the model is run several times.",
            "Give a list or a tuple.",
        )
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ():
        _check_lasting(item)


def describe(value: Any) -> str:
    """A sample in a few words: shapes of tensors, kinds of other things."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={describe(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(describe(v) for v in value)
    return type(value).__name__


def _short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def tensors_in(value: Any, depth: int = 6) -> Iterator[Tensor]:
    """Every tensor in nested lists, tuples, dicts and records."""
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, Mapping):
        for v in value.values():
            yield from tensors_in(v, depth - 1)
    elif depth and isinstance(value, list | tuple | set):
        for v in value:
            yield from tensors_in(v, depth - 1)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        for v in vars(value).values():
            yield from tensors_in(v, depth - 1)


def whole_of(tensor: Tensor) -> Tensor:
    """What lies in memory: of a tensor inside vmap, the tensor over which it maps."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def key_of(tensor: Tensor) -> int:
    """One number per piece of memory: a view has that of its base, and what vmap maps over that of the whole."""
    tensor = whole_of(tensor)
    try:
        return tensor.untyped_storage()._cdata
    except (RuntimeError, NotImplementedError):  # sparse and nested tensors have none
        return id(tensor)


@contextlib.contextmanager
def quietly(training: bool, model: nn.Module) -> Iterator[None]:
    """Without gradients and in this mode; the random state and every module's mode are put back afterwards."""
    modes = [(m, m.training) for m in model.modules()]
    devices = sorted({t.device.index for t in model.parameters() if t.is_cuda and t.device.index is not None})
    others = random.getstate(), np.random.get_state()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices), _uncompiled():
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            for module, mode in modes:
                module.training = mode if training == model.training else training
            yield
    finally:
        random.setstate(others[0])
        np.random.set_state(others[1])
        for module, mode in modes:
            module.training = mode


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """Compiled parts run as they were written. The compiler is not imported for it: that takes seconds."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


def check(model: Any) -> nn.Module:
    """The model, if surgery can work on it. UserError names what is no network, is scripted, or has no weights yet."""
    if not isinstance(model, nn.Module):
        raise UserError(f"{type(model).__name__} is no network.", "Give a torch.nn.Module.")
    for name, module in model.named_modules():
        called = f"layer {name!r}" if name else "the model"
        if isinstance(module, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            raise UserError(
                f"{called} is a TorchScript module, whose code is fixed.",
                "Do the surgery first, then torch.jit.script or trace the result.",
            )
        own = itertools.chain(module.parameters(recurse=False), module.buffers(recurse=False))
        _check_weights(f"{called} ({type(module).__name__})", list(own))
    return model


def _check_weights(called: str, own: list[Tensor]) -> None:
    if any(isinstance(t, UninitializedParameter | UninitializedBuffer) for t in own):
        raise UserError(
            f"{called} has no weights yet.",
            "Run the model once, so that its lazy layers see their input, and come again.",
        )
    if any(t.is_meta for t in own):
        raise UserError(
            f"{called} is on the meta device, where weights have no values, so nothing can be run or compared.",
            "Call model.to_empty(device=...) and fill the weights first.",
        )


@contextlib.contextmanager
def _copied_as_they_are() -> Iterator[None]:
    """Models that keep a Python module can be copied, and long chains of objects; and Keras, which copies a model by
    saving its configuration (that knows nothing of surgery), copies it like any other object."""
    kind: Any = getattr(sys.modules.get("keras.src.saving.keras_saveable"), "KerasSaveable", None)
    saved = vars(kind).get("__reduce__") if kind else None
    before, depth = dict(copyreg.dispatch_table), sys.getrecursionlimit()
    sys.setrecursionlimit(max(depth, LONGEST_CHAIN))
    backend = getattr(sys.modules.get("keras.src.utils.backend_utils"), "DynamicBackend", None)
    for whole in filter(None, (types.ModuleType, backend)):
        copyreg.pickle(whole, lambda _: "as it is")  # a name instead of parts: deepcopy keeps the object
    if saved is not None:
        del kind.__reduce__
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(before)
        if saved is not None:
            kind.__reduce__ = saved


def _computed(model: nn.Module) -> list[Tensor]:
    """Tensors that modules keep from a computation: the weight that weight_norm makes anew in each run, a last result."""
    kept = (value for module in model.modules() for value in vars(module).values())
    return [t for t in kept if isinstance(t, Tensor) and not t.is_leaf]


def twin(model: nn.Module) -> nn.Module:
    """A copy to experiment on. UserError where a model can't be copied."""
    try:
        with _copied_as_they_are(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, where it copies what it exported
            copied = copy.deepcopy(model, {id(t): t.detach().clone() for t in _computed(model)})
    except Exception as error:
        raise UserError(
            f"The model can't be copied: {_short(error)}",
            "Make it copyable by copy.deepcopy, or detach the tensors that it keeps from an earlier run.",
        ) from error
    for old, new in zip(model.modules(), copied.modules(), strict=True):
        if (
            isinstance(new, nn.TransformerDecoderLayer)
            and "activation" in new._modules
            and "activation" not in vars(old)
        ):
            vars(new).pop("activation", None)  # torch puts relu before a module that was given: pytorch's __setstate__
    return copied
