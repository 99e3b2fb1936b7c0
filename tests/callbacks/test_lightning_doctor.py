"""The doctor beside Lightning's loop."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small import SICK_RATE, SOUND_RATE, example, made, moons
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Lightning warns of while it is imported is not ours
    lightning = pytest.importorskip("lightning.pytorch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*deprecat.*"),
]


class Module(lightning.LightningModule):  # type: ignore[misc]
    """Calls its network itself, so that Lightning's module is never called."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.net, self.rate = made(), rate

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def trained(folder: Path, rate: float, *callbacks: Any) -> nn.Module:
    torch.manual_seed(0)
    module = Module(rate)
    trainer = lightning.Trainer(
        max_epochs=6,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[*callbacks],
    )
    trainer.fit(module, DataLoader(TensorDataset(*moons()), batch_size=32))
    return module


def test_lightning_ends_with_the_same_bits_and_no_alarm_on_a_sound_training(tmp_path: Path) -> None:
    from whet.callbacks import LightningDoctor

    said: list[str] = []
    doctor = LightningDoctor(said.append)
    with_it, without = trained(tmp_path, SOUND_RATE, doctor), trained(tmp_path, SOUND_RATE)
    for a, b in zip(with_it.parameters(), without.parameters(), strict=True):
        assert torch.equal(a, b)
    assert doctor.diagnosis.healthy
    assert said == []


def test_lightning_tells_of_a_sick_training(tmp_path: Path) -> None:
    from whet.callbacks import LightningDoctor

    said: list[str] = []
    doctor = LightningDoctor(said.append)
    trained(tmp_path, SICK_RATE, doctor)
    assert not doctor.diagnosis.healthy
    assert doctor.diagnosis.findings[0].code == "HLR"
    assert "learning rate too high" in said[0]


@pytest.mark.filterwarnings("ignore:Starting from v1.9.0, `tensorboardX`")
def test_the_documented_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {
        "lightning": lightning,
        "module": Module(SOUND_RATE),
        "loader": DataLoader(TensorDataset(*moons()), batch_size=8),
    }
    exec(example("LightningDoctor"), names)
    assert "steps were watched" in capsys.readouterr().out
