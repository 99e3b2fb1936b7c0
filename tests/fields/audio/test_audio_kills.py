"""A killed command goes on and ends with the same bits, whether sounds are told apart or written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from commands import Commands
from safetensors.torch import load_file

from whet.recipe import Choice, Recipe

RECIPES = {
    "classes": Recipe(
        family=Choice("audio_cnn", widths=(4, 8)),
        augment=(Choice("time_shift"), Choice("speed"), Choice("noise"), Choice("tract"), Choice("mel_mask")),
        regularise=(Choice("mixup"), Choice("ema", decay=0.9)),
        batch_size=8,
    ),
    "spoken": Recipe(family=Choice("audio_crnn", widths=(4, 8), width=8), augment=(Choice("speed"),), batch_size=8),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    for name, recipe in RECIPES.items():
        (folder / f"{name}.toml").write_text(recipe.to_toml())
    return folder


@pytest.mark.parametrize("kind", list(RECIPES))
def test_kills_change_no_bit(kind: str, command: Commands, home: Path, classes: Path, spoken: Path) -> None:
    source = {"classes": classes, "spoken": spoken}[kind]

    def words(folder: str) -> list[object]:
        return ["fit", source, "--recipe", f"{kind}.toml", "--steps", 12, "--out", folder]

    straight, killed = home / f"{kind}-straight", home / f"{kind}-killed"
    assert command(*words(straight.name)).code == 0
    for once in ("baselines.npz", "trials/*/checkpoint-*4.*", "trials/*/checkpoint-*9.*"):
        command.killed(*words(killed.name), once=killed / once)
    assert command(*words(killed.name)).code == 0
    a, b = (load_file(folder / "model.safetensors") for folder in (straight, killed))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)
    first, second = (json.loads((folder / "result.json").read_text()) for folder in (straight, killed))
    assert first["value"] == second["value"]
    assert first["validation"] == second["validation"]
