"""Kernels for parameters per channel, against torch's own operations, however the tensor lies in memory."""

import shutil
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from whet.activations import ACTIVATIONS, get
from whet.activations.formula import Formula
from whet.activations.kernel import function

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")

LEARNED = [e.name for e in ACTIVATIONS if e.wants_channels and isinstance(get(e.name, channels=4), Formula)]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Call `.setenv("WHET_KERNELS", "0")` on it to turn kernels off."""
    return monkeypatch


def spread(f: Formula) -> Formula:
    """With another value in each channel."""
    torch.manual_seed(0)
    for p in f.parameters():
        p.data.add_(0.2 * torch.randn_like(p))
    return f


def run(f: Formula, x: Tensor) -> list[Tensor]:
    """Value and gradients, for an upstream gradient that is laid out in another way."""
    x = x.detach().requires_grad_()
    y = f(x)
    draw = torch.Generator().manual_seed(1)
    g = torch.randn(y.shape[::-1], generator=draw).to(y.dtype).permute(*reversed(range(y.dim())))
    return [y.detach(), *torch.autograd.grad(y, [x, *f.parameters()], g)]


def compared(f: Formula, x: Tensor, plain: pytest.MonkeyPatch, near: float = 1e-5) -> None:
    fast = run(f, x)
    plain.setenv("WHET_KERNELS", "0")
    slow = run(f, x)
    assert fast[0].stride() == slow[0].stride()
    for a, b in zip(fast, slow, strict=True):
        torch.testing.assert_close(a, b, rtol=near, atol=near * float(b.abs().max()))


@pytest.mark.parametrize("name", LEARNED)
def test_every_learned_formula_gives_the_numbers_of_the_slow_way(name: str, plain: pytest.MonkeyPatch) -> None:
    f = spread(get(name, channels=40))  # type: ignore[arg-type]
    x = 2 * torch.randn(120, 40)
    compared(f, x, plain)
    assert f.plan.kernels[torch.float32, "across"] is not None
    plain.delenv("WHET_KERNELS")
    compared(f, 2 * torch.randn(6, 40, 5, 4), plain)
    assert f.plan.kernels[torch.float32, "along"] is not None


LAYOUTS: dict[str, tuple[int, Callable[[], Tensor]]] = {
    "images": (1, lambda: torch.randn(4, 24, 9, 9)),
    "images, channels last": (1, lambda: torch.randn(4, 24, 9, 9).to(memory_format=torch.channels_last)),
    "sequences": (-1, lambda: torch.randn(7, 30, 24)),
    "sequences, time last": (1, lambda: torch.randn(7, 24, 50)),
    "one place": (1, lambda: torch.randn(200, 24, 1, 1)),
    "a single example": (0, lambda: torch.randn(24, 300)),
    "transposed": (0, lambda: torch.randn(300, 24).t()),
    "every second": (1, lambda: torch.randn(300, 48)[:, ::2]),
    "short rows": (1, lambda: torch.randn(200, 24, 3)),
    "wide rows": (1, lambda: torch.randn(2, 24, 9000)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_however_the_tensor_lies_in_memory(name: str, plain: pytest.MonkeyPatch) -> None:
    dim, make = LAYOUTS[name]
    compared(spread(Formula("x * sigmoid(b * x) + a", {"a": 0.1, "b": 1.3}, channels=24, dim=dim)), make(), plain)


def test_in_bfloat16_too(plain: pytest.MonkeyPatch) -> None:
    f = spread(Formula("max(x, 0) + a * min(x, 0)", {"a": 0.25}, channels=32))
    compared(f, torch.randn(256, 32).bfloat16(), plain, near=1e-2)
    assert f.plan.kernels[torch.bfloat16, "across"] is not None


def test_the_gradients_do_not_depend_on_the_number_of_threads() -> None:
    f = spread(Formula("x * sigmoid(b * x)", {"b": 1.3}, channels=24))
    before = torch.get_num_threads()
    for x in (torch.randn(5000, 24), torch.randn(40, 24, 130)):
        assert x.numel() > 3 * function.GRAIN
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(run(f, x))
        torch.set_num_threads(before)
        for other in found[1:]:
            assert all(map(torch.equal, other, found[0]))


def test_second_derivatives_go_the_differentiable_way() -> None:
    f, x = spread(Formula("sin(a * x)", {"a": 1.5}, channels=20)), torch.randn(300, 20, requires_grad=True)
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    torch.testing.assert_close(h, -(f.a**2) * torch.sin(f.a * x), rtol=1e-4, atol=1e-4)


def test_what_depends_on_parameters_only_is_computed_once_for_each_channel() -> None:
    from whet.activations.kernel.channels import source

    f = get("pelu", channels=8)
    assert isinstance(f, Formula)
    for layout in ("along", "across"):
        loops = source(f.plan.node, f.plan.names, "float32", layout).split("void forward")[1].split("#pragma omp simd")  # type: ignore[arg-type]
        assert "log1p" in loops[0]
        assert all("log1p" not in loop for loop in loops[1].split("void backward")[0:1])


@pytest.mark.parametrize("shape", [(40, 32), (2, 32, 40)])
def test_sines_of_numbers_far_from_0_are_torchs_own(shape: tuple[int, ...], plain: pytest.MonkeyPatch) -> None:
    f, x = Formula("x + sin(a * x) / a", {"a": 1.25}, channels=32), torch.randn(shape)
    x[0, 3], x[1, 5] = 7e6, -1e9
    compared(f, x, plain)
