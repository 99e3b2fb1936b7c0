"""The control of augment_speed.py, in a Python that has Keras: a turn of `ImageDataGenerator.flow` for each line on stdin.

    python benchmarks/keras_generator.py BATCH BATCHES

Prints its versions, then [wall, processor] seconds per image for each turn, as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:  # Keras needs one of them
    import tensorflow  # noqa: F401
except ImportError:
    os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator


def main() -> None:
    batch, batches = map(int, sys.argv[1:])
    found = {"python": sys.version.split()[0], "keras": keras.__version__, "backend": keras.backend.backend()}
    print(json.dumps(found | {name: version(name) for name in ("numpy", "scipy")}), flush=True)
    flow = generator().flow(images(), np.zeros(512, int), batch_size=batch, seed=0)
    for _ in sys.stdin:
        print(json.dumps(turn(flow, batch, batches)), flush=True)


def generator() -> ImageDataGenerator:
    """What the tutorials write, with the changes of colour that it has."""
    return ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        brightness_range=(0.8, 1.2),
        channel_shift_range=20.0,
        fill_mode="reflect",
    )


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (512, 128, 128, 3), dtype=np.uint8)


def turn(flow: object, batch: int, batches: int) -> tuple[float, float]:
    """(wall, processor) seconds per image."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(batches):
        assert len(next(flow)[0]) == batch  # type: ignore[call-overload]
    n = batch * batches
    return (time.perf_counter() - wall) / n, (time.process_time() - cpu) / n


if __name__ == "__main__":
    main()
