"""C source compiled and loaded, once per process and formula; None where that is not possible.

What is loaded was written by this very process, into a folder that only its user may enter and that is removed once it is
loaded; nothing is kept for later. A forked child uses what its parent loaded, on one thread: the parent's other threads
do not live on in it.
"""

from __future__ import annotations

import ctypes
import logging
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import torch

from whet.activations.expression.nodes import Node
from whet.activations.kernel import channels, emit

log = logging.getLogger(__name__)

FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-std=gnu11")
MATHS = ("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
SHARED = ("-fPIC", "-shared", "-fopenmp", "-w", "-Werror=implicit-function-declaration")
PATIENCE = 60.0
"""Seconds for one file; a compiler that needs longer counts as absent."""

_lock = threading.Lock()
_kernels: dict[tuple[Node, tuple[str, ...], str, str], Kernel | None] = {}
_forked = False


@dataclass(frozen=True)
class Kernel:
    """The two functions of emit.py or channels.py; pointers are integers. They release the interpreter's lock."""

    forward: Callable[..., None]
    backward: Callable[..., None]
    layout: channels.Layout | None = None
    """How the rows lie for which it was made; None where parameters are for the whole layer."""


def kernel(node: Node, names: tuple[str, ...], dtype: str, layout: channels.Layout | None = None) -> Kernel | None:
    """The kernel of a formula of x and these parameters for one dtype; compiled at the first call, for all threads."""
    key = (node, names, dtype, layout or "")
    if key not in _kernels:
        with _lock:
            if key not in _kernels:
                _kernels[key] = _make(node, names, dtype, layout)
    return _kernels[key]


def in_forked_child() -> bool:
    return _forked


def all_threads() -> int:
    """The threads of a loop over much: torch's, but one in a forked child."""
    return 1 if _forked else torch.get_num_threads()


def _make(node: Node, names: tuple[str, ...], dtype: str, layout: channels.Layout | None) -> Kernel | None:
    code = channels.source(node, names, dtype, layout) if layout else emit.source(node, names, dtype)
    try:
        return load(code, layout)
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("no kernel for a formula, it runs in torch: %s", error)
        return None


def load(code: str, layout: channels.Layout | None = None) -> Kernel:
    """C source as a kernel. Raises OSError or SubprocessError."""
    forward, backward = functions(code, "forward", "backward")
    return Kernel(forward, backward, layout)


def functions(code: str, *names: str) -> list[Callable[..., None]]:
    """The functions of C source that python.h makes callable, by name. Raises OSError or SubprocessError."""
    with tempfile.TemporaryDirectory(prefix="whet-kernel-") as folder:
        file = Path(folder, "kernel.c")
        file.write_text(code)
        library = file.with_suffix(".so")
        command = [compiler(), *FLAGS, *MATHS, *SHARED, str(file), "-o", str(library), "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        loaded = ctypes.PyDLL(str(library))
    found = []
    for name in names:
        make = loaded[f"{name}_function"]
        make.restype = ctypes.py_object
        found.append(make())
    return found


def functions_of(file: str, *names: str, before: str = "") -> list[Callable[..., None]] | None:
    """The functions of one of whet's C files ("train/max_pool.c"), `before` in front of it; None where it can't be compiled."""
    parts = (files("whet").joinpath(part).read_text() for part in ("activations/kernel/python.h", file))
    try:
        return functions("\n".join(["#include <stdint.h>", before, *parts]), *names)
    except (OSError, subprocess.SubprocessError) as error:
        log.debug("no kernel of %s, torch takes its place: %s", file, error)
        return None


@cache
def compiler() -> str:
    """The C compiler: $CC, or the first of cc, gcc, clang. Raises FileNotFoundError where there is none."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if name and (found := shutil.which(name)):
            return found
    raise FileNotFoundError("no C compiler")


def _after_fork() -> None:
    global _forked, _lock
    _forked, _lock = True, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
