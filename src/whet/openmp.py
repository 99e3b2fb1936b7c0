"""Threads of OpenMP and the like: how they wait, and how many each process may have. All of it is read when torch loads."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

SPINS = "20000"
"""How long an idle thread of libgomp waits before it sleeps. Its own default is right on an idle machine only: beside
one busy process, steps of a table's network took 573 ms instead of 62 (2 cores); on idle cores both are the same."""
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS")
"""What libraries read to learn how many threads they may start."""


def waiting() -> dict[str, str]:
    """What the environment needs so that idle threads give their cores away soon; empty where the user has a say in it."""
    said = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ)
    return {} if said else {"GOMP_SPINCOUNT": SPINS}


def of_a_worker(threads: int) -> dict[str, str]:
    """What the environment of a process needs that may use so many threads, beside others that do the same."""
    return {**waiting(), **{name: str(threads) for name in COUNTS}}


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """If torch is imported within the block, its idle threads give their cores away soon.

    The environment is as it was afterwards. Where torch was imported before, it is too late, and nothing happens.
    """
    extra = {} if "torch" in sys.modules else waiting()
    os.environ.update(extra)
    try:
        yield
    finally:
        for name in extra:
            os.environ.pop(name, None)
