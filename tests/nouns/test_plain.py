"""The other plain things of layer 0: names, random streams, records, the journal, files that survive."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from whet import files, record
from whet.entry import Catalogue, Entry
from whet.errors import OutputError, RecipeError, UnknownName
from whet.journal import Journal
from whet.record import Record, Step
from whet.rng import generator, seed_for


def test_a_stream_depends_on_its_name_and_counters_and_on_nothing_else() -> None:
    assert seed_for(0, "data", 3) == seed_for(0, "data", 3) == 2165718779630522826
    others = {seed_for(0, "data", 4), seed_for(0, "init", 3), seed_for(1, "data", 3), seed_for(0, "data")}
    assert len(others | {seed_for(0, "data", 3)}) == 5
    assert np.array_equal(generator(0, "x").random(3), generator(0, "x").random(3))


def test_a_misspelt_name_answers_with_the_nearest_ones() -> None:
    shelf = Catalogue("fruit", [Entry("apple", list, "", aliases=("pomme",)), Entry("pear", list, "")])
    with pytest.raises(UnknownName, match="no fruit named 'aple'. Did you mean 'apple'"):
        shelf["aple"]
    with pytest.raises(UnknownName, match="Known: apple, pear, pomme"):
        shelf["zzzzzz"]
    assert shelf["pomme"].name == "apple"
    assert shelf.names == ("apple", "pear")


def test_an_entry_refuses_a_parameter_that_it_does_not_have() -> None:
    entry = Entry("sgd", list, "", {"lr": 0.1})
    assert entry.fill({"lr": 1}) == {"lr": 1}
    with pytest.raises(RecipeError, match="no parameter 'rl'"):
        entry.fill({"rl": 1})
    with pytest.raises(RecipeError, match=r"\(value 0.3\)"):
        entry.fill({"rl": 0.1 + 0.2})


@pytest.mark.parametrize("value", [1.5, 2.0, True, "2"])
def test_an_entry_refuses_what_is_no_whole_number_where_its_default_is_one(value: object) -> None:
    entry = Entry("mlp", list, "", {"width": 256, "scale": 1.0})
    assert entry.fill({"width": 8, "scale": 2}) == {"width": 8, "scale": 2}
    with pytest.raises(RecipeError, match=r"mlp\.width=.* is not a"):
        entry.fill({"width": value})


def test_a_journal_is_read_up_to_a_torn_line_and_goes_on_after_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).say("start", 0.0)
    Journal(path).say("plan", 1.5, threads=2)
    with open(path, "ab") as file:
        file.write(b'{"event": "torn", "sp')
    journal = Journal(path)
    assert [line["event"] for line in journal] == ["start", "plan"]
    assert journal.spent == 1.5
    journal.say("race", 3.0)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["start", "plan", "race"]


@pytest.mark.parametrize("whole", [b"", b'{"a": 1}\n', b'{"a": 1}\n{"b": 2}\n'])
def test_a_torn_line_is_cut_however_long_it_is(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(whole + b'"' + b"x" * (2 << 20))
    files.append_line(path, {"c": 3})
    assert path.read_bytes() == whole + b'{"c": 3}\n'


def test_steps_that_a_resumed_run_did_again_replace_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    files.append_line(path, record.head_line(Record("a", "hash", "task", 0)))
    for step, loss in ((10, 1.0), (20, 0.5), (30, 0.4), (20, 0.6)):
        files.append_line(path, record.step_line(Step(step, step / 10, step, 0.1, {"loss": loss})))
    found = record.read(path)
    assert (found.trial, found.recipe) == ("a", "hash")
    assert found.curve("loss") == ((10, 1.0), (20, 0.6))
    assert found.last("loss") == 0.6
    assert found.last("none") is None


def test_nan_is_written_as_null_so_that_every_reader_accepts_it(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf"), 1.0]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [None, 1.0]}


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x"
    files.write_text(path, "old")

    def write_half() -> None:
        with files.atomic(path) as file:
            file.write(b"ne")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full. Free some space"), files.saying_where(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
