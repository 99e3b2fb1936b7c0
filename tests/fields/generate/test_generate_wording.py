"""Made rows are spelled as the source spells its own."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import whet
from whet.fields.generate.recipes import row_flow

RECIPE = row_flow(32).put("family.width", 16).put("family.depth", 1).put("family.steps", 2)
ROWS = 120
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i * 3) for i in range(ROWS)]
CLOCKS = [datetime.datetime(2024, 1, 1, 6, 30) + datetime.timedelta(hours=i * 5) for i in range(ROWS)]


def source() -> pl.DataFrame:
    """A column of each spelling, all of them text."""
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "member": [("yes", "no")[i % 3 == 0] for i in range(ROWS)],
            "flag": [("Y", "N")[i % 4 == 0] for i in range(ROWS)],
            "python": [("True", "False")[i % 5 == 0] for i in range(ROWS)],
            "day": [d.isoformat() for d in DAYS],
            "german": [d.strftime("%d.%m.%Y") for d in DAYS],
            "short": [f"{d.day}.{d.month}.{d.year}" for d in DAYS],
            "month": [f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(ROWS)],
            "clock": [d.strftime("%Y-%m-%d %H:%M") for d in CLOCKS],
            "zoned": [d.strftime("%Y-%m-%dT%H:%M:%S+00:00") for d in CLOCKS],
            "cents": [f"{v:.2f}" for v in random.lognormal(3, 1, ROWS)],
            "gaps": ["" if i % 7 == 0 else str(random.integers(50)) for i in range(ROWS)],
            "Town": [("NEW YORK", "berlin", "Île")[i % 3] for i in range(ROWS)],
            "size": [str(v) for v in random.integers(100, 999, ROWS)],
        }
    )


SHAPES = {
    "member": "^(yes|no)$",
    "flag": "^[YN]$",
    "python": "^(True|False)$",
    "day": r"^\d{4}-\d\d-\d\d$",
    "german": r"^\d\d\.\d\d\.\d{4}$",
    "short": r"^[1-9]\d?\.[1-9]\d?\.\d{4}$",
    "month": r"^\d{4}-\d\d$",
    "clock": r"^\d{4}-\d\d-\d\d \d\d:\d\d$",
    "zoned": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$",
    "cents": r"^\d+\.\d{1,2}$",
    "gaps": r"^\d*$",
    "Town": "^(NEW YORK|berlin|Île)$",
    "size": r"^\d+$",
}


def test_made_rows_are_in_the_words_of_the_file(tmp_path: Path) -> None:
    source().write_csv(tmp_path / "table.csv")
    run = whet.fit(tmp_path / "table.csv", task="generate", recipe=RECIPE, steps=3, out=tmp_path / "run").folder
    whet.generate(run, 80, out=tmp_path / "made.csv")
    made = pl.read_csv(tmp_path / "made.csv", infer_schema=False)
    wrong = {
        name: made[name].to_list()[:3] for name, shape in SHAPES.items() if not made[name].str.contains(shape).all()
    }
    assert not wrong
    assert made["cents"].str.contains(r"\.\d\d$").any()
    assert set(made["member"]) == {"yes", "no"}
    report = (run / "report.html").read_text()
    assert "<td>yes</td>" in report


@pytest.mark.parametrize("last", ["day", "member", "age", "size"])
def test_made_rows_have_the_types_of_a_frame(last: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "day": DAYS,
            "clock": CLOCKS,
            "member": random.random(ROWS) < 0.4,
            "age": pl.Series(random.integers(18, 80, ROWS), dtype=pl.Int16),
            "size": pl.Series(random.random(ROWS), dtype=pl.Float32),
            "town": ["ab"[i % 2] for i in range(ROWS)],
        }
    )
    target = last if last != "day" else "town"
    run = whet.fit(frame, target=target, task="generate", recipe=RECIPE, steps=3, out=tmp_path / "run").folder
    made = whet.generate(run, 20)
    assert dict(made.schema) == dict(frame.schema)
    assert made.null_count().sum_horizontal().item() == 0
