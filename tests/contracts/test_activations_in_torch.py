"""What every activation of the catalogue promises as a module: it goes wherever torch's own go."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whet.activations import ACTIVATIONS, Activation, get

CHANNELS = 6
ELEMENTWISE = [e for e in ACTIVATIONS if e.elementwise]
PER_CHANNEL = [e for e in ACTIVATIONS if e.wants_channels]


def each(entries: list[Activation]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.name)


def made(entry: Activation, channels: int | None = CHANNELS) -> nn.Module:
    """In evaluation; learned ones with parameters per channel, which are not all the same."""
    torch.manual_seed(0)
    f = get(entry.name, channels=channels, dim=1).eval()
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(0.1 * torch.rand_like(parameter))
    return f


def image(*shape: int) -> Tensor:
    return torch.randn(shape or (2, CHANNELS, 4, 4), generator=torch.Generator().manual_seed(3)) * 2


def out_shape(entry: Activation, x: Tensor) -> tuple[int, ...]:
    shape = list(x.shape)
    shape[1] = round(shape[1] * entry.width)
    return tuple(shape)


@each(list(ACTIVATIONS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_shape_and_dtype_are_what_the_entry_says(entry: Activation, dtype: torch.dtype) -> None:
    f = made(entry).to(dtype)
    x = image().to(dtype).requires_grad_()
    y = f(x)
    y.sum().backward()
    assert y.shape == out_shape(entry, x)
    assert y.dtype == dtype
    assert x.grad is not None
    assert x.grad.dtype == dtype


@each(ELEMENTWISE)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4, 5, 6)], ids=str)
def test_an_elementwise_one_takes_any_shape(entry: Activation, shape: tuple[int, ...]) -> None:
    f = made(entry, channels=None)
    x = image(*shape, 1).squeeze(-1).requires_grad_()
    y = f(x)
    y.sum().backward()
    assert y.shape == x.shape
    assert x.grad is not None
    assert x.grad.shape == x.shape


@each(list(ACTIVATIONS))
def test_a_batch_of_none_gives_none(entry: Activation) -> None:
    x = image(0, CHANNELS, 4, 4)
    assert made(entry)(x).shape == out_shape(entry, x)


@each(ELEMENTWISE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_strides_don_t_change_the_value_or_the_layout(entry: Activation, dtype: torch.dtype) -> None:
    f, x = made(entry).to(dtype), image().to(dtype)
    y = f(x)
    last = f(x.to(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, y, rtol=0.02 if dtype == torch.bfloat16 else 1e-5, atol=1e-6)
    odd = f(x.flip(3)[..., ::2])
    torch.testing.assert_close(odd, y.flip(3)[..., ::2], rtol=0.02 if dtype == torch.bfloat16 else 1e-5, atol=1e-6)


@each([e for e in ACTIVATIONS if not e.elementwise])
def test_channels_last_images_give_the_same_value(entry: Activation) -> None:
    f, x = made(entry), image()
    torch.testing.assert_close(f(x.to(memory_format=torch.channels_last)), f(x))


@each(list(ACTIVATIONS))
def test_the_input_is_left_as_it_was(entry: Activation) -> None:
    x = image()
    before = x.clone()
    made(entry)(x)
    assert torch.equal(x, before)


@each(list(ACTIVATIONS))
def test_it_runs_under_autocast_forwards_and_backwards(entry: Activation) -> None:
    layer = nn.Conv2d(CHANNELS, CHANNELS, 1)
    f = made(entry)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = f(layer(image()))
    y.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


@each(list(ACTIVATIONS))
def test_a_copy_and_a_restored_one_give_the_same_bits(entry: Activation) -> None:
    f, x = made(entry), image()
    restored = get(entry.name, channels=CHANNELS, dim=1).eval()
    restored.load_state_dict(f.state_dict(), strict=True)
    assert torch.equal(copy.deepcopy(f)(x), f(x))
    assert torch.equal(restored(x), f(x))


@each([e for e in ACTIVATIONS if e.kind == "learned"])
def test_weight_decay_leaves_learned_shapes_alone(entry: Activation) -> None:
    from whet.optim.groups import parameter_groups

    groups = parameter_groups(copy.deepcopy(made(entry)), weight_decay=0.1)
    assert [g["weight_decay"] for g in groups] == [0.0]


@each([e for e in PER_CHANNEL if "image" not in e.domains])
def test_channels_may_lie_in_any_dimension(entry: Activation) -> None:
    first = made(entry)
    last = get(entry.name, channels=CHANNELS, dim=-1).eval()
    last.load_state_dict(first.state_dict())
    x = image(4, CHANNELS, 5)
    torch.testing.assert_close(last(x.mT), first(x).mT, rtol=1e-5, atol=1e-6)


@each([e for e in PER_CHANNEL if e.kind == "learned"])
def test_each_channel_has_parameters_of_its_own(entry: Activation) -> None:
    f, x = made(entry), image(64, CHANNELS)
    before = f(x)
    with torch.no_grad():
        for parameter in f.parameters():
            if parameter.numel() > 1:
                parameter.view(-1)[0] += 0.5
    changed = (f(x) != before).any(0)
    assert changed.tolist() == [True] + [False] * (CHANNELS - 1)


@each([e for e in ACTIVATIONS if e.name != "frelu"])
def test_vmap_over_examples_is_the_batch(entry: Activation) -> None:
    f, x = made(entry), image(3, 2, CHANNELS, 4)
    got = torch.vmap(f)(x)
    expected = torch.stack([f(one) for one in x])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@each(ELEMENTWISE)
def test_per_example_gradients_by_vmap_are_the_batch_s(entry: Activation) -> None:
    f, x = made(entry, channels=None), image(7)
    got = torch.vmap(torch.func.grad(f))(x)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(f(x).sum(), x)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def compiled_gradients(f: nn.Module, run: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = run(x)
    y.square().sum().backward()
    f.zero_grad()
    assert x.grad is not None
    return y.detach(), x.grad


@each(list(ACTIVATIONS))
def test_it_compiles_as_one_graph_forwards_and_backwards(entry: Activation) -> None:
    torch._dynamo.reset()
    f, x = made(entry), image()
    got = compiled_gradients(f, torch.compile(f, fullgraph=True, backend="aot_eager"), x)
    torch.testing.assert_close(got, compiled_gradients(f, f, x), rtol=1e-5, atol=1e-5)


def test_a_chain_of_activations_compiles_to_machine_code() -> None:
    torch._dynamo.reset()
    names = ("mish", "tanh_exp", "golu", "serf", "smelu", "snake", "gaussian")
    f, x = nn.Sequential(*(made(ACTIVATIONS[n]) for n in names)), image()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        got = compiled_gradients(f, torch.compile(f, fullgraph=True), x)
    torch.testing.assert_close(got, compiled_gradients(f, f, x), rtol=1e-4, atol=1e-5)


@each(list(ACTIVATIONS))
def test_it_can_be_exported_as_a_graph(entry: Activation) -> None:
    f, x = made(entry), image()
    exported = torch.export.export(f, (x,)).module()
    torch.testing.assert_close(exported(x), f(x), rtol=1e-5, atol=1e-6)


class Side(nn.Module):
    """Many activations of the same input."""

    def __init__(self, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(part(x) for part in self.parts)


def test_all_of_them_run_in_onnxruntime(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    entries = list(ACTIVATIONS)
    model, x = Side([made(e) for e in entries]).eval(), image()
    path = tmp_path / "all.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=18)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    results = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    wrong = [
        entry.name
        for entry, got, expected in zip(entries, results, model(x), strict=True)
        if not np.allclose(got, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    ]
    assert not wrong
