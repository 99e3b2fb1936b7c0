"""Odd files end to end through the command line: a network or one clear line, never a traceback."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whet import cli


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def ended_well(capsys: pytest.CaptureFixture[str], *words: object) -> int:
    capsys.readouterr()
    code = cli.run([str(w) for w in words])
    said = capsys.readouterr().err
    assert code in (0, 2), said
    assert said.count("\n") == (0 if code == 0 else 1), said
    assert "Traceback" not in said
    return code


def picture(draw: np.random.Generator, mode: str) -> Image.Image:
    height, width = draw.integers(1, 20, 2)
    if mode in ("I;16", "I", "F"):
        return Image.fromarray(
            draw.integers(0, 60_000, (height, width)).astype({"I;16": "u2", "I": "i4", "F": "f4"}[mode])
        )
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


MODES = {"RGB": "JPEG", "L": "PNG", "RGBA": "PNG", "P": "GIF", "1": "BMP", "CMYK": "JPEG", "LA": "PNG", "I;16": "PNG",
         "I": "TIFF", "F": "TIFF", "YCbCr": "JPEG"}  # fmt: skip
NAMES = ("plain", "with space", "ümläut", "[red]tags[bold]", "--budget", "a'b\"c", "line\nbreak", ".hidden", "x" * 120)


@pytest.mark.parametrize(("seed", "spoilt"), [(0, 0.03), (1, 0.03), (2, 0.5)])
def test_a_fuzzed_folder(seed: int, spoilt: float, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(seed)
    for c in range(3):
        folder = Path("pics") / f"{NAMES[(seed + c) % 6]}{c}"
        folder.mkdir(parents=True)
        for i in range(30):
            mode = [*MODES][int(draw.integers(len(MODES)))]
            stream = io.BytesIO()
            picture(draw, mode).save(stream, MODES[mode])
            data = stream.getvalue()
            if draw.random() < spoilt:
                data = [draw.bytes(50), data[: len(data) // 2], b"", data[:8] + draw.bytes(30)][int(draw.integers(4))]
            ending = MODES[mode].lower() if draw.random() < 0.9 else "png"
            (folder / f"{NAMES[int(draw.integers(len(NAMES)))]}{i}.{ending}").write_bytes(data)
    ended_well(capsys, "profile", "pics")
    if ended_well(capsys, "fit", "pics", "--steps", 3, "--out", "run") == 0:
        assert ended_well(capsys, "predict", "run", "pics") == 0 or spoilt > 0
        ended_well(capsys, "report", "run")
    else:
        assert not Path("run").exists()


CELLS = ("1", "2.5", "-3e8", "1e308", "", "NA", "?", "nan", "yes", "2021-03-04", "a,b", 'q"uote', "line\nbreak", "ünï", "0x1f",
         "1,234", "$5", "\t", "[bold]x", "x" * 300)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_a_fuzzed_table(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    import csv

    draw = np.random.default_rng(seed)
    columns = int(draw.integers(2, 6))
    kinds = [draw.choice(len(CELLS), size=int(draw.integers(2, 5)), replace=False) for _ in range(columns)]
    with open("t.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([CELLS[int(draw.integers(len(CELLS)))] if seed % 2 else f"c{i}" for i in range(columns)])
        for _ in range(60):
            writer.writerow([CELLS[draw.choice(kind)] for kind in kinds])
    data = bytearray(Path("t.csv").read_bytes())
    if seed >= 4:  # and some bytes of it are others
        for at in draw.integers(0, len(data), 4):
            data[at] = int(draw.integers(256))
        Path("t.csv").write_bytes(bytes(data))
    ended_well(capsys, "profile", "t.csv")
    if ended_well(capsys, "fit", "t.csv", "--steps", 3, "--out", "run") == 0:
        ended_well(capsys, "predict", "run", "t.csv")
        ended_well(capsys, "report", "run")
    else:
        assert not Path("run").exists()
