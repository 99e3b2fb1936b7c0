"""numpy pairs, .npz and IDX files, torch Datasets, bundled names."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from whet.data import input_spec, load, load_inputs, split
from whet.data.bundled import NAMES
from whet.errors import DataError


def pair(n: int = 20, shape: tuple[int, ...] = (6, 5), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)
    return x, np.arange(n) % 2


def write_idx(path: Path, x: np.ndarray, zipped: bool = False) -> None:
    raw = struct.pack(">HBB", 0, 8, x.ndim) + struct.pack(f">{x.ndim}I", *x.shape) + x.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(raw) if zipped else raw)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_sets_need_no_network(name: str) -> None:
    data = load(name)
    assert data.name == name
    assert data.domain == ("image" if name == "digits" else "table")
    parts = split(data, seed=0)
    assert sum(len(rows) for rows in parts.values()) == len(data)


def test_digits_use_the_whole_range() -> None:
    data = load("digits")
    assert data.x.shape == (1797, 8, 8, 1)
    assert data.x.max() == 255


def test_uint8_pictures_are_taken_as_they_are() -> None:
    x, y = pair()
    data = load((x, y))
    assert data.x.shape == (20, 6, 5, 1)
    assert np.shares_memory(data.x, x)
    assert data.classes == ("0", "1")


def test_two_axes_are_a_table() -> None:
    x, y = pair(shape=(7,))
    assert load((x / 2.0, y)).domain == "table"


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (0.0, 4095.0)])
def test_float_pictures_are_scaled_by_a_usual_range(low: float, high: float) -> None:
    x, y = pair()
    x.flat[:2] = (0, 255)
    data = load(((x / 255.0 * (high - low) + low).astype(np.float32), y))
    np.testing.assert_array_equal(data.x[..., 0], x)
    again = load_inputs((x[:3] / 255.0 * (high - low) + low).astype(np.float32), input_spec(data))
    np.testing.assert_array_equal(again.x[..., 0], x[:3])


def test_channels_may_come_first_or_last() -> None:
    x, y = pair(shape=(6, 5, 3))
    np.testing.assert_array_equal(load((x, y)).x, x)
    np.testing.assert_array_equal(load((x.transpose(0, 3, 1, 2), y)).x, x)
    tensors = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)
    np.testing.assert_array_equal(load(tensors).x, x)


def test_targets_are_read_by_their_kind() -> None:
    x, y = pair()
    assert load((x, np.asarray(["b", "a"])[y])).classes == ("a", "b")
    assert load((x, y.astype(bool))).classes == ("False", "True")
    assert load((x, np.eye(2)[y])).classes == ("0", "1")
    values = load((x, y + 0.5 * np.arange(20)))
    assert (values.goal, values.classes, values.y.dtype) == ("regress", (), np.float64)
    assert load((x, y), task="regression").goal == "regress"


def test_npz_keeps_its_parts(tmp_path: Path) -> None:
    (x, y), (u, v) = pair(), pair(8, seed=1)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=u, y_test=v)
    for _ in range(2):  # decoded, then from the cache
        data = load(tmp_path / "a.npz")
        assert {part: len(rows) for part, rows in data.official.items()} == {"train": 20, "test": 8}
        np.testing.assert_array_equal(data.x[data.official["test"], ..., 0], u)
    inputs = load_inputs(tmp_path / "a.npz", input_spec(data))
    assert (inputs.y is not None and inputs.y.tolist()) == v.tolist()
    np.savez_compressed(tmp_path / "b.npz", X=x, Y=y)
    assert load(tmp_path / "b.npz").official == {}


def test_npz_tables_keep_their_parts(tmp_path: Path) -> None:
    x, y = pair(40, (3,))
    np.savez(tmp_path / "a.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    data = load(tmp_path / "a.npz")
    assert data.domain == "table"
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 30, "test": 10}


def test_npz_with_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.asarray([{}, {}], object), y=np.arange(2))
    with pytest.raises(DataError, match="can run code"):
        load(tmp_path / "a.npz")


def test_damaged_and_nameless_npz_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(DataError, match="is no"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", apples=np.arange(3))
    with pytest.raises(DataError, match="'apples'"):
        load(tmp_path / "b.npz")


@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_have_official_parts(tmp_path: Path, zipped: bool) -> None:
    end = ".gz" if zipped else ""
    for part, n in (("train", 12), ("t10k", 6)):
        x, y = pair(n, (4, 4), seed=n)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{end}", x, zipped)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{end}", y, zipped)
    for _ in range(2):
        data = load(tmp_path)
        assert data.x.shape == (18, 4, 4, 1)
        assert {part: len(rows) for part, rows in data.official.items()} == {"train": 12, "test": 6}
        np.testing.assert_array_equal(data.x[data.official["test"], ..., 0], pair(6, (4, 4), seed=6)[0])
    (tmp_path / "classes.txt").write_text("shirt\nshoe\n")
    assert load(tmp_path).classes == ("shirt", "shoe")
    assert len(load_inputs(tmp_path, input_spec(data))) == 6


def test_broken_idx_files_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", pair(4)[0])
    with pytest.raises(DataError, match="no labels beside it"):
        load(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(4) % 2)
    whole = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    (tmp_path / "train-images-idx3-ubyte").write_bytes(whole[:-5])
    with pytest.raises(DataError, match="incomplete"):
        load(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"hello")
    with pytest.raises(DataError, match="no IDX file"):
        load(tmp_path)


class Squares(Dataset):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.full((3, 4, 4), i / 9.0), i % 2


def test_torch_datasets_and_loaders_are_read() -> None:
    data = load(Squares())
    assert data.x.shape == (10, 4, 4, 3)
    assert data.x[:, 0, 0, 0].tolist() == [round(255 * i / 9) for i in range(10)]
    assert load(DataLoader(Squares(), batch_size=4)).fingerprint == data.fingerprint
    x, y = pair(shape=(7,))
    assert load(TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y))).domain == "table"


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((4, 3, 3), np.uint8), np.arange(3), "4 examples"),
        (np.zeros((4, 5, 5, 2), np.uint8), np.arange(4) % 2, "no set of pictures"),
        (np.zeros((0, 5, 5), np.uint8), np.arange(0), "no pictures"),
        (np.full((4, 5, 5), np.nan), np.arange(4) % 2, "NaN"),
        (np.zeros((4, 5, 5), np.uint8), np.asarray([0, 1, np.nan, 1]), "1 of 4 targets"),
        (np.zeros((4, 5, 5), np.uint8), np.zeros(4, int), "one class only"),
    ],
)
def test_arrays_that_can_not_be_learned_from(x: np.ndarray, y: np.ndarray, why: str) -> None:
    with pytest.raises(DataError, match=why):
        load((x, y))


def test_prediction_refuses_another_shape_and_turns_grey_into_colour() -> None:
    x, y = pair(shape=(6, 5, 3))
    spec = input_spec(load((x, y)))
    with pytest.raises(DataError, match=r"\(7, 5, 3\).*\(6, 5, 3\)"):
        load_inputs(np.zeros((2, 7, 5, 3), np.uint8), spec)
    assert load_inputs(x[..., 0], spec).x.shape == (20, 6, 5, 3)
    assert load_inputs(x[0], spec).x.shape == (1, 6, 5, 3)
    with pytest.raises(DataError, match="table"):
        load_inputs("iris", spec)


def test_a_holdout_of_arrays_keeps_the_class_names() -> None:
    x, y = pair()
    u, _ = pair(4, seed=3)
    names = np.asarray(["b", "a"])
    data = load((x, names[y]), holdout=(u, np.asarray(["b"] * 4)))
    assert data.y[data.official["test"]].tolist() == [1] * 4
