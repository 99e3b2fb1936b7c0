"""Bad folders of pictures: one clear line each, or the bad ones skipped and named."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from picture_files import encoded, noise, save, tree
from PIL import Image

from whet.data import decode, input_spec, load, load_inputs
from whet.errors import DataError


def refusal(source: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        load(source, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few bytes that says it is side x side."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_a_path_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    tree(tmp_path / "trashnet")
    assert "Did you mean" in (said := refusal(tmp_path / "trasnet"))
    assert "trashnet'" in said
    assert "'digits'" in refusal("digit")


def test_an_empty_folder_and_one_without_pictures(tmp_path: Path) -> None:
    assert "is empty" in refusal(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.md").write_text("x")
    assert "no pictures" in refusal(tmp_path)


def test_pictures_without_class_folders(tmp_path: Path) -> None:
    for i in range(3):
        save(tmp_path / f"{i}.png", noise(i))
    assert "3 pictures and no class folders" in refusal(tmp_path)


def test_one_class_only(tmp_path: Path) -> None:
    assert "one class only: 'cat'" in refusal(tree(tmp_path, ("cat",)))


def test_a_class_with_one_example_is_named(tmp_path: Path) -> None:
    tree(tmp_path)
    save(tmp_path / "newt" / "0.png", noise(0))
    assert "'newt' has one example only" in refusal(tmp_path)


def test_a_class_that_training_lacks_is_named(tmp_path: Path) -> None:
    tree(tmp_path / "train")
    tree(tmp_path / "test", ("cat", "newt"))
    assert "'newt'" in refusal(tmp_path)


def test_few_corrupt_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    tree(tmp_path, each=50)
    whole = encoded(noise(9), "JPEG")
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    (tmp_path / "cat" / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "dog" / "text.gif").write_bytes(b"hello")
    (tmp_path / "dog" / "bomb.png").write_bytes(bomb())
    (tmp_path / "dog" / "gone.png").symlink_to(tmp_path / "nowhere")
    data = load(tmp_path)
    assert len(data) == 100
    assert len(data.x) == 100
    why = {problem.where: problem.why for problem in data.problems}
    assert set(why) == {"cat/empty.png", "cat/torn.jpg", "dog/text.gif", "dog/bomb.png", "dog/gone.png"}
    assert why["cat/empty.png"] == "zero bytes"
    assert "truncated" in why["cat/torn.jpg"].lower()
    assert "bomb" in why["dog/bomb.png"]
    assert any("5 pictures can't be read" in s for s in data.said)
    again = load(tmp_path)
    assert again.problems == data.problems
    np.testing.assert_array_equal(again.y, data.y)
    assert again.ids == data.ids
    np.testing.assert_array_equal(data.x[(data.ids or ()).index("dog/49.png")], noise(1049))


def test_a_file_that_is_no_picture_at_all_says_so_and_pictures_of_two_cameras_open(tmp_path: Path) -> None:
    """Pillow has no opener of its own for MPO, and raised KeyError: 'MPO' where no other format fitted."""
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(decode.Unreadable, match="not in an image format that is known"):
        decode.opened(tmp_path / "x.png")
    left, right = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    left.save(tmp_path / "x.mpo", save_all=True, append_images=[right])
    assert decode.opened(tmp_path / "x.mpo").size == (40, 30)


def test_more_than_one_in_twenty_corrupt_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, each=9)
    (tmp_path / "cat" / "empty.png").write_bytes(b"")
    assert "1 of 19 pictures can't be read (cat/empty.png: zero bytes)" in refusal(tmp_path)


def test_all_corrupt_is_refused(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert "None of the pictures" in refusal(tmp_path)


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    tree(tmp_path / "pets", ("cat.png", "dog.png"))
    assert load(tmp_path / "pets").classes == ("cat.png", "dog.png")
    (tmp_path / "x.png").mkdir()
    assert "is empty" in refusal(tmp_path / "x.png")


def test_a_single_picture_can_not_be_learned_from_and_a_bomb_not_predicted(tmp_path: Path) -> None:
    assert "single picture" in refusal(save(tmp_path / "one.png", noise(0)))
    spec = input_spec(load(tree(tmp_path / "pets")))
    (tmp_path / "bomb.png").write_bytes(bomb())
    with pytest.raises(DataError, match="bomb"):
        load_inputs(tmp_path / "bomb.png", spec)


def test_files_that_could_run_code_and_archives_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(b"x")
    (tmp_path / "x.zip").write_bytes(b"x")
    assert "could run code" in refusal(tmp_path / "x.pkl")
    assert "Unpack it" in refusal(tmp_path / "x.zip")


def test_a_path_with_a_null_or_a_circle(tmp_path: Path) -> None:
    assert "no path" in refusal("a\0b")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    refusal(tmp_path / "round")


def test_what_fits_no_picture_source_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path)
    assert "'price'" in refusal(root, target="price")
    assert "one of --holdout and --split" in refusal(root, holdout=root, split="x.csv")


@pytest.mark.parametrize("seed", range(3))
def test_a_fuzzed_folder_is_refused_in_one_line(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    for c in ("a", "b"):
        for i, form in enumerate(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")):
            for k in range(4):
                raw = bytearray(encoded(noise(i), form))
                for _ in range(0 if k == 3 else 8):
                    raw[random.integers(len(raw))] = random.integers(256)
                (tmp_path / c).mkdir(exist_ok=True)
                (tmp_path / c / f"{i}-{k}.{form.lower()}").write_bytes(bytes(raw))
    assert "of 56 pictures can't be read" in refusal(tmp_path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + bytes(100))
    refusal(tmp_path / "x.parquet")
