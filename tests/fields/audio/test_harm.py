"""What may be changed about sounds: the data says what their classes depend on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from sounds import tone, write

from whet.data.core import Roles
from whet.fields.audio import FIELD
from whet.fields.audio.recipes import HARMFUL, MOVES, audio_recipes
from whet.fields.audio.transform import AudioTransform
from whet.search.first import Facts

SCALE = [800 * 2 ** (k / 18) for k in range(8)]


def known(root: Path) -> tuple[AudioTransform, Mapping[str, float]]:
    """The transform of class folders, and what each change gains."""
    data = FIELD.load(root, target=None, task=None, holdout=None, split=None, roles=Roles())
    parts = FIELD.split(data, seed=0)
    prepared = FIELD.prepare(data, parts)
    assert isinstance(prepared.transform, AudioTransform)
    return prepared.transform, FIELD.facts(data, parts, prepared)["more"]["gains"]


def moves(gains: Mapping[str, float]) -> list[str]:
    facts = Facts("audio", "classify", 100, (1, 40, 20), 4, seconds=60.0, more={"gains": gains})
    return [choice.name for choice in audio_recipes(facts)[0].recipe.augment]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("notes")
    for k, pitch in enumerate(SCALE):
        for i in range(16):
            write(root / f"note{k}" / f"{i}.wav", tone(pitch, 0.2 + 0.005 * (i % 4), seed=100 * k + i, noise=0.05))
    return root


@pytest.fixture(scope="module")
def knocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, root = np.random.default_rng(0), tmp_path_factory.mktemp("knocks")
    for i in range(90):
        loud, pitch = 10 ** (i % 3 - 2.5 + 0.2 * random.standard_normal()), random.uniform(200, 800)
        write(root / ("far", "near", "here")[i % 3] / f"{i}.wav", loud * tone(pitch, 0.2, seed=i, noise=0.2))
    return root


def test_notes_are_not_played_faster_and_may_come_later(notes: Path) -> None:
    _, gains = known(notes)
    assert gains["speed"] < HARMFUL < gains["time_shift"]
    assert "speed" not in moves(gains)
    assert "time_shift" in moves(gains)


def test_what_nothing_is_known_of_is_moved_in_every_way() -> None:
    assert moves({}) == [move.name for move in MOVES]


def test_loudness_is_kept_where_it_tells_classes_apart_and_nowhere_else(notes: Path, knocks: Path) -> None:
    assert known(notes)[0].level == 0
    level = known(knocks)[0].level
    assert 1e-3 < level < 0.1


def test_a_kept_loudness_survives_being_written_down() -> None:
    transform = AudioTransform(4_000, 800, 800, 20, mean=(0.0,) * 20, std=(1.0,) * 20, level=0.02)
    assert AudioTransform.from_dict(transform.to_dict()) == transform
    old = {k: v for k, v in transform.to_dict().items() if k != "level"}
    assert AudioTransform.from_dict(old).level == 0


def test_a_quiet_recording_stays_quiet_where_loudness_is_kept() -> None:
    from whet.fields.audio.front import levelled

    x = torch.tensor([[0.1, -0.1], [0.01, -0.01]])
    length = torch.tensor([2, 2])
    assert torch.allclose(levelled(x, length).abs(), torch.ones(2, 2))
    assert torch.allclose(levelled(x, length, 0.1).abs(), torch.tensor([[1.0, 1.0], [0.1, 0.1]]))
