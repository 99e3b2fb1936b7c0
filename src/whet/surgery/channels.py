"""Which dimension of a tensor holds the channels: the one that the last layer with weights put there."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from whet.surgery import vocabulary
from whet.surgery.sample import key_of, tensors_in

_SECOND = vocabulary.words(
    "convolution _convolution mkldnn_convolution native_batch_norm _native_batch_norm_legit cudnn_batch_norm "
    "_batch_norm_with_update _batch_norm_no_update native_group_norm _native_batch_norm_legit_no_training"
)
_LAST = vocabulary.words("addmm mm linear native_layer_norm embedding _fused_rms_norm")


class Channels:
    """Follows the channels' dimension through the kernels."""

    def __init__(self) -> None:
        self._from_end: dict[int, int] = {}
        """Memory -> the dimension, counted from the end where it is the last (-1), else from the start (1)."""

    def follow(self, name: str, args: Any, inputs: list[Tensor], output: Any) -> None:
        """Note where the channels of this kernel's outputs are."""
        for tensor in tensors_in(output, 2):
            found = 1 if name in _SECOND else -1 if name in _LAST else self._carried(name, args, inputs)
            if found is not None:
                self._from_end[key_of(tensor)] = found

    def _carried(self, name: str, args: Any, inputs: list[Tensor]) -> int | None:
        known = [self._from_end[key_of(t)] for t in inputs if key_of(t) in self._from_end]
        if name in ("permute", "transpose") and known and inputs:
            ndim = inputs[0].ndim
            order = [d % ndim for d in args[1]] if name == "permute" else _swapped(ndim, args[1], args[2])
            moved = order.index(known[0] % ndim)
            return -1 if moved == ndim - 1 else moved
        return known[0] if known else None

    def dim_of(self, tensor: Tensor | None) -> int:
        """The dimension of this tensor's channels: as followed, else the second of pictures and the last of others."""
        if tensor is None:
            return 1
        found = self._from_end.get(key_of(tensor), 1 if tensor.ndim != 3 else -1)
        return found if -tensor.ndim <= found < tensor.ndim else -1


def _swapped(ndim: int, a: int, b: int) -> list[int]:
    order = list(range(ndim))
    order[a], order[b] = order[b], order[a]
    return order
