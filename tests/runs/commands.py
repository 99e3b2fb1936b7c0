"""Commands in processes of their own that cost no second to start: a server that has imported whet forks them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = """
import glob, json, os, random, signal, sys, time
import scipy.stats, sklearn.linear_model, sklearn.metrics  # what a command imports late
from whet import cli, improve, predicting
from whet.data import bundled, profile_images
from whet.train import checkpoint
if hasattr(os, "sched_setaffinity"):  # one core: two threads on a busy machine wait for each other
    os.sched_setaffinity(0, {random.choice([*os.sched_getaffinity(0)])})
checkpoint.Checkpoints.__init__.__defaults__ = (0.0,)  # a checkpoint after each step: kills shall find some
improve.BASELINE_SHARE = improve.BASELINE_SECONDS = 1e6  # baselines that a busy machine cuts short would be others

def call(order):
    os.chdir(order["cwd"])
    for name, stream in (("out.txt", 1), ("err.txt", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app = cli.app
    def begin(*given, **options):  # a Ctrl-C before this would be an interruption of the test, and waits
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        return app(*given, **options)
    cli.app = begin
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    open("begun", "w").close()
    code = 99
    try:
        code = cli.run(order["words"])
    finally:
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(code)

def send(child, order):
    begun = 0.0  # when the command itself began: what comes before is the test's
    while not (glob.glob(order["once"]) if order["once"] else begun and time.monotonic() - begun >= order["after"]):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.002)
        begun = begun or (time.monotonic() if os.path.exists(order["begun"]) else 0.0)
    os.kill(child, order["signal"])

for line in sys.stdin:
    order = json.loads(line)
    order["begun"] = os.path.join(order["cwd"], "begun")
    if os.path.exists(order["begun"]):
        os.unlink(order["begun"])
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        call(order)
    if order["signal"]:
        send(child, order)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"code": code, "seconds": time.monotonic() - began}), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """The exit code; negative: the signal that killed it."""
    seconds: float
    out: str
    err: str


class Server:
    """Forks a process for each order. Close it at the end."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class Commands:
    """Runs `whet` in forked processes, and sends them a signal at a given moment."""

    def __init__(self, server: Server, cwd: Path) -> None:
        self.cwd, self._server = cwd, server

    def __call__(self, *words: object, after: float = 0.0, once: Path | str = "", send: int = 0) -> Ended:
        """Run a command; `send` a signal `after` so many seconds, or `once` a file of that pattern is there."""
        order = {"words": [str(w) for w in words], "cwd": str(self.cwd), "after": after, "once": str(once)}
        said = self._server({**order, "signal": int(send)})
        return Ended(**said, out=(self.cwd / "out.txt").read_text(), err=(self.cwd / "err.txt").read_text())

    def killed(self, *words: object, after: float = 0.0, once: Path | str = "") -> Ended:
        return self(*words, after=after, once=once, send=signal.SIGKILL)
