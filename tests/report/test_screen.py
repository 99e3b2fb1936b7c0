"""The line of a file in which half of the time is over: once, and only where time ends the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from whet.asked import say_large
from whet.screen import Screen
from whet.train.horizon import Clock


def said(capsys: pytest.CaptureFixture[str], spent: float, *, by_time: bool = True) -> str:
    """What is printed of a budget of 100 s, of which so much is spent at the beginning, while 60 s go by."""
    now = [0.0]
    clock = Clock(100.0, spent, started=0.0)
    screen = Screen(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: now[0])
        screen.begin(clock, "training", by_time=by_time)
        while now[0] < 60:
            now[0] += 5
            screen.move("trial", "validation 0.9", clock.left)
    screen.end()
    return capsys.readouterr().out


def test_half_of_the_time_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 0.0) == "  half-way at 50 s, 50 s left; trial: validation 0.9\n"


def test_a_run_that_goes_on_behind_the_half_does_not_say_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 55.0) == ""
    assert "half-way" in said(capsys, 30.0)


def test_where_steps_end_the_training_nothing_is_half_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 0.0, by_time=False) == ""


def test_a_large_file_is_named_before_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of 200 MB was read before an empty screen, on a busy machine for 50 s."""
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_bytes(b"x" * 10)
    large.write_bytes(b"x" * 2_000_000)
    monkeypatch.setattr("whet.asked.LARGE", 1e6)
    say_large(Screen(True), str(small), large, "digits", "x" * 5000, tmp_path, None, {"x": [1]}, "a\0b")
    assert capsys.readouterr().out == "Reading large.csv (2 MB).\n"
