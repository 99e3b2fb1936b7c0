"""A run's network for other programs: ONNX, checked against torch before it is called done."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from whet import files
from whet.build import Prepare, mirror_views, pixel_scale
from whet.errors import MissingExtra, UnknownName, WhetError
from whet.network import Network
from whet.screen import Screen
from whet.train.plan import Plan

CLOSE = 1e-4
"""Largest difference from torch that an exported network may have, in probability or in standard deviations."""
FORMATS = ("onnx",)


class Exported(nn.Module):
    """Raw images uint8 (B, H, W, C), or a table's transformed columns, to probabilities or values."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.model, self.scale = network.model.float(), network.scale
        self.prepare = Prepare(pixel_scale(network.transform))
        self.views = mirror_views(network.recipe)

    def forward(self, *inputs: Tensor) -> Tensor:
        prepared, _ = self.prepare(inputs, torch.empty(0), None)
        looks = [prepared, *(look(prepared) for look in self.views)]
        said = torch.stack([self.model(*look) for look in looks]).mean(0)
        if self.scale is None:
            return said.softmax(-1)
        return said[:, 0] * self.scale.std + self.scale.mean


def export(
    run: str | Path, *, format: str = "onnx", out: str | Path | None = None, model: Any = None, show: bool = False
) -> Path:
    """Write the run's network as ONNX and compare it with torch in onnxruntime on random inputs; the file's path.

    Images go in as uint8 (B, H, W, C); tables as the transform's numeric float32 (B, F) and category int64 (B, K),
    see task.json. Raises WhetError when the exported network differs by more than `CLOSE`.
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
    sample = random_inputs(network, 3)
    names = ["image"] if len(sample) == 1 else ["numeric", "category"]
    data = to_onnx(module, sample, names)
    difference = compare(onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]), network)
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
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")
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
    return buffer.getvalue()


def compare(session: Any, network: Network) -> float:
    """The largest difference over some batches of other sizes than the traced one."""
    spread = network.scale.std if network.scale is not None else 1.0
    worst = 0.0
    wanted = [i.name for i in session.get_inputs()]
    for rows in (1, 7, 32):
        inputs = random_inputs(network, rows)
        names = ["image"] if len(inputs) == 1 else ["numeric", "category"]
        feed = {n: x.numpy() for n, x in zip(names, inputs, strict=True) if n in wanted}
        found = session.run(None, feed)[0]
        truth = network.from_tensors(inputs)  # by the way that `predict` takes, in full precision
        worst = max(worst, float(np.abs(found - truth).max()) / spread)
    return worst


def random_inputs(network: Network, rows: int) -> tuple[Tensor, ...]:
    """Inputs of the right shape: random pixels, or numbers and categories within their ranges."""
    draw = torch.Generator().manual_seed(rows)
    transform: Any = network.transform
    if hasattr(transform, "height"):
        size = (rows, transform.height, transform.width, transform.channels)
        return (torch.randint(0, 256, size, dtype=torch.uint8, generator=draw),)
    numeric = torch.randn(rows, len(transform.numerics), generator=draw)
    columns = [torch.randint(0, c, (rows,), generator=draw) for c in transform.cardinalities]
    category = torch.stack(columns, 1) if columns else torch.zeros(rows, 0, dtype=torch.int64)
    return numeric, category
