"""A search whose driver and workers are killed at random moments, until it has come to its end all the same.

    killing.py FOLDER    one life of the driver: it goes on from wherever the one before was killed

Every candidate is trained in two legs, in whatever order workers become free, so that the end does not depend on the clock.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent / "train"))

import torch
from jobs import RECIPE, make, state
from setups import images, prepared_of

from whet import record
from whet.journal import Journal
from whet.runners.job import Job, Runner
from whet.runners.pool import Pool
from whet.search import Space, Study
from whet.search.policy import Go, Move, New
from whet.search.trial import Job as Asked
from whet.search.view import StudyView
from whet.train import checkpoint
from whet.train.horizon import Horizon

RATES = (0.01, 0.03, 0.06, 0.1)
PART = 24
"""Steps of one unit of resource."""
END = 2


class EachInTwoLegs:
    """Every candidate is begun, and every one goes on to the end."""

    def next(self, view: StudyView) -> Move | None:
        if view.paused:
            return Go(min(view.paused), END)
        begun = len(view.trials)
        return New(1, begun) if begun < len(RATES) else None


def study_in(folder: Path) -> Study:
    space = Space.of_candidates([{"lr": rate} for rate in RATES])
    return Study(space, max_resource=END, seed=0, journal=folder / "study.jsonl", policy=EachInTwoLegs())


def job_of(asked: Asked, folder: Path) -> Job:
    return make(
        f"trial-{asked.trial}",
        folder / "prepared",
        folder / "trials",
        recipe=RECIPE.put("optimizer.lr", asked.params["lr"]),
        horizon=Horizon(steps=PART * END),
        stop=Horizon(steps=PART * int(asked.stop)),
        since=PART * int(asked.start),
    )


def drive(folder: Path, runner: Runner) -> None:
    """One life of the driver."""
    with contextlib.closing(study_in(folder)) as study:
        out: dict[str, Asked] = {}
        while True:
            while runner.pending < runner.slots and (asked := study.ask()):
                job = job_of(asked, folder)
                out[job.name] = asked
                runner.submit(job)
            if not runner.pending:
                return
            outcome = runner.next()
            asked = out.pop(outcome.name)
            assert outcome.failure is None, outcome.failure.text
            for point in outcome.points:
                if point.step % PART == 0:
                    study.tell(asked.trial, point.step // PART, point.metrics["val/loss"])
            study.finish(asked.trial)


# -- the killer ----------------------------------------------------------------------------------------------------


@dataclass
class Killer:
    """Kills, and looks after each kill whether something that was saved is gone."""

    folder: Path
    draw: random.Random
    killed: Counter[str] = field(default_factory=Counter)
    saved: dict[str, int] = field(default_factory=dict)

    def life(self, kills: int) -> bool:
        """One life of the driver, in which at most so many are killed; False when it came to its end."""
        driver = subprocess.Popen([sys.executable, __file__, str(self.folder)], env=environment())
        try:
            worker_too = self.draw.random() < 0.5 or not self.killed["worker"]
            if kills > 1 and worker_too and self.strike(driver, "worker"):
                self.look()
            if kills > 0 and self.strike(driver, "driver"):
                driver.wait()
                self.look()
                return True
            assert driver.wait() == 0, "the driver failed"
            return False
        finally:
            driver.kill()
            driver.wait()

    def strike(self, driver: subprocess.Popen[bytes], whom: str) -> bool:
        """Wait for a random moment and kill; False if the driver was at its end before."""
        goal = progress(self.folder) + self.draw.randrange(12)
        while progress(self.folder) < goal and driver.poll() is None:
            time.sleep(0.005)
        time.sleep(self.draw.uniform(0.0, 0.2))
        victims = [driver.pid] if whom == "driver" else children(driver.pid)
        if driver.poll() is not None or not victims:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.draw.choice(victims), signal.SIGKILL)
            self.killed[whom] += 1
        return True

    def look(self) -> None:
        for name, count in reached(self.folder).items():
            assert count >= self.saved.get(name, 0), f"{name}: {self.saved[name]} were saved, {count} are left"
            self.saved[name] = count


def killed_often(folder: Path, kills: int, seed: int) -> tuple[Counter[str], list[Path]]:
    """Run searches to their ends under so many kills in all: (how many of each it were, the folders).

    A search that comes to its end before all kills are spent is followed by another one.
    """
    killer, ends = Killer(folder, random.Random(seed)), []
    while True:
        if not killer.life(kills - killer.killed.total()):
            check(killer.folder)
            ends.append(killer.folder)
            if killer.killed.total() >= kills:
                return killer.killed, ends
            killer.folder, killer.saved = folder.with_name(f"{folder.name}-{len(ends)}"), {}
            begin(killer.folder)


def begin(folder: Path) -> None:
    prepared_of(images()).save(folder / "prepared")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def children(process: int) -> list[int]:
    """The workers of a driver."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rsplit(")", 1)[1].split()
            if int(words[1]) == process:
                found.append(int(path.parent.name))
    return found


