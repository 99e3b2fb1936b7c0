"""Where the seconds of a run went: what ran side by side is not counted twice."""

from types import SimpleNamespace
from typing import Any

import pytest

from whet.conclude import timings, trained
from whet.record import Record, Step


def record(name: str, seconds: float) -> Record:
    return Record(name, "", "", 0, (Step(1, 1.0, seconds, 1.0),))


def ended(spent: float) -> Any:
    took = {"look": 2.0, "get_ready": 1.0, "lay_baselines": 3.0, "choose_recipes": 1.0, "all": spent}
    return SimpleNamespace(winner="first", took=took, clock=SimpleNamespace(spent=spent))


RECORDS = {name: record(name, 40.0) for name in ("first", "second", "third")}


def test_trials_one_after_the_other_count_in_full() -> None:
    assert trained(ended(130.0), RECORDS) == (40.0, 80.0)


@pytest.mark.parametrize("spent", [60.0, 100.0])
def test_trials_side_by_side_take_no_more_than_the_clock(spent: float) -> None:
    winner, others = trained(ended(spent), RECORDS)
    assert winner == 40.0
    assert winner + others == spent - 7.0


def test_the_parts_of_a_run_sum_to_what_was_spent() -> None:
    outcome = ended(60.0)
    outcome.took["all"] = 7.0  # all of it in the named steps: nothing was spent on starting
    assert sum(timings(outcome, RECORDS).values()) == pytest.approx(60.0)
