"""Memory stays flat as the pictures grow: what grows are files, mapped, whose pages the system takes back at will."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from test_arrays import write_idx

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

FEW, MANY = 150, 600
SIDE, RESIZED = 160, 128
GROWTH = RESIZED * RESIZED * 3 * (MANY - FEW) / (1 << 20)
"""MiB by which the resized pictures grow; the pictures themselves grow by half as much again."""

SCRIPT = """
import json, sys, threading, time
from pathlib import Path
import torch
from whet.data import array_files, arrays, hub, image_transform, load, pictures, split
from whet.data.loader import Loader
from whet.data.prepared import Prepared, prepare
from whet.fields import transform_from

for module in (array_files, arrays, hub, image_transform):
    module.CHUNK_BYTES = 1 << 19  # so that a few hundred pictures are many chunks
pictures.BLOCK_BYTES = 1 << 19
torch.set_num_threads(1)

def read(source):
    "From the source to batches, as a run does it; then as its workers do it."
    data = load(source)
    prepared = prepare(data, split(data, seed=0), (RESIZED, RESIZED))
    prepared.save(Path(sys.argv[1], "prepared"))
    for one in (prepared, Prepared.load(Path(sys.argv[1], "prepared"), transform_from)):
        for inputs, _ in Loader(one.inputs, one.target, one.rows["train"], 16).epoch():
            assert inputs[0].shape[1:] == (RESIZED, RESIZED, 3)

def anonymous():
    "MiB of memory that belong to no file."
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

class Peak(threading.Thread):
    most, over = 0.0, False

    def run(self):
        while not self.over:
            self.most = max(self.most, anonymous())
            time.sleep(0.002)

def peak(source):
    watch = Peak(daemon=True)
    watch.start()
    read(source)
    watch.over = True
    watch.join()
    return watch.most

few, again, many = map(Path, sys.argv[2:])
peak(few)  # what is imported late, and the allocator's first blocks
print(json.dumps([max(peak(again), peak(few)), peak(many)]))  # a look now and then may miss a peak
""".replace("RESIZED", str(RESIZED))


def images(n: int, seed: int) -> np.ndarray:
    """uint8 (n, SIDE, SIDE, 3), all different."""
    x = np.full((n, SIDE, SIDE, 3), np.arange(SIDE, dtype=np.uint8)[:, None])
    x[:, 0, :3] = np.random.default_rng(seed).integers(0, 256, (n, 3, 3), dtype=np.uint8)
    return x


def as_bmp(x: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(x).save(file, "bmp")
    return file.getvalue()


def folder(path: Path, x: np.ndarray) -> None:
    for i, one in enumerate(x):
        file = path / f"class {i % 2}" / f"{i}.bmp"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_bmp(one))


def npz(path: Path, x: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, x=x, y=np.arange(len(x)) % 2)


def zipped_halves(path: Path, x: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, x=x.astype(np.float16), y=np.arange(len(x)) % 2)


def idx(path: Path, x: np.ndarray) -> None:
    path.mkdir()
    write_idx(path / "train-images-idx4-ubyte", x)
    write_idx(path / "train-labels-idx1-ubyte", np.arange(len(x)) % 2)


def zipped_idx(path: Path, x: np.ndarray) -> None:
    idx(path, x)
    for file in list(path.iterdir()):
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), 1))
        file.unlink()


def parquet(path: Path, x: np.ndarray) -> None:
    column = [{"bytes": as_bmp(one), "path": None} for one in x]
    pq.write_table(pa.table({"image": column, "label": np.arange(len(x)) % 2}), path, row_group_size=50)


SOURCES: dict[Callable[[Path, np.ndarray], None], str] = {
    folder: "",
    npz: ".npz",
    zipped_halves: ".npz",
    zipped_idx: "",
    parquet: ".parquet",
}


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_memory_stays_flat_as_the_pictures_grow(make: Callable[[Path, np.ndarray], None], tmp_path: Path) -> None:
    sources = [tmp_path / f"{i}{SOURCES[make]}" for i in range(3)]
    for i, (source, n) in enumerate(zip(sources, (FEW, FEW, MANY), strict=True)):
        make(source, images(n, seed=i))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), *map(str, sources)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    few, many = json.loads(done.stdout)
    assert many - few < GROWTH / 3, f"{few:.0f} MiB for {FEW} pictures, {many:.0f} MiB for {MANY}"
