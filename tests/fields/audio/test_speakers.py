"""Who speaks in which part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sounds import named

from whet import fields
from whet.data.core import Data, Roles
from whet.fields.audio.speakers import apart, leak

ROLES = Roles(pattern="{label}_{speaker}_{index}")
PEOPLE = ["ann", "bob", "cid", "dee", "eva"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return named(tmp_path_factory.mktemp("people"), PEOPLE)


def split_file(folder: Path, test: set[str], by: int) -> Path:
    """A split.csv whose test part are files with these words at this place of their names."""
    names = sorted(path.name for path in folder.glob("*.wav"))
    lines = [f"{n},{'test' if n[:-4].split('_')[by] in test else 'train'}" for n in names]
    (folder / "parts.csv").write_text("\n".join(["path,split", *lines]) + "\n")
    return folder / "parts.csv"


def voices(data: Data, seed: int = 0) -> dict[str, set[str]]:
    parts = fields.field("audio").split(data, seed)
    who = np.asarray(data.origin["speakers"])
    assert sorted(np.concatenate(list(parts.values()))) == list(range(len(data)))
    return {part: set(who[rows]) for part, rows in parts.items()}


@pytest.mark.parametrize("seed", range(4))
def test_known_speakers_are_kept_apart_and_it_is_said(people: Path, seed: int) -> None:
    data = fields.load(people, roles=ROLES)
    heard = voices(data, seed)
    assert sum(map(len, heard.values())) == len(PEOPLE)
    assert any("5 speakers are named" in said for said in data.said)
    assert not data.findings


def test_a_split_that_shares_speakers_is_kept_and_warned_of_with_counts(people: Path) -> None:
    data = fields.load(people, roles=ROLES, split=split_file(people, {"0"}, by=2))
    assert voices(data)["test"] == set(PEOPLE) == voices(data)["train"]
    assert voices(data)["val"] < set(PEOPLE)
    (found,) = data.findings
    assert found.name == "speakers-across-splits"
    assert "15 of the 15 test recordings" in found.cause
    assert found.evidence == {"speakers": 5, "recordings": 15, "share": 1.0}


def test_a_split_by_speaker_gives_validation_its_own_speaker_too(people: Path) -> None:
    data = fields.load(people, roles=ROLES, split=split_file(people, {"ann"}, by=1))
    heard = voices(data)
    assert heard["test"] == {"ann"}
    assert not heard["train"] & heard["val"]
    assert not data.findings


def test_too_few_speakers_share_the_parts_and_it_is_said(tmp_path: Path) -> None:
    data = fields.load(named(tmp_path, ["ann", "bob"]), roles=ROLES)
    assert voices(data)["train"] == {"ann", "bob"}
    assert any("too few" in said for said in data.said)


def test_a_draw_that_leaves_training_without_a_class_is_drawn_again() -> None:
    speakers = np.repeat(np.asarray(["a", "b", "c", "d"]), 5)
    y = np.where(speakers == "a", 1, 0)  # one person alone says the second word
    for seed in range(6):
        parts = apart(speakers, {}, seed, y)
        assert parts is not None
        assert set(y[parts["train"]]) == {0, 1}


def test_one_shared_speaker_among_others_is_counted() -> None:
    speakers = np.asarray(["a", "a", "b", "c", "b"])
    found = leak(speakers, {"train": np.asarray([0, 1, 2]), "test": np.asarray([3, 4])})
    assert found is not None
    assert found.evidence == {"speakers": 1, "recordings": 1, "share": 0.5}
    assert leak(speakers, {"train": np.asarray([0, 1, 2]), "test": np.asarray([3])}) is None
