"""The pages for those who come from other libraries: their code runs, and its assertions hold."""

from __future__ import annotations

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGES = sorted((Path(__file__).parents[2] / "docs" / "faces").glob("*.md"))
CODE = re.compile(r"(?:<!-- needs: (\w+) -->\n)?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not PAGES, reason="the documents are not installed with the package")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with the pictures that the pages speak of: dark ones and bright ones."""
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("bright", 128)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(40):
            pixels = random.integers(low, low + 128, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    return tmp_path


def runnable(page: Path) -> tuple[list[str], list[str]]:
    """(the blocks whose packages are installed, the packages that are missing)."""
    found = CODE.findall(page.read_text(encoding="utf-8"))
    missing = sorted({needs for needs, _ in found if needs and importlib.util.find_spec(needs) is None})
    return [code for needs, code in found if needs not in missing], missing


@pytest.mark.parametrize("page", [p for p in PAGES if CODE.search(p.read_text(encoding="utf-8"))], ids=lambda p: p.stem)
def test_the_code_of_a_page_runs_as_far_as_its_packages_are_installed(page: Path, place: Path) -> None:
    blocks, missing = runnable(page)
    names: dict[str, object] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        if not missing and "needs:" in page.read_text(encoding="utf-8"):
            warnings.simplefilter("ignore")  # of the other library
        for block in blocks:
            exec(compile(block, str(page), "exec"), names)
    if missing:
        pytest.skip(f"the rest ran; {', '.join(missing)} is not installed")
