"""Tables in: files, folders, frames and arrays become the same data, and what is wrong is said in one line."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from whet.data.tables import load_inputs, load_table, table_spec
from whet.errors import DataError, UnknownName

ROWS = [(i, i % 7, "red" if i % 3 else "blue", i * 1.5 + (i % 5), "yes" if i % 2 else "no") for i in range(60)]
HEADER = ["size", "shape", "colour", "weight", "label"]


def write(path, rows=ROWS, header=HEADER, separator=","):
    lines = [separator.join(map(str, row)) for row in ([header] if header else []) + list(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def small(path, columns, **kwargs):
    """A table of these columns, written and loaded."""
    rows = list(zip(*columns.values(), strict=True))
    return load_table(write(path, rows, list(columns)), **kwargs)


def said(data):
    return " ".join(data.said)


def test_a_csv_has_its_columns_typed_and_its_target_split_off(tmp_path):
    data = load_table(write(tmp_path / "t.csv"))
    assert dict(zip(data.x.columns, data.x.dtypes, strict=True)) == {
        "shape": pl.Int64,
        "colour": pl.String,
        "weight": pl.Float64,
    }
    assert (data.goal, data.classes, data.target, data.name) == ("classify", ("no", "yes"), "label", "t")
    assert data.y[:4].tolist() == [0, 1, 0, 1]
    assert "'size' numbers the rows; it is left out" in data.findings[0].cause


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    assert load_table(write(tmp_path / "t.csv", separator=separator)).x.width == 3


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json", "parquet", "csv.gz", "jsonl.gz"])
def test_every_kind_of_file_gives_the_same_data(tmp_path, ending):
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    path = tmp_path / f"t.{ending}"
    match ending.removesuffix(".gz"):
        case "csv":
            text = frame.write_csv().encode()
        case "tsv":
            text = frame.write_csv(separator="\t").encode()
        case "jsonl":
            text = frame.write_ndjson().encode()
        case "json":
            text = json.dumps(frame.to_dicts()).encode()
        case _:
            frame.write_parquet(path)
            text = path.read_bytes()
    path.write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    data, reference = load_table(path), load_table(frame)
    assert data.x.equals(reference.x)
    assert (data.y == reference.y).all()
    assert data.fingerprint == reference.fingerprint


def test_frames_of_pandas_and_polars_agree_with_the_file(tmp_path):
    frame = pd.read_csv(write(tmp_path / "t.csv"))
    reference = load_table(tmp_path / "t.csv")
    for source in (frame, pl.from_pandas(frame), frame.astype({"colour": "category"})):
        assert load_table(source).fingerprint == reference.fingerprint


def test_arrays_give_numbered_columns():
    x = np.random.default_rng(0).normal(size=(50, 3))
    data = load_table((x, x[:, 0] > 0))
    assert data.x.columns == ["x0", "x1", "x2"]
    assert data.classes == ("false", "true")
    data = load_table((x, x[:, :1]))
    assert data.goal == "regress"


def test_quoted_line_ends_and_separators_stay_in_their_cell(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,label\n" + '1,"x\ny, z ""q""",u\n2,plain,v\n' * 15)
    data = load_table(path, target="label")
    assert data.x["b"].unique().sort().to_list() == ["plain", 'x\ny, z "q"']
    assert data.ids[2] == "t.csv line 5"


def test_long_quoted_texts_do_not_hide_the_separator(tmp_path):
    """Reviews of many lines: what is sniffed at ends within quotes."""
    text = "".join(f'{i % 4},"{"one; two, three;" * 300}\n{i}\n",{i % 2}\n' for i in range(100))
    (tmp_path / "t.csv").write_text("stars,text,label\n" + text)
    assert load_table(tmp_path / "t.csv").x.columns[0] == "stars"


def test_stray_quotes_do_not_swallow_rows(tmp_path):
    rows = [(i % 9, '5" pipe' if i % 4 == 0 else "rod", i % 2) for i in range(41)]
    data = small(tmp_path / "t.csv", dict(zip(("n", "what", "y"), zip(*rows, strict=True), strict=True)))
    assert data.x.height == 41
    assert set(data.x["what"]) == {'5" pipe', "rod"}


