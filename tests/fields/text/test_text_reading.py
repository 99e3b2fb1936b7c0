"""Which sources are texts, who is what in them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sentences import csv, texts

from whet.data.core import Data, Roles
from whet.errors import DataError
from whet.fields import field, load, load_inputs


def read(path: object, **options: object) -> Data:
    data = load(path, **options)  # type: ignore[arg-type]
    assert data.domain == "text"
    return data


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "reviews.csv").write_text(csv(60))
    return tmp_path / "reviews.csv"


def test_a_column_of_sentences_beside_a_label_is_found_and_said(table: Path) -> None:
    data = read(table)
    assert data.classes == ("food", "travel", "weather")
    assert any("'text' holds running text" in sentence for sentence in data.said)
    assert any("'label' is taken" in sentence for sentence in data.said)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_same_rows_read_the_same_from_other_formats(table: Path, ending: str) -> None:
    frame, other = pl.read_csv(table), table.with_suffix(f".{ending}")
    frame.write_ndjson(other) if ending == "jsonl" else frame.write_parquet(other)
    assert read(other).fingerprint == read(table).fingerprint


def test_a_table_with_numbers_beside_the_text_stays_a_table_unless_text_is_named(tmp_path: Path) -> None:
    frame = pl.DataFrame(dict(zip(("note", "y"), texts(60), strict=True)))
    frame = frame.with_columns(age=pl.Series(np.arange(60) % 7 + 0.5), fare=pl.Series(np.arange(60) % 5 + 0.1))
    frame.write_csv(tmp_path / "people.csv")
    assert load(tmp_path / "people.csv", target="y").domain == "table"
    assert read(tmp_path / "people.csv", target="y", roles=Roles(text="note")).classes[0] == "food"
    assert read(tmp_path / "people.csv", target="y", task="text").goal == "classify"


def test_categories_are_no_texts(tmp_path: Path) -> None:
    rows = "\n".join(
        f"{'a lot of people' if i % 2 else 'hardly any one at all'},{i % 3},{'yes' if i % 5 else 'no'}"
        for i in range(80)
    )
    (tmp_path / "x.csv").write_text("size,kind,target\n" + rows)
    assert load(tmp_path / "x.csv").domain == "table"


def test_texts_and_labels_may_come_as_lists() -> None:
    data = read(texts(40))
    assert (len(data), data.goal) == (40, "classify")
    numbers = read((texts(40)[0], np.arange(40) / 7))
    assert numbers.goal == "regress"


def test_folders_of_text_files_are_classes_also_inside_train_and_test(tmp_path: Path) -> None:
    for i, (text, label) in enumerate(zip(*texts(40), strict=True)):
        path = tmp_path / ("test" if i % 4 == 0 else "train") / label / f"{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    data = read(tmp_path)
    assert data.classes == ("food", "travel", "weather")
    assert len(data.official["test"]) == 10
    assert data.ids is not None
    assert data.ids[0].endswith(".txt")


def test_a_folder_with_train_and_test_tables_is_an_official_split(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(csv(50))
    (tmp_path / "test.csv").write_text(csv(20, seed=1))
    data = read(tmp_path)
    assert {part: len(rows) for part, rows in data.official.items()} == {"train": 50, "test": 20}


def test_classes_that_training_lacks_are_out_of_scope(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(csv(50, classes=2))
    (tmp_path / "test.csv").write_text(csv(60, seed=1))
    data = read(tmp_path)
    unknown = data.origin["unknown"]
    assert data.classes == ("food", "travel")
    assert (data.y[unknown] == -1).all()
    assert len(unknown) + len(data.official["test"]) == 60
    parts = field("text").split(data, 0)
    assert not set(unknown) & set(np.concatenate([*parts.values()]).tolist())


def test_a_holdout_of_strange_texts_leaves_the_test_part_to_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(csv(50, classes=2))
    (tmp_path / "strange.csv").write_text("text,label\n" + "".join(f"what is {i} times two,oos\n" for i in range(9)))
    data = read(tmp_path / "train.csv", holdout=tmp_path / "strange.csv")
    parts = field("text").split(data, 0)
    assert len(data.origin["unknown"]) == 9
    assert sum(map(len, parts.values())) == 50


def test_one_fold_is_the_test_part_and_the_one_before_it_the_validation_part(tmp_path: Path) -> None:
    frame = pl.DataFrame(dict(zip(("text", "label"), texts(60), strict=True))).with_columns(
        fold=pl.Series(np.arange(60) % 5)
    )
    frame.write_csv(tmp_path / "x.csv")
    data = read(tmp_path / "x.csv", split="fold")
    assert (data.official["test"] % 5 == 4).all()
    assert (read(tmp_path / "x.csv", split="fold=0").official["val"] % 5 == 4).all()
    with pytest.raises(DataError, match="no fold '7'"):
        read(tmp_path / "x.csv", split="fold=7")


def test_several_labels_come_from_a_delimiter_a_list_or_columns(tmp_path: Path) -> None:
    found, labels = texts(40)
    both = [f"{label};long" if i % 3 else label for i, label in enumerate(labels)]
    as_lists = [value.split(";") for value in both]
    one = read((found, both), task="multilabel")
    two = read((found, as_lists))
    assert one.classes == two.classes == ("food", "long", "travel", "weather")
    assert np.array_equal(one.y, two.y)
    columns = {name: one.y[:, i].astype(int) for i, name in enumerate(one.classes)}
    pl.DataFrame({"text": found, **columns}).write_csv(tmp_path / "x.csv")
    three = read(tmp_path / "x.csv", target="food,long,travel,weather", roles=Roles(text="text"))
    assert np.array_equal(one.y, three.y)


def test_labels_that_stand_together_are_several_without_being_told_and_this_is_said() -> None:
    found, labels = texts(40)
    data = read((found, [f"{label};long" if i % 3 else label for i, label in enumerate(labels)]))
    assert data.goal == "multilabel"
    assert data.classes == ("food", "long", "travel", "weather")
    assert any("--task classification" in sentence for sentence in data.said)


@pytest.mark.parametrize(
    "names",
    [
        {"food": "food, drink", "travel": "travel, leisure", "weather": "climate; sun"},
        {"food": "1,5", "travel": "5,1", "weather": "1,1"},
        {"food": "food", "travel": "a | b", "weather": "weather"},
    ],
)
def test_names_with_a_comma_in_them_stay_classes(names: dict[str, str]) -> None:
    found, labels = texts(40)
    assert read((found, [names[label] for label in labels])).goal == "classify"


def test_labels_in_another_case_are_named() -> None:
    found, labels = texts(60)
    labels = [label.upper() if i % 2 else label for i, label in enumerate(labels)]
    assert "labels-alike" in {f.name for f in read((found, labels)).findings}


def bad(name: str, tmp_path: Path) -> dict[str, object]:
    """A source that can't be learned from, as the arguments of `load`."""
    found, labels = texts(40)
    (tmp_path / "x.csv").write_text(csv(40))
    return {
        "empty texts": {"source": ([""] * 10 + found[10:], labels)},
        "all the same": {"source": (["it was fine by all of us"] * 40, labels)},
        "one class": {"source": (found, ["x"] * 40)},
        "lengths": {"source": (found, labels[:-1])},
        "no such text": {"source": tmp_path / "x.csv", "roles": Roles(text="tekst")},
        "no such target": {"source": tmp_path / "x.csv", "target": "lable"},
        "no label left": {"source": tmp_path / "x.csv", "target": "text", "roles": Roles(text="text")},
        "not a text": {"source": ([*found[:-1], 7], labels)},
    }[name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty texts", "10 texts of 40 .* are empty"),
        ("all the same", "all texts are the same"),
        ("one class", "one class only"),
        ("lengths", "40 texts and 39 labels"),
        ("no such text", "no column 'tekst'.*Did you mean 'text'"),
        ("no such target", "no column 'lable'.*Did you mean 'label'"),
        ("no label left", "can't be the text and the target"),
        ("not a text", "is 7, a int"),
    ],
)
def test_what_can_not_be_learned_from_is_refused_in_one_line(name: str, said: str, tmp_path: Path) -> None:
    options = bad(name, tmp_path)
    with pytest.raises(DataError, match=said) as error:
        load(options.pop("source"), **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_null_bytes_are_refused_and_another_encoding_is_read(tmp_path: Path) -> None:
    for i, (text, label) in enumerate(zip(*texts(40), strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{i}.txt").write_bytes(f"{text} café".encode("latin-1"))
    (tmp_path / "food" / "broken.txt").write_bytes(b"a\0b")
    data = read(tmp_path)
    assert [p.why for p in data.problems] == ["holds binary data"]
    assert data.x["text"].str.contains("café").all()


def test_texts_to_predict_may_lack_the_label_but_not_the_text(table: Path) -> None:
    data = read(table)
    spec = field("text").input_spec(data)
    assert load_inputs(["a new text"], spec).y is None
    assert np.array_equal(load_inputs(table, spec).y, data.y)  # type: ignore[arg-type]
    (table.parent / "other.csv").write_text("tex,n\n" + "".join(f"w{i},1\n" for i in range(9)))
    with pytest.raises(DataError, match="lacks the text column 'text'.*'tex'"):
        load_inputs(table.parent / "other.csv", spec)
