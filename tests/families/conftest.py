"""Specs for the networks' tests: the smallest things that build would hand over."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from whet.families import InputSpec


@pytest.fixture
def image_spec() -> Callable[..., InputSpec]:
    def make(channels: int = 3, size: int = 32, outputs: int = 10, norm=nn.BatchNorm2d, activation=nn.ReLU):
        return InputSpec((channels, size, size), outputs, "classify", activation, norm)

    return make


@pytest.fixture
def table_spec() -> Callable[..., InputSpec]:
    def make(columns: int = 5, cardinalities: tuple[int, ...] = (), outputs: int = 3, norm=nn.BatchNorm1d):
        bins = [torch.linspace(-2, 2, 5)] * columns
        return InputSpec((columns,), outputs, "classify", nn.ReLU, norm, cardinalities, bins)

    return make
