"""How to run one training fastest on this machine: measured on the real model and batch, never assumed.

A plan changes how fast the numbers come, and (with bfloat16) how they are rounded; never what is trained. torch.compile is not
tried: for five networks it took 10 to 88 s, and the steps then took 1.02 to 2.65 times as long (benchmarks/compile_gain.py).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from whet import files
from whet.train import winograd

WORTH = 0.97
"""A change of the plan must bring the time of a step below this share of what it was: timings are noisy."""


@dataclass(frozen=True)
class Plan:
    """Settings of the machine for one training."""

    threads: int = 1
    channels_last: bool = False
    bfloat16: bool = False
    """Autocast of matrix products and convolutions; weights, optimiser and loss stay in float32."""
    winograd: bool = False
    """3x3 convolutions train with fewer products, rounded a little more (winograd.py); only with bfloat16."""
    fused: bool = False
    """The optimiser updates all weights in one kernel, where it has one."""
    micro_batch: int = 0
    """Rows per forward and backward pass; 0: the whole batch at once."""
    allocator: bool = False
    """glibc keeps large blocks instead of giving them back to the kernel after each use."""
    milliseconds: float = 0.0
    """What a step took when the plan was measured; 0: it was not."""

    @property
    def fewer_products(self) -> bool:
        """Whether convolutions train with fewer products: without bfloat16 they do not."""
        return self.winograd and self.bfloat16

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Plan:
        """A plan that was written down; settings of another version of whet are passed over."""
        return cls(**{f.name: state[f.name] for f in fields(cls) if f.name in state})

    def __str__(self) -> str:
        yes = [
            k.replace("_", " ") for k in ("channels_last", "bfloat16", "fewer_products", "fused") if getattr(self, k)
        ]
        yes += [f"micro-batch {self.micro_batch}"] if self.micro_batch else []
        yes += ["large blocks kept"] if self.allocator else []
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return ", ".join([threads, *yes])


def first_plan(threads: int, pictures: bool = True) -> Plan:
    """The plan to start measuring from: what most often won on this kind of processor, for pictures or anything else."""
    bfloat16 = has_fast_bfloat16()
    return Plan(
        threads=threads,
        channels_last=pictures,
        bfloat16=bfloat16,
        winograd=pictures and bfloat16 and winograd.kernel() is not None,
        fused=True,
        allocator=keep_large_blocks(),
    )


def measure(time_step: Callable[[Plan], float], first: Plan, key: str, limit: float = 2.0, cache: bool = True) -> Plan:
    """The fastest plan found from `first` by changing one setting at a time, for at most `limit` seconds.

    `time_step(plan)` gives the seconds of one step. The answer is remembered under `key` for this machine, unless other
    programs were in the way. Of a remembered plan the threads and the time are measured again: how busy the machine is
    changes, and what was found beside other programs must not slow down all that comes after them.
    """
    known = _Cache() if cache else None
    remembered = known.get(key, first) if known else None
    began, best = time.perf_counter(), replace(remembered or first, threads=first.threads)
    best_seconds, busy = time_step_watched(time_step, best)
    todo = fewer_threads(first) if busy or remembered else changes(first)
    for change in todo:
        if not busy and time.perf_counter() - began + STEPS_TO_TIME * best_seconds > limit:
            break
        tried = replace(best, **change)
        seconds = time_step(tried)
        if seconds < best_seconds * WORTH:
            best, best_seconds = tried, seconds
    if (
        not busy
        and best_seconds > LONG_STEP
        and time.perf_counter() - began + STEPS_TO_TIME * best_seconds <= 1.5 * limit
    ):
        # The first steps of a process took 181 ms where later ones took 129: memory is not its own yet.
        best_seconds = min(best_seconds, time_step(best))
    best = replace(best, milliseconds=round(best_seconds * 1e3, 2))
    if known and not busy and not remembered:
        known.put(key, first, best)
    return best


BUSY = 0.6
"""Share of the threads' time below which a long step's threads waited: for cores that other programs have."""


def time_step_watched(time_step: Callable[[Plan], float], plan: Plan) -> tuple[float, bool]:
    """The seconds of a step, and whether other programs are in the way.

    Then threads wait for each other: beside busy processes a step that needs 0.45 s of one core took 1.2 s on one thread,
    and 4 s on two.
    """
    began, worked = time.perf_counter(), time.process_time()
    seconds = time_step(plan)
    spent = plan.threads * (time.perf_counter() - began)
    return seconds, plan.threads > 1 and seconds > LONG_STEP and time.process_time() - worked < BUSY * spent


SHARE_OF_MEMORY = 0.4
"""Of the memory that is free, what one batch's saved activations may take."""


