"""Bad input: one clear line on stderr, exit code 2, and nothing half-written. Everything goes through the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from whet import cli
from whet.commands import training
from whet.recipe import Choice, Recipe
from whet.run_folder import FORMAT, Order

Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def _this_command_began_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests share a process, and a folder of their own is where they work."""
    monkeypatch.setattr(training, "process_start", time.monotonic)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Calls a command that must be refused; its one line. With `fit`, --out is given, and nothing may be left there."""

    def call(*words: object, code: int = 2) -> str:
        line = [str(w) for w in words]
        if line[0] == "fit" and "--out" not in line:
            line += ["--out", str(tmp_path / "out")]
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        assert cli.run(line) == code
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert said.startswith("whet: ")
        assert said.endswith((".\n", "?\n", "\n"))
        assert said.count("\n") == 1, said
        assert len(said) < 600, said
        assert sorted(tmp_path.rglob("*")) == before, "something is half-written"
        return said

    return call


def rows(n: int = 40, seed: int = 0) -> list[list[object]]:
    """A header and n rows of a table: two numbers, a word, and a class that follows from them."""
    draw = np.random.default_rng(seed)
    body = [[round(float(a), 3), round(float(b), 3), "xyz"[i % 3]] for i, (a, b) in enumerate(draw.normal(size=(n, 2)))]
    return [["width", "height", "shape", "kind"], *([*row, "tall" if row[1] > row[0] else "wide"] for row in body)]


def table(path: Path, lines: Sequence[Sequence[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    path.write_text(text.getvalue())
    return path


def column(name: str, values: Sequence[object], n: int = 40) -> list[list[object]]:
    """The table with this column's values, repeated as often as needed."""
    lines = rows(n)
    at = lines[0].index(name)
    for i, line in enumerate(lines[1:]):
        line[at] = values[i % len(values)]
    return lines


