"""The faces come late, and their libraries' absence is answered with the install line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from whet import callbacks
from whet.errors import MissingExtra


@pytest.mark.parametrize("name", callbacks.__all__)
def test_a_library_that_is_not_there_is_named_with_its_install_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra, package = callbacks._HOMES[name]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=f"pip install 'whet\\[{extra}\\]'"):
        getattr(callbacks, name)


def test_no_library_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, whet.callbacks\nsys.exit(bool({'lightning', 'keras', 'transformers', 'skorch'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="Doctor"):
        callbacks.Doctor  # noqa: B018
