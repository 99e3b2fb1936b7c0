"""The user's own network on the user's own loaders, with the user's own loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, WeightedRandomSampler

import whet
from whet.errors import DataError, RecipeError
from whet.families.user import remember
from whet.fields.own import OwnSource, is_own
from whet.fields.own.rows import Given, Rows, as_loader, part_of, parted
from whet.fields.own.transform import Column, OwnTransform
from whet.recipe import Choice, Recipe


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def classes(n: int = 160) -> TensorDataset:
    """Two classes, told apart by the sign of a sum."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, (x.sum(1) > 0).long())


def pairs(n: int = 160) -> TensorDataset:
    """Two values each."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(1))
    return TensorDataset(x, torch.stack([x[:, 0] - x[:, 1], x[:, 2]], 1))


def two_outputs() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))


def one_output() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))


def odd_loss(outputs: Tensor, target: Tensor) -> Tensor:
    return (outputs - target).abs().pow(1.5).mean()


def test_a_loader_of_classes_is_trained_on_and_judged_by_accuracy(tmp_path: Path) -> None:
    loader = DataLoader(classes(), batch_size=20, shuffle=True)
    result = whet.fit(loader, model=two_outputs, loss=nn.CrossEntropyLoss(), steps=60, out=tmp_path)
    assert (result.task, result.metric) == ("own-classification", "accuracy")
    assert result.value > 0.65
    assert result.recipe.batch_size == 20
    said = whet.predict(tmp_path, classes(), model=two_outputs)
    assert len(said) == 160
    assert said.scores["accuracy"] > 0.65


def test_targets_of_any_shape_are_judged_by_the_users_loss(tmp_path: Path) -> None:
    loaders = (DataLoader(pairs(), batch_size=16, shuffle=True), DataLoader(pairs(80), batch_size=40))
    result = whet.fit(loaders, model=two_outputs, loss=odd_loss, steps=60, out=tmp_path)
    assert (result.metric, result.direction, result.n) == ("loss", "min", 40)
    x, y = pairs(80).tensors
    said = whet.predict(tmp_path, x.numpy(), model=two_outputs).columns
    p = torch.tensor(np.stack([said["prediction"], said["output 1"]], 1))
    assert result.value == pytest.approx(float(odd_loss(p[1::2], y[1::2])), rel=1e-4)


def test_values_with_a_known_loss_are_judged_by_their_error(tmp_path: Path) -> None:
    x, y = pairs().tensors
    result = whet.fit(DataLoader(TensorDataset(x, y[:, 0])), model=one_output, loss=nn.MSELoss, steps=20, out=tmp_path)
    assert result.metric == "rmse"


def test_values_with_another_loss_are_judged_by_it(tmp_path: Path) -> None:
    x, y = pairs().tensors
    result = whet.fit(TensorDataset(x, y[:, :1]), model=one_output, loss=odd_loss, steps=20, out=tmp_path)
    assert result.metric == "loss"


def test_five_lines_search_a_network_with_its_own_loss_and_loader(tmp_path: Path) -> None:
    loader = DataLoader(pairs(), batch_size=16, shuffle=True)
    space = {"activation": ["relu", "gelu"], "optimizer": ["adamw", "sgd"], "optimizer.lr": (1e-4, 1e-1)}
    result = whet.fit(loader, model=two_outputs, loss=odd_loss, space=space, budget="15s", out=tmp_path)
    assert result.details["trials"] > 1
    assert result.recipe.activation.name in ("relu", "gelu")
    assert result.recipe.optimizer.name in ("adamw", "sgd")
    assert 1e-4 <= result.recipe["optimizer.lr"] <= 1e-1


class Named(Dataset[Any]):
    """Dicts, with a tensor that no network asks for."""

    def __init__(self, rows: TensorDataset) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        x, y = self.rows[i]
        return {"label": y, "number": torch.tensor(i), "features": x}


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = two_outputs()

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.network(features)
        return found


class Whole(ByName):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:  # type: ignore[override]
        return super().forward(batch["features"])


@pytest.mark.parametrize("model", [ByName, Whole])
def test_batches_may_be_dicts_which_a_network_takes_by_name_or_whole(model: type[nn.Module], tmp_path: Path) -> None:
    named = Named(classes())
    result = whet.fit(named, model=model, loss=nn.CrossEntropyLoss(), steps=60, out=tmp_path)
    assert result.metric == "accuracy"
    assert result.value > 0.65
    assert whet.predict(tmp_path, named, model=model).scores["accuracy"] > 0.65


class TwoHeads(nn.Module):
    """A mean and the logarithm of a variance."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(6, 16), nn.Linear(16, 1), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = F.relu(self.body(x))
        return self.mean(found), self.spread(found)


