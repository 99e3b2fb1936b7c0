"""The examples of docs/search.md run, one after the other, as a reader would."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "search.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documents are not installed with the package")
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for number, text in enumerate(blocks):
        exec(compile(text, f"search.md, example {number}", "exec"), names)
    assert len(blocks) >= 6
    assert (tmp_path / "search.jsonl").exists()
    assert "learning_rate" in capsys.readouterr().out
