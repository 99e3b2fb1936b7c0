"""What a Keras model asks for beside other modules: names and seeds that don't depend on the models made before it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def as_if_first() -> Iterator[None]:
    """Within it Keras, if it is imported, makes a network as if it were the first of the process.

    Keras numbers layers through, and a network's file is read by these names; and it draws the seeds of initial weights
    and dropout from Python's generator, which here follows torch's seed and is put back afterwards.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        yield
        return
    keras.utils.clear_session(free_memory=False)
    before = random.getstate()
    random.seed(torch.initial_seed())
    try:
        yield
    finally:
        random.setstate(before)
