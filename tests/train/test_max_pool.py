"""2x2 pools that run faster: torch's numbers, to the bit, whatever comes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from whet.train import max_pool

needs_kernel = pytest.mark.skipif(max_pool.kernel(torch.float32) is None, reason="no C compiler")
MAPS = [(1, 16, 2, 2), (3, 24, 7, 7), (2, 64, 31, 30), (5, 17, 4, 9), (2, 16, 3, 2)]


def maps(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Few different numbers, so that many are equal; some are infinite, some no number."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-2, 3, shape, generator=generator).to(dtype)
    rare = torch.rand(shape, generator=generator)
    x[rare < 0.1], x[rare > 0.95], x[(rare > 0.5) & (rare < 0.53)] = torch.nan, -torch.inf, torch.inf
    return x.contiguous(memory_format=torch.channels_last)


def pooled(pool: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = pool(x)
    y.backward(torch.arange(1.0, y.numel() + 1).view_as(y).to(y.dtype))
    assert x.grad is not None
    return y.detach(), x.grad


def same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num())


@needs_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", MAPS, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_maxima_and_their_gradients_are_torchs(shape: tuple[int, ...], dtype: torch.dtype, threads: int) -> None:
    before, x = torch.get_num_threads(), maps(shape, dtype)
    torch.set_num_threads(threads)
    try:
        ours, theirs = pooled(max_pool.MaxPool2x2(2), x), pooled(nn.MaxPool2d(2), x)
    finally:
        torch.set_num_threads(before)
    assert all(map(same, ours, theirs))
    assert ours[0].is_contiguous(memory_format=torch.channels_last)


@needs_kernel
def test_the_kernel_takes_what_it_can_and_torch_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[torch.Size] = []
    apply = max_pool._MaxPool.apply
    monkeypatch.setattr(max_pool._MaxPool, "apply", lambda x: (taken.append(x.shape), apply(x))[1])
    pool, x = max_pool.MaxPool2x2(2), maps((2, 16, 6, 6), torch.float32)
    others = [
        x.double(),
        x.half(),
        x.contiguous(),
        x[:, :8],
        x[0],
        x[:0],
        x[..., :2],
        maps((1, 3, 4, 4), torch.float32),
    ]
    assert all(same(pool(other), F.max_pool2d(other, 2)) for other in others)
    assert not taken
    assert same(pool(x), F.max_pool2d(x, 2))
    assert taken == [x.shape]


@needs_kernel
def test_the_way_back_can_be_differentiated() -> None:
    g, x = torch.randn(1, 16, 3, 4), maps((1, 16, 7, 8), torch.float32).nan_to_num(0, 3, -3).requires_grad_()
    slopes = []
    for pool in (max_pool.MaxPool2x2(2), nn.MaxPool2d(2)):
        given = g.clone().requires_grad_()
        (back,) = torch.autograd.grad(pool(x), x, given, create_graph=True)
        slopes += [back.detach(), *torch.autograd.grad(back.square().sum(), given)]
    assert torch.equal(slopes[0], slopes[2])
    assert torch.equal(slopes[1], slopes[3])


def test_only_plain_pools_of_two_by_two_are_changed() -> None:
    model = nn.Sequential(
        nn.MaxPool2d(2),
        nn.MaxPool2d((2, 2), stride=2),
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, stride=1),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, return_indices=True),
        nn.MaxPool2d((1, 2)),
        nn.AvgPool2d(2),
        nn.MaxPool1d(2),
    )
    kinds = [type(m) for m in copy.deepcopy(model)]
    changed = [type(m) for m in max_pool.use(model)]  # type: ignore[attr-defined]
    assert changed == [max_pool.MaxPool2x2, max_pool.MaxPool2x2, *kinds[2:]]