def pictures(root: Path, classes: Sequence[str] = ("cat", "dog"), each: int = 8, size: int = 8) -> Path:
    draw = np.random.default_rng(0)
    for c, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(each):
            pixels = draw.integers(0, 128, (size, size, 3), dtype=np.uint8) + np.uint8(100 * (c % 2))
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 x 60,000 pixels large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    header = (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


# -- data ----------------------------------------------------------------------------------------------------------


def test_a_path_that_is_not_there_is_answered_with_the_nearest(refused: Refused) -> None:
    assert "digits" in refused("fit", "digts")
    table(Path("flowers.csv"), rows())
    assert "flowers.csv" in refused("fit", "flower.csv")


def test_an_empty_folder(refused: Refused) -> None:
    Path("nothing").mkdir()
    assert "empty" in refused("fit", "nothing")


def test_an_empty_file(refused: Refused) -> None:
    Path("nothing.csv").touch()
    assert "nothing.csv" in refused("fit", "nothing.csv")


def test_one_class_only(refused: Refused) -> None:
    assert "cat" in refused("fit", pictures(Path("pets"), ("cat",)))
    assert "tall" in refused("fit", table(Path("t.csv"), column("kind", ["tall"])))


def test_a_class_with_one_example_is_named(refused: Refused) -> None:
    pets = pictures(Path("pets"))
    (pets / "bird").mkdir()
    (pets / "cat" / "0.png").rename(pets / "bird" / "0.png")
    assert "bird" in refused("fit", pets)
    lines = rows()
    lines[5][3] = "round"
    assert "round" in refused("fit", table(Path("t.csv"), lines))


def test_rows_without_a_value(refused: Refused) -> None:
    assert refused("fit", table(Path("a.csv"), [["a", "b", "kind"], *([["", "NA", ""]] * 30)]))
    assert refused("fit", table(Path("b.csv"), column("kind", ["NA"])))
    assert "t.csv" in refused("fit", table(Path("t.csv"), rows()[:1]))


def test_a_target_that_is_not_there_is_answered_with_the_nearest(refused: Refused) -> None:
    said = refused("fit", table(Path("t.csv"), rows()), "--target", "heigth")
    assert "'heigth'" in said
    assert "'height'" in said


def test_a_target_for_pictures(refused: Refused) -> None:
    assert "pictures" in refused("fit", pictures(Path("pets")), "--target", "cat")


def test_words_in_a_numeric_target(refused: Refused) -> None:
    said = refused(
        "fit", table(Path("t.csv"), column("height", [1.5, 2, "much"])), "--target", "height", "--task", "regression"
    )
    assert "much" in said


@pytest.mark.parametrize("bad", ["inf", "-inf"])
def test_targets_that_are_infinite(refused: Refused, bad: str) -> None:
    lines = column("height", [1.5, 2.5, bad, 0.3])
    assert "height" in refused("fit", table(Path("t.csv"), lines), "--target", "height", "--task", "regression")


def test_a_decompression_bomb(refused: Refused) -> None:
    pets = pictures(Path("pets"), each=2)
    (pets / "cat" / "0.png").write_bytes(bomb())
    assert "cat/0.png" in refused("fit", pets)


def test_a_directory_named_like_a_file(refused: Refused) -> None:
    for name in ("t.csv", "x.npz", "p.png", "t.parquet", "recipe.toml"):
        Path(name).mkdir()
        assert name in refused("fit", name)
    assert "recipe.toml" in refused("fit", "iris", "--recipe", "recipe.toml")


@pytest.mark.parametrize("name", ["a.zip", "a.pkl", "a.npy", "a.png", "a.parquet", "a.npz", "a.jsonl", "a-idx3-ubyte"])
def test_a_file_of_another_kind(refused: Refused, name: str) -> None:
    Path(name).write_bytes(b"\x00\x01PK\x03\x04 not what it says")
    refused("fit", name)


def test_a_bad_split(refused: Refused) -> None:
    data = table(Path("t.csv"), rows())
    assert "part" in refused("fit", data, "--split", "part")
    assert "shape" in refused("fit", data, "--split", "shape")
    assert "--holdout" in refused("fit", data, "--split", "shape", "--holdout", data)
    assert refused("fit", pictures(Path("pets")), "--split", "absent.csv")


def test_a_bad_holdout(refused: Refused) -> None:
    data = table(Path("t.csv"), rows())
    assert "absent.csv" in refused("fit", data, "--holdout", "absent.csv")
    refused("fit", data, "--holdout", table(Path("u.csv"), [["a", "b"], [1, 2], [3, 4]]))
    refused("fit", data, "--holdout", pictures(Path("pets")))
    refused("fit", "pets", "--holdout", data)


# -- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", ["60q", "fast", "-5", "0", "-5s", "0s", "", "nan", "inf", "1e400", "5 5"])
def test_a_budget_that_is_no_time(refused: Refused, budget: str) -> None:
    assert "budget" in refused("fit", "iris", f"--budget={budget}")


def test_the_least_budget_is_said_and_works(
    refused: Refused, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said, code, tries = refused("fit", "iris", "--budget", "0.2s"), 2, 0
    while (
        code == 2 and tries < 5
    ):  # a machine that has become busier needs more than it needed a moment ago, and says so
        least = re.search(r"--budget (\d+)s", said)
        assert least, said
        code, tries = cli.run(["fit", "iris", "--budget", f"{least[1]}s", "--out", str(tmp_path / "out")]), tries + 1
        said = capsys.readouterr().err
    assert code == 0


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("activation=relu,mishh", "Did you mean 'mish'"),
        ("activation=1..3", "has no range"),
        ("batch_size=0..8", "batch_size=0"),
        ("optimizer.lr=1e-2..1e-4", "0.0001"),
        ("family.widht=8,16", "Did you mean 'width'"),
    ],
)
def test_a_search_that_makes_no_sense(refused: Refused, search: str, said: str) -> None:
    assert said in refused("fit", "iris", "--budget", "20s", "--search", search)


def test_storage_without_a_cluster(refused: Refused) -> None:
    assert "--ray" in refused("fit", "iris", "--storage", "file:///tmp/x", "--steps", "2")


@pytest.mark.parametrize("address", ["nonsense", "", "host:port", "ray://127.0.0.1:no", ":6379"])
def test_what_names_no_cluster_is_said_before_anything_trains(refused: Refused, address: str) -> None:
    """A word went to Ray itself, after the plan; an empty one, as of a variable without a value, to no cluster at all."""
    assert f"ray='{address}' names no cluster. Give HOST:PORT" in refused("fit", "iris", "--ray", address)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:6379"])
def test_a_cluster_that_does_not_answer_is_said_before_anything_trains(refused: Refused, address: str) -> None:
    assert f"No Ray cluster answers at '{address}'" in refused("fit", "iris", "--ray", address)


