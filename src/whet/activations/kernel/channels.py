"""Formulas whose parameters are learned for each channel: the same loops, over a tensor seen as rows.

However its dimensions are ordered, a dense tensor is (outer, channels, inner) in memory. With inner > 1 a row is what one
channel has of one example, and its parameters are the same all along; with inner = 1, as in (batch, channels) or
channels-last, a row is all channels of one place, and the parameters go along with it.

p         the parameters, float32: (parameter, channel); behind them there is room for what depends on them only, which is
          computed once for each channel
parts     what each row, or each block of rows, adds to their gradients, float64 or float32
sums      their gradients, float64: (parameter, channel), summed in the order of the rows, whatever the number of threads
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from whet.activations.expression.bounds import guarded
from whet.activations.expression.derive import derive
from whet.activations.expression.nodes import Call, Node, call, free_names, name, walk
from whet.activations.kernel.emit import BLOCK, TYPES, further, statements, whole_file
from whet.activations.kernel.lower import for_far, lowered, turned
from whet.activations.kernel.pairs import is_wide

Layout = Literal["along", "across"]
"""along: a row belongs to one channel. across: a row has a number of every channel."""
SHORTEST = 16
"""Numbers of a row from which on these loops are used: as many as a processor takes at a time."""


def source(node: Node, names: Sequence[str], dtype: str, layout: Layout) -> str:
    """A whole C file with `forward` and `backward`, for rows of one layout."""
    return whole_file(_forward(node, names, dtype, layout), _backward(node, names, dtype, layout))


ROWS = "int64_t rows, int64_t width, int64_t channels, float *restrict p"
MOST_PARTS = 16
"""Parts of a formula, at most, that are computed once for each channel; further ones are computed for each number."""


def _forward(node: Node, names: Sequence[str], dtype: str, layout: Layout) -> str:
    kind, read, write = TYPES[dtype]
    nodes, parts = _without_x([lowered(guarded(node))], names)
    of_row, of_number = _parameters([*names, *parts], layout)
    first = f"            const float x = {read.format('x_row[j]')};\n{of_number}"

    def loop(nodes: Sequence[Node]) -> str:
        lines, (value,) = statements(nodes, names)
        return f"{first}\n{lines}\n            y_row[j] = {write.format(value)};"

    return f"""
void forward(const {kind} *restrict x_in, {kind} *restrict y_out, {ROWS}, int threads)
{{
{_once(names, parts)}
#pragma omp parallel for schedule(static) num_threads(threads) if(threads > 1)
    for (int64_t row = 0; row < rows; row++) {{
        const {kind} *restrict x_row = x_in + row * width;
        {kind} *restrict y_row = y_out + row * width;
{of_row}
{_near_or_far(nodes, loop, first, names)}
    }}
}}
CALLABLE(forward, AT(0), AT(1), N(2), N(3), N(4), AT(5), N(6))
"""


def _near_or_far(
    nodes: Sequence[Node], loop: Callable[[Sequence[Node]], str], first: str, names: Sequence[str], reduction: str = ""
) -> str:
    """The loop over a row, from what is done with each number; where sines are taken, one of two: see prelude.h."""
    over = "for (int64_t j = 0; j < width; j++)"
    near = f"#pragma omp simd{reduction}\n        {over} {{\n{loop(nodes)}\n        }}"
    if not turned(nodes):
        return near
    lines, furthest = further(turned(nodes), names)
    return f"""
        int32_t furthest = 0;
#pragma omp simd reduction(max : furthest)
        {over} {{
{first}
{lines}
{furthest}
        }}
        if (furthest > bits_of(NEAR)) {over} {{
{loop(for_far(nodes))}
        }}
        else
{near}"""


def _without_x(nodes: Sequence[Node], names: Sequence[str]) -> tuple[list[Node], dict[str, Node]]:
    """The formulas, in which names stand for the largest parts that depend on parameters only, and these parts."""
    parts: dict[str, Node] = {}
    free = "_".join(names)  # with more behind it, longer than any name
    whole = dict.fromkeys(here for node in nodes for here in walk(node))
    used = (a for here in whole if "x" in free_names(here) for a in _arguments(here))
    for here in dict.fromkeys([*used, *nodes]):
        once = isinstance(here, Call) and not is_wide(here) and "x" not in free_names(here)
        if once and len(parts) < MOST_PARTS:
            parts[f"{free}_{len(parts)}"] = here
    known = {part: name(called) for called, part in parts.items()}
    return [_replaced(node, known) for node in nodes], parts


def _arguments(node: Node) -> tuple[Node, ...]:
    return node.arguments if isinstance(node, Call) else ()


def _replaced(node: Node, known: Mapping[Node, Node]) -> Node:
    done = dict(known)
    for here in walk(node, known):
        done[here] = call(here.function, *(done[a] for a in here.arguments)) if isinstance(here, Call) else here
    return done[node]


def _once(names: Sequence[str], parts: Mapping[str, Node]) -> str:
    """The loop over channels that computes these parts."""
    lines, values = statements(for_far(list(parts.values())), names)
    reads = "\n".join(f"        const float p_{name} = p[{i} * channels + c];" for i, name in enumerate(names))
    keep = "\n".join(f"        p[{len(names) + i} * channels + c] = {value};" for i, value in enumerate(values))
    return f"    for (int64_t c = 0; c < channels; c++) {{\n{reads}\n{lines}\n{keep}\n    }}" if parts else ""


def _parameters(names: Sequence[str], layout: Layout) -> tuple[str, str]:
    """The lines that read the parameters for a row, and for each number of a row."""
    at = "row % channels" if layout == "along" else "j"
    lines = "\n".join(f"    const float p_{name} = p[{i} * channels + {at}];" for i, name in enumerate(names))
    return (lines, "") if layout == "along" else ("", lines)


def _backward(node: Node, names: Sequence[str], dtype: str, layout: Layout) -> str:
    kind, read, write = TYPES[dtype]
    slopes = [lowered(guarded(derive(node, name))) for name in ("x", *names)]
    nodes, parts = _without_x(slopes, names)
    of_row, of_number = _parameters([*names, *parts], layout)
    begin, reduction, keep, gather = (_along if layout == "along" else _across)(len(names))
    first = f"            const float x = {read.format('x_row[j]')};\n{of_number}"

    def loop(nodes: Sequence[Node]) -> str:
        lines, (slope, *others) = statements(nodes, names)
        add = "\n".join(f"            {_sum(i, layout)} += g * {other};" for i, other in enumerate(others))
        g = f"            const float g = {read.format('g_row[j]')};"
        return f"{first}\n{g}\n{lines}\n            gx_row[j] = {write.format(f'g * {slope}')};\n{add}"

    return f"""
