"""Keras models among the user's own networks, with a stand-in for Keras: it need not be installed."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families.of_keras import as_if_first
from whet.families.spec import InputSpec
from whet.families.user import make


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What `clear_session` of the stand-in was called with."""
    calls: list[bool] = []
    keras = ModuleType("keras")
    keras.utils = SimpleNamespace(clear_session=lambda free_memory: calls.append(free_memory))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keras", keras)
    return calls


def test_keras_counts_its_layers_anew_for_each_network(cleared: list[bool]) -> None:
    with as_if_first():
        assert cleared == [False]


def test_the_seeds_that_keras_draws_follow_torchs_seed_and_leave_pythons_generator_alone(cleared: list[bool]) -> None:
    before, drawn = random.getstate(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        with as_if_first():
            drawn.append(random.random())
    assert drawn[0] == drawn[1] != drawn[2]
    assert random.getstate() == before


class Loose(nn.Module):
    """A network whose forward says nothing of its inputs, as Keras' do; its `inputs` do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inputs = [None]
        self.head = nn.Linear(width, 2)

    def forward(self, *args: Tensor) -> Tensor:
        (x,) = args
        out: Tensor = self.head(x)
        return out


def test_a_model_that_names_one_input_gets_a_table_as_one_tensor(table_spec: Callable[..., InputSpec]) -> None:
    spec = table_spec(3, (4,), 2)
    made = make(spec, lambda: Loose(spec.flat))
    assert made(torch.zeros(5, 3), torch.zeros(5, 1, dtype=torch.int64)).shape == (5, 2)


def test_a_keras_model_of_another_backend_is_refused_with_the_way_out(table_spec: Callable[..., InputSpec]) -> None:
    foreign = type("Sequential", (), {"__module__": "keras.src.models.sequential"})
    with pytest.raises(RecipeError, match="KERAS_BACKEND=torch"):
        make(table_spec(), lambda: foreign())
