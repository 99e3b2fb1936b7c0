"""What a report shows, kept beside the records of its run: `load` gives back what `save` was given.

Numbers, names and words are in details.json, arrays in details.npz; the result, the records and the recipes are in files of
their own and are read there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from whet import figures, files
from whet.errors import OutputError
from whet.figures import Figure
from whet.recipe import Recipe
from whet.record import Finding, read
from whet.report.html import write
from whet.report.view import PictureMistake, RowMistake, RunView, Tried

PLAIN, ARRAYS = "details.json", "details.npz"
ARRAY = "array in details.npz"
KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (figures.Lines, figures.Bars, figures.Heat, figures.Pictures, figures.Grid)
}
KEPT = ("name", "winner", "why", "classes", "timings", "machine")
"""Fields of a view that are plain data already."""


def save(run: RunView) -> None:
    """Write what the run's report shows and no other file holds."""
    plain = {name: getattr(run, name) for name in KEPT}
    plain["trials"] = [record.trial for record in run.records]
    for name in ("tried", "profile", "rows"):
        plain[name] = [asdict(item) for item in getattr(run, name)]
    plain["pictures"] = [{k: v for k, v in vars(p).items() if k != "pixels"} for p in run.pictures]
    arrays = {f"pixels{i}": p.pixels for i, p in enumerate(run.pictures)}
    if run.confusion is not None:
        arrays["confusion"] = run.confusion
    if run.values is not None:
        arrays |= {"true": run.values[0], "predicted": run.values[1]}
    plain["figures"] = [packed(figure, f"figure{i}", arrays) for i, figure in enumerate(run.figures)]
    with files.atomic(run.folder / ARRAYS) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    files.write_text(run.folder / PLAIN, json.dumps(files.finite(plain), indent=1, default=str) + "\n")


def packed(figure: Figure, name: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A figure as plain data; its arrays go into `arrays`, under names that begin with `name`."""
    return {"kind": type(figure).__name__, **_without_arrays(vars(figure), name, arrays)}


def _without_arrays(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """The same with {ARRAY: its name} in place of each array."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {ARRAY: name}
    if isinstance(value, Mapping):
        return {str(k): _without_arrays(v, f"{name}.{i}", arrays) for i, (k, v) in enumerate(value.items())}
    if isinstance(value, list | tuple):
        return [_without_arrays(v, f"{name}.{i}", arrays) for i, v in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def unpacked(plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Figure:
    """The figure that `packed` was given."""
    fields = {k: _with_arrays(v, arrays) for k, v in plain.items() if k != "kind"}
    found: Figure = KINDS[plain["kind"]](**fields)
    return found


def _with_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        return arrays[value[ARRAY]] if ARRAY in value else {k: _with_arrays(v, arrays) for k, v in value.items()}
    return [_with_arrays(v, arrays) for v in value] if isinstance(value, list) else value


def rebuild(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write report.html of a finished run anew, from what is stored, and return its path."""
    return write(load(folder, result))


def load(folder: Path, result: Mapping[str, Any]) -> RunView:
    """The view of a finished run from the files in its folder. Raises OutputError where they are missing or damaged."""
    try:
        plain = json.loads((folder / PLAIN).read_text())
        with np.load(folder / ARRAYS, allow_pickle=False) as found:
            return _view(folder, result, plain, {name: found[name] for name in found.files})
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).name
        raise OutputError(f"{folder} does not hold what its report shows ({missing} is missing).") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise OutputError(f"What the report in {folder} shows can't be read: {error}.") from error


def _view(folder: Path, result: Mapping[str, Any], plain: Mapping[str, Any], arrays: Mapping[str, Any]) -> RunView:
    from whet.data.core import Problem, Row, Section

    kept: dict[str, Any] = {name: plain[name] for name in KEPT}
    recipe = Recipe.from_dict(result["recipe"])
    trials = {name: folder / "trials" / name for name in plain["trials"]}
    recipes = {name: Recipe.from_toml((path / "recipe.toml").read_text()) for name, path in trials.items()}
    return RunView(
        folder=folder,
        result=result,
        records=tuple(read(path / "record.jsonl") for path in trials.values()),
        recipes=recipes | {plain["winner"]: recipe},
        tried=tuple(Tried(**t) for t in plain["tried"]),
        edits=Recipe().diff(recipe),
        findings=tuple(Finding(**f) for f in result["findings"]),
        profile=tuple(Section(s["title"], tuple(Row(**row) for row in s["rows"])) for s in plain["profile"]),
        problems=tuple(Problem(**p) for p in result["problems"]),
        confusion=arrays.get("confusion"),
        values=(arrays["true"], arrays["predicted"]) if "true" in arrays else None,
        pictures=tuple(PictureMistake(arrays[f"pixels{i}"], **p) for i, p in enumerate(plain["pictures"])),
        rows=tuple(RowMistake(**r) for r in plain["rows"]),
        figures=tuple(unpacked(f, arrays) for f in plain.get("figures", ())),
        versions=result["versions"],
        **{**kept, "classes": tuple(kept["classes"])},
    )
