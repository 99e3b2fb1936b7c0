"""Whatever bytes a file holds, reading it gives data or a DataError: nothing else."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whet.data.table_files import read_table
from whet.data.tables import load_table
from whet.errors import DataError

CELLS = st.sampled_from(
    ["1", "2.5", "x", "", "?", '"', '"a,b"', '"\n"', "inf", "nan", "2020-01-02", "1,000", "é", "\r", "-"]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=12)
BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet=',;\t|"\n\r ab1.-é', max_size=120).map(str.encode),
    TABLES.map(lambda rows: "\n".join(",".join(row) for row in rows).encode()),
)
SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet", "csv.gz"])
@SETTINGS
@given(data=BYTES)
def test_arbitrary_bytes_never_end_in_a_traceback(tmp_path: Path, ending: str, data: bytes):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(data)
    with contextlib.suppress(DataError):
        load_table(path)


@SETTINGS
@given(
    rows=st.lists(st.lists(st.text(alphabet='ab,"\n;1 ', max_size=4), min_size=3, max_size=3), min_size=1, max_size=8)
)
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, rows: list[list[str]]):
    import csv

    path = tmp_path / "t.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["u", "v", "w"], *rows])
    frame = read_table(path).frame
    assert [[c or "" for c in row] for row in frame.rows()] == rows
