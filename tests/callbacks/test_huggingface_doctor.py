"""The doctor beside Hugging Face's Trainer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from small import SICK_RATE, SOUND_RATE, example, made, moons
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what transformers warns of while it is imported is not ours
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*")


class Model(nn.Module):
    """As the Trainer wants it: keywords in, a mapping with the loss out."""

    def __init__(self) -> None:
        super().__init__()
        self.net = made()

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.net(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def trained(folder: Path, rate: float, *callbacks: Any) -> nn.Module:
    torch.manual_seed(0)
    model, (x, y) = Model(), moons()
    args = transformers.TrainingArguments(
        output_dir=str(folder),
        learning_rate=rate,
        num_train_epochs=6,
        per_device_train_batch_size=32,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        logging_strategy="no",
        max_grad_norm=0.0,
        lr_scheduler_type="constant",
    )
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    transformers.Trainer(model, args, train_dataset=rows, callbacks=[*callbacks]).train()
    return model


def test_the_trainer_ends_with_the_same_bits_and_no_alarm_on_a_sound_training(tmp_path: Path) -> None:
    from whet.callbacks import HuggingFaceDoctor

    said: list[str] = []
    doctor = HuggingFaceDoctor(said.append)
    with_it, without = trained(tmp_path, SOUND_RATE, doctor), trained(tmp_path, SOUND_RATE)
    for a, b in zip(with_it.parameters(), without.parameters(), strict=True):
        assert torch.equal(a, b)
    assert doctor.diagnosis.healthy
    assert said == []
    assert not with_it._forward_hooks


def test_the_trainer_tells_of_a_sick_training(tmp_path: Path) -> None:
    from whet.callbacks import HuggingFaceDoctor

    said: list[str] = []
    doctor = HuggingFaceDoctor(said.append)
    trained(tmp_path, SICK_RATE, doctor)
    assert not doctor.diagnosis.healthy
    assert doctor.diagnosis.findings[0].code == "HLR"
    assert "learning rate too high" in said[0]


def test_the_documented_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"x": a, "labels": b} for a, b in zip(*moons(), strict=True)]
    args = transformers.TrainingArguments(output_dir=str(tmp_path), save_strategy="no", report_to=[], use_cpu=True)
    exec(example("HuggingFaceDoctor"), {"transformers": transformers, "model": Model(), "args": args, "rows": rows})
    assert "steps were watched" in capsys.readouterr().out
