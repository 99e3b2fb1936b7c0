"""The fast network's whitening layer and its start."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from whet.families import FAMILIES
from whet.families.fastconv import whitening_filters


def smooth_images(n: int = 64, channels: int = 3, size: int = 16) -> torch.Tensor:
    """Neighbouring pixels and the channels are alike, as in photographs."""
    g = torch.Generator().manual_seed(0)
    coarse = torch.randn(n, channels, size // 4, size // 4, generator=g) + torch.randn(n, 1, 1, 1, generator=g)
    return F.interpolate(coarse, size=size, mode="bilinear")


def test_whitened_patches_are_uncorrelated_with_variance_one():
    images = smooth_images()
    filters = whitening_filters(images, 2, eps=1e-9)
    seen = F.conv2d(images, filters[: len(filters) // 2]).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.allclose(seen.T.cov(), torch.eye(12), atol=0.02)


def test_the_second_half_of_the_filters_is_the_negative_of_the_first():
    filters = whitening_filters(smooth_images(), 3)
    assert filters.shape == (32, 3, 3, 3)
    assert torch.equal(filters[:16], -filters[16:])


def test_constant_images_give_finite_filters():
    assert whitening_filters(torch.ones(4, 1, 8, 8), 2).abs().max() < 1e4


def test_calibration_whitens_and_freezes_the_first_layer(image_spec):
    network = FAMILIES["fastconv"].make(image_spec(size=16), widths=(8, 8))
    network.calibrate(smooth_images())
    assert torch.equal(network.stem.weight, whitening_filters(smooth_images(), 2))
    network(smooth_images(4)).sum().backward()
    assert network.stem.weight.grad is None
    assert network.head.weight.grad is not None


def test_convolutions_start_by_passing_their_input_on(image_spec):
    network = FAMILIES["fastconv"].make(image_spec(size=16), widths=(32,))
    x = torch.randn(2, 24, 8, 8)
    assert torch.equal(network.stages[0].convs[0](x)[:, :24], x)
