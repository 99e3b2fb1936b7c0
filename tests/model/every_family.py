"""Every family of ours, small, on made-up data of its kind: what it is told, and two examples of what it takes.

Tests and `benchmarks/surgery_models.py` take their networks from here; a family that is missing fails a test.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet.families import FAMILIES, InputSpec
from whet.families.generate import inputs_like
from whet.fields.recommend.transform import RatingsTransform

SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width": 16},
    "tabular": {"width": 16, "members": 3},
    "textbook": {"width": 8},
    "fastconv": {"widths": (8, 16, 16)},
    "resnet": {"depth": 10, "width": 0.25},
    "densenet": {"depth": 16, "growth": 4},
    "audio_cnn": {"widths": (8, 8, 16)},
    "audio_rnn": {"width": 8},
    "audio_crnn": {"widths": (4, 8, 8), "width": 8},
    "audio_transformer": {"width": 16, "depth": 2, "heads": 2},
    "audio_wave": {"widths": (8, 8, 16)},
    "series_mlp": {"width": 16, "members": 2},
    "series_mixer": {"width": 16},
    "series_tcn": {"width": 8},
    "series_rnn": {"width": 16, "patch": 6},
    "series_patch": {"width": 16, "heads": 2, "patch": 6, "depth": 2},
    "text_mix": {"hidden": 8, "width": 8, "filters": 8, "linear": 0.3},
    "text_bag": {"hidden": 8},
    "text_cnn": {"width": 8, "filters": 8, "members": 2},
    "text_rnn": {"width": 8},
    "text_transformer": {"width": 8, "depth": 1},
    "unet_flow": {"width": 8},
    "conv_vae": {"width": 8},
    "gan": {"width": 8},
    "row_flow": {"width": 8},
    "row_vae": {"width": 8},
}
"""Parameters other than the catalogue's; the rest are small as they are."""

Made = tuple[InputSpec, tuple[Tensor, ...]]
Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


def names() -> tuple[str, ...]:
    """All families but the user's own."""
    return tuple(entry.name for entry in FAMILIES if entry.name != "user")


def network(
    name: str, activation: Activation = nn.ReLU, *, norm: Norm | None = None, small: bool = True
) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The family's network in training mode, and two examples. `norm`: batch normalisation if not given."""
    spec, inputs = made(name, activation)
    spec = spec if norm is None else dataclasses.replace(spec, norm=norm)
    entry = FAMILIES[name]
    torch.manual_seed(0)
    model = entry.make(spec, **entry.fill(SMALL.get(name, {}) if small else {}))
    calibrate = getattr(model, "calibrate", None)
    if calibrate is not None:
        calibrate(*look(spec))
    return model, inputs


def made(name: str, activation: Activation = nn.ReLU) -> Made:
    """What this family is told of its data, and two examples of it."""
    domains = FAMILIES[name].domains
    kind = next(k for k in KINDS if k in domains or (k, domains) == ("table", ("any",)))
    return KINDS[kind](name, activation)


def look(spec: InputSpec) -> tuple[Tensor, ...]:
    """Sixty rows for a network that looks before it trains; nothing for one that has seen its data."""
    if spec.domain == "ratings":
        return ()
    return (torch.randn(60, *spec.shape, generator=torch.Generator().manual_seed(1)),)


def spec_of(
    activation: Activation, shape: tuple[int, ...], outputs: int, goal: str, inputs: tuple[Tensor, ...], **more: Any
) -> Made:
    """A spec whose example are these inputs, with batch normalisation where a norm is asked for."""
    norm: Norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return InputSpec(shape, outputs, goal, activation, norm, example=lambda: inputs, **more), inputs


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def codes(most: int, *shape: int) -> Tensor:
    """Whole numbers from 1 on, below `most`."""
    return torch.randint(1, most, shape, generator=torch.Generator().manual_seed(3))


def picture(name: str, activation: Activation) -> Made:
    return spec_of(activation, (3, 32, 32), 5, "classify", (random(2, 3, 32, 32),))


def table(name: str, activation: Activation) -> Made:
    bins = [torch.linspace(-2, 2, 9) for _ in range(6)]
    inputs = (random(2, 6), codes(3, 2, 2))
    return spec_of(activation, (6,), 3, "classify", inputs, cardinalities=(4, 12), bins=bins)


def sound(name: str, activation: Activation) -> Made:
    shape = (1, 2_000) if name == "audio_wave" else (1, 20, 33)
    more = {"rate": 4_000, "timed": False}
    return spec_of(activation, shape, 5, "classify", (random(2, *shape),), domain="audio", more=more)


def series(name: str, activation: Activation) -> Made:
    back, ahead, channels = 24, 5, 3
    more = {"horizon": ahead, "covariates": 0, "calendar": 0, "season": 12}
    inputs = (random(2, back, channels), torch.zeros(2, back, 0), torch.zeros(2, back + ahead, 0))
    return spec_of(activation, (back, channels), ahead * channels, "forecast", inputs, domain="series", more=more)


def rated(name: str, activation: Activation) -> Made:
    known = interactions("rate" if name == "ncf" else "rank")
    inputs = tuple(known.drawn(2, 0).values())
    more = known.spec()["more"]
    outputs = 1 if name == "ncf" else known.items
    return spec_of(activation, known.shape, outputs, known.goal, inputs, domain="ratings", more=more)


@functools.cache
def interactions(goal: str) -> RatingsTransform:
    """Six users who had eight of twelve items each."""
    random = np.random.default_rng(0)
    owner = np.repeat(np.arange(6), 8)
    had = np.concatenate([random.permutation(12)[:8] for _ in range(6)])
    return RatingsTransform(goal, 6, 12, owner, had, np.full(len(had), True))


def odd(name: str, activation: Activation) -> Made:
    timed = name in ("conv_autoencoder", "lstm_autoencoder", "forecaster")
    shape = (3, 12) if timed else (6,)
    return spec_of(activation, shape, 1, "detect", (random(2, *shape),), domain="anomaly", more={"rows": 60})


def text(name: str, activation: Activation) -> Made:
    tokens, places = codes(30, 2, 9), codes(40, 2, 6).int()
    weights = random(2, 6).abs()
    inputs = {"text_mix": (tokens, places, weights), "text_bag": (places, weights)}.get(name, (tokens,))
    more = {"vocabulary": 30, "table": 40}
    return spec_of(activation, (9,), 3, "classify", inputs, domain="text", more=more)


def generated(name: str, activation: Activation) -> Made:
    shape = (8,) if name.startswith("row") else (1, 8, 8)
    more = {"groups": ((1, 3), (4, 7))}
    return spec_of(activation, shape, 3, "generate", inputs_like(shape), domain="any", more=more)


KINDS: dict[str, Callable[[str, Activation], Made]] = {
    "image": picture,
    "table": table,
    "audio": sound,
    "series": series,
    "ratings": rated,
    "anomaly": odd,
    "text": text,
    "pictures": generated,
    "rows": generated,
}
