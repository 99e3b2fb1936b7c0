"""What stands beside a network of one's own on tensors of one's own."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from whet.families.user import remember
from whet.fields import field, load
from whet.fields.base import Wanted
from whet.fields.own import OwnSource
from whet.fields.own.baselines import baselines


def flat(outputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(outputs))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(9, 4), nn.Linear(4, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.head(self.words(tokens))
        return found


class Slow(TensorDataset):
    def __getitem__(self, index: Any) -> Any:
        time.sleep(0.005)
        return super().__getitem__(index)


def asked(data: Dataset[Any], model: Any, seconds: float = 300.0) -> Wanted:
    source = OwnSource.of(data, None, remember(model), nn.CrossEntropyLoss())
    own, known = field("own"), load(source)
    parts = own.split(known, 0)
    return Wanted(known, parts, own.prepare(known, parts), own.task(known), seconds, threads=1, seed=0)


def images(n: int = 300) -> tuple[Tensor, Tensor]:
    """Two classes, told apart by a pixel; one pixel is constant, one is not a number."""
    x = torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0, 1, 2] > 0).long()
    x[:, 0, 0, 0], x[:7, 0, 3, 3] = 5.0, torch.nan
    return x, y


def test_a_linear_model_that_learned_from_training_rows_stands_beside_a_network_of_ones_own() -> None:
    wanted = asked(TensorDataset(*images()), lambda: flat(2))
    majority, linear = baselines(wanted)
    assert (majority.name, linear.name) == ("majority", "linear")
    assert linear.predicted is not None
    assert (linear.predicted.argmax(1) == wanted.data.y[wanted.parts["test"]]).mean() > 0.9


def test_words_by_number_are_no_numbers() -> None:
    tokens = torch.randint(0, 9, (100, 5), generator=torch.Generator().manual_seed(0))
    assert [b.name for b in baselines(asked(TensorDataset(tokens, tokens[:, 0] % 2), Words))] == ["majority"]


@pytest.mark.parametrize(("seconds", "note"), [(0.2, "skipped: reading"), (60.0, "")])
def test_rows_that_take_long_to_read_are_not_read_for_a_yardstick(seconds: float, note: str) -> None:
    linear = baselines(asked(Slow(*images(100)), lambda: flat(2), seconds))[1]
    assert linear.note.startswith(note)
    assert (linear.predicted is None) == bool(note)
