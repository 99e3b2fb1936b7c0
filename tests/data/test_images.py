"""Folders, Parquet tables and single pictures, whatever their formats and modes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_files import encoded, noise, save, tree
from PIL import Image

from whet.data import decode, input_spec, load, load_inputs
from whet.data.decode import Canvas
from whet.errors import DataError

SMALL = Canvas(12, 16, 3)


def test_a_folder_of_class_folders_is_read_pixel_by_pixel(tmp_path: Path) -> None:
    data = load(tree(tmp_path / "pets"))
    assert (data.name, data.domain, data.goal, data.classes) == ("pets", "image", "classify", ("cat", "dog"))
    assert data.x.shape == (12, 12, 16, 3)
    assert data.x.dtype == np.uint8
    for i, name in enumerate(data.ids or ()):
        label, file = name.split("/")
        assert data.classes[data.y[i]] == label
        np.testing.assert_array_equal(data.x[i], noise(1000 * data.y[i] + int(file[0])))


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    data = load(tree(tmp_path, tuple(str(i) for i in range(11)), each=2))
    assert data.classes == tuple(str(i) for i in range(11))


def test_part_folders_become_official_parts(tmp_path: Path) -> None:
    for part, each in (("train", 4), ("validation", 2), ("test", 3)):
        tree(tmp_path / part, each=each)
    data = load(tmp_path)
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 8, "val": 4, "test": 6}
    assert data.classes == ("cat", "dog")
    assert all((data.ids or ())[i].startswith("test/") for i in data.official["test"])


def test_a_folder_around_the_class_folders_is_no_class(tmp_path: Path) -> None:
    data = load(tree(tmp_path / "images").parent)
    assert data.classes == ("cat", "dog")


def test_split_csv_gives_labels_and_parts(tmp_path: Path) -> None:
    for i in range(8):
        save(tmp_path / "images" / f"{i}.png", noise(i))
    parts = ["train"] * 4 + ["valid"] * 2 + ["test"] * 2
    rows = [f"images/{i}.png,{'even' if i % 2 == 0 else 'odd'},{part}" for i, part in enumerate(parts)]
    (tmp_path / "split.csv").write_text("path,label,split\n" + "\n".join(rows))
    data = load(tmp_path)
    assert data.classes == ("even", "odd")
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 4, "val": 2, "test": 2}
    assert [data.classes[c] for c in data.y] == ["even", "odd"] * 4


def test_a_split_file_elsewhere_can_be_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "pets")
    rows = [f"{c}/{i}.png,{'test' if i == 0 else 'train'}" for c in ("cat", "dog") for i in range(5)]
    (tmp_path / "mine.csv").write_text("path,split\n" + "\n".join(rows))
    data = load(root, split=tmp_path / "mine.csv")
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 8, "test": 2}
    assert any("2 pictures aren't listed" in s for s in data.said)


def test_split_csv_with_an_unknown_part_is_refused(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "split.csv").write_text("path,label,split\ncat/0.png,cat,later\n")
    with pytest.raises(DataError, match="'later'"):
        load(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm", ".gif", ".tif", ".webp", ".jpg"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    x = np.full((12, 16, 3), (200, 100, 50), np.uint8)
    file = save(tmp_path / f"x{suffix}", x)
    pixels, _ = decode.pixels(str(file), SMALL)
    assert np.abs(pixels.astype(int) - x).max() <= 4


def test_every_mode_is_brought_to_colour() -> None:
    grey = noise(0, channels=1)
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I", "I;16", "F"):
        image = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
        form = "TIFF" if mode in ("CMYK", "I", "F", "I;16") else "PNG"
        white = {"I": 255.0, "F": 255.0}.get(mode, 65535.0)
        pixels, _ = decode.pixels(encoded(image, form), Canvas(12, 16, 3, white))
        expected = np.repeat((grey > 127).astype(int)[..., None] * 255 if mode == "1" else grey[..., None], 3, axis=2)
        if mode != "1":  # dithered
            assert np.abs(pixels.astype(int) - expected).max() <= 1, mode


def test_what_is_transparent_is_white() -> None:
    x = np.zeros((12, 16, 4), np.uint8)
    x[:, 8:, 3] = 255
    pixels, _ = decode.pixels(encoded(x), SMALL)
    assert pixels[:, :8].min() == 255
    assert pixels[:, 8:].max() == 0
    palette = Image.new("P", (16, 12), 0)
    palette.putpalette([10, 20, 30] * 2)
    pixels, _ = decode.pixels(encoded(palette, transparency=0), SMALL)
    assert pixels.min() == 255


def test_a_twelve_bit_camera_is_scaled_by_its_own_white() -> None:
    x = (noise(1, channels=1).astype(np.uint16) * 16) | 15
    canvas = decode.choose([encoded(Image.fromarray(x))])
    assert canvas == Canvas(12, 16, 1, 4095.0)
    pixels, _ = decode.pixels(encoded(Image.fromarray(x)), canvas)
    assert pixels.max() > 240


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_turned_by_exif_stands_upright(form: str) -> None:
    x = np.zeros((16, 24, 3), np.uint8)
    x[:, 12:] = 255  # stored with its bright half to the right; orientation 6: to be turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = encoded(x, form, exif=exif)
    assert decode.header(raw).size == (16, 24)
    pixels, _ = decode.pixels(raw, Canvas(24, 16, 3))
    assert pixels[-6:].min() > 200
    assert pixels[:6].max() < 50


def test_mixed_sizes_get_one_of_the_median_shape(tmp_path: Path) -> None:
    for i in range(9):
        save(tmp_path / ("a" if i % 2 else "b") / f"{i}.jpg", noise(i, height=300, width=400 + 10 * i))
    data = load(tmp_path)
    assert data.x.shape[1:] == (152, 224, 3)
    assert any("resized to 224 x 152" in s for s in data.said)


def test_a_large_picture_is_shrunk_like_an_average() -> None:
    x = np.zeros((400, 400, 3), np.uint8)
    x[::2] = 200
    pixels, _ = decode.pixels(encoded(x, "JPEG", quality=95), Canvas(40, 40, 3))
    assert np.abs(pixels[2:-2].astype(int) - 100).max() < 8


def test_grey_pictures_keep_one_channel_and_a_late_colour_picture_brings_three(tmp_path: Path) -> None:
    tree(tmp_path / "grey", channels=1)
    assert load(tmp_path / "grey").x.shape[3] == 1
    tree(tmp_path / "late", each=600, height=4, width=4, channels=1)
    save(tmp_path / "late" / "cat" / "1.png", noise(5, 4, 4))  # not among the pictures that are sampled first
    data = load(tmp_path / "late")
    assert data.x.shape == (1200, 4, 4, 3)
    np.testing.assert_array_equal(data.x[(data.ids or ()).index("cat/1.png")], noise(5, 4, 4))


def test_hidden_files_links_in_a_circle_and_other_files_do_no_harm(tmp_path: Path) -> None:
    root = tree(tmp_path / "pets")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / "cat" / "notes.txt").write_text("mine")
    (root / "empty").mkdir()
    (root / "cat" / "round").symlink_to(root)
    os.mkfifo(root / "dog" / "pipe")
    data = load(root)
    assert len(data) == 12
    assert any("2 files aren't pictures" in s and "cat/notes.txt" in s for s in data.said)
    assert any("'empty'" in s for s in data.said)


def test_names_in_any_script_survive(tmp_path: Path) -> None:
    data = load(tree(tmp_path, ("狗", "été")))
    assert set(data.classes) == {"狗", "été"}
    tree(tmp_path, (os.fsdecode(b"\xff\xfe"),))
    data = load(tmp_path)
    assert len(data.classes) == 3
    "".join(data.classes).encode("utf-8")


def table(file: Path, n: int, first: int = 0, names: bool = False) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": encoded(noise(first + i)), "path": f"{first + i}.png"} for i in range(n)]
    labels = (
        pa.array([i % 2 for i in range(n)]) if names else pa.array(["ab"[i % 2] for i in range(n)]).dictionary_encode()
    )
    found = pa.table({"image": pa.array(images, kind), "label": labels})
    if names:
        found = found.replace_schema_metadata(
            {"huggingface": '{"info": {"features": {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}}}'}
        )
    pq.write_table(found, file, row_group_size=5)
    return file


def test_parquet_files_with_pictures_are_read(tmp_path: Path) -> None:
    data = load(table(tmp_path / "x.parquet", 12))
    assert (data.classes, data.official, data.x.shape) == (("a", "b"), {}, (12, 12, 16, 3))
    for i in range(12):
        np.testing.assert_array_equal(data.x[i], noise(i))


def test_a_folder_of_parquet_files_has_official_parts(tmp_path: Path) -> None:
    table(tmp_path / "data" / "train-00000-of-00002.parquet", 6, names=True)
    table(tmp_path / "data" / "train-00001-of-00002.parquet", 6, 100, names=True)
    table(tmp_path / "data" / "test-00000-of-00001.parquet", 4, 200, names=True)
    data = load(tmp_path)
    assert data.classes == ("no", "yes")
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 12, "test": 4}
    np.testing.assert_array_equal(data.x[data.official["test"][1]], noise(201))


def test_the_fingerprint_tells_the_content_and_not_the_place(tmp_path: Path) -> None:
    one, two = load(tree(tmp_path / "a" / "pets")), load(tree(tmp_path / "b" / "pets"))
    assert one.fingerprint == two.fingerprint
    save(tmp_path / "b" / "pets" / "cat" / "0.png", noise(77))
    assert load(tmp_path / "b" / "pets").fingerprint != one.fingerprint


def test_a_holdout_becomes_the_test_part(tmp_path: Path) -> None:
    tree(tmp_path / "mine")
    tree(tmp_path / "theirs", ("dog",), each=3, height=30, width=40)
    data = load(tmp_path / "mine", holdout=tmp_path / "theirs")
    assert data.official["test"].tolist() == [12, 13, 14]
    assert data.official["train"].tolist() == list(range(12))
    assert data.y[12:].tolist() == [1, 1, 1]
    assert data.x.shape == (15, 12, 16, 3)


def test_a_holdout_with_an_unknown_class_is_refused(tmp_path: Path) -> None:
    tree(tmp_path / "mine")
    tree(tmp_path / "theirs", ("dog", "wolf"))
    with pytest.raises(DataError, match="'wolf'"):
        load(tmp_path / "mine", holdout=tmp_path / "theirs")


def test_prediction_takes_folders_single_pictures_and_parquet(tmp_path: Path) -> None:
    spec = input_spec(load(tree(tmp_path / "pets")))
    again = load_inputs(tmp_path / "pets", spec)
    assert (again.y is not None and again.y.tolist()) == [0] * 6 + [1] * 6
    one = load_inputs(save(tmp_path / "one.jpg", noise(3, 50, 60, 1)), spec)
    assert (one.x.shape, one.ids, one.y) == ((1, 12, 16, 3), ["one.jpg"], None)
    for i in range(3):
        save(tmp_path / "flat" / f"{i}.png", noise(i))
    assert load_inputs(tmp_path / "flat", spec).x.shape == (3, 12, 16, 3)
    other = load_inputs(table(tmp_path / "x.parquet", 4), spec)
    assert other.y is None
    assert any("'a'" in s for s in other.said)


def test_prediction_scores_the_source_own_test_part(tmp_path: Path) -> None:
    for part, each in (("train", 4), ("test", 3)):
        tree(tmp_path / part, each=each)
    inputs = load_inputs(tmp_path, input_spec(load(tmp_path)))
    assert inputs.x.shape[0] == 6
    assert inputs.y is not None
