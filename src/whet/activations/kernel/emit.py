"""C source of a formula: a forward loop, and a backward loop that needs the input only.

x, y      input and output, n numbers of one type      p    the parameters, float32
g, gx     gradients of y and of x                      sums gradient of each parameter, float64, summed in the order
                                                            of the blocks, whatever the number of threads

A formula may have one more name, DRAWN, which no grammar knows: a random number from [0, 1) for each place in memory,
the same one in both directions. It has no parameters then, and p is no address but the two keys of 32 bits from which
prelude.h computes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from importlib.resources import files

from whet.activations.expression.bounds import guarded
from whet.activations.expression.derive import derive
from whet.activations.expression.nodes import Call, Name, Node, Number, free_names, walk
from whet.activations.kernel.lower import for_far, lowered, turned
from whet.activations.kernel.pairs import is_wide

DRAWN = "drawn"
BLOCK = 4096
"""Numbers that a thread takes at a time."""
INLINE = {
    "neg": "-{0}",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "square": "{0} * {0}",
    "sqrt": "__builtin_sqrtf({0})",
    "gt": "({0} > {1} ? 1.0f : 0.0f)",
    "ge": "({0} >= {1} ? 1.0f : 0.0f)",
    "where": "({0} > 0 ? {1} : {2})",
}
"""What C has itself; all else is a function of prelude.h with an underscore behind its name."""
CLAMPS = {"max": "({0} < {1} ? {1} : {0})", "min": "({0} > {1} ? {1} : {0})"}
"""Where the second is a number, NaN can only be the first: one instruction."""
TYPES = {
    "float32": ("float", "{}", "{}"),
    "bfloat16": ("uint16_t", "from_bfloat16({})", "to_bfloat16({})"),
}
"""The type in memory, how it is read, how it is written."""


def source(node: Node, names: Sequence[str], dtype: str) -> str:
    """A whole C file with `forward` and `backward` for a formula of x and these parameters."""
    return whole_file(_forward(node, names, dtype), _backward(node, names, dtype))


def whole_file(*functions: str) -> str:
    """A C file with these functions, what they use, and what makes them callable."""
    headers = (files(__package__).joinpath(name).read_text() for name in ("prelude.h", "python.h"))
    return "\n".join([*headers, *functions])


def _forward(node: Node, names: Sequence[str], dtype: str) -> str:
    kind, *_ = TYPES[dtype]
    node = lowered(guarded(node))
    blocks, call = _near_and_far("forward", "x_in, y_out, begin, end, p", [node], _forward_block, names, dtype)
    return f"""{blocks}
void forward(const {kind} *restrict x_in, {kind} *restrict y_out, int64_t n, const float *restrict p, int threads)
{{
{_in_blocks(call)}
}}
CALLABLE(forward, AT(0), AT(1), N(2), AT(3), N(4))
"""


def _forward_block(title: str, nodes: Sequence[Node], watch: Watch, names: Sequence[str], dtype: str) -> str:
    kind, read, write = TYPES[dtype]
    lines, (value, *watched) = statements([*nodes, *watch], names)
    before, reduction, keep, after = _watching(watched)
    return f"""
LOOP {title}(const {kind} *restrict x_in, {kind} *restrict y_out, int64_t begin, int64_t end, const float *restrict p)
{{
{_parameters(names)}{before}
#pragma omp simd{reduction}
    for (int64_t i = begin; i < end; i++) {{
        const float x = {read.format("x_in[i]")};
{_drawn(nodes)}{lines}
        y_out[i] = {write.format(value)};{keep}
    }}
    return {after};
}}"""


Watch = Sequence[Node]
"""What sines are taken of, each followed by what that was computed from."""
Block = Callable[[str, Sequence[Node], Watch, Sequence[str], str], str]
"""C source of a function over a block, from its name, the formulas, what to watch, the names of parameters and the dtype.
It returns whether it met a number for which only the far_ functions are right."""


def _near_and_far(
    way: str, arguments: str, nodes: Sequence[Node], block: Block, names: Sequence[str], dtype: str
) -> tuple[str, str]:
    """The functions for a block, and how to call them: where it turns out that sines were taken of numbers far from 0, the
    block is computed again. To look first, over the same numbers, was a third of the time, since nothing is computed while
    they come from memory."""
    near, far = f"{way}_block", f"far_{way}_block"
    watch = [node for pair in turned(nodes) for node in pair]
    blocks = block(near, nodes, watch, names, dtype)
    if not watch:
        return blocks, f"{near}({arguments})"
    return blocks + block(far, for_far(nodes), (), names, dtype), f"if ({near}({arguments})) {far}({arguments})"


def _watching(watched: Sequence[str]) -> tuple[str, str, str, str]:
    """What goes before the loop, into its pragma, into it, and what is returned after it."""
    if not watched:
        return "", "", "", "0"
    reduction = " reduction(max : furthest)"
    return "\n    int32_t furthest = 0;", reduction, "\n" + furthest_of(watched), "furthest > bits_of(NEAR)"


def further(pairs: Sequence[tuple[Node, Node]], names: Sequence[str]) -> tuple[str, str]:
    """The lines that compute what `turned` gives, and those that keep the bits of the largest size."""
    lines, values = statements([node for pair in pairs for node in pair], names)
    return lines, furthest_of(values)


def furthest_of(watched: Sequence[str]) -> str:
    """The lines that keep the bits of the largest size, of numbers each followed by what it was computed from."""
    pairs = zip(watched[::2], watched[1::2], strict=True)
    return "\n".join(f"            furthest = further(furthest, {u}, {of});" for u, of in pairs)


def _backward(node: Node, names: Sequence[str], dtype: str) -> str:
    kind, *_ = TYPES[dtype]
    slopes = [lowered(guarded(derive(node, name))) for name in ("x", *names)]
    arguments = "g_in, x_in, gx_out, begin, end, p, parts"
    blocks, call = _near_and_far("backward", arguments, slopes, _backward_block, names, dtype)
    return f"""{blocks}
