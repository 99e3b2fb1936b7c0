"""Arms whose trainings fail: they lose, and the others are compared."""

import json
from pathlib import Path
from typing import Any

import pytest

import whet
from whet import cli
from whet.comparing import layout
from whet.errors import Diverged, UserError
from whet.recipe import Choice, Recipe

RECIPE = Recipe(family=Choice("mlp", width=8, depth=1), optimizer=Choice("adamw", lr=3e-3), batch_size=32)
OPTIONS: dict[str, Any] = {"seeds": 2, "steps": 12, "recipe": RECIPE, "keep_lr": True}
BROKEN = """
import torch.nn as nn
class Breaks(nn.Module):
    def __init__(self, shape, outputs):
        super().__init__()
        self.layer, self.act = nn.Linear(shape[0], outputs), nn.ReLU()
    def forward(self, x):
        if self.training and not isinstance(self.act, nn.ReLU):
            raise ValueError("no such room")
        return self.act(self.layer(x))
def make(outputs, shape):
    return Breaks(shape, outputs)
"""


@pytest.mark.filterwarnings("ignore:.*its value is undefined")
def test_an_arm_that_diverges_at_every_rate_loses_and_is_marked_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    options = {**OPTIONS, "keep_lr": False, "out": tmp_path / "run", "show": True}
    found = whet.compare("iris", {"activation": ["log(x)", "relu", "tanh"]}, **options)
    lost, relu, tanh = found.arms
    assert (lost.failed, relu.failed, tanh.failed) == (2, 0, 0)
    assert (lost.fault, found.details["arms"][0]["mean"]) == ("diverged", None)
    assert [(p.first, p.second) for p in found.pairs] in ([("tanh", "relu")], [("relu", "tanh")])
    assert any(
        line.startswith("log(x) loses: 2 of its 2 trainings diverged: The loss became nan") for line in found.said
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert "diverged 2 of 2" in printed
    assert "Two arms that are alike" in printed, "an arm that failed is not counted"
    own = Recipe.from_dict(found.details["base"])["optimizer.lr"]
    assert min(abs(lost.lr / own - f) for f in (1 / 9, 1 / 3, 1, 3, 9)) < 1e-6, "a rate that it began with"
    assert "diverged 2 of 2" in (tmp_path / "run" / "report.html").read_text()
    (tmp_path / "run" / "compare.json").unlink()
    again = whet.compare("iris", {"activation": ["log(x)", "relu", "tanh"]}, **options)
    assert again.said == found.said, "what failed is not trained again"


def test_an_arm_that_raises_loses_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(BROKEN)
    options = {**OPTIONS, "recipe": None, "model": f"{tmp_path}/model.py:make", "out": tmp_path / "run"}
    found = whet.compare("iris", {"activation": ["own", "tanh"]}, **options)
    assert found.said[0].startswith("own wins")
    assert found.arms[1].why == "failed: ValueError: no such room"


@pytest.mark.filterwarnings("ignore:.*its value is undefined")
def test_where_all_arms_fail_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No arm could be trained: log\(x\) diverged.*; sqrt\(x\) diverged") as caught:
        whet.compare("iris", {"activation": ["log(x)", "sqrt(x)"]}, out=tmp_path / "run", **OPTIONS)
    assert "\n" not in str(caught.value)


def test_steps_that_fail_while_they_are_timed_end_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """As 1/x did, whose loss became nan there, and with it the whole comparison."""

    def cost_of(arm: str, run: object) -> layout.Cost:
        if arm == "1/x":
            raise Diverged("The loss became nan at step 0.")
        return layout.Cost(1.0, len(arm), 1.0, 1.0)

    monkeypatch.setattr(layout, "cost_of", cost_of)
    assert [cost.step for cost in layout.costs_of(["relu", "1/x", "x"], None)] == [4, 4, 1]


def test_a_warning_of_ours_is_said_once_and_without_its_place_in_the_code(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        cli.tell_warning("1/x: its value is infinite at x = 0.", UserWarning, cli.__file__, 1)
    assert capsys.readouterr().err == "! 1/x: its value is infinite at x = 0.\n"


def test_comparisons_of_older_versions_are_read(tmp_path: Path) -> None:
    options = {**OPTIONS, "out": tmp_path / "run"}
    whet.compare("iris", {"activation": ["relu", "tanh"]}, **options)
    kept = json.loads((tmp_path / "run" / "compare.json").read_text())
    for arm in kept["arms"]:
        for name in ("failed", "fault", "why"):
            del arm[name]
    (tmp_path / "run" / "compare.json").write_text(json.dumps(kept))
    assert [arm.failed for arm in whet.Comparison.read(tmp_path / "run").arms] == [0, 0]
