"""Recurrent layers with other functions inside: LSTM, GRU and RNN step by step, with torch's weights and their names.

    i, f, o = gate(W x + U h)      g = act(W x + U h)      c' = f c + i g      h' = o act(c')          LSTM
    r, z = gate(W x + U h)         n = act(W x + r (U h))      h' = (1 - z) n + z h                    GRU
    h' = act(W x + U h)                                                                                RNN

W and U have their own rows for each letter, and biases. Where the functions are torch's own, its fused kernel runs.
Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; Cho et al. 2014, arXiv:1406.1078, with torch's
order of the reset gate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from whet.errors import UserError
from whet.surgery import catalogue, layers
from whet.surgery.changes import Change, Changes, add_child, set_class
from whet.surgery.layers import Which

FUSED = {"activation": nn.Tanh, "gate": nn.Sigmoid}
"""What torch's kernels compute."""


class Stepwise(nn.RNNBase):
    """What the three have in common: layers, directions, dropout, batch first."""

    activation: nn.Module
    gate: nn.Module

    def step(self, x: Tensor, h: tuple[Tensor, ...], u: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
        """One step: x is W x + b already, h the state (hidden, and the cell of an LSTM); returns the new state."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        if not isinstance(input, Tensor):
            raise UserError("Cells with other functions don't take packed sequences.", "Give a padded tensor.")
        alone = input.dim() == 2
        x = (
            input.unsqueeze(1) if alone else input.transpose(0, 1) if self.batch_first else input
        )  # (time, batch, features)
        start = self._start(x, hx, alone)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            x = F.dropout(x, self.dropout, self.training) if layer else x
            x = self._layer(x, layer, start, ends)
        out = x.squeeze(1) if alone else x.transpose(0, 1) if self.batch_first else x
        last = tuple(torch.stack(parts) for parts in zip(*ends, strict=True))
        last = tuple(t.squeeze(1) for t in last) if alone else last
        return out, last if self.mode == "LSTM" else last[0]

    def _start(self, x: Tensor, hx: Any, alone: bool) -> tuple[Tensor, ...]:
        if hx is None:
            shape = (self.num_layers * (1 + self.bidirectional), x.shape[1], self.hidden_size)
            return (x.new_zeros(shape),) * (2 if self.mode == "LSTM" else 1)
        given = hx if isinstance(hx, tuple) else (hx,)
        return tuple(t.unsqueeze(1) for t in given) if alone else given

    def _layer(self, x: Tensor, layer: int, start: tuple[Tensor, ...], ends: list[tuple[Tensor, ...]]) -> Tensor:
        outs = []
        for direction in range(1 + self.bidirectional):
            state = tuple(t[len(ends)] for t in start)
            steps, end = self._run(x.flip(0) if direction else x, f"_l{layer}{'_reverse' * direction}", state)
            outs.append(steps.flip(0) if direction else steps)
            ends.append(end)
        return torch.cat(outs, -1)

    def _run(self, x: Tensor, suffix: str, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        bias = (getattr(self, f"bias_{k}{suffix}") if self.bias else None for k in ("ih", "hh"))
        b, recurrent_b = bias
        recurrent = getattr(self, f"weight_hh{suffix}")
        seen = []
        for given in F.linear(x, getattr(self, f"weight_ih{suffix}"), b):
            state = self.step(given, state, recurrent, recurrent_b)
            seen.append(state[0])
        return torch.stack(seen), state


class LSTM(Stepwise, nn.LSTM):
    """nn.LSTM with `activation` for tanh and `gate` for sigmoid."""

    def step(self, x: Tensor, h: tuple[Tensor, ...], u: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
        i, f, g, o = (x + F.linear(h[0], u, b)).chunk(4, -1)
        cell = self.gate(f) * h[1] + self.gate(i) * self.activation(g)
        return self.gate(o) * self.activation(cell), cell


class GRU(Stepwise, nn.GRU):
    """nn.GRU with `activation` for tanh and `gate` for sigmoid."""

    def step(self, x: Tensor, h: tuple[Tensor, ...], u: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
        (r, z, n), (s, y, m) = x.chunk(3, -1), F.linear(h[0], u, b).chunk(3, -1)
        new = self.activation(n + self.gate(r + s) * m)
        z = self.gate(z + y)
        return ((1 - z) * new + z * h[0],)


class RNN(Stepwise, nn.RNN):
    """nn.RNN with any `activation`."""

    def step(self, x: Tensor, h: tuple[Tensor, ...], u: Tensor, b: Tensor | None) -> tuple[Tensor, ...]:
        return (self.activation(x + F.linear(h[0], u, b)),)


CELLS: dict[type[nn.RNNBase], type[Stepwise]] = {nn.LSTM: LSTM, nn.GRU: GRU, nn.RNN: RNN}


def replace_cells(
    model: nn.Module, activation: Any = None, *, gate: Any = None, where: Which = None, inplace: bool = False
) -> tuple[nn.Module, Changes]:
    """The model whose LSTM, GRU and RNN layers compute other functions; None keeps tanh, or sigmoid for gates.

    Weights and their names stay. Where both functions are torch's own the layer is left to its fused kernel. LSTMs with
    projections are refused.
    """
    model = layers.target(model, inplace)
    changes = Changes()
    for path, layer in list(layers.chosen(model, tuple(CELLS), where)):
        _replace_cell(path, layer, {"activation": activation, "gate": gate}, changes)
    if not changes.done and not changes.kept:
        raise UserError(
            "The model has no LSTM, GRU or RNN of torch's.", "whet.surgery.find(model, sample) lists what it has."
        )
    return model, changes


def _replace_cell(path: str, layer: Any, given: dict[str, Any], changes: Changes) -> None:
    if layer.proj_size:
        raise UserError(
            f"{path} is an LSTM with projections, which only torch's kernel computes.", "Leave it out by where=."
        )
    place: Any = None
    made = {n: FUSED[n]() if new is None else catalogue.maker_of(new).make(place) for n, new in given.items()}
    if isinstance(layer, nn.RNN):
        del made["gate"]
    if isinstance(layer, Stepwise) and all(catalogue.same(getattr(layer, n), m) for n, m in made.items()):
        changes.kept.append(f"{path}: these functions already")
        return
    if (
        not isinstance(layer, Stepwise)
        and given["activation"] is None
        and (given["gate"] is None or "gate" not in made)
    ):
        changes.kept.append(f"{path}: torch's own functions, in its fused kernel")
        return
    _change(path, layer, made, changes)


def _change(path: str, layer: Any, made: dict[str, nn.Module], changes: Changes) -> None:
    what = f"{type(layer).__name__}, tanh and sigmoid" if "gate" in made else type(layer).__name__
    kind = next((cell for plain, cell in CELLS.items() if isinstance(layer, plain)), None)
    assert kind is not None
    undos: list[Callable[[], None]] = []
    for name, module in made.items():
        if name in layer._modules:
            undos.append(functools.partial(layer._modules.__setitem__, name, layer._modules.pop(name)))
        module.to(layer.weight_hh_l0.device, layer.weight_hh_l0.dtype).train(layer.training)
        undos.append(add_child(layer, name, module))
    undos.append(set_class(layer, kind))
    now = ", ".join(f"{n}={str(m).partition(chr(10))[0]}" for n, m in made.items())
    changes.add(Change(path, what, now, "rewritten"), *undos)