void backward(const {kind} *restrict g_in, const {kind} *restrict x_in, {kind} *restrict gx_out, int64_t n,
              const float *restrict p, double *restrict parts, double *restrict sums, int threads)
{{
{_in_blocks(call)}
    for (int64_t i = 0; i < {len(names)}; i++) {{
        sums[i] = 0;
        for (int64_t block = 0; block * {BLOCK} < n; block++)
            sums[i] += parts[block * {len(names)} + i];
    }}
}}
CALLABLE(backward, AT(0), AT(1), AT(2), N(3), AT(4), AT(5), AT(6), N(7))
"""


def _backward_block(title: str, slopes: Sequence[Node], watch: Watch, names: Sequence[str], dtype: str) -> str:
    kind, read, write = TYPES[dtype]
    lines, values = statements([*slopes, *watch], names)
    slope, *others = values[: len(slopes)]
    before, watching, watched, after = _watching(values[len(slopes) :])
    sums = [f"sum{i}" for i in range(len(names))]
    reduction = f" reduction(+ : {', '.join(sums)})" if sums else ""
    add = "".join(f"\n            {s} += g * {o};" for s, o in zip(sums, others, strict=True))
    begin = f"\n    float {', '.join(f'{s} = 0' for s in sums)};" if sums else ""
    keep = "".join(f"\n    parts[begin / {BLOCK} * {len(sums)} + {i}] = {s};" for i, s in enumerate(sums))
    return f"""
LOOP {title}(const {kind} *restrict g_in, const {kind} *restrict x_in, {kind} *restrict gx_out, int64_t begin,
             int64_t end, const float *restrict p, double *restrict parts)
{{
{_parameters(names)}{begin}{before}
#pragma omp simd{reduction}{watching}
    for (int64_t i = begin; i < end; i++) {{
        const float x = {read.format("x_in[i]")}, g = {read.format("g_in[i]")};
{_drawn(slopes)}{lines}
        gx_out[i] = {write.format(f"g * {slope}")};{add}{watched}
    }}{keep}
    return {after};
}}"""


def _in_blocks(call: str) -> str:
    """The loop over blocks. On one thread without OpenMP, which takes 0.5 us to begin and end a team of one."""
    loop = f"""for (int64_t begin = 0; begin < n; begin += {BLOCK}) {{
        const int64_t end = begin + {BLOCK} < n ? begin + {BLOCK} : n;
        {call};
    }}"""
    return f"""    if (threads == 1) {loop}
    else
#pragma omp parallel for schedule(static) num_threads(threads)
    {loop}"""


def _parameters(names: Sequence[str]) -> str:
    return "\n".join(f"    const float p_{name} = p[{i}];" for i, name in enumerate(names))


def _drawn(nodes: Sequence[Node]) -> str:
    """The line that draws, where the formulas need it."""
    if not any(DRAWN in free_names(node) for node in nodes):
        return ""
    keys = "(uint32_t)(uintptr_t)p, (uint32_t)((uint64_t)(uintptr_t)p >> 32)"
    return f"            const float p_{DRAWN} = uniform((uint32_t)i, {keys});\n"


def statements(nodes: Sequence[Node], names: Sequence[str]) -> tuple[str, list[str]]:
    """A line of C per call that the nodes need, and what each node is called afterwards."""
    said: dict[Node, str] = {}
    lines: list[str] = []
    for node in nodes:
        for here in walk(node, said):
            if isinstance(here, Number):
                said[here] = literal(here.value)
            elif isinstance(here, Name):
                said[here] = "x" if here.name == "x" else f"p_{here.name}"
            elif isinstance(here, Call):
                said[here] = f"t{len(lines)}"
                kind = "double" if is_wide(here) else "float"
                lines.append(f"            const {kind} {said[here]} = {_expression(here, said)};")
    return "\n".join(lines), [said[node] for node in nodes]


def _expression(node: Call, said: dict[Node, str]) -> str:
    if node.function == "where" and isinstance(node.arguments[0], Call) and node.arguments[0].function in ("gt", "ge"):
        a, b = (said[n] for n in node.arguments[0].arguments)
        sign = ">" if node.arguments[0].function == "gt" else ">="
        return f"({a} {sign} {b} ? {said[node.arguments[1]]} : {said[node.arguments[2]]})"
    if is_wide(node):
        return _wide(node, said)
    arguments = [said[a] for a in node.arguments]
    if node.function.endswith("_with"):  # the wide argument is for large numbers only
        arguments = arguments if node.function.startswith("far_") else arguments[:2]
    if node.function in CLAMPS and isinstance(node.arguments[1], Number):
        return CLAMPS[node.function].format(*arguments)
    if node.function in INLINE:
        return INLINE[node.function].format(*arguments)
    return f"{node.function}_({', '.join(arguments)})"


def _wide(node: Call, said: dict[Node, str]) -> str:
    """In double, numbers too."""
    arguments = [f"({a.value!r})" if isinstance(a, Number) else said[a] for a in node.arguments]
    return {**INLINE, "wide": "(double){0}", "abs": "__builtin_fabs({0})"}[node.function].format(*arguments)


def literal(value: float) -> str:
    """The float32 nearest to a number, in C, in parentheses where it is negative."""
    (rounded,) = struct.unpack("f", struct.pack("f", value))
    return f"({rounded!r}f)" if rounded < 0 else f"{rounded!r}f"
