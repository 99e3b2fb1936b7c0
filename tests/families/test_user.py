"""Networks of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from whet.errors import RecipeError, UnknownName
from whet.families import FAMILIES
from whet.families.user import remember

FILE = """
from torch import nn

def net(outputs=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, outputs))

def fixed():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 1000))
"""


def make(spec, factory):
    return FAMILIES["user"].make(spec, factory=remember(factory) if isinstance(factory, str) else factory)


def flat_net(spec):
    return nn.Sequential(nn.Flatten(), nn.Linear(spec.flat, spec.outputs))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_model.py"
    path.write_text(FILE)
    return path


def test_a_function_in_a_file_is_told_the_number_of_outputs(file, image_spec):
    network = make(image_spec(size=8, outputs=4), f"{file}:net")
    assert network(torch.zeros(5, 3, 8, 8)).shape == (5, 4)


def test_a_callable_may_ask_for_the_whole_spec(image_spec):
    assert make(image_spec(size=8), flat_net)(torch.zeros(5, 3, 8, 8)).shape == (5, 10)


def test_a_network_with_the_wrong_number_of_outputs_is_refused_in_one_line(file, image_spec):
    with pytest.raises(RecipeError) as error:
        make(image_spec(size=8, outputs=4), f"{file}:fixed")
    said = str(error.value)
    assert "(2, 1000)" in said
    assert "4 classes need (2, 4)" in said
    assert "\n" not in said


def test_a_network_for_other_inputs_is_refused_in_one_line(file, image_spec):
    with pytest.raises(RecipeError, match=r"fails on a batch of shape \(2, 3, 16, 16\)") as error:
        make(image_spec(size=16), f"{file}:net")
    assert "\n" not in str(error.value)


def test_a_misspelt_function_offers_the_nearest(file, image_spec):
    with pytest.raises(UnknownName, match="'fixed'"):
        make(image_spec(size=8), f"{file}:fixd")


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("", "no factory"),
        ("nowhere.py:net", "no file 'nowhere.py'"),
        ("net", "FILE.py:FUNCTION"),
        (nn.Linear(3, 3), "deepcopy"),
        (lambda: 3, "returned int"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_is_no_network_is_refused(factory, said, image_spec):
    with pytest.raises(RecipeError, match=said):
        make(image_spec(size=8), factory)


def test_a_file_that_can_not_be_run_is_refused_with_its_error(tmp_path, image_spec):
    path = tmp_path / "broken.py"
    path.write_text("import torhc\n")
    with pytest.raises(RecipeError, match="No module named 'torhc'"):
        make(image_spec(), f"{path}:net")


def test_a_network_of_one_tensor_gets_numbers_and_categories_side_by_side(table_spec):
    spec = table_spec(2, (3,), outputs=4)
    network = make(spec, flat_net)
    assert network(torch.randn(5, 2), torch.tensor([[0], [1], [2], [0], [1]])).shape == (5, 4)


def test_a_network_of_two_tensors_gets_them_apart(table_spec):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes, self.head = nn.Embedding(3, 2), nn.Linear(4, 4)

        def forward(self, x, category):
            return self.head(torch.cat([x, self.codes(category[:, 0])], 1))

    assert isinstance(make(table_spec(2, (3,), outputs=4), Two), Two)


def test_checking_leaves_the_network_and_the_random_numbers_alone(image_spec):
    def net():
        return nn.Sequential(nn.Flatten(), nn.Dropout(), nn.BatchNorm1d(192).eval(), nn.Linear(192, 10))

    torch.manual_seed(0)
    plain, after_plain = net(), torch.rand(1)
    torch.manual_seed(0)
    checked, after_checked = make(image_spec(size=8), net), torch.rand(1)
    assert torch.equal(after_plain, after_checked)
    assert [m.training for m in checked.modules()] == [m.training for m in plain.modules()]
    assert all(
        torch.equal(a, b) for a, b in zip(plain.state_dict().values(), checked.state_dict().values(), strict=True)
    )


def test_code_that_only_a_file_names_is_not_run(tmp_path: Path, image_spec) -> None:
    path = tmp_path / "harm.py"
    path.write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\ndef net(): ...\n")
    with pytest.raises(RecipeError, match="runs code"):
        FAMILIES["user"].make(image_spec(size=8), factory=f"{path}:net")
    assert not (tmp_path / "ran").exists()


def test_two_functions_of_the_same_name_are_told_apart() -> None:
    names = [remember(lambda: nn.Linear(1, 1)), remember(lambda: nn.Linear(2, 1)), remember(lambda: nn.Linear(1, 1))]
    assert names[0] == names[2] != names[1]
