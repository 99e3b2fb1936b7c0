"""The doctor in other libraries' training loops: thin faces on `whet.watch`, which change nothing about the training.

    LightningDoctor     Trainer(callbacks=[doctor])                       lightning
    KerasDoctor         model.fit(x, y, callbacks=[doctor])               keras, on torch
    HuggingFaceDoctor   Trainer(..., callbacks=[doctor])                  transformers
    SkorchDoctor        NeuralNetClassifier(..., callbacks=[doctor])      skorch

After the training `doctor.diagnosis` holds the verdict. A training that is not healthy is also told on the way out, by
`say`: print, unless another function is given, or None.
"""

from __future__ import annotations

import importlib
from typing import Any

from whet.errors import MissingExtra

_HOMES = {
    "LightningDoctor": ("lightning", "lightning"),
    "KerasDoctor": ("keras", "keras"),
    "HuggingFaceDoctor": ("huggingface", "transformers"),
    "SkorchDoctor": ("skorch", "skorch"),
}
"""name -> (the module here, which is also the extra; the package that it needs)."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, package = _HOMES[name]
    try:
        importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise MissingExtra(package, home, name) from error
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


__all__ = ["HuggingFaceDoctor", "KerasDoctor", "LightningDoctor", "SkorchDoctor"]
