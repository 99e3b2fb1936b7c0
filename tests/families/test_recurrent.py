"""Recurrent families with other functions inside their cells."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from whet.errors import UnknownName
from whet.families import FAMILIES
from whet.families.recurrent import with_functions


def test_every_recurrent_family_takes_other_functions() -> None:
    with_cells = {f.name for f in FAMILIES if "cell" in f.defaults}
    assert with_cells == {f.name for f in FAMILIES if "gate" in f.defaults and "inner" in f.defaults}
    assert {"audio_rnn", "audio_crnn", "text_rnn", "series_rnn"} <= with_cells


def test_a_cell_computes_with_its_functions() -> None:
    network = nn.Sequential(nn.LSTM(3, 4, batch_first=True))
    x, kept = torch.randn(2, 1, 3), {k: v.clone() for k, v in network.state_dict().items()}
    changed = with_functions(network, "relu", "hard_sigmoid")
    assert {k: v.shape for k, v in changed.state_dict().items()} == {k: v.shape for k, v in kept.items()}
    i, _, g, o = (x[:, 0] @ kept["0.weight_ih_l0"].T + kept["0.bias_ih_l0"] + kept["0.bias_hh_l0"]).chunk(4, 1)
    gate = nn.functional.hardsigmoid
    expected = gate(o) * torch.relu(gate(i) * torch.relu(g))
    torch.testing.assert_close(changed(x)[0][:, 0], expected)


def test_torchs_functions_stay_in_its_kernel() -> None:
    assert type(with_functions(nn.Sequential(nn.GRU(2, 2)), "tanh", "sigmoid")[0]) is nn.GRU


def test_an_unknown_function_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="softsign"):
        with_functions(nn.Sequential(nn.GRU(2, 2)), "softsing", "sigmoid")