def likelihood(outputs: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
    mean, spread = outputs
    assert mean.shape == spread.shape == target.shape
    return (spread + (target - mean) ** 2 / spread.exp()).mean()


def test_a_network_may_give_several_tensors_to_a_loss_that_wants_them(tmp_path: Path) -> None:
    x, y = pairs(60).tensors
    y, parts = y[:, :1], [TensorDataset(x, y[:, :1]) for x, y in (pairs().tensors, (x, y), (x, y))]
    result = whet.fit(parts, model=TwoHeads, loss=likelihood, space={"activation": ["tanh"]}, steps=60, out=tmp_path)
    said = whet.predict(tmp_path, x, model=TwoHeads).columns
    outputs = (torch.tensor(said["prediction"])[:, None], torch.tensor(said["output 1"])[:, None])
    assert float(likelihood(outputs, y)) == pytest.approx(result.value, rel=1e-4)


def test_the_plan_of_a_run_with_a_budget_is_measured_with_the_users_loss(tmp_path: Path) -> None:
    """Outputs that no loss of ours fits ended such a run: "outputs (4, 2) don't fit the target (4, 1)"."""
    x, y = pairs(60).tensors
    parts = [TensorDataset(x, y[:, :1]) for _ in range(2)]
    own = Recipe(family=Choice("user", factory=remember(TwoHeads)), batch_size=4, steps=30)
    assert whet.fit(parts, model=TwoHeads, loss=likelihood, recipe=own, budget="2m", out=tmp_path).metric == "loss"


def test_the_inputs_of_an_exported_network_are_called_what_its_batches_call_them() -> None:
    known = OwnTransform((Column((2,), "float32"), Column((3,), "float32")), names=("left", "right"))
    assert [(name, tuple(x.shape)) for name, x in known.drawn(4, 0).items()] == [("left", (4, 2)), ("right", (4, 3))]
    assert list(OwnTransform(known.columns).drawn(4, 0)) == ["input0", "input1"]


def test_a_network_that_wants_arguments_is_told_how_to_get_them() -> None:
    class Wide(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()

    with pytest.raises(RecipeError, match=r"The network Wide can't be made.*Give them: model=lambda: Wide\(width=…\)"):
        whet.fit(DataLoader(pairs()), model=Wide, loss=odd_loss)


def of_width(width: int = 8) -> nn.Module:
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 2))


def test_the_arguments_of_the_function_that_makes_a_network_can_be_chosen(tmp_path: Path) -> None:
    recipe = Recipe(Choice("user", factory=remember(of_width), width=24), batch_size=20)
    result = whet.fit(classes(), model=of_width, loss=nn.CrossEntropyLoss(), recipe=recipe, steps=5, out=tmp_path)
    assert result.recipe["family.width"] == 24
    assert len(whet.predict(tmp_path, classes(), model=of_width)) == 160
    with pytest.raises(RecipeError, match="unexpected keyword argument 'widht'"):
        whet.fit(
            classes(), model=of_width, loss=nn.CrossEntropyLoss(), space={"family.widht": (4, 8)}, out=tmp_path / "b"
        )


def test_a_misspelt_choice_is_refused_before_anything_trains(tmp_path: Path) -> None:
    with pytest.raises(whet.UserError, match="gelu"):
        whet.fit(DataLoader(pairs()), model=two_outputs, loss=odd_loss, space={"activation": ["gelo"]}, out=tmp_path)
    assert not (tmp_path / "trials").exists()


def test_a_run_with_own_batches_is_repeatable_and_goes_on(tmp_path: Path) -> None:
    def run(folder: str) -> float:
        loader = DataLoader(Noisy(pairs()), batch_size=16, shuffle=True)
        return whet.fit(loader, model=two_outputs, loss=odd_loss, steps=30, out=tmp_path / folder).value

    assert run("one") == run("other")
    assert run("one") == run("one")


class Noisy(Dataset[Any]):
    """Noise drawn from torch's own generator, as augmenting datasets do."""

    def __init__(self, rows: TensorDataset) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        x, y = self.rows[i]
        return x + 0.1 * torch.randn(x.shape), y


# -- what is taken, and what is refused ----------------------------------------------------------------------------


