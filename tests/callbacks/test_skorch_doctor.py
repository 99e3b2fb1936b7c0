"""The doctor beside skorch's loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small import SICK_RATE, example, made, moons

skorch = pytest.importorskip("skorch")


def fitted(rate: float, *callbacks: Any) -> Any:
    torch.manual_seed(0)
    x, y = moons()
    net = skorch.NeuralNetClassifier(
        made(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=rate,
        batch_size=32,
        max_epochs=6,
        verbose=0,
        callbacks=[*callbacks],
    )
    return net.fit(x.numpy(), y.numpy())


def test_skorch_ends_with_the_same_bits_and_no_alarm_on_a_sound_training() -> None:
    from whet.callbacks import SkorchDoctor

    said: list[str] = []
    doctor = SkorchDoctor(said.append)
    with_it, without = fitted(5e-3, doctor), fitted(5e-3)
    for a, b in zip(with_it.module_.parameters(), without.module_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert doctor.diagnosis.healthy
    assert said == []


def test_skorch_tells_of_a_sick_training() -> None:
    from whet.callbacks import SkorchDoctor

    said: list[str] = []
    doctor = SkorchDoctor(said.append)
    fitted(SICK_RATE, doctor)
    assert not doctor.diagnosis.healthy
    assert doctor.diagnosis.findings[0].code == "HLR"
    assert "learning rate too high" in said[0]


def test_the_documented_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = moons()
    names = {"skorch": skorch, "nn": torch.nn, "Network": made, "x": x.numpy(), "y": y.numpy()}
    exec(example("SkorchDoctor"), names)
    assert "steps were watched" in capsys.readouterr().out
