"""Recordings of every kind become rows, or one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, TONES, class_folders, named, tone, write

from whet import fields
from whet.data import cache
from whet.data.core import Data, Roles
from whet.errors import DataError
from whet.fields.audio import decode
from whet.fields.audio.clips import Clips, loudest
from whet.fields.audio.listing import Pattern

BY_NAME = Roles(pattern="{label}_{speaker}_{index}")


def test_class_folders_become_clips_with_their_lengths(classes: Path) -> None:
    data = fields.load(classes)
    assert (data.domain, data.goal, data.classes) == ("audio", "classify", ("high", "low", "middle"))
    assert len(data) == 60
    assert data.x.rate == RATE
    for row in (0, 17, 59):
        x, _ = soundfile.read(classes / data.ids[row], dtype="int16")
        assert np.array_equal(data.x.clip(row), x)
        assert data.classes[data.y[row]] == data.ids[row].split("/")[0]


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".mp3"])
def test_compressed_formats_sound_like_the_waveform(suffix: str, tmp_path: Path) -> None:
    x = tone(600, 0.5, rate=16_000)
    write(tmp_path / f"x{suffix}", x, 16_000)
    read, head = decode.samples(str(tmp_path / f"x{suffix}"), 16_000)
    same = min(len(x), len(read))
    assert head.format.lower().startswith(suffix[1:]) or suffix == ".mp3"
    assert np.corrcoef(x[:same], read[:same])[0, 1] > 0.95


def test_mixed_rates_and_channels_become_one(tmp_path: Path) -> None:
    for k, (name, pitch) in enumerate(TONES.items()):
        for i in range(5):
            rate = (RATE, RATE, 8_000)[i % 3]
            x = tone(pitch, 0.25, rate=rate, seed=10 * k + i)
            write(tmp_path / name / f"{i}.wav", np.stack([x, x], 1) if i == 4 else x, rate)
    data = fields.load(tmp_path)
    assert data.x.rate == RATE
    assert set(data.x.lengths) == {RATE // 4}
    assert any("3 recordings have another rate" in said for said in data.said)
    assert any("3 recordings have several channels" in said for said in data.said)


def test_resampling_keeps_the_pitch_and_the_length() -> None:
    found = decode.resampled(tone(500, 1.0, rate=11_025, noise=0), 11_025, 8_000)
    assert abs(len(found) - 8_000) <= 1
    peak = np.abs(np.fft.rfft(found * np.hanning(len(found)))).argmax() * 8_000 / len(found)
    assert peak == pytest.approx(500, abs=2)


def test_what_the_new_rate_cannot_hold_is_cut_off_and_does_not_come_back_lower() -> None:
    found = decode.resampled(tone(7_000, 1.0, rate=16_000, noise=0), 16_000, 8_000)
    assert np.sqrt(np.mean(found**2)) < 0.01


def damaged(root: Path) -> dict[str, str]:
    """Recordings that can't be used, with the word that says why."""
    x = tone(600, 0.3)
    whole = write(root / "low" / "whole.wav", x).read_bytes()
    (root / "low" / "torn.wav").write_bytes(whole[: len(whole) // 2])
    (root / "low" / "empty.wav").write_bytes(b"")
    (root / "low" / "text.wav").write_text("no sound")
    write(root / "low" / "silent.wav", np.zeros(900))
    write(root / "low" / "constant.wav", np.full(900, 0.2))
    write(root / "low" / "short.wav", x[:10])
    soundfile.write(root / "low" / "nan.wav", np.full(900, np.nan, np.float32), RATE, subtype="FLOAT")
    flac = write(root / "low" / "cut.flac", x).read_bytes()
    (root / "low" / "cut.flac").write_bytes(flac[: len(flac) // 2])
    why = {"torn": "truncated", "empty": "empty", "text": "can't be read", "silent": "silent", "constant": "silent"}
    return {**why, "short": "lasts", "nan": "NaN", "cut": "t"}


def test_what_cannot_be_used_is_skipped_and_named(tmp_path: Path) -> None:
    whys = damaged(class_folders(tmp_path, each=52))
    data = fields.load(tmp_path)
    assert len(data) == 3 * 52 + 1
    found = {Path(p.where).stem: p.why for p in data.problems}
    assert found.keys() == whys.keys()
    for name, why in whys.items():
        assert why in found[name]
    assert any("8 recordings can't be used" in said for said in data.said)


def test_too_many_unusable_recordings_are_refused_with_their_reasons(tmp_path: Path) -> None:
    damaged(class_folders(tmp_path, each=10))
    with pytest.raises(DataError, match=r"8 of 39 recordings can't be read \(low/.*Up to 5%"):
        fields.load(tmp_path)


def test_an_empty_folder_and_one_class_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no recordings"):
        fields.load(tmp_path / "nothing", roles=BY_NAME)
    for i in range(5):
        write(tmp_path / "one" / "only" / f"{i}.wav", tone(500, 0.2, seed=i))
    with pytest.raises(DataError, match="There is one class only: 'only'"):
        fields.load(tmp_path / "one")
    with pytest.raises(DataError, match="no class folders"):
        fields.load(tmp_path / "one" / "only")


def test_one_recording_cannot_be_learned_from(tmp_path: Path) -> None:
    write(tmp_path / "x.wav", tone(500, 0.2))
    with pytest.raises(DataError, match="says nothing of its recordings"):
        fields.load(tmp_path / "x.wav")


def test_a_pattern_reads_labels_and_speakers_from_names(tmp_path: Path) -> None:
    data = fields.load(named(tmp_path, ["ann", "bob", "cid"]), roles=BY_NAME)
    assert data.classes == ("high", "low", "middle")
    assert data.origin["speakers"] == [name.split("_")[1] for name in data.ids]


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("{label}_{speaker}_{index}", "7_theo_12.wav", {"label": "7", "speaker": "theo", "index": "12"}),
        ("{label}/{speaker}-{index}", "yes/ann-3.flac", {"label": "yes", "speaker": "ann", "index": "3"}),
        ("{speaker}.{label}", "deep/ann.no.wav", {"speaker": "ann", "label": "no"}),
        ("{label}_{index}", "seven.wav", None),
    ],
)
def test_a_pattern_fits_a_name_or_says_nothing(text: str, name: str, said: dict[str, str] | None) -> None:
    assert Pattern(text).read(name) == said


@pytest.mark.parametrize(("text", "why"), [("{speaker}_{index}", "no {label}"), ("{label}_{label}", "twice")])
def test_a_pattern_that_says_too_little_is_refused(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Pattern(text)


def test_names_that_do_not_fit_the_pattern_are_refused_with_an_example(tmp_path: Path) -> None:
    named(tmp_path, ["ann", "bob", "cid"])
    with pytest.raises(DataError, match=r"high_ann_0.wav: doesn't fit the pattern \{label\}-\{index\}"):
        fields.load(tmp_path, roles=Roles(pattern="{label}-{index}"))


def table(root: Path, head: str, *more: str) -> Data:
    lines = [head]
    for i, path in enumerate(sorted(root.rglob("*.wav"))):
        values = {"path": path.relative_to(root), "label": path.name.split("_")[0], "speaker": path.name.split("_")[1]}
        values["split"] = ("train", "train", "test", "val")[i % 4]
        lines.append(",".join(str(values[c]) for c in head.split(",")))
    (root / "labels.csv").write_text("\n".join([*lines, *more]) + "\n")
    return fields.load(root / "labels.csv")


def test_a_table_says_labels_parts_and_speakers(tmp_path: Path) -> None:
    data = table(named(tmp_path, ["ann", "bob", "cid"]), "path,label,split,speaker")
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 18, "val": 9, "test": 9}
    assert set(data.origin["speakers"]) == {"ann", "bob", "cid"}


def test_a_table_with_a_missing_file_an_unknown_part_or_no_paths_is_refused(tmp_path: Path) -> None:
    named(tmp_path, ["ann", "bob"])
    with pytest.raises(DataError, match=r"there.wav: is listed and not there"):
        table(tmp_path, "path,label", *["not-there.wav,low"] * 2)
    with pytest.raises(DataError, match="has the split 'later'"):
        table(named(tmp_path / "more", ["ann"], each=1), "path,label,split", "../high_ann_0.wav,low,later")
    (tmp_path / "labels.csv").write_text("path,tag\nhigh_ann_0.wav,low\n")
    with pytest.raises(DataError, match="says nothing of its recordings"):
        fields.load(tmp_path / "labels.csv")


def test_decoded_recordings_are_found_again_and_changed_ones_are_seen(tmp_path: Path) -> None:
    class_folders(tmp_path, each=3)
    first = fields.load(tmp_path)
    assert len(list(cache.folder().glob("*.npy"))) >= 1
    assert fields.load(tmp_path).fingerprint == first.fingerprint
    write(tmp_path / "low" / "0.wav", tone(251, 0.2, seed=9))
    assert fields.load(tmp_path).fingerprint != first.fingerprint


def test_folders_of_pictures_and_tables_without_paths_are_left_alone(tmp_path: Path) -> None:
    audio = fields.field("audio")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"")
    (tmp_path / "x.csv").write_text("path,label\nx.png,1\n")
    assert not audio.takes(tmp_path, None, Roles())
    assert not audio.takes(tmp_path / "x.csv", None, Roles())
    assert not audio.takes(np.zeros(3), None, Roles())


def test_the_loudest_part_of_a_long_clip_is_found() -> None:
    x = np.zeros(1_000, np.int16)
    x[620:700] = 900
    assert loudest(x, 100) in range(600, 621)
    assert loudest(x, 2_000) == 0


def test_rows_of_clips_are_taken_without_a_copy() -> None:
    samples = np.arange(60, dtype=np.int16)
    clips = Clips(samples, np.asarray([0, 10, 30]), np.asarray([10, 20, 30]), RATE)
    some = clips[np.asarray([2, 0])]
    assert [len(c) for c in some] == [30, 10]
    assert np.shares_memory(some.clip(0), samples)
