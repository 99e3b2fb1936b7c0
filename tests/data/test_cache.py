"""Decoded once, kept by content, and no harm where nothing can be kept."""

from __future__ import annotations

import dataclasses
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import noise, save, tree

from whet.data import cache, decode, load, pictures, prepared
from whet.data.image_transform import resized
from whet.data.prepared import Prepared, prepare
from whet.errors import OutputError
from whet.fields import transform_from


@pytest.fixture
def decoded_count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were decoded so far, in a list of one."""
    count, real = [0], decode.pixels

    def counting(*given: object) -> object:
        count[0] += 1
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(decode, "pixels", counting)
    return count


def test_pictures_are_decoded_once(tmp_path: Path, decoded_count: list[int]) -> None:
    first = load(tree(tmp_path / "a"))
    assert decoded_count == [12]
    assert isinstance(first.x, np.memmap)
    again = load(tmp_path / "a")
    assert decoded_count == [12]
    assert first.fingerprint == again.fingerprint
    (tmp_path / "a").rename(tmp_path / "b")
    load(tmp_path / "b")
    assert decoded_count == [12]


def test_changed_pictures_are_decoded_again(tmp_path: Path, decoded_count: list[int]) -> None:
    before = load(tree(tmp_path))
    save(tmp_path / "cat" / "0.png", noise(99))
    after = load(tmp_path)
    assert decoded_count == [24]
    np.testing.assert_array_equal(after.x[0], noise(99))
    assert not np.array_equal(before.x[0], after.x[0])


def test_settled_files_are_known_without_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SETTLED", -10.0)
    load(tree(tmp_path))
    monkeypatch.setattr(pictures, "files_digest", lambda files: pytest.fail("was read again"))
    load(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone", "notes"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, cache_folder: Path, damage: str) -> None:
    first = np.array(load(tree(tmp_path)).x)
    file = next((cache_folder / "images").glob("*.npy"))
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "gone":
        file.unlink()
    else:
        file.with_suffix(".json").write_text("{")
    np.testing.assert_array_equal(load(tmp_path).x, first)


def test_a_cache_that_is_a_file_is_replaced_by_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WHET_CACHE", str(tmp_path / "file"))
    data = load(tree(tmp_path / "pets"))
    assert isinstance(data.x, np.memmap)
    assert any("for this run only" in s for s in data.said)
    np.testing.assert_array_equal(data.x[0], noise(0))


def test_a_full_disk_sends_the_pictures_to_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise OutputError("Can't write there: the disk is full.")

    monkeypatch.setattr(cache, "_write", full)
    cache._temporary.cache_clear()
    data = load(tree(tmp_path))
    assert type(data.x) is np.ndarray
    assert any("the disk is full" in s and "in memory" in s for s in data.said)
    np.testing.assert_array_equal(data.x[0], noise(0))


def test_a_disk_that_fills_while_writing_leaves_nothing_behind(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blocks(notes: dict) -> object:
        yield np.zeros((2, 3), np.uint8)
        raise OSError(28, "No space left on device")

    made = []
    monkeypatch.setattr(cache, "_temporary", lambda: made.append(1) or tmp_path / "temporary")
    with pytest.raises(OSError, match="No space"):  # in every place, the memory too
        cache._make("k", (3,), 9, blocks)  # type: ignore[arg-type]
    assert made
    assert not list((cache_folder / "images").iterdir())
    assert not list((tmp_path / "temporary").iterdir())


def test_the_oldest_entries_go_when_the_cache_is_full(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHET_CACHE_GIB", str(2500 / (1 << 30)))
    for i, key in enumerate("abc"):
        cache.entry(key, (1000,), 1, lambda notes: iter([np.zeros((1, 1000), np.uint8)]))
        os.utime(cache_folder / "images" / f"{key}.npy", (1000 + i, 1000 + i))
    assert cache.find("a") is None
    assert cache.find("b") is not None
    assert cache.find("c") is not None


def test_blocks_are_written_without_gathering_them(cache_folder: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = cache.entry("big", (1 << 20,), 100, lambda notes: (np.full((1, 1 << 20), i, np.uint8) for i in range(100)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB, for 100 MiB
    assert made.x.shape == (100, 1 << 20)
    assert made.x[:, 7].tolist() == list(range(100))


def test_the_header_is_one_that_numpy_writes_too(cache_folder: Path) -> None:
    cache.entry("k", (2, 3), 4, lambda notes: iter([np.arange(24, dtype=np.uint8).reshape(4, 2, 3)]))
    x = np.load(cache_folder / "images" / "k.npy")
    np.testing.assert_array_equal(x, np.arange(24).reshape(4, 2, 3))


PARTS = {"train": np.arange(9), "val": np.arange(9, 12), "test": np.arange(0)}


def test_resized_pictures_are_made_once_and_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tree(tmp_path))
    first = prepare(data, PARTS, (4, 5)).inputs[0]
    monkeypatch.setattr(prepared, "resized_blocks", lambda x, size: pytest.fail("was resized again"))
    again = prepare(load(tmp_path), PARTS, (4, 5)).inputs[0]
    assert first.shape == (12, 4, 5, 3)
    assert hasattr(again, "mapping")
    np.testing.assert_array_equal(again, resized(np.asarray(data.x), (4, 5)))


def test_resized_pictures_that_find_no_room_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tree(tmp_path))
    monkeypatch.setattr(cache, "SPARE", 1 << 62)
    made = prepare(data, PARTS, (4, 5))
    assert len(made.said) == 1
    assert "free" in made.said[0]
    np.testing.assert_array_equal(made.inputs[0], resized(np.asarray(data.x), (4, 5)))


def test_workers_share_the_pictures_and_what_a_killed_run_left_harms_none(tmp_path: Path) -> None:
    data = load(tree(tmp_path / "pets"))
    made, shared = prepare(data, PARTS), tmp_path / "shared"
    made.save(shared)
    assert (shared / "input0.npy").stat().st_nlink == 2, "the pictures were copied"
    before = np.array(data.x)
    dataclasses.replace(made, inputs=(torch.zeros(12, 2, 2, 3, dtype=torch.uint8),)).save(shared)
    np.testing.assert_array_equal(data.x, before)
    assert Prepared.load(shared, transform_from).inputs[0].shape == (12, 2, 2, 3)
