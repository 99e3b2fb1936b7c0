"""What `whet theory` prints: fits the terminal, tells the verdicts apart, says what would change them."""

import math
import re
from pathlib import Path

import pytest
from rich.console import Console
from torch import nn

from whet.activations import get
from whet.cli import run
from whet.init import auto_
from whet.init.shaped import Shaped
from whet.report.theory_text import power, show, verdict
from whet.theory import analyse
from whet.theory.advice import Advice, advise


@pytest.fixture(scope="module")
def relu() -> Advice:
    return advise(analyse("relu"), 30, 64)


def text(advices: list[Advice], width: int) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), highlight=False)  # noqa: SIM115
    show(advices, console)
    console.file.close()
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_one_function_fits_the_terminal_and_nothing_is_cut(relu: Advice, width: int) -> None:
    shown = text([relu], width)
    assert all(len(line) <= width for line in shown.splitlines())
    assert "…" not in shown
    for words in (
        "gain",
        "1.414",
        "PyTorch",
        "gradient vanishes",
        "carries",
        "layer 1",
        "What would change it",
        "norm",
    ):
        assert words in shown


def test_every_start_has_its_own_letter_in_the_drawing(relu: Advice) -> None:
    drawn = "".join(line.split("│", 1)[1] for line in text([relu], 120).splitlines() if "│" in line)
    assert {"p", "b", "s"} <= set(drawn)


def test_several_functions_share_a_table(relu: Advice) -> None:
    shown = text([relu, advise(analyse("tanh(2 * x)"), 30, 64, thorough=False)], 80)
    assert "tanh(2 * x)" in shown
    assert "What would change it" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("identity", "not needed: whet.init.auto_(model) leaves f as it is, with weights of gain 1."),
        ("sign(x)", "jumps"),
        ("3 + 0 * x", "constant"),
    ],
)
def test_a_function_that_is_not_shaped_says_why(name: str, why: str) -> None:
    assert why in " ".join(text([advise(analyse(name), 5, 64)], 120).split())


@pytest.mark.parametrize("name", ["mish", "relu"])
def test_the_shape_that_is_told_is_the_one_that_auto_gives(name: str) -> None:
    told = advise(analyse(name), 12, 40).shape
    assert told is not None
    layers = [layer for _ in range(12) for layer in (nn.Linear(40, 40), get(name))]
    model = nn.Sequential(*layers, nn.Linear(40, 3))
    auto_(model, step=0.0)
    given = model[1]
    assert isinstance(given, Shaped)
    for field in ("alpha", "beta", "gamma", "delta"):
        assert getattr(given, field).item() == pytest.approx(getattr(told, field), rel=1e-6)


def test_a_shape_without_a_shift_is_told_without_one() -> None:
    """Once an odd function was shaped by "3.64 (f(0.319 x + 0) + 5.05e-18)"."""
    shown = " ".join(text([advise(analyse("x * cos(x)"), 20, 64)], 120).split())
    assert re.search(r"shape +[\d.]+ f\([\d.]+ x\) in place of f", shown)


def test_overflow_within_reach_is_told() -> None:
    shown = text([advise(analyse("exp(x)"), 3, 64)], 120)
    assert "beware" in shown
    assert "too large for float32 above x = 88.72" in shown


def test_verdicts_name_what_fails() -> None:
    assert verdict(analyse("relu").forecast(50, 1.0)) == "gradient vanishes"
    assert verdict(analyse("tanh").forecast(100, 3.0)) == "gradient explodes"
    assert verdict(analyse("x^2").forecast(50, 2.0)) == "signal explodes"


def test_powers_are_short() -> None:
    assert [power(x) for x in (0.0, 1.0, 0.123, 3e-8, 4e12, math.inf)] == ["0", "1", "0.12", "1e-8", "1e13", "inf"]


def test_the_command_writes_what_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["theory", "relu", "--depth", "5", "--out", str(tmp_path / "relu.html")]) == 0
    assert "What would change it" in (tmp_path / "relu.html").read_text()
    assert "relu" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gelluu"], "Did you mean 'gelu'"),
        (["x * ("], "position"),
        (["1 / x"], "infinite at x = 0"),
        (["relu", "--depth", "0"], "depth"),
        (["relu", "--out", "relu.pdf"], ".html"),
        (["softmax"], "mixes positions"),
    ],
)
def test_bad_input_is_answered_in_a_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["theory", *arguments]) == 2
    assert words in capsys.readouterr().err
