"""A run's network for other programs: ONNX, checked against torch before it is called done."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet import files
from whet.errors import MissingExtra, OutputError, UnknownName, WhetError
from whet.fields import field
from whet.network import Network
from whet.screen import Screen
from whet.tasks import goal
from whet.train.plan import Plan

CLOSE = 1e-4
"""Largest difference from torch that an exported network may have, in probability or in standard deviations."""
FORMATS = ("onnx",)


class Exported(nn.Module):
    """Raw images uint8 (B, H, W, C), a table's transformed columns, or samples, to probabilities or values."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.model, self.scale = network.model.float(), network.scale
        self.traced = goal(network.task.goal).traced
        own = field(network.task.domain)
        self.prepare, self.views = own.preparing(network.transform, network.task), network.views

    def forward(self, *inputs: Tensor) -> Tensor:
        prepared, _ = self.prepare(inputs, torch.empty(0), None)
        looks = [prepared, *(look(prepared) for look in self.views)]
        said = torch.stack([self.model(*look) for look in looks]).mean(0)
        if self.traced is not None:
            return self.traced(said, self.scale)
        if self.scale is None:
            return said.softmax(-1)
        scale: Any = self.scale
        return said[:, 0] * scale.std + scale.mean


def export(
    run: str | Path, *, format: str = "onnx", out: str | Path | None = None, model: Any = None, show: bool = False
) -> Path:
    """Write the run's network as ONNX and compare it with torch in onnxruntime on random inputs; the file's path.

    Images go in as uint8 (B, H, W, C); tables as the transform's numeric float32 (B, F) and category int64 (B, K);
    recordings as int16 (B, samples) and span int64 (B, 2), the spectrogram being part of the network; see task.json.
    Raises WhetError when the exported network differs by more than `CLOSE`.
    """
    if format not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(error.name or "onnx", "export", "Exporting to ONNX") from error
    network = Network.load(Path(run), model)
    network.plan = Plan()
    module = Exported(network).eval()
    sample = network.transform.drawn(3, seed=3)
    data = to_onnx(module, tuple(sample.values()), list(sample))
    difference = compare(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]), network, module)
    if not difference <= CLOSE:
        raise WhetError(
            f"The exported network differs from torch by {difference:.2g}, more than {CLOSE:g}: not written."
        )
    path = Path(out) if out is not None else Path(run) / "model.onnx"
    files.write_bytes(path, data)
    Screen(show).say(
        f"{path}: differs from torch by at most {difference:.1g} on random inputs (checked in onnxruntime)."
    )
    return path


def to_onnx(module: nn.Module, sample: tuple[Tensor, ...], names: list[str]) -> bytes:
    """The ONNX file's bytes, with a free batch size."""
    buffer = io.BytesIO()
    try:
        with silence(), plain_attention(), torch.inference_mode():
            # The tracing exporter needs no further package; the newer one needs onnxscript.
            torch.onnx.export(
                module,
                sample,
                buffer,  # type: ignore[arg-type]
                input_names=names,
                output_names=["prediction"],
                dynamic_axes={name: {0: "rows"} for name in [*names, "prediction"]},
                opset_version=18,
                dynamo=False,
            )
    except Exception as error:
        said = str(error).strip().split("\n")[0]
        raise OutputError(
            f"This network can't be written as ONNX: {type(error).__name__}: {said.rstrip('.')}.",
            "`whet predict` applies it as it is.",
        ) from error
    return buffer.getvalue()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing is printed: torch's tracer says a page of its own, past Python, where it fails."""
    with contextlib.ExitStack() as stack, open(os.devnull, "w") as nowhere:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        for stream in (1, 2):
            with contextlib.suppress(OSError):  # closed already
                stack.callback(_put_back, os.dup(stream), stream)
                os.dup2(nowhere.fileno(), stream)
        yield


def _put_back(kept: int, stream: int) -> None:
    os.dup2(kept, stream)
    os.close(kept)


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Attention as a graph of plain operations: torch's fused one has no ONNX counterpart."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def compare(session: Any, network: Network, module: nn.Module) -> float:
    """The largest difference over some batches of other sizes than the traced one."""
    spread = getattr(network.scale, "std", 1.0)
    worst = 0.0
    wanted = [i.name for i in session.get_inputs()]
    for rows in (1, 7, 32):
        inputs = network.transform.drawn(rows, seed=rows)
        found = session.run(None, {n: x.numpy() for n, x in inputs.items() if n in wanted})[0]
        truth = network.from_tensors(tuple(inputs.values()))  # by the way that `predict` takes, in full precision
        if truth.dtype.kind == "U":  # texts: compared are the probabilities that they are read from
            truth = module(*inputs.values()).detach().numpy()
        size = spread if getattr(module, "traced", None) is None else np.maximum(1.0, np.abs(truth))
        worst = max(worst, float((np.abs(found - truth) / size).max()))
    return worst
