"""What the benchmarks share: where the data lies, how `whet fit` is run as a user would, and how a result is kept."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from whet.tasks.metrics import ci95
from whet.train.plan import machine_name

HERE = Path(__file__).resolve().parent
KEPT = ("value", "ci95", "metric", "n", "metrics", "baselines", "validation", "training_share", "recipe_hash", "winner")
"""What a record takes over from a run's result.json, beside what is measured from outside."""
ALSO_KEPT = ("trials", "steps", "epochs", "timings", "plan", "versions")


def give_up(line: str) -> NoReturn:
    """One clear line, and exit code 2."""
    print(line, file=sys.stderr)
    sys.exit(2)


def data_folder(name: str) -> Path:
    """The folder of a data set, in $WHET_DATA or ../shared/data beside the repository; gives up where it is absent."""
    given = os.environ.get("WHET_DATA")
    home = Path(given) if given else HERE.parents[1] / "shared" / "data"
    if not (home / name).is_dir():
        give_up(f"{name} is not in {home}: set WHET_DATA to the folder that holds it.")
    return home / name


def surroundings() -> dict[str, Any]:
    """When and where: to be asked before the work begins, since the load counts that of others."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 2),
        "machine": machine_name(),
    }


def installed(*packages: str) -> dict[str, str]:
    """Versions of packages, and of Python."""
    return {"python": sys.version.split()[0], **{name: version(name) for name in packages}}


def keep(path: Path, record: Mapping[str, Any], *show: str) -> None:
    """Append a record to its file as a line of JSON, and print it: in short where `show` names its columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.write(json.dumps(record) + "\n")
    print(json.dumps({k: record[k] for k in show if k in record} if show else record), flush=True)


def whet_fit(
    data: Path | str, *options: str, budget: float, seed: int, empty_cache: bool = False, also: Sequence[str] = ()
) -> dict[str, Any]:
    """Run `whet fit` as a user would, into a fresh folder, and return the record of it.

    `wall_seconds` is the whole command seen from outside, from the start of the process to its end; `cpu_seconds` what it
    had of the cores, which says how much others took where the load was high. With `empty_cache`
    nothing is known from earlier runs: images are decoded and the plan is measured within the budget. `also`: what the
    record takes over from the result beyond KEPT. A run that fails gives a record without `value`, with `failed`.
    """
    with tempfile.TemporaryDirectory(prefix="whet-benchmark-") as temporary:
        out = Path(temporary, "run")
        command = [str(Path(sys.executable).with_name("whet")), "fit", str(data), *options]
        command += ["--budget", f"{budget:g}s", "--seed", str(seed), "--out", str(out)]
        extra = {"WHET_CACHE": str(Path(temporary, "cache"))} if empty_cache else {}
        record = {**surroundings(), "system": "whet", "budget": budget, "seed": seed, "empty_cache": empty_cache}
        began, worked = time.perf_counter(), children_worked()
        done = subprocess.run(command, env={**os.environ, **extra}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wall = time.perf_counter() - began
        record |= {"wall_seconds": round(wall, 2), "cpu_seconds": round(children_worked() - worked, 2)}
        if done.returncode:
            return {**record, "failed": failure(command, done.returncode, done.stderr.decode())}
        result = json.loads((out / "result.json").read_text())
    return {**record, **{k: result[k] for k in (*KEPT, *ALSO_KEPT, *also)}}


def children_worked() -> float:
    """Seconds that the cores worked for finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


FOLDERS = re.compile(r"(?<![\w.:])/(?:[^\s/'\"]+/)+")
"""Of an absolute path."""


def failure(command: Sequence[str], code: int, said: str) -> str:
    """How a command ended, in a line; the other runs go on. Files are named without a machine's own folders."""
    return FOLDERS.sub("", f"{' '.join(command)} ended with {code}: {said.strip()[-500:]}")


def scored(metric: str, truth: np.ndarray, predicted: np.ndarray, value: float, seed: int) -> dict[str, Any]:
    """The columns of a control that say how good it was, with the same interval as whet's."""
    return {"metric": metric, "value": value, "ci95": list(ci95(metric, truth, predicted, seed=seed)), "n": len(truth)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, standard deviation and standard error of the mean, of two values or more."""
    deviation = float(np.std(values, ddof=1))
    return {"mean": float(np.mean(values)), "sd": deviation, "se": deviation / len(values) ** 0.5}