def test_only_a_network_of_ones_own_takes_loaders() -> None:
    loader = DataLoader(classes())
    assert is_own(loader, two_outputs, None)
    assert is_own((loader, loader), two_outputs, None)
    assert is_own(classes(), two_outputs, odd_loss)
    assert not is_own(loader, None, None)
    assert not is_own(classes(), two_outputs, None)
    assert not is_own((np.zeros((3, 2)), np.zeros(3)), two_outputs, odd_loss)


@pytest.mark.parametrize(
    "batch",
    [{"x": ["a"], "y": torch.zeros(2)}, {"y": torch.zeros(2)}, [torch.zeros(2), ["a", "b"]], torch.tensor(2.0)],
)
def test_batches_that_are_no_tensors_are_refused(batch: Any) -> None:
    with pytest.raises(DataError, match="as a batch"):
        parted(batch)


def test_a_dict_whose_target_nobody_can_tell_is_refused() -> None:
    with pytest.raises(DataError, match="'x', 'z': which is the target"):
        parted({"x": torch.zeros(2), "z": torch.zeros(2)})


def test_outputs_that_say_nothing_of_the_targets_ask_for_a_loss(tmp_path: Path) -> None:
    x, y = pairs().tensors
    with pytest.raises(DataError, match="Give loss="):
        whet.fit(DataLoader(TensorDataset(x, y)), model=one_output, out=tmp_path)


def test_a_loss_that_fails_says_so_in_a_line(tmp_path: Path) -> None:
    def broken(outputs: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(outputs, target)

    with pytest.raises(RecipeError, match="The loss python:"):
        whet.fit(DataLoader(pairs(), batch_size=16), model=two_outputs, loss=broken, steps=2, out=tmp_path)


def test_a_loss_that_is_no_scalar_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="its mean"):
        whet.fit(DataLoader(pairs()), model=two_outputs, loss=nn.MSELoss(reduction="none"), steps=2, out=tmp_path)


# -- batches by position -------------------------------------------------------------------------------------------


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((torch.full((2,), float(i)), torch.tensor(i)) for i in range(10))


def test_what_can_only_be_iterated_is_read_into_memory() -> None:
    loader = as_loader(DataLoader(Stream(), batch_size=4))
    assert sorted(Rows([loader]).targets().tolist()) == list(range(10))


def drawn(given: Given, epoch: int, index: int) -> list[int]:
    return given.batch(epoch, index)[1].tolist()


def test_batches_come_by_position_however_they_are_asked_for() -> None:
    rows = TensorDataset(torch.arange(12.0), torch.arange(12))
    one, other = (Given(DataLoader(rows, batch_size=4, shuffle=True), seed=3) for _ in range(2))
    straight = {(e, i): drawn(one, e, i) for e in range(2) for i in range(one.batches_per_epoch)}
    assert sorted(row for i in range(3) for row in straight[0, i]) == list(range(12))
    assert straight[0, 0] != straight[1, 0]
    assert drawn(other, 1, 1) == straight[1, 1]
    assert drawn(other, 0, 2) == straight[0, 2]


def test_a_part_keeps_the_loaders_ways() -> None:
    def collate(items: list[Any]) -> Any:
        return torch.stack([x + 100 for x, _ in items]), torch.stack([y for _, y in items])

    loader = DataLoader(
        TensorDataset(torch.arange(12.0), torch.arange(12)), batch_size=4, shuffle=True, collate_fn=collate
    )
    part = part_of(loader, np.array([1, 3, 5, 7]), 2)
    (x,), y = parted(next(iter(part)))
    assert len(y) == 2
    assert set(y.tolist()) <= {1, 3, 5, 7}
    assert torch.equal(x, y + 100.0)


def test_a_sampler_of_ones_own_is_kept_and_not_cut() -> None:
    rows = TensorDataset(torch.arange(12.0), torch.arange(12))
    loader = DataLoader(rows, batch_size=4, sampler=WeightedRandomSampler([1.0] * 6 + [0.0] * 6, 12))
    assert part_of(loader, np.arange(12), 4) is loader
    with pytest.raises(RecipeError, match="sampler"):
        part_of(loader, np.arange(6), 4)


def test_a_second_loader_chooses_and_tests() -> None:
    source = OwnSource.of((DataLoader(classes()), DataLoader(classes(40))), None, remember(two_outputs), None)
    from whet.data.core import Roles
    from whet.fields import field

    data = field("own").load(source, target=None, task=None, holdout=None, split=None, roles=Roles())
    parts = field("own").split(data, 0)
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 160, "val": 20, "test": 20}
    assert math.isclose(sum(map(len, parts.values())), len(data.x))
