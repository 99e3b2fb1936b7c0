"""Batches of every kind that users' loaders give: nests of tensors, padded sequences, several targets, no length."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import whet
from whet.errors import DataError, OutputError
from whet.families import bundles
from whet.fields.own import rows
from whet.fields.own.rows import Rows, as_loader

X = torch.randn(96, 6, generator=torch.Generator().manual_seed(0))
KIND, VALUE = (X.sum(1) > 0).long(), X[:, 0]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Examples(Dataset[Any]):
    """Whatever is made of each number."""

    def __init__(self, make: Callable[[int], Any], count: int = len(X)) -> None:
        self.make, self.count = make, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Any:
        return self.make(i)


def fit(data: Any, model: Any, out: Path, **more: Any) -> Any:
    return whet.fit(data, model=model, steps=10, out=out, **more)


# -- several targets and outputs ---------------------------------------------------------------------------------------


class TwoTasks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.kind, self.value = nn.Linear(6, 16), nn.Linear(16, 2), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = F.relu(self.body(x))
        return {"kind": self.kind(h), "value": self.value(h)}


def both(outputs: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
    assert target["kind"].dtype == torch.int64
    return F.cross_entropy(outputs["kind"], target["kind"]) + F.mse_loss(outputs["value"][:, 0], target["value"])


def test_several_targets_reach_the_loss_as_the_dict_that_they_came_in(tmp_path: Path) -> None:
    data = Examples(lambda i: (X[i], {"kind": KIND[i], "value": VALUE[i]}))
    result = fit(data, TwoTasks, tmp_path, loss=both)
    said = whet.predict(tmp_path, data, model=TwoTasks).outputs
    assert (said["kind"].shape, said["value"].shape) == ((96, 2), (96, 1))
    assert result.metric == "loss"


def test_several_targets_without_a_loss_ask_for_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="several"):
        fit(DataLoader(Examples(lambda i: (X[i], (KIND[i], VALUE[i])))), TwoTasks, tmp_path)


def test_a_nest_of_tensors_comes_back_as_it_was() -> None:
    nest = {"a": torch.tensor([[1, 2], [3, 4]]), "b": (torch.tensor([True, False]), torch.randn(2, 3, 2))}
    back = bundles.apart(bundles.form_of(nest), bundles.joined(nest))
    assert [t.dtype for t in bundles.leaves(back)] == [torch.int64, torch.bool, torch.float32]
    assert all(torch.equal(a, b) for a, b in zip(bundles.leaves(back), bundles.leaves(nest), strict=True))
    assert bundles.nest_from(bundles.nest_of(nest)) == {"a": None, "b": (None, None)}


# -- inputs --------------------------------------------------------------------------------------------------------------


class Sum(nn.Module):
    """Classes from two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 2)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        found: Tensor = self.head(a + b[:, None])
        return found


class OfPair(Sum):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:  # type: ignore[override]
        return super().forward(*pair)


class OfAll(Sum):
    def forward(self, **batch: Tensor) -> Tensor:  # type: ignore[override]
        assert set(batch) == {"a", "b"}
        return super().forward(batch["a"], batch["b"])


class Wrapped(Sum):
    def forward(self, *, a: Tensor, b: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:  # type: ignore[override]
        return {"logits": super().forward(a, b)}


def named(i: int) -> dict[str, Any]:
    return {"a": X[i], "b": VALUE[i], "file": f"{i}.png", "labels": KIND[i]}


@pytest.mark.parametrize(
    ("make", "model"),
    [
        pytest.param(lambda i: ((X[i], VALUE[i]), KIND[i]), Sum, id="a nest, side by side"),
        pytest.param(lambda i: ((X[i], VALUE[i]), KIND[i]), OfPair, id="a nest as it is"),
        pytest.param(named, OfAll, id="keywords, and a text among them"),
        pytest.param(named, Wrapped, id="a dict of one output"),
    ],
)
def test_a_network_gets_its_inputs_as_it_takes_them(make: Callable[[int], Any], model: Any, tmp_path: Path) -> None:
    loader = DataLoader(Examples(make), batch_size=16)
    assert fit(loader, model, tmp_path).metric == "accuracy"
    assert len(whet.predict(tmp_path, loader, model=model)) == 96


def test_a_set_of_one_tensor_is_its_own_target(tmp_path: Path) -> None:
    loader = DataLoader(TensorDataset(X), batch_size=16)
    fit(loader, lambda: nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 6)), tmp_path)
    model = lambda: nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 6))  # noqa: E731
    assert whet.predict(tmp_path, loader, model=model).outputs.shape == (96, 6)


