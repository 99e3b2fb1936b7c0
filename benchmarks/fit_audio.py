"""`whet fit` on spoken digits and on yes/no sequences as a user would run it, beside the usual picks on the same rows.

    python benchmarks/fit_audio.py --data fsdd --budget 300s --seeds 0 1 2 --control
    python benchmarks/fit_audio.py --data yesno --budget 60s

Each run is a line of results/fit_audio.jsonl. Splits: the official one of fsdd (index 0-4 test, 5-49 train; it shares
its speakers), or one speaker left out (`--data fsdd-THEO`); yesno's first 40 file names train, its last 20 test.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, data_folder, installed, keep, scored, surroundings, whet_fit

from whet.train.horizon import parse_seconds

PATTERN = "{label}_{speaker}_{index}"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
BUDGETS = {"fsdd": 300.0, "yesno": 60.0}
RATE, SIZE, HOP, MELS, FRAMES = 8_000, 256, 128, 40, 44
"""The controls' spectrograms: 40 bands, 16 ms apart, cut or padded to 0.7 s, which holds 97 % of the recordings."""
SHOWN = (
    "data",
    "system",
    "budget",
    "seed",
    "value",
    "ci95",
    "metrics",
    "wall_seconds",
    "epochs",
    "steps",
    "load",
    "failed",
)


def main() -> None:
    said = arguments()
    source, options = data_folder(said.data.partition("-")[0]), []
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        rows = list(yesno_rows(source) if said.data == "yesno" else digit_rows(source, said.data.partition("-")[2]))
        split = Path(temporary, "split.csv")
        split.write_text("\n".join(["path,label,split", *(",".join(row) for row in rows)]) + "\n")
        data = source / "transcripts.csv" if said.data == "yesno" else source / "recordings"
        options = ["--split", str(split)] + ([] if said.data == "yesno" else ["--pattern", PATTERN])
        options += ["--steps", str(said.steps)] if said.steps else []
        budget = parse_seconds(said.budget) if said.budget else BUDGETS[said.data.partition("-")[0]]
        for seed in said.seeds:
            record = whet_fit(data, *options, budget=budget, seed=seed, empty_cache=True)
            keep(said.results, {"data": said.data, **record}, *SHOWN)
            if said.control and said.data != "yesno":
                for record in controls(source / "recordings", rows, seed):
                    keep(said.results, {"data": said.data, **record}, *SHOWN)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="whet fit on speech, with the usual picks as its controls.")
    parser.add_argument("--data", required=True, choices=["fsdd", "yesno", *(f"fsdd-{name}" for name in SPEAKERS)])
    parser.add_argument("--budget", help="such as 60s or 5m; the data's own if not given")
    parser.add_argument("--steps", type=int, default=0, help="of the first recipe, for a machine that others use too")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--control", action="store_true", help="also fit the usual picks, after each run")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "fit_audio.jsonl")
    return parser.parse_args()


def digit_rows(source: Path, left_out: str) -> Iterator[tuple[str, str, str]]:
    """(path, label, part): the official split, or one speaker as the test part."""
    for path in sorted((source / "recordings").glob("*.wav")):
        label, speaker, index = path.stem.split("_")
        test = speaker == left_out if left_out else int(index) < 5
        yield path.name, label, "test" if test else "train"


def yesno_rows(source: Path) -> Iterator[tuple[str, str, str]]:
    """(path, nothing, part): the first 40 names train, the others test."""
    with open(source / "transcripts.csv") as file:
        names = sorted(row["path"] for row in csv.DictReader(file))
    for i, name in enumerate(names):
        yield name, "", "train" if i < 40 else "test"


def controls(folder: Path, rows: list[tuple[str, str, str]], seed: int) -> Iterator[dict[str, Any]]:
    """The records of the usual picks: a support vector machine and the textbook CNN on log-mel spectrograms."""
    began = time.perf_counter()
    x = np.stack([spectrogram(folder / name) for name, _, _ in rows])
    y, test = np.asarray([int(label) for _, label, _ in rows]), np.asarray([part == "test" for *_, part in rows])
    x = (x - x[~test].mean()) / x[~test].std()
    reading = time.perf_counter() - began
    for name, fit in (("logmel-svm", support_vectors), ("logmel-textbook-cnn", textbook)):
        record, began = surroundings(), time.perf_counter()
        said = fit(x[~test], y[~test], x[test], seed)
        wall = round(time.perf_counter() - began + reading, 2)
        accuracy = float((said == y[test]).mean())
        about = {"system": name, "seed": seed, "wall_seconds": wall, "versions": installed("torch", "scikit-learn")}
        yield {**record, **about, **scored("accuracy", y[test], said, accuracy, seed)}


def spectrogram(path: Path) -> np.ndarray:
    """(FRAMES, MELS) log-mel powers of a recording, made with numpy alone."""
    import soundfile

    x, _ = soundfile.read(path, dtype="float32")
    x = np.pad(x, (0, max(0, SIZE + HOP * (FRAMES - 1) - len(x))))
    frames = np.lib.stride_tricks.sliding_window_view(x, SIZE)[::HOP][:FRAMES]
    power = np.abs(np.fft.rfft(frames * np.hanning(SIZE))) ** 2
    return np.log(power @ mel_filters() + 1e-6).astype(np.float32)


def mel_filters() -> np.ndarray:
    """(SIZE / 2 + 1, MELS) triangles on the mel scale."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2) / 2595) - 1)
    at = np.fft.rfftfreq(SIZE, 1 / RATE)[:, None]
    rise, fall = (at - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - at) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rise, fall))


def support_vectors(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's SVC with C = 10 on the flat spectrograms."""
    from sklearn.svm import SVC

    said: np.ndarray = SVC(C=10.0).fit(x.reshape(len(x), -1), y).predict(test.reshape(len(test), -1))
    return said


def textbook(x: np.ndarray, y: np.ndarray, test: np.ndarray, seed: int, epochs: int = 40) -> np.ndarray:
    """Conv 32 - pool - conv 64 - pool - dropout - dense 64, Adam 1e-3, batch 64: what the tutorials train, in torch."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    height, width = ((FRAMES - 2) // 2 - 2) // 2, ((MELS - 2) // 2 - 2) // 2
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * height * width, 64), nn.ReLU(), nn.Dropout(0.3)),
        nn.Linear(64, 10),
    )
    inputs, target = torch.from_numpy(x)[:, None], torch.from_numpy(y)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), target[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        said: np.ndarray = model.eval()(torch.from_numpy(test)[:, None]).argmax(1).numpy()
    return said


if __name__ == "__main__":
    main()