@pytest.mark.parametrize("marker", ["", "?", "NA", "N/A", "null", "nan", "None", "-", " "])
def test_markers_of_missing_values_are_missing(tmp_path, marker):
    values = [marker if i == 3 else i * i for i in range(40)]
    data = small(tmp_path / "t.csv", {"a": values, "y": [i % 2 for i in range(40)]})
    assert data.x["a"].dtype == pl.Int64
    assert data.x["a"].null_count() == 1


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["1,234", "12", "1,000,000", "7.5"], 1234.0),
        (["$5", "$1,000", "$7.5", "$8"], 5.0),
        (["12 kg", "13 kg", "14.5 kg", "1 kg"], 12.0),
        (["45%", "3%", "7.5%", "100%"], 45.0),
        (["-1e3", "2E-2", ".5", "+7"], -1000.0),
    ],
)
def test_decorated_numbers_are_numbers(tmp_path, texts, first):
    data = small(tmp_path / "t.csv", {"a": [f'"{t}"' for t in texts] * 10, "y": [i // 3 % 2 for i in range(40)]})
    assert data.x["a"].dtype.is_numeric()
    assert data.x["a"][0] == first


def test_decimal_commas_are_read_where_commas_do_not_separate(tmp_path):
    path = write(tmp_path / "t.csv", [(f"{i},5", i % 2) for i in range(40)], ["a", "y"], ";")
    assert load_table(path).x["a"].to_list() == [i + 0.5 for i in range(40)]


def test_codes_with_leading_zeros_stay_texts(tmp_path):
    data = small(tmp_path / "t.csv", {"zip": ["01234", "98765"] * 20, "y": [0, 1, 1, 0] * 10})
    assert data.x["zip"].dtype == pl.String


def test_a_few_words_among_numbers_are_missing_and_said(tmp_path):
    values = ["oops" if i == 7 else i**2 for i in range(50)]
    data = small(tmp_path / "t.csv", {"a": values, "y": [i % 2 for i in range(50)]})
    assert data.x["a"].null_count() == 1
    assert "1 value read as missing, being no numbers ('oops')" in said(data)


def test_mixed_values_are_categories(tmp_path):
    values = [["a", "b", "12", "c"][i % 4] for i in range(48)]
    assert small(tmp_path / "t.csv", {"a": values, "y": [i // 3 % 2 for i in range(48)]}).x["a"].dtype == pl.String


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%b %d, %Y", "%m/%d/%y"],
)
def test_dates_are_found_and_read_alike_when_predicting(tmp_path, form):
    days = pl.datetime_range(pl.datetime(2019, 1, 1), pl.datetime(2019, 2, 28), "1d", eager=True)
    texts = [f'"{day.strftime(form)}"' for day in days]
    data = small(tmp_path / "t.csv", {"when": texts, "y": [i % 2 for i in range(len(days))]})
    assert data.x["when"].to_list() == days.to_list()
    one = pl.DataFrame({"when": [days[3].strftime(form)]})  # 4 January: month and day could be swapped
    assert load_inputs(one, table_spec(data)).x["when"].to_list() == [days[3]]


def test_booleans_are_booleans(tmp_path):
    data = small(tmp_path / "t.csv", {"a": ["TRUE", "False", "true", ""] * 10, "y": [0, 1, 1, 0, 1] * 8})
    assert data.x["a"].to_list()[:4] == [True, False, True, None]


def test_a_byte_order_mark_and_other_encodings_are_read(tmp_path):
    text = "größe,y\n" + "".join(f"{'süß' if i % 3 else 'né'},{i % 2}\n" for i in range(30))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        data = load_table(path)
        assert data.x.columns == ["größe"]
        assert set(data.x["größe"]) == {"süß", "né"}
    assert "read as Latin-1" in said(data)


def test_windows_and_old_line_ends_are_read(tmp_path):
    for end in ("\r\n", "\r"):
        path = tmp_path / "t.csv"
        path.write_bytes(write(path).read_text().replace("\n", end).encode())
        assert load_table(path).classes == ("no", "yes")


def test_a_table_without_a_header_gets_numbered_columns(tmp_path):
    data = load_table(write(tmp_path / "t.csv", header=None))
    assert data.target == "column_5"
    assert "no header line" in said(data)
    assert len(data) == 60


def test_repeated_column_names_are_numbered(tmp_path):
    data = small(
        tmp_path / "t.csv", {"a": [i % 5 for i in range(30)], "b": [i % 7 for i in range(30)], "y": [0, 1] * 15}
    )
    text = (tmp_path / "t.csv").read_text().replace("a,b,y", "a,a,y")
    (tmp_path / "t.csv").write_text(text)
    data = load_table(tmp_path / "t.csv")
    assert data.x.columns == ["a", "a_2"]
    assert "Two columns are named 'a'" in said(data)


def test_ragged_rows_are_counted_skipped_and_refused_above_5_percent(tmp_path):
    rows = [list(row) for row in ROWS]
    rows[10] = rows[10][:3]
    rows[20] = [*rows[20], "extra"]
    data = load_table(write(tmp_path / "t.csv", rows))
    assert len(data) == 58
    assert [p.where for p in data.problems] == ["t.csv line 12", "t.csv line 22"]
    for i in range(30, 35):
        rows[i] = rows[i][:2]
    with pytest.raises(DataError, match=r"7 of 60 rows are corrupt \(first: t.csv line 12: 3 fields instead of 5\)"):
        load_table(write(tmp_path / "t.csv", rows))


def test_torn_json_lines_are_counted_and_skipped(tmp_path):
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS]
    lines[4] = lines[4][:-9]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    data = load_table(tmp_path / "t.jsonl")
    assert len(data) == 59
    assert [p.where for p in data.problems] == ["t.jsonl line 5"]


# -- parts -----------------------------------------------------------------------------------------------------------


def test_a_folder_with_train_and_test_has_official_parts(tmp_path):
    write(tmp_path / "train.csv", ROWS[:30])
    write(tmp_path / "validation.csv", ROWS[30:40])
    write(tmp_path / "test.csv", [row[::-1] for row in ROWS[40:]], HEADER[::-1])  # other column order
    data = load_table(tmp_path)
    assert {k: (v[0], v[-1]) for k, v in data.official.items()} == {"train": (0, 29), "val": (30, 39), "test": (40, 59)}
    assert data.x["weight"][40] == ROWS[40][3]
    assert data.ids[40] == "test.csv line 2"


def test_a_test_file_without_the_target_is_left_out_and_said(tmp_path):
    write(tmp_path / "train.csv")
    write(tmp_path / "test.csv", [row[:4] for row in ROWS], HEADER[:4])
    data = load_table(tmp_path)
    assert data.official == {}
    assert len(data) == 60
    assert "can't be scored" in said(data)


def test_a_holdout_becomes_the_test_part(tmp_path):
    data = load_table(write(tmp_path / "a.csv", ROWS[:40]), holdout=write(tmp_path / "b.csv", ROWS[40:]))
    assert {k: len(v) for k, v in data.official.items()} == {"train": 40, "test": 20}


def test_a_class_that_only_the_test_part_has_is_found(tmp_path):
    test = [(*row[:4], "maybe") for row in ROWS[40:]]
    data = load_table(write(tmp_path / "a.csv", ROWS[:40]), holdout=write(tmp_path / "b.csv", test))
    assert [f.where for f in data.findings if f.name == "unseen-class"] == ["maybe"]


def test_a_split_column_gives_the_parts_and_is_no_input(tmp_path):
    parts = ["train"] * 40 + ["valid"] * 10 + ["test"] * 10
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row").with_columns(pl.Series("fold", parts))
    data = load_table(frame, target="label", split="fold")
    assert {k: len(v) for k, v in data.official.items()} == {"train": 40, "val": 10, "test": 10}
    assert "fold" not in data.x.columns


def test_a_split_file_gives_the_parts(tmp_path):
    (tmp_path / "parts.csv").write_text("split\n" + "train\n" * 45 + "test\n" * 15)
    data = load_table(write(tmp_path / "t.csv"), split=tmp_path / "parts.csv")
    assert data.official["test"].tolist() == list(range(45, 60))


def test_a_row_without_a_target_shifts_no_part(tmp_path):
    rows = [(*row[:4], "" if i == 2 else row[4]) for i, row in enumerate(ROWS)]
    (tmp_path / "parts.csv").write_text("split\n" + "train\n" * 45 + "test\n" * 15)
    data = load_table(write(tmp_path / "t.csv", rows), split=tmp_path / "parts.csv")
    assert data.official["test"].tolist() == list(range(44, 59))
    assert "1 row of 60 without a target" in said(data)


@pytest.mark.parametrize(("split", "message"), [("nope", "no column and no file"), ("colour", "other than train, val")])
def test_a_wrong_split_is_one_clear_line(tmp_path, split, message):
    with pytest.raises(DataError, match=message):
        load_table(write(tmp_path / "t.csv"), split=split)


# -- the target ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "goal"),
    [
        (["a", "b"] * 30, "classify"),
        ([True, False] * 30, "classify"),
        ([0, 1, 2] * 20, "classify"),
        ([0.0, 1.0] * 30, "classify"),
        (list(range(60)), "regress"),
        ([3, 4, 5, 6, 7, 8] * 10, "classify"),
        ([i * 7 % 31 for i in range(60)], "regress"),
        ([i / 7 for i in range(60)], "regress"),
        ([10, 20, 30, 40, 50, 60, 70, 80] * 5, "regress"),
    ],
)
def test_the_goal_is_inferred(values, goal):
    x = np.random.default_rng(0).normal(size=len(values))
    data = load_table(pl.DataFrame({"x": x, "t": values}), target="t")
    assert data.goal == goal
    assert "inferred" in said(data)


def test_the_task_overrides_the_goal():
    frame = pl.DataFrame({"x": np.random.default_rng(0).normal(size=60), "t": [2, 3, 10] * 20})
    assert load_table(frame, target="t", task="regression").y[:3].tolist() == [2.0, 3.0, 10.0]
    data = load_table(frame, target="t", task="classification")
    assert data.classes == ("2", "3", "10")
    with pytest.raises(UnknownName, match="classification"):
        load_table(frame, target="t", task="clasification")


def test_a_target_named_target_is_taken_before_the_last_column():
    frame = pl.DataFrame({"target": [0, 1] * 20, "x": [i * 0.3 for i in range(40)]})
    data = load_table(frame)
    assert data.target == "target"
    assert "taken for its name" in said(data)


def test_none_may_be_a_class():
    frame = pl.DataFrame({"x": [i * 0.3 for i in range(40)], "t": ["none", "mild"] * 20})
    assert load_table(frame).classes == ("mild", "none")


BAD_TARGETS = {
    "absent": ({"x": [1.5, 2.5], "price": [1, 2]}, {"target": "prize"}, "no column 'prize'.*'price'"),
    "one class": ({"x": [1.5, 2.5], "t": ["a", "a"]}, {}, r"one class only \('a'\)"),
    "single": ({"x": [1.5] * 5, "t": ["a", "a", "b", "b", "c"]}, {}, "Class 'c' of target 't' has one example"),
    "missing": ({"x": [1.5] * 3, "t": [None, "", "?"]}, {}, "missing in all 3 rows"),
    "text": ({"x": [1.5] * 4, "t": ["a", "b", "7", "a"]}, {"task": "regression"}, r"holds text \('a', 'b'\)"),
    "infinite": ({"x": [1.5] * 4, "t": [1.0, 2.0, float("inf"), 3.5]}, {}, "infinite.*the table row 3"),
    "all nan": ({"x": [1.5] * 4, "t": [float("nan")] * 4}, {}, "missing in all 4 rows"),
    "constant": ({"x": [1.5] * 4, "t": [2.5] * 4}, {"task": "regression"}, "2.5 in all rows"),
    "names": ({"x": [1.5] * 30, "t": [f"n{i}" for i in range(30)]}, {}, "30 distinct texts in 30 rows"),
    "no input": ({"t": [0, 1, 0, 1]}, {}, "one column only"),
    "inputs missing": ({"x": [None] * 4, "t": [0, 1, 0, 1]}, {}, "every value besides the target is missing"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_a_bad_target_is_one_clear_line(name):
    columns, options, message = BAD_TARGETS[name]
    with pytest.raises(DataError, match=message) as caught:
        load_table(pl.DataFrame(columns, strict=False), **options)
    assert "\n" not in str(caught.value)


def test_words_in_a_numeric_target_are_corrupt_rows_up_to_5_percent(tmp_path):
    data = small(
        tmp_path / "t.csv", {"x": [i * 0.7 for i in range(60)], "t": ["?!" if i == 5 else i**2 for i in range(60)]}
    )
    assert data.goal == "regress"
    assert len(data) == 59
    assert data.problems[0].where == "t.csv line 7"


# -- bad files -------------------------------------------------------------------------------------------------------

BAD_FILES = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n  \n", "is empty"),
    "header.csv": (b"a,b,c\n", "a header and no rows"),
    "image.csv": (b"\x89PNG\r\n\x1a\n" + bytes(range(200)), "looks like a PNG image"),
    "binary.csv": (bytes(range(256)) * 20, "binary data"),
    "book.csv": (b"PK\x03\x04" + bytes(300), "Excel workbook"),
    "text.parquet": (b"a,b\n1,2\n", "no Parquet file"),
    "torn.parquet": (b"PAR1" + bytes(50), "broken Parquet"),
    "torn.csv.gz": (gzip.compress(b"a,b\n1,2\n")[:-6], "broken gzip"),
    "words.json": (b"hello", "corrupt"),
    "list.json": (b"[1, 2", "not JSON"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_clear_line(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_named_like_a_file_and_a_missing_file_are_one_clear_line(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="holds no table"):
        load_table(tmp_path / "t.csv")
    with pytest.raises(DataError, match="There is no file"):
        load_table(tmp_path / "u.csv")


# -- predicting ------------------------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path):
    return json.loads(json.dumps(table_spec(load_table(write(tmp_path / "t.csv")))))


def test_inputs_have_the_training_columns_whatever_their_order(tmp_path, spec):
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    inputs = load_inputs(frame.select(HEADER[::-1]), spec)
    assert inputs.x.columns == ["shape", "colour", "weight"]
    assert inputs.y[:4].tolist() == [0, 1, 0, 1]
    assert "'size'" in inputs.said[0]


def test_inputs_without_a_target_are_fine_and_unknown_labels_are_not_scored(spec):
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row")
    assert load_inputs(frame.drop("label"), spec).y is None
    odd = load_inputs(frame.with_columns(label=pl.lit("maybe")), spec)
    assert odd.y is None
    assert "not scored" in odd.said[-1]


def test_a_missing_column_is_named_with_the_nearest_one(spec):
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row").rename({"weight": "Weigth"})
    with pytest.raises(DataError, match=r"lacks the column 'weight'\. Did you mean 'Weigth'"):
        load_inputs(frame, spec)


def test_text_where_numbers_were_is_missing_up_to_5_percent(spec):
    frame = pl.DataFrame(ROWS, schema=HEADER, orient="row").cast({"weight": pl.String})
    few = frame.with_columns(weight=pl.when(pl.int_range(60) < 2).then(pl.lit("heavy")).otherwise("weight"))
    inputs = load_inputs(few, spec)
    assert inputs.x["weight"].null_count() == 2
    many = frame.with_columns(weight=pl.when(pl.int_range(60) < 9).then(pl.lit("heavy")).otherwise("weight"))
    with pytest.raises(DataError, match=r"'weight' should hold numbers and has 'heavy' \(9 of 60 rows\)"):
        load_inputs(many, spec)


def test_an_array_without_a_target_can_be_predicted():
    x = np.random.default_rng(0).normal(size=(50, 3))
    spec = table_spec(load_table((x, x[:, 0])))
    assert load_inputs(x[:5], spec).x.shape == (5, 3)
    with pytest.raises(DataError, match="The array has 2 columns; the model was trained on 3"):
        load_inputs(x[:, :2], spec)


def test_the_fingerprint_changes_with_a_value_and_not_with_the_place(tmp_path):
    one = load_table(write(tmp_path / "a.csv"))
    (tmp_path / "sub").mkdir()
    assert one.fingerprint == load_table(write(tmp_path / "sub" / "b.csv")).fingerprint
    rows = [list(row) for row in ROWS]
    rows[5][3] = 99
    assert one.fingerprint != load_table(write(tmp_path / "a.csv", rows)).fingerprint


def test_a_wide_table_is_not_described_anew_for_each_of_its_columns(tmp_path, monkeypatch):
    """Of 120 rows and 2,000 columns, getting ready took 13 s, 3 of them to describe the table to itself 2,000 times."""
    asked, schema, columns = [], pl.DataFrame.schema, pl.DataFrame.columns
    for name, own in (("schema", schema), ("columns", columns)):
        monkeypatch.setattr(pl.DataFrame, name, property(lambda f, own=own: asked.append(f) or own.fget(f), own.fset))

    def times(width):
        frame = pl.DataFrame({f"c{i}": np.arange(20.0) for i in range(width)} | {"y": np.arange(20.0)})
        frame.write_csv(tmp_path / "wide.csv")
        asked.clear()
        load_table(tmp_path / "wide.csv", target="y")
        return len(asked)

    assert times(200) == times(20)