class Padded(nn.Module):
    """Classes of sequences, by the mean of their real items."""

    def __init__(self) -> None:
        super().__init__()
        self.items, self.head = nn.Embedding(9, 8), nn.Linear(8, 2)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        real = (torch.arange(items.shape[1]) < lengths[:, None]).float()
        found: Tensor = self.head((self.items(items) * real[..., None]).sum(1) / lengths[:, None])
        return found


def padded(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    items, kinds = zip(*batch, strict=True)
    lengths = torch.tensor([len(one) for one in items])
    return nn.utils.rnn.pad_sequence(list(items), batch_first=True), lengths, torch.tensor(kinds)


def test_sequences_that_are_padded_batch_by_batch_are_read_and_predicted(tmp_path: Path) -> None:
    # One in 100 is longer than all others, so that batches differ in their lengths.
    long = Examples(lambda i: (torch.full((9 if i % 100 == 99 else 2 + i % 3,), 1 + i % 8), i % 2), 300)
    loader = DataLoader(long, batch_size=10, collate_fn=padded)
    fit(loader, Padded, tmp_path)
    assert len(whet.predict(tmp_path, loader, model=Padded)) == 300


# -- without a length --------------------------------------------------------------------------------------------------------


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    for at in range(0, 96, 32):
        yield X[at : at + 32], KIND[at : at + 32]


class OwnLoader:
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return batches()


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(X, KIND, strict=True))


@pytest.mark.parametrize(
    "source",
    [
        batches,
        OwnLoader,
        lambda: [*batches()],
        lambda: [*Stream()],
        Stream,
        lambda: DataLoader(Stream(), batch_size=32),
    ],
    ids=["generator", "own loader", "batches", "examples", "stream", "loader of a stream"],
)
def test_what_can_only_be_iterated_is_a_loader_too(source: Callable[[], Any], tmp_path: Path) -> None:
    result = fit(source(), lambda: nn.Linear(6, 2), tmp_path)
    assert result.n == 19
    read = as_loader(source())
    inputs, target = Rows([read])[np.arange(96)]
    assert torch.equal(inputs[0], X)
    assert torch.equal(target, KIND)


def test_a_stream_pads_as_its_loader_does() -> None:
    class Texts(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            return iter([(torch.ones(2), 0), (torch.ones(5), 1), (torch.ones(3), 0)])

    loader = as_loader(DataLoader(Texts(), batch_size=1, collate_fn=padded))
    assert Rows([loader])[np.arange(3)][0][0].shape == (3, 5)


def test_a_loader_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_BYTES", 10_000)
    with pytest.raises(DataError, match="no end is in sight"):
        as_loader(itertools.cycle(batches()))


# -- export ------------------------------------------------------------------------------------------------------------------


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.items, self.attention, self.head = (
            nn.Embedding(9, 8),
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Linear(8, 2),
        )

    def forward(self, items: Tensor) -> Tensor:
        x = self.items(items)
        found: Tensor = self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))
        return found


def test_a_network_with_attention_goes_to_onnx(tmp_path: Path) -> None:
    fit(DataLoader(TensorDataset(torch.randint(9, (96, 5)), KIND), batch_size=16), Attends, tmp_path)
    assert whet.export(tmp_path, model=Attends).exists()


class Packs(Padded):
    """A recurrent network on packed sequences, which ONNX knows nothing of."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(8, 8, batch_first=True)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(self.items(items), lengths.cpu(), True, enforce_sorted=False)
        found: Tensor = self.head(self.cell(packed)[1][-1])
        return found


def test_what_onnx_can_not_say_is_refused_in_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fit(
        DataLoader(Examples(lambda i: (torch.full((2 + i % 3,), 1), i % 2), 60), 10, collate_fn=padded), Packs, tmp_path
    )
    capfd.readouterr()
    with pytest.raises(OutputError, match="can't be written as ONNX"):
        whet.export(tmp_path, model=Packs)
    assert capfd.readouterr() == ("", "")


# -- compare -----------------------------------------------------------------------------------------------------------------


def test_a_network_of_ones_own_is_compared_on_ones_own_loader_with_ones_own_loss(tmp_path: Path) -> None:
    data = DataLoader(Examples(lambda i: (X[i], {"kind": KIND[i], "value": VALUE[i]})), batch_size=16)
    choices = {"activation": ["relu", "tanh"]}
    found = whet.compare(data, choices, model=TwoTasks, loss=both, seeds=2, steps=4, keep_lr=True, out=tmp_path)
    assert (found.metric, [arm.failed for arm in found.arms]) == ("loss", [0, 0])
    assert found.arms[0].scores != found.arms[1].scores
