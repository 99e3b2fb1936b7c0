"""Batches by position."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from whet.data import loader
from whet.data.image_transform import ImageTransform, resized
from whet.data.loader import Dropper, Loader


def mapped(path: Path, n: int = 100) -> np.ndarray:
    np.save(path, np.random.default_rng(0).integers(0, 256, (n, 5, 4, 3), dtype=np.uint8))
    return np.load(path, mmap_mode="r")


def a_loader(**options: object) -> Loader:
    x, y = torch.arange(60).view(20, 3), torch.arange(20)
    settings = {"batch_size": 6, "seed": 1, "shuffle": True, "drop_last": False, **options}
    return Loader((x,), y, torch.arange(2, 20), **settings)  # type: ignore[arg-type]


def test_an_epoch_holds_every_row_once() -> None:
    it = a_loader()
    seen = torch.cat([y for _, y in it.epoch(0)])
    assert it.batches_per_epoch == 3
    assert sorted(seen.tolist()) == list(range(2, 20))


def test_inputs_and_targets_belong_together() -> None:
    for (x,), y in a_loader().epoch(3):
        assert torch.equal(x, torch.stack([3 * y, 3 * y + 1, 3 * y + 2], dim=1))


def test_any_batch_can_be_asked_for_at_any_time() -> None:
    one, two = a_loader(), a_loader()
    expected = [y for epoch in range(3) for _, y in one.epoch(epoch)]
    assert torch.equal(two.batch(2, 1)[1], expected[7])
    assert torch.equal(two.batch(0, 2)[1], expected[2])
    assert not torch.equal(expected[0], expected[3])


def test_another_seed_gives_another_order_and_no_shuffling_none() -> None:
    assert not torch.equal(a_loader().batch(0, 0)[1], a_loader(seed=2).batch(0, 0)[1])
    assert a_loader(shuffle=False).batch(5, 0)[1].tolist() == [2, 3, 4, 5, 6, 7]


def test_the_last_small_batch_is_left_out_on_request_unless_it_is_the_only_one() -> None:
    assert a_loader(batch_size=4, drop_last=True).batches_per_epoch == 4
    assert a_loader(batch_size=4).batches_per_epoch == 5
    assert len(a_loader(batch_size=4).batch(0, 4)[1]) == 2
    only = a_loader(batch_size=100, drop_last=True)
    assert only.batches_per_epoch == 1
    assert len(only.batch(0, 0)[1]) == 18


def test_without_targets_the_rows_are_given() -> None:
    x = torch.arange(10).view(10, 1)
    (inputs,), rows = Loader((x,), None, torch.arange(10), 4).batch(0, 0)
    assert torch.equal(inputs[:, 0], rows)


def test_a_memory_map_is_read_in_place(tmp_path: Path) -> None:
    x = mapped(tmp_path / "x.npy")
    (tensor,) = ImageTransform.fit(x).apply(x)
    assert tensor.data_ptr() == x.__array_interface__["data"][0]
    (images,), rows = Loader((tensor,), None, torch.arange(100), 16).batch(0, 2)
    np.testing.assert_array_equal(images.numpy(), x[rows.numpy()])


def test_pages_of_a_large_map_are_given_back_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = mapped(tmp_path / "x.npy", 5000)
    monkeypatch.setattr(loader, "memory", lambda: 100_000)
    (tensor,) = ImageTransform.fit(x).apply(x)
    it = Loader((tensor,), None, torch.arange(5000), 500)
    assert isinstance(it._dropper, Dropper)
    whole = np.array(x)
    for (images,), rows in it.epoch(0):
        np.testing.assert_array_equal(images.numpy(), whole[rows.numpy()])
    assert Dropper.of((torch.zeros(200_000),)) is None  # memory that is no map must never be dropped


def test_statistics_are_those_of_the_training_rows() -> None:
    x = np.random.default_rng(0).integers(0, 256, (300, 5, 4, 3), dtype=np.uint8)
    fitted = ImageTransform.fit(x, np.arange(200))
    np.testing.assert_allclose(fitted.mean, (x[:200] / 255.0).mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(fitted.std, (x[:200] / 255.0).std(axis=(0, 1, 2)), rtol=1e-5)
    assert ImageTransform.from_dict(fitted.to_dict()) == fitted
    constant = ImageTransform.fit(np.full((4, 3, 3, 1), 7, np.uint8))
    assert min(constant.std) > 0


def test_shrinking_averages_and_keeps_the_kind() -> None:
    x = np.zeros((3, 16, 16, 3), np.uint8)
    x[:, ::2] = 200
    small = resized(x, (4, 4))
    assert isinstance(small, np.ndarray)
    assert small.shape == (3, 4, 4, 3)
    assert np.abs(small.astype(int) - 100).max() < 15
    assert resized(x, (16, 16)) is x
