"""The page on searching a network of one's own says what runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).parents[3] / "docs" / "search_own_network.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documents are not installed with the package")
def test_the_examples_run_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    known: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(example, known)
    assert known["result"].metric == "loss"
    assert len(known["said"]) == 240