def micro_batch(bytes_per_row: float, rows: int) -> int:
    """Rows per pass so that the activations fit into memory; 0: the whole batch fits."""
    most = int(SHARE_OF_MEMORY * free_memory() / max(1.0, bytes_per_row))
    return 0 if most >= rows else max(1, most)


def saved_bytes(forward: Callable[[], object]) -> int:
    """The bytes that a forward pass keeps for its backward pass."""
    seen: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda t: t):
        kept = forward()  # held until here, so that no address is used twice
    del kept
    return sum(seen.values())


def free_memory() -> int:
    """Bytes that can be had without swapping; 4 GiB where the system does not say."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) * 1024
    return 4 << 30


def changes(plan: Plan) -> list[dict[str, Any]]:
    """What is worth trying, the likeliest gain first."""
    layout = [{"channels_last": False}] if plan.channels_last else []
    plain = [{"winograd": False}] if plan.winograd else []
    return [{"bfloat16": not plan.bfloat16}, *fewer_threads(plan), *plain, *layout, {"fused": not plan.fused}]


def fewer_threads(plan: Plan) -> list[dict[str, Any]]:
    return [{"threads": 1}] if plan.threads > 1 else []


STEPS_TO_TIME = 3
"""What timing a plan of short steps costs at least, in steps: one to warm up, the others timed."""


LONG_STEP, VERY_LONG_STEP = 0.1, 1.0
"""Seconds from which a step is timed once, and from which the first call counts: what it alone costs, 0.05 to 0.3 s, matters
less then, and another one would cost much."""


def time_of_step(step: Callable[[], object], seconds: float = 0.12) -> float:
    """The shortest of several calls, in seconds, after one call to warm up; of long steps fewer."""
    if (best := _seconds(step)) > VERY_LONG_STEP:
        return best
    best, began, count = _seconds(step), time.perf_counter(), 2
    while best < LONG_STEP and (count < STEPS_TO_TIME or (time.perf_counter() - began < seconds and count < 50)):
        best, count = min(best, _seconds(step)), count + 1
    return best


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextlib.contextmanager
def running(plan: Plan) -> Iterator[None]:
    """Runs the block under the plan's number of threads and puts the old number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(plan: Plan) -> contextlib.AbstractContextManager[Any]:
    """The precision of a forward pass under this plan."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if plan.bfloat16 else contextlib.nullcontext()


def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 faster than float32. Elsewhere than on Linux: unknown, so no."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        return "avx512_bf16" in text or "amx_bf16" in text or " bf16" in text
    return False


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_large_blocks(size: int = 1 << 30) -> bool:
    """Ask glibc to keep freed blocks up to `size` bytes instead of giving them back; False where there is no glibc.

    Without it every large temporary tensor is mapped and zeroed anew: element-wise operations on 33 MB tensors ran
    up to 7 times slower (measured on 2 cores).
    """
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, size)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, size))
    return False


def machine_name() -> str:
    """The processor and its cores, in words."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return f"{model}, {cores()} core{'s' if cores() > 1 else ''}"


def cores() -> int:
    """Cores that this process may use: those it may run on, or the container's share if that is less."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # "max 100000", or the microseconds of time in a period
        time_in, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        found = min(found, round(int(time_in) / int(period)))
    return max(1, found // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))  # torchrun started as many beside this one


class _Cache:
    """Measured plans in one small JSON file of the user's cache folder; a broken or read-only one is ignored."""

    def __init__(self) -> None:
        self.path = files.cache_folder() / "plans.json"

    def _key(self, key: str, first: Plan) -> str:
        words = f"{machine_name()}|{torch.__version__}|{key}|{asdict(first)}"
        return hashlib.sha256(words.encode()).hexdigest()[:20]

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def get(self, key: str, first: Plan) -> Plan | None:
        try:
            return Plan.of(self._all()[self._key(key, first)])
        except (KeyError, TypeError):
            return None

    def put(self, key: str, first: Plan, plan: Plan) -> None:
        with contextlib.suppress(Exception):
            files.write_json(self.path, self._all() | {self._key(key, first): asdict(plan)})