def test_names_are_checked_before_the_data_is_read(refused: Refused) -> None:
    assert "mish" in refused("fit", "absent.csv", "--search", "activation=relu,mishh")
    assert "mish" in refused("compare", "absent.csv", "--activation", "relu,mishh")
    Path("recipe.toml").write_text('optimizer = "admw"\n')
    assert "adamw" in refused("fit", "absent.csv", "--recipe", "recipe.toml")


def test_an_unknown_task(refused: Refused) -> None:
    said = refused("fit", "iris", "--task", "clasification")
    assert "'clasification'" in said
    assert "classification" in said.replace("'clasification'", "")


def test_an_unknown_task_is_offered_those_of_every_field(refused: Refused) -> None:
    assert "anomaly" in refused("fit", "iris", "--task", "anomali")
    assert "forecast" in refused("fit", "iris", "--task", "forcast")


def test_regression_of_words(refused: Refused) -> None:
    refused("fit", table(Path("t.csv"), rows()), "--target", "kind", "--task", "regression")
    refused("fit", pictures(Path("pets")), "--task", "regression")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit"], "'data'. See whet fit --help."),
        (["fit", "iris", "--bugdet", "5s"], "--budget"),
        (["fit", "iris", "--steps", "0"], "--steps"),
        (["fit", "iris", "--steps", "many"], "--steps"),
        (["fit", "iris", "--workers", "-1"], "--workers"),
        (["fit", "iris", "--seed", "x"], "--seed"),
        (["fit", "iris", "wine"], "wine"),
        (["fitt", "iris"], "fitt"),
        (["--nonsense"], "--nonsense"),
        (["list", "activatoins"], "activations"),
        (["export", "absent"], "absent"),
        (["report", "absent"], "absent"),
        (["predict", "absent", "iris"], "absent"),
        (["profile", "absent"], "absent"),
    ],
)
def test_commands_and_options_that_do_not_exist(refused: Refused, words: list[str], said: str) -> None:
    assert said in refused(*words)