void backward(const {kind} *restrict g_in, const {kind} *restrict x_in, {kind} *restrict gx_out, {ROWS},
              void *restrict kept, double *restrict sums, int threads)
{{
{_once(names, parts)}
    const int64_t block = width < {BLOCK} ? {BLOCK} / width : 1, blocks = (rows + block - 1) / block;
#pragma omp parallel for schedule(static) num_threads(threads) if(threads > 1)
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t row = b * block; row < (b + 1) * block && row < rows; row++) {{
        const {kind} *restrict x_row = x_in + row * width, *restrict g_row = g_in + row * width;
        {kind} *restrict gx_row = gx_out + row * width;
{of_row}
{begin}
{_near_or_far(nodes, loop, first, names, reduction)}
{keep}
    }}
    for (int64_t i = 0; i < {len(names)} * channels; i++)
        sums[i] = 0;
{gather}
}}
CALLABLE(backward, AT(0), AT(1), AT(2), N(3), N(4), N(5), AT(6), AT(7), AT(8), N(9))
"""


def _sum(i: int, layout: Layout) -> str:
    """What the i-th parameter's gradient is added to."""
    return f"sum{i}" if layout == "along" else f"parts[{i} * channels + j]"


def _along(n: int) -> tuple[str, str, str, str]:
    """Each row adds one number to each parameter of its channel."""
    sums = ", ".join(f"sum{i}" for i in range(n))
    begin = f"        float {', '.join(f'sum{i} = 0' for i in range(n))};\n        double *restrict parts = kept;"
    keep = "\n".join(f"        parts[row * {n} + {i}] = sum{i};" for i in range(n))
    gather = f"""
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < {n}; i++)
            sums[i * channels + row % channels] += ((double *)kept)[row * {n} + i];"""
    return begin, f" reduction(+ : {sums})", keep, gather


def _across(n: int) -> tuple[str, str, str, str]:
    """Each block of rows adds up its own numbers for each parameter and channel."""
    begin = f"""        float *restrict parts = (float *)kept + b * {n} * channels;
        if (row == b * block) memset(parts, 0, {n} * channels * sizeof(float));"""
    gather = f"""
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t i = 0; i < {n} * channels; i++)
            sums[i] += ((float *)kept)[b * {n} * channels + i];"""
    return begin, "", "", gather


def layout_of(x: Tensor, parameters: Sequence[Tensor]) -> Layout | None:
    """How the rows of x lie; None where it is not dense, its rows are short, or the parameters are not one per channel."""
    sizes = parameters[0].shape
    channels = parameters[0].numel()
    if channels < 2 or len(sizes) != x.dim() or any(p.shape != sizes for p in parameters):
        return None
    if channels not in sizes or x.shape[_dimension(parameters)] != channels or not _is_dense(x):
        return None
    stride = x.stride(_dimension(parameters))
    if (stride if stride > 1 else channels) < SHORTEST:
        return None
    return "along" if stride > 1 else "across"


def _dimension(parameters: Sequence[Tensor]) -> int:
    """Of the channels."""
    return next(d for d, size in enumerate(parameters[0].shape) if size > 1)


def _is_dense(x: Tensor) -> bool:
    return x.is_contiguous() or torch.empty_like(x).stride() == x.stride()


def rows_of(x: Tensor, parameters: Sequence[Tensor]) -> tuple[int, int, int]:
    """Rows, numbers in each, and channels."""
    dim = _dimension(parameters)
    width = x.stride(dim) if x.stride(dim) > 1 else x.shape[dim]
    return x.numel() // width, width, x.shape[dim]


def room(rows: tuple[int, int, int], count: int) -> Tensor:
    """Memory for `kept`: (rows, count) float64, or (blocks, count, channels) float32."""
    n, width, channels = rows
    blocks = -(-n // max(1, BLOCK // width))
    return torch.empty(max(n * count, (blocks * count * channels + 1) // 2), dtype=torch.float64)


def side_by_side(parameters: Sequence[Tensor]) -> Tensor:
    """(parameter, channel), float32, with room for what is computed from them."""
    p = torch.empty(len(parameters) + MOST_PARTS, parameters[0].numel())
    for row, parameter in zip(p, parameters, strict=False):
        row.copy_(parameter.detach().reshape(-1))
    return p
