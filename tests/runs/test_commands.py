"""The commands themselves: what they print where nothing is asked, and what they write down."""

from __future__ import annotations

import pytest

from whet import cli
from whet.commands.doctor import beginning


def test_no_words_at_all_show_the_help_and_nothing_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    shown = capsys.readouterr()
    assert "whet sharpens neural networks" in shown.out + shown.err
    assert "whet: " not in shown.err


def test_a_file_without_a_function_is_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["diagnose", "my.py"]) == 2
    assert "'my.py' names no function in a file. Give FILE.py:function" in capsys.readouterr().err


def test_a_repaired_set_up_begins_with_the_one_that_was_given() -> None:
    assert beginning("folder/my.py:make") == "from my import make\n\nsetup = make()\n"
