"""Random slopes: the same again for the same seed, kernel or not, and as good as random."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from whet.activations import get
from whet.activations.kernel.function import LEAST
from whet.activations.random_leaky import draw_keys, halves, uniform

KEYS = [(0, 0), (1, 0), (0, 1), (123456789, 4000000000), (2**32 - 1, 2**31 - 1)]
N = 1 << 20


def run(x: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    x = x.detach().requires_grad_()
    y = get("rrelu").train()(x)
    (g,) = torch.autograd.grad(y, x, torch.linspace(1, 2, x.numel()).to(x.dtype).view(x.shape[::-1]).T)
    return y.detach(), g


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2]], ids=["plain", "turned", "gaps"])
def test_kernel_and_torch_draw_the_same_slopes(layout, dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    x = layout(torch.randn(200, 400, generator=torch.Generator().manual_seed(1))).to(dtype)
    fast, fast_gradient = run(x)
    monkeypatch.setenv("WHET_KERNELS", "0")
    slow, slow_gradient = run(x)
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(fast_gradient, slow_gradient)


@pytest.mark.parametrize("n", [LEAST - 1, LEAST])
def test_a_seed_brings_the_slopes_back_and_another_brings_others(n: int) -> None:
    x = -torch.ones(1, n)
    assert torch.equal(run(x, 3)[0], run(x, 3)[0])
    assert (run(x, 3)[0] == run(x, 4)[0]).float().mean() < 0.01
    f = get("rrelu").train()
    assert (f(x) == f(x)).float().mean() < 0.01


def test_only_the_input_is_kept_and_the_gradient_has_one_itself() -> None:
    kept: list[Tensor] = []
    x, g = (torch.randn(LEAST, requires_grad=True) for _ in range(2))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = get("rrelu").train()(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]
    (gx,) = torch.autograd.grad(y, x, g, create_graph=True)
    (again,) = torch.autograd.grad(gx.sum(), g)
    torch.testing.assert_close(again * x, y)


@pytest.mark.parametrize("keys", KEYS, ids=str)
def test_what_is_drawn_is_uniform_and_places_know_nothing_of_each_other(keys: tuple[int, int]) -> None:
    u = uniform(torch.empty(N), keys).double().numpy()
    assert 0 <= u.min() < u.max() < 1
    assert stats.chisquare(np.bincount((u * 1000).astype(int), minlength=1000)).pvalue > 1e-3
    for apart in (1, 2, 16, 64, 256, 1024, 4096):  # neighbours, and rows of tensors
        pairs = (u[:-apart] * 32).astype(int) * 32 + (u[apart:] * 32).astype(int)
        assert stats.chisquare(np.bincount(pairs, minlength=1024)).pvalue > 1e-3, apart


def test_neighbouring_keys_draw_what_has_nothing_in_common() -> None:
    drawn = np.stack([uniform(torch.empty(N // 8), (first, second)) for first in range(6) for second in range(6)])
    together = np.corrcoef(drawn)[np.triu_indices(36, 1)]
    shifted = [np.corrcoef(drawn[i, 1:], drawn[j, :-1])[0, 1] for i in range(36) for j in range(36)]
    assert np.abs([*together, *shifted]).max() < 5 / np.sqrt(N // 8)


def test_every_bit_of_a_key_changes_half_of_the_bits_drawn() -> None:
    bits = np.arange(24)

    def drawn(keys: tuple[int, int]) -> np.ndarray:
        return (uniform(torch.empty(20_000), keys).double().numpy() * 2**24).astype(np.int64)

    plain = drawn((77, 99))
    for other in [*((77 ^ (1 << b), 99) for b in range(32)), *((77, 99 ^ (1 << b)) for b in range(31))]:
        flipped = ((plain ^ drawn(other))[:, None] >> bits & 1).mean(0)
        assert np.abs(flipped - 0.5).max() < 0.02, other


def test_keys_have_all_their_bits() -> None:
    torch.manual_seed(0)
    first, second = np.array([halves(draw_keys()) for _ in range(200)]).T
    assert np.bitwise_or.reduce(first) == 2**32 - 1
    assert np.bitwise_or.reduce(second) == 2**31 - 1
