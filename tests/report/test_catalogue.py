"""What `whet list` shows: shelves, entries, and activations with their curves and facts."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from whet import cli, shelf
from whet.activations import ACTIVATIONS, KINDS, names
from whet.errors import UserError
from whet.families import FAMILIES
from whet.report import braille
from whet.report.catalogue import show_activations, show_catalogue, show_entry, show_tasks


def printed(show: Callable[..., None], *args: Any, width: int = 100) -> str:
    file = io.StringIO()
    show(*args, Console(file=file, width=width, highlight=False))
    return file.getvalue()


def test_a_catalogue_is_printed_with_its_parameters() -> None:
    said = printed(show_catalogue, "families", FAMILIES, width=200)
    assert "resnet" in said
    assert "stochastic_depth=0.0" in said


def test_without_a_kind_the_kinds_are_listed() -> None:
    assert "whet list families" in printed(show_catalogue, "", None)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_every_activation_is_listed_within_the_width(width: int) -> None:
    said = printed(show_activations, shelf.activations(), width=width)
    assert all(len(line) <= width for line in said.splitlines())
    listed = {line.split()[0] for line in said.splitlines() if re.match(r"  \S", line)}
    assert listed == set(ACTIVATIONS.names)


def test_a_line_shows_curve_formula_range_and_facts() -> None:
    line = next(x for x in printed(show_activations, shelf.activations()).splitlines() if x.startswith("  hard_tanh"))
    for part in ("⠤⠒", "clip(x, -1, 1)", "[−1, 1]", " 0 ", "↗", "kinks", "2004"):
        assert part in line


@pytest.mark.parametrize("entry", list(ACTIVATIONS), ids=lambda e: e.name)
def test_every_activation_has_a_card_in_the_terminal(entry: Any) -> None:
    said = printed(show_entry, entry, width=80)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert entry.summary.split()[0] in said
    assert "hurts when" in said
    assert ("steepest slope" in said) == entry.elementwise


@pytest.mark.parametrize("trait", shelf.TRAITS)
def test_a_trait_keeps_some_and_drops_some(trait: str) -> None:
    found = {e.name for e in shelf.activations(traits=[trait])}
    assert 0 < len(found) < len([e for e in ACTIVATIONS if e.elementwise])


def test_traits_are_what_they_say() -> None:
    assert {e.name for e in shelf.activations("fixed", ["self-normalising"])} == {"selu", "serlu"}
    both = {e.name for e in shelf.activations(traits=["odd", "bounded"])}
    assert {"tanh", "softsign", "sine"} <= both
    assert not both & {"relu", "identity", "sigmoid"}
    assert "tanh" in {e.name for e in shelf.activations(traits=["zero-centred", "smooth", "monotone"])}


def test_tasks_are_listed_with_the_data_they_are_for() -> None:
    said = printed(show_tasks)
    assert "forecast" in said
    assert "Anomalies" in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_alone(kind: str) -> None:
    assert {e.name for e in shelf.activations(kind)} == set(names(kind))


def test_what_nothing_is_says_so() -> None:
    with pytest.raises(UserError, match="No activation is odd, even"):
        shelf.activations(traits=["odd", "even"])


def test_the_singular_names_a_shelf_too() -> None:
    for word in ("activation", "loss", "family", "optimizer", "init"):
        assert shelf.shelf(word) is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["activations", "--odd", "--bounded"], "tanh"),
        (["activation", "mish"], "x tanh(softplus(x))"),
        (["optimizers", "adamw"], "weight_decay"),
        (["losses"], "cross_entropy"),
    ],
)
def test_the_command_shows_it(words: list[str], said: str) -> None:
    result = CliRunner().invoke(cli.app, ["list", *words])
    assert result.exit_code == 0, result.exception
    assert said in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["activations", "misj"], "Did you mean 'mish'"),
        (["activation", "--kind", "fixd"], "Did you mean 'fixed'"),
        (["optimizers", "--odd"], "--odd asks about activations"),
        (["activatoins"], "Did you mean 'activations'"),
        (["mish"], "Write: whet list activations mish"),
    ],
)
def test_a_wrong_word_is_answered_in_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def dots(lines: list[str]) -> int:
    return sum((ord(c) - braille.EMPTY).bit_count() for line in lines for c in line)


def test_a_curve_of_braille_rises_from_the_lower_left_to_the_upper_right() -> None:
    assert braille.plot([0, 1, 2, 3], 1, 0, 3) == ["⡠⠊"]
    assert braille.plot([0] * 4, 2, 0, 1) == ["⠀⠀", "⣀⣀"]


def test_a_jump_is_joined_and_what_is_outside_or_no_number_is_left_out() -> None:
    assert dots(braille.plot([0, 1], 1, 0, 1)) == 4
    assert dots(braille.plot([math.nan, 0.5], 1, 0, 1)) == 1
    assert dots(braille.plot([50.0, 50.0], 1, 0, 1)) == 0


def test_a_spark_of_nothing_is_blank() -> None:
    assert braille.spark([math.nan, math.inf]) == " "