@pytest.mark.parametrize("seed", ["-1", "18446744073709551616", "123456789012345678901234567890"])
def test_any_whole_number_is_a_seed_or_refused(seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.run(["fit", "iris", "--steps", "2", "--seed", seed, "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    assert (code, said.count("\n")) in ((0, 0), (2, 1))


# -- networks and recipes ------------------------------------------------------------------------------------------


NETWORKS = """
import torch
from torch import nn

def wrong_shape():
    return nn.Sequential(nn.LazyLinear(7))

def returns_none():
    return None

def fails():
    raise RuntimeError("no luck today\\nand a second line")

def tuples(shape, outputs):
    class Two(nn.Module):
        def forward(self, x):
            return x, x
    return Two()

module = nn.Linear(4, 3)
number = 5
"""


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("absent.py:make", "absent.py"),
        ("nets.py", "FILE.py"),
        ("nets.py:wrong_shap", "wrong_shape"),
        ("nets.py:wrong_shape", "(2, 7)"),
        ("nets.py:returns_none", "NoneType"),
        ("nets.py:fails", "no luck today"),
        ("nets.py:tuples", "tuple"),
        ("nets.py:module", "function"),
        ("nets.py:number", "number"),
        ("broken.py:make", "SyntaxError"),
        ("leaves.py:make", "leaves.py"),
        ("nets.txt:make", ".py"),
    ],
)
def test_a_network_that_is_none(refused: Refused, model: str, said: str) -> None:
    Path("nets.py").write_text(NETWORKS)
    Path("nets.txt").write_text(NETWORKS)
    Path("broken.py").write_text("def make(:\n")
    Path("leaves.py").write_text("import sys\nsys.exit(3)\n")
    assert said in refused("fit", "iris", "--model", model)


GIVEN = Recipe().put("family", Choice("mlp", width=8, depth=1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("# family = ...\n", "is empty"),
        ("this is = = no toml", "recipe"),
        ("\x00\xff", "recipe"),
        (GIVEN.put("optimizer", Choice("admw")).to_toml(), "adamw"),
        (GIVEN.put("family", Choice("mpl")).to_toml(), "mlp"),
        (GIVEN.put("optimizer", Choice("sgd", lr="fast")).to_toml(), "fast"),
        (GIVEN.put("optimizer", Choice("sgd", momentun=0.9)).to_toml(), "momentum"),
        (GIVEN.put("family", Choice("mlp", width=0)).to_toml(), "width"),
        (GIVEN.put("family", Choice("mlp", width=-3)).to_toml(), "width"),
        (GIVEN.put("family", Choice("resnet")).to_toml(), "resnet"),
        (GIVEN.put("augment", (Choice("flip"),)).to_toml(), "flip"),
        (GIVEN.put("loss", Choice("sampled_softmax")).to_toml(), "sampled_softmax is for data of the kind ratings"),
        (GIVEN.put("regularise", (Choice("dropuot"),)).to_toml(), "drop"),
        (GIVEN.to_toml().replace("batch_size", "batchsize"), "batch_size"),
        (re.sub(r"batch_size = .*", "batch_size = 0", GIVEN.to_toml()), "batch_size"),
        (re.sub(r"batch_size = .*", 'batch_size = "large"', GIVEN.to_toml()), "batch_size"),
    ],
)
def test_a_broken_recipe(refused: Refused, text: str, said: str) -> None:
    Path("recipe.toml").write_text(text, encoding="latin-1")
    assert said in refused("fit", "iris", "--recipe", "recipe.toml", "--steps", "3")


def test_a_recipe_that_is_not_there(refused: Refused) -> None:
    assert "absent.toml" in refused("fit", "iris", "--recipe", "absent.toml")


def test_a_recipe_for_tables_on_pictures(refused: Refused) -> None:
    for family in ("mlp", "tabular"):
        Path("recipe.toml").write_text(GIVEN.put("family", Choice(family)).to_toml())
        found = cli.run(["fit", "digits", "--recipe", "recipe.toml", "--steps", "2", "--out", f"out-{family}"])
        assert found == (2 if family == "tabular" else found)
        assert found in (0, 2)


# -- the run folder ------------------------------------------------------------------------------------------------


def test_a_file_where_the_folder_goes(refused: Refused) -> None:
    Path("taken").write_text("mine")
    assert "taken" in refused("fit", "iris", "--out", "taken")
    assert "taken" in refused("fit", "iris", "--out", "taken/below")
    assert Path("taken").read_text() == "mine"
    assert "nothing of that name" in refused("fit", "iris", "--out", "long" * 100)


def test_what_looks_like_an_emoji_is_said_as_it_stands(refused: Refused) -> None:
    assert "'users:x:0.csv'" in refused("fit", "users:x:0.csv")


def test_a_folder_that_may_not_be_written(refused: Refused) -> None:
    locked = Path("locked")
    locked.mkdir(mode=0o500)
    try:
        (locked / "probe").touch()
    except PermissionError:
        assert "permission" in refused("fit", "iris", "--out", "locked/run")
        assert "permission" in refused("fit", "iris", "--out", "locked")
    else:
        pytest.skip("this user may write everywhere")


def test_a_folder_with_something_else(refused: Refused) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("chapter 1")
    assert "thesis.tex" in refused("fit", "iris", "--out", "mine")


@pytest.fixture(scope="module")
def run_of_iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris") / "run"
    assert cli.run(["fit", "iris", "--steps", "20", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def run_of_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits") / "run"
    assert cli.run(["fit", "digits", "--steps", "5", "--out", str(folder)]) == 0
    return folder


def test_a_folder_with_another_run(refused: Refused, run_of_iris: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run_of_iris.rglob("*") if p.name != ".lock"}
    assert "iris" in refused("fit", "wine", "--steps", "20", "--out", run_of_iris)
    assert "steps 20 there, 21 now" in refused("fit", "iris", "--steps", "21", "--out", run_of_iris)
    assert {p: p.stat().st_mtime_ns for p in run_of_iris.rglob("*") if p.name != ".lock"} == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line["order"].pop("ensemble"), "another version of whet"),
        (lambda line: line["order"].update(choices={"init": ["he", "auto"]}), "by another command"),
        (lambda line: line.update(format=1), "another version of whet"),
        (lambda line: line["order"].update(roles={"text": "comment"}, fingerprint="0"), "another content of the data"),
    ],
)
def test_a_folder_of_another_whet_or_another_command_is_refused_in_words(
    refused: Refused, change: Callable[[dict], object], said: str
) -> None:
    order = Order("iris", "?", None, None, 60.0, 0, None, None, 20, None, None)
    line = {"event": "start", "spent": 0.0, "format": FORMAT, "order": asdict(order), "hash": "?"}
    change(line)
    Path("old").mkdir()
    Path("old/journal.jsonl").write_text(json.dumps(line) + "\n")
    Path("old/.lock").touch()
    text = refused("fit", "iris", "--steps", "20", "--out", "old")
    assert said in text
    assert "{" not in text


