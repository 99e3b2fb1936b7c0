"""What every field promises the house."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from whet import fields
from whet.data.core import Roles
from whet.errors import DataError, UnknownName
from whet.fields.base import Field

NAMES = list(fields.HOMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_field_is_called_what_its_data_is_called(name: str) -> None:
    found = fields.field(name)
    assert isinstance(found, Field)
    assert found.name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_field_leaves_what_is_not_its_own(name: str, tmp_path: Path) -> None:
    found = fields.field(name)
    (tmp_path / "x.csv").write_text("a,b,target\n1,2,x\n3,4,y\n")
    for source in ("iris", "digits", tmp_path / "x.csv", ([[1.0], [2.0]], [0, 1])):
        assert not found.takes(source, None, Roles())
        assert not found.takes(source, "classification", Roles())


def test_what_is_said_of_columns_in_vain_is_refused() -> None:
    with pytest.raises(DataError, match="--item-features means nothing for pictures and plain tables"):
        fields.load("digits", roles=Roles(item_features="genre"))
    with pytest.raises(DataError, match="--pattern means nothing for texts.*--text, --vectors"):
        fields.load((["a b", "c d"] * 10, ["x", "y"] * 10), roles=Roles(pattern="{label}"))


@pytest.mark.parametrize("name", ["iris", "wine", "breast-cancer", "diabetes"])
@pytest.mark.parametrize("task", ["anomaly", "generate"])
def test_a_bundled_table_is_one_for_every_task(name: str, task: str) -> None:
    """ "There is no file iris": only tables that are predicted from knew the bundled ones."""
    assert len(fields.load(name, task=task)) > 100


@pytest.mark.parametrize("name", NAMES)
def test_a_field_names_roles_that_there_are(name: str) -> None:
    assert set(fields.field(name).roles) <= set(Roles.__dataclass_fields__)


def test_every_role_is_some_fields() -> None:
    assert set(Roles.__dataclass_fields__) == {role for name in NAMES for role in fields.field(name).roles}


def test_labels_in_another_case_are_a_finding_in_tables_and_pictures() -> None:
    labels = ["Yes", "yes", "no", "no"] * 10
    table = pl.DataFrame({"a": range(40), "b": [i % 7 for i in range(40)], "label": labels})
    pictures = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    for data in (fields.load(table, target="label"), fields.load((pictures, np.array(labels)))):
        found = {f.name: f for f in data.findings}
        assert found["labels-alike"].evidence == {"classes": ["Yes", "yes"]}


def test_a_misspelt_field_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="image"):
        fields.field("imag")