def progress(folder: Path) -> int:
    """Lines that were written so far."""
    paths = [folder / "study.jsonl", *folder.glob("trials/*/record.jsonl")]
    return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def reached(folder: Path) -> dict[str, int]:
    """Lines of the study's journal, and the newest step that each trial has on the disk."""
    newest = {p.name: checkpoint.checkpoints(p) for p in folder.glob("trials/*")}
    steps = {name: int(found[0].name.split("-")[1]) for name, found in newest.items() if found}
    return {"journal": sum(1 for _ in record.lines(folder / "study.jsonl")), **steps}


# -- what must be so in the end --------------------------------------------------------------------------------------


def check(folder: Path) -> None:
    """Nothing is lost and nothing doubled, in the journal, in the records, and in what the study says."""
    told = Counter((e["trial"], e["resource"]) for e in Journal(folder / "study.jsonl").all("told"))
    assert told == {(trial, part): 1 for trial in range(len(RATES)) for part in (1, END)}, told
    with contextlib.closing(study_in(folder)) as study:
        assert [t.state for t in study.trials] == ["finished"] * len(RATES)
        assert study.ask() is None
    for number in range(len(RATES)):
        steps = [step.step for step in record.read(folder / "trials" / f"trial-{number}" / "record.jsonl").steps]
        assert steps == [*range(2, PART * END + 1, 2)], (number, steps)


def assert_same(folder: Path, straight: Path) -> None:
    """The end is that of the search to which nothing happened: values to the last digit, weights to the last bit."""
    with contextlib.closing(study_in(folder)) as mine, contextlib.closing(study_in(straight)) as theirs:
        assert [(t.params, t.points, t.state) for t in mine.trials] == [
            (t.params, t.points, t.state) for t in theirs.trials
        ]
    for number in range(len(RATES)):
        a, b = (state(f / "trials" / f"trial-{number}") for f in (folder, straight))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[k], b[k]) for k in a), number


# -- a cluster -----------------------------------------------------------------------------------------------------

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@contextlib.contextmanager
def cluster() -> Iterator[Any]:
    """Three nodes on this machine: a head without room for jobs, and two others with room for one each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster()
    for more in ({"num_cpus": 0, "include_dashboard": False}, {}, {}):
        add_node(made, **more)
    ray.init(address=made.address, log_to_driver=False, logging_level="CRITICAL")
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def add_node(nodes: Any, tries: int = 4, **more: Any) -> None:
    """Another node. Ray gives it 30 seconds to come, which a loaded machine may not have."""
    try:
        nodes.add_node(**{**NODE, **more})
    except Exception:
        if tries == 1:
            raise
        add_node(nodes, tries - 1, **more)


class NodeKiller:
    """Hears the points of trials, and after a random number of them kills a random node; another one comes."""

    def __init__(self, nodes: Any, kills: int, seed: int) -> None:
        self.nodes, self.left, self.draw = nodes, kills, random.Random(seed)
        self.killed, self._patience = 0, 2

    def __call__(self, name: str, point: record.Step) -> None:
        self._patience -= 1
        if self._patience > 0 or not self.left:
            return
        self.nodes.remove_node(self.draw.choice([*self.nodes.worker_nodes]), allow_graceful=False)
        add_node(self.nodes)
        self.left, self.killed, self._patience = self.left - 1, self.killed + 1, self.draw.randrange(1, 12)


if __name__ == "__main__":
    with Pool(2, 1) as workers:
        drive(Path(sys.argv[1]), workers)
