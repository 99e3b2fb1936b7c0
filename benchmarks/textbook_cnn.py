"""The control for images: the CNN of every tutorial, trained as tutorials do, until the clock says stop.

conv 32 - pool - conv 64 - pool - dense 64 - classes; 3x3, ReLU, Adam 1e-3, batch 128, pixels in 0..1; all rows that are
not test rows; no validation: the last weights count. The clock covers everything from the start of this process to the
last step, imports included; the test comes after it, in the control's favour, and so was decoding the images before it.

`fit_images.py --control` calls it: textbook_cnn.py ARRAYS.npz PREDICTIONS.npy --budget 60 --seed 0 --backend keras.
It needs numpy and TensorFlow (or torch) alone, so that TensorFlow can live in an environment of its own.
"""

from __future__ import annotations

import time

START = time.monotonic()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

BATCH, LEARNING_RATE = 128, 1e-3
SMALLEST = 16
"""Below this side, in pixels, the convolutions keep the size: nothing would be left of an 8x8 image."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("arrays")
    parser.add_argument("predictions")
    parser.add_argument("--budget", type=float, required=True, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", choices=("keras", "torch"), default="keras")
    said = parser.parse_args()
    with np.load(said.arrays) as arrays:
        data = dict(arrays)  # train_x, test_x: uint8 (n, height, width, channels); train_y: int64 (n,)
    train = train_keras if said.backend == "keras" else train_torch
    predicted, about = train(data, START + said.budget, said.seed)
    np.save(said.predictions, predicted)
    about["epochs"] = round(about["steps"] * BATCH / len(data["train_y"]), 2)
    print(json.dumps(about))


def train_keras(data: Mapping[str, np.ndarray], deadline: float, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """(test probabilities (n, classes), what there is to say about the training)."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras  # type: ignore
    import tensorflow as tf  # type: ignore

    class StopAtDeadline(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.steps += 1
            self.model.stop_training = time.monotonic() >= deadline

    keras.utils.set_random_seed(seed)
    x, y = data["train_x"].astype("float32") / 255, data["train_y"]
    padding = "valid" if min(x.shape[1:3]) >= SMALLEST else "same"
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Conv2D(32, 3, activation="relu", padding=padding),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu", padding=padding),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(int(y.max()) + 1, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    clock = StopAtDeadline()
    model.fit(x, y, batch_size=BATCH, epochs=1_000_000, callbacks=[clock], verbose=0)
    seconds = time.monotonic() - START
    predicted = model.predict(data["test_x"].astype("float32") / 255, batch_size=1000, verbose=0)
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return predicted, {"steps": clock.steps, "seconds": seconds, "versions": versions}


def train_torch(data: Mapping[str, np.ndarray], deadline: float, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """The same network in plain PyTorch, eager float32, with Keras's initial weights (Glorot, zero biases)."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    x = torch.from_numpy(data["train_x"].astype("float32") / 255).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(data["train_y"])
    pad = 0 if min(x.shape[2:]) >= SMALLEST else 1
    height, width = (((s - 2 + 2 * pad) // 2 - 2 + 2 * pad) // 2 for s in x.shape[2:])
    model = nn.Sequential(
        nn.Conv2d(x.shape[1], 32, 3, padding=pad),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=pad),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * height * width, 64),
        nn.ReLU(),
        nn.Linear(64, int(y.max()) + 1),
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    steps = 0
    while time.monotonic() < deadline:
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            steps += 1
            if time.monotonic() >= deadline:
                break
    seconds = time.monotonic() - START
    test = torch.from_numpy(data["test_x"].astype("float32") / 255).permute(0, 3, 1, 2)
    with torch.inference_mode():
        predicted = torch.cat([model(part).softmax(1) for part in test.split(1000)]).numpy()
    versions = {"torch": torch.__version__}
    return predicted, {"steps": steps, "seconds": seconds, "versions": versions}


if __name__ == "__main__":
    main()
