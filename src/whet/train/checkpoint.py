"""Everything a training needs to go on with the same bits, in safetensors files that can't run code.

A file is named by its step and the checksum of its content, written beside its name and renamed when complete.
Random numbers need no space: they are drawn by (seed, step), and the loader's position is the step.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor
from torch.optim import Optimizer

from whet import files
from whet.errors import CorruptCheckpoint
from whet.optim import load_state
from whet.train.loop import Best, Training

BEST = "best.safetensors"
"""The weights that are kept: those of the best validation, or of the end."""
KEEP = 2
"""The newest checkpoints that are kept."""
EVERY = 9.0
"""Seconds of training between checkpoints."""
OF_THE_RECIPE = ("params", "base_lr")
"""What a group has from the recipe, and not from the file: the rate may have been lowered after the file was written."""
_NAME = re.compile(r"checkpoint-(\d+)-([0-9a-f]{16})\.safetensors")


class Checkpoints:
    """Listens to a training: saves it every `every` seconds, and its best weights when they get better."""

    def __init__(self, folder: Path, every: float = EVERY) -> None:
        self.folder, self.every = folder, every
        self._saved_at, self._best_step = time.monotonic(), -1

    def on_save(self, training: Training) -> None:
        if time.monotonic() - self._saved_at >= self.every:
            self.save(training)

    def on_validate(self, training: Training) -> None:
        best = training.best
        if best is not None and best.step != self._best_step and training.best_weights is not None:
            meta = {"best": {"score": best.score, "step": best.step, "metrics": dict(best.metrics)}}
            write(self.folder / BEST, training.best_weights, meta)
            self._best_step = best.step

    on_settle = on_validate

    def on_end(self, training: Training) -> None:
        self.save(training)

    def save(self, training: Training) -> None:
        save(training, self.folder)
        training.tick()
        self._saved_at = time.monotonic()


def save(training: Training, folder: Path) -> Path:
    """Write the training's state into `folder`; keeps the newest two files."""
    tensors, meta = state_of(training)
    data = pack(tensors, meta)
    path = folder / f"checkpoint-{training.step:09d}-{_digest(data)}.safetensors"
    files.write_bytes(path, data)
    for old in checkpoints(folder)[KEEP:]:
        old.unlink(missing_ok=True)
    return path


def resume(training: Training, folder: Path) -> bool:
    """Set the training to the newest sound checkpoint in `folder`; False if there is none. Broken ones are passed over."""
    for path in checkpoints(folder):
        try:
            tensors, meta = read(path)
        except CorruptCheckpoint:
            continue
        restore(training, tensors, meta)
        _restore_best(training, folder)
        return True
    return False


def spread(training: Training) -> None:
    """Give all processes of the training's world the first one's state."""
    world = training.world
    said = world.first(pack(*state_of(training)) if world.rank == 0 and world.size > 1 else b"")
    if world.rank > 0:
        restore(training, *unpack(said, Path("what the first process sent")))


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files in `folder`, the newest first; not those that a training deletes meanwhile."""
    named = [p for p in folder.glob("checkpoint-*.safetensors") if _NAME.fullmatch(p.name)]
    found = [(p.name.split("-")[1], at, p) for p in named if (at := _written(p)) is not None]
    return [path for *_, path in sorted(found, key=lambda one: one[:2], reverse=True)]


def _written(path: Path) -> float | None:
    """When a file was written; None where it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A file's tensors and metadata. Raises CorruptCheckpoint when its checksum differs from the one in its name."""
    data = path.read_bytes()
    named = _NAME.fullmatch(path.name)
    if named and _digest(data) != named[2]:
        raise CorruptCheckpoint(f"{path} is damaged: its checksum is {_digest(data)}.")
    return unpack(data, path)


def write(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Tensors and JSON metadata in one safetensors file, written whole or not at all."""
    files.write_bytes(path, pack(tensors, meta))


def pack(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file. Tensors that share memory are stored apart; strides are not kept."""
    apart = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    return save_tensors(apart, {"whet": json.dumps(meta), "sha256": _digest_of(apart)})


def unpack(data: bytes, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        tensors, said = load_tensors(data), header["__metadata__"]
        if _digest_of(tensors) != said["sha256"]:
            raise CorruptCheckpoint(f"{path} is damaged: its checksum is not the one written with it.")
        return tensors, json.loads(said["whet"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise CorruptCheckpoint(f"{path} is not a whole safetensors file of whet: {error}.") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _digest_of(tensors: Mapping[str, Tensor]) -> str:
    """A checksum of names, types, shapes and bits."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def state_of(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and plain values that determine everything that follows."""
    parts = training.parts
    tensors = {f"model.{k}": v for k, v in parts.model.state_dict().items()}
    if parts.average is not None:
        tensors |= {f"average.{k}": v for k, v in parts.average.state_dict().items()}
    saved = parts.optimizer.state_dict()
    scalars: dict[str, dict[str, Any]] = {}
    for index, state in saved["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                scalars.setdefault(str(index), {})[key] = value
    schedule: dict[str, Any] = getattr(parts.schedule, "state_dict", dict)()
    meta = {
        "step": training.step,
        "seconds": training.seconds,
        "validated_at": training.validated_at,
        "validated_progress": training.validated_progress,
        "validation_seconds": training.validation_seconds,
        "losses": list(training.losses),
        "loss": training.loss if math.isfinite(training.loss) else None,
        "metrics": files.finite(dict(training.metrics)),
        "optimizer": {"scalars": scalars, "groups": [_plain_group(g) for g in saved["param_groups"]]},
        "schedule": schedule,
        "stop": parts.stop.state_dict() if parts.stop is not None else {},
        "stopped": training.stopped,
    }
    return tensors, meta


def _plain_group(group: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in group.items() if v is None or isinstance(v, bool | int | float | str | tuple | list)}


def restore(training: Training, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Set a freshly built training to a saved state."""
    parts = training.parts
    parts.model.load_state_dict(_under("model.", tensors))
    if parts.average is not None:
        parts.average.load_state_dict(_under("average.", tensors))
    _restore_optimizer(parts.optimizer, _under("optimizer.", tensors), meta["optimizer"])
    if hasattr(parts.schedule, "load_state_dict"):
        parts.schedule.load_state_dict(meta["schedule"])
    if parts.stop is not None:
        parts.stop.load_state_dict(meta["stop"])
    training.step, training.seconds, training.stopped = meta["step"], meta["seconds"], meta["stopped"]
    for name in ("validated_at", "validated_progress", "validation_seconds"):
        setattr(training, name, meta[name])
    training.losses = tuple(meta["losses"])
    training.loss = math.nan if meta["loss"] is None else meta["loss"]
    training.metrics = meta["metrics"]


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], plain: Any) -> None:
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in plain["scalars"].items()}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    groups = [
        _merged(new, old) for new, old in zip(optimizer.state_dict()["param_groups"], plain["groups"], strict=True)
    ]
    load_state(optimizer, {"state": state, "param_groups": groups})


def _merged(new: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    values = {k: tuple(v) if isinstance(new.get(k), tuple) else v for k, v in saved.items() if k not in OF_THE_RECIPE}
    return {**new, **values}


def _restore_best(training: Training, folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError, CorruptCheckpoint):
        training.best_weights, training.best = kept_in(folder)


def kept_in(folder: Path) -> tuple[dict[str, Tensor], Best]:
    """The weights that a trial keeps, and what validation said of them. Raises FileNotFoundError where it keeps none."""
    weights, meta = read(folder / BEST)
    return weights, Best(**meta["best"])