# -- predict and export --------------------------------------------------------------------------------------------


def test_predictions_for_other_columns(refused: Refused, run_of_iris: Path) -> None:
    assert refused("predict", run_of_iris, "wine")
    assert refused("predict", run_of_iris, table(Path("t.csv"), rows()))
    assert refused("predict", run_of_iris, "digits")
    assert refused("predict", run_of_iris, pictures(Path("pets")))
    np.savez("x.npz", x=np.zeros((5, 3)))
    assert "3" in refused("predict", run_of_iris, "x.npz")


def test_predictions_of_words_where_numbers_were(refused: Refused, run_of_iris: Path) -> None:
    from sklearn.datasets import load_iris

    frame = load_iris(as_frame=True).frame.astype(object)
    frame.iloc[:20, 1] = "broad"
    frame.to_csv("iris.csv", index=False)
    assert "sepal width" in refused("predict", run_of_iris, "iris.csv")


def test_predictions_for_pictures_of_another_shape(refused: Refused, run_of_digits: Path) -> None:
    np.savez("x.npz", x=np.zeros((5, 16, 16), np.uint8))
    assert "16" in refused("predict", run_of_digits, "x.npz")
    assert refused("predict", run_of_digits, "iris")
    assert refused("predict", run_of_digits, "absent")


def test_predictions_that_can_not_be_written(refused: Refused, run_of_iris: Path) -> None:
    Path("taken").write_text("mine")
    refused("predict", run_of_iris, "iris", "--out", "taken/predictions.csv")
    Path("folder").mkdir()
    refused("predict", run_of_iris, "iris", "--out", "folder")


def test_a_folder_without_a_run(refused: Refused) -> None:
    Path("empty").mkdir()
    for command in (["predict", "empty", "iris"], ["export", "empty"], ["report", "empty"]):
        assert "empty" in refused(*command)
    Path("file").touch()
    for command in (["predict", "file", "iris"], ["export", "file"], ["report", "file"]):
        assert "file" in refused(*command)


def test_a_run_where_data_belongs_is_called_one(refused: Refused, run_of_iris: Path) -> None:
    for command in (
        ["fit", run_of_iris],
        ["fit", "iris", "--holdout", run_of_iris],
        ["compare", run_of_iris, "--activation", "relu,gelu"],
        ["profile", run_of_iris],
        ["predict", run_of_iris, run_of_iris],
    ):
        said = refused(*command)
        assert f"{run_of_iris} is the folder of a run, not data. `whet predict {run_of_iris} DATA`" in said


def test_a_run_that_has_not_ended(refused: Refused, run_of_iris: Path) -> None:
    Path("begun").mkdir()
    Path("begun/journal.jsonl").write_bytes((run_of_iris / "journal.jsonl").read_bytes()[:200])
    for command in (["predict", "begun", "iris"], ["export", "begun"], ["report", "begun"]):
        assert "begun" in refused(*command)


@pytest.mark.parametrize("name", ["model.safetensors", "task.json", "result.json"])
@pytest.mark.parametrize("damage", ["empty", "torn", "flipped", "nonsense"])
def test_a_run_that_is_damaged(refused: Refused, run_of_iris: Path, name: str, damage: str) -> None:
    Path("run").mkdir()
    for file in run_of_iris.glob("*.*"):
        (Path("run") / file.name).write_bytes(file.read_bytes())
    data = bytearray((Path("run") / name).read_bytes())
    if damage == "flipped":
        data[8] ^= 0xFF
    spoilt = {"empty": b"", "torn": data[: len(data) // 2], "flipped": data, "nonsense": b"[1, 2]"}[damage]
    (Path("run") / name).write_bytes(bytes(spoilt))
    commands = [["report", "run"]] if name == "result.json" else [["predict", "run", "iris"], ["export", "run"]]
    for command in commands:
        assert "run" in refused(*command)


def test_an_unknown_format(refused: Refused, run_of_iris: Path) -> None:
    assert "onnx" in refused("export", run_of_iris, "--format", "onx")


def test_an_export_that_can_not_be_written(refused: Refused, run_of_iris: Path) -> None:
    Path("taken").write_text("mine")
    refused("export", run_of_iris, "--out", "taken/model.onnx")
