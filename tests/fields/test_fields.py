"""What every field promises the house."""

from pathlib import Path

import pytest

from whet import fields
from whet.data.core import Roles
from whet.errors import UnknownName
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


def test_a_misspelt_field_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="image"):
        fields.field("imag")
