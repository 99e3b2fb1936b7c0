"""Kernels against the same formulas in torch's own operations, and where kernels are not used."""

import math
import multiprocessing
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from whet.activations import ACTIVATIONS
from whet.activations.expression import derive, parse
from whet.activations.expression.bounds import guarded
from whet.activations.formula import Formula, prepare
from whet.activations.kernel import function, library
from whet.activations.kernel.emit import source
from whet.activations.kernel.lower import lowered

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")

N = 32_775
ULP = 2.0**-23


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Call `.setenv("WHET_KERNELS", "0")` on it to turn kernels off."""
    return monkeypatch


def inputs(dtype: torch.dtype = torch.float32) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    near, far = torch.randn(N - 5000, generator=draw) * 3, torch.randn(4990, generator=draw) * 30
    edges = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e4, -1e4, 88.0, -88.0, 1e-3, -1e-3])
    return torch.cat([near, far, edges]).to(dtype)


def run(f: Formula, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    x = x.detach().requires_grad_()
    y = f(x)
    return y.detach(), list(torch.autograd.grad(y.sum(dtype=torch.float32), [x, *f.parameters()]))


FUNCTIONS = {
    "exp(x)": 2,
    "expm1(x)": 3,
    "log(abs(x) + 1e-20)": 3,
    "log1p(abs(x))": 3,
    "sqrt(abs(x))": 1,
    "sin(x)": 3,
    "cos(x)": 3,
    "tanh(x)": 4,
    "sinh(x / 4)": 4,
    "cosh(x / 4)": 4,
    "sech(x)": 4,
    "arctan(x)": 3,
    "arcsinh(x)": 3,
    "sigmoid(x)": 4,
    "logistic(x)": 5,
    "softplus(x)": 3,
    "erf(x)": 4,
    "erf(softplus(x))": 8,
    "tanh(x) + 0 * sech(x)": 4,
    "sin(x) * cos(x)": 4,
    "log1p(sigmoid(x))": 5,
    "Phi(x)": 8,
    "phi(x)": 8,
    "abs(x)^1.7": 4,
    "abs(x)^1.5": 2,
    "x^3": 2,
}
"""Largest error seen of each prelude function, in units of the last place, rounded up."""


@pytest.mark.parametrize("text", FUNCTIONS)
def test_a_function_of_the_prelude_is_exact_to_a_few_places(text: str) -> None:
    x = inputs()
    y = Formula(text)(x).double()
    true = Formula(text)(x.double())
    normal = (true.abs() > 2e-38) & (true.abs() < 3e38)
    error = ((y - true).abs() / true.abs())[normal].max()
    assert error <= FUNCTIONS[text] * ULP
    assert (y[true.abs() <= 2e-38] <= 4e-38).all()


@pytest.mark.parametrize("b", [-3.0, 0.0, 0.625, 2.0, 30.0])
def test_a_learned_exponent_is_exact_at_every_base(b: float) -> None:
    x = torch.cat([inputs(), torch.logspace(-30, 4, 500), torch.tensor([1e-42, 1.0])])
    y, true = (Formula("abs(x)^b + 0 * x^3", {"b": b}).to(x.dtype)(x).double() for x in (x, x.double()))
    normal = (true.abs() > 2e-38) & (true.abs() < 3e38)
    assert ((y - true).abs() / true.abs())[normal].max() <= 8 * ULP
    assert (y[true.abs() <= 2e-38] <= 4e-38).all()
    assert (y[true.abs() >= 3e38] >= 3e38).all()


TWINS = ["x * tanh(softplus(x))", "x * Phi(x)", "x * tanh(exp(x))", "where(x > 0, x, expm1(x))", "x / (1 + abs(x))"]
TWINS += ["x * tanh(x * Phi(x))", "x * erf(softplus(x))", "tanh(0.87 * x) * softplus(x)"]
TWINS += ["x * exp(-exp(-x))", "x * exp(-1.5 * softplus(-2 * x))"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("text", [*TWINS, "a * relu(x)^2 + sin(b * x)"])
def test_a_kernel_gives_the_numbers_of_the_slow_way(text: str, dtype: torch.dtype, plain: pytest.MonkeyPatch) -> None:
    f = Formula(text, {"a": 0.7, "b": 1.3} if "a *" in text else {})
    x = inputs(dtype)
    fast, fast_grads = run(f, x)
    assert f.plan.kernels[dtype] is not None
    plain.setenv("WHET_KERNELS", "0")
    slow, slow_grads = run(f, x)
    near = 1e-6 if dtype == torch.float32 else torch.finfo(dtype).eps
    torch.testing.assert_close(fast, slow, rtol=near, atol=near)
    torch.testing.assert_close(fast_grads[0], slow_grads[0], rtol=2 * near, atol=2 * near)
    torch.testing.assert_close(fast_grads[1:], slow_grads[1:], rtol=1e-3, atol=1e-3)


def test_nan_goes_through_and_infinity_does_what_it_does_in_torch(plain: pytest.MonkeyPatch) -> None:
    f = Formula("x * tanh(softplus(x)) + abs(sin(0 * x))")
    x = torch.zeros(N)
    x[:3] = torch.tensor([math.nan, math.inf, -1e30])
    y = f(x)
    assert y[0].isnan()
    assert y[3:].eq(0).all()


def test_layouts_are_kept_and_non_contiguous_tensors_taken() -> None:
    f = Formula("x * sigmoid(x)")
    x = torch.randn(8, 16, 32, 32)
    for layout in (
        x,
        x.to(memory_format=torch.channels_last),
        x.transpose(0, 3),
        x[:, ::2],
        x[:1].expand(4, -1, -1, -1),
    ):
        z = layout.detach().requires_grad_()
        y = f(z)
        assert y.stride() == torch.nn.functional.silu(layout).stride()
        torch.testing.assert_close(y, torch.nn.functional.silu(z))
        weights = torch.randn(y.shape[::-1]).permute(3, 2, 1, 0)  # a gradient laid out in another way
        (g,) = torch.autograd.grad(y, z, weights)
        (true,) = torch.autograd.grad(torch.nn.functional.silu(z), z, weights)
        torch.testing.assert_close(g, true)


def test_second_derivatives_go_the_differentiable_way() -> None:
    f, x = Formula("x * tanh(exp(x))"), inputs().requires_grad_()
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    z = x.detach().double().requires_grad_()
    (g64,) = torch.autograd.grad(f(z).sum(), z, create_graph=True)
    (h64,) = torch.autograd.grad(g64.sum(), z)
    torch.testing.assert_close(h.double(), h64, rtol=1e-4, atol=1e-4)


def test_the_sum_over_a_parameter_does_not_depend_on_threads() -> None:
    f, x = Formula("x * tanh(a * x)", {"a": 1.1}), inputs().repeat(5)
    assert x.numel() > 3 * function.GRAIN
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(run(f, x))
    torch.set_num_threads(before)
    for y, grads in found[1:]:
        assert torch.equal(y, found[0][0])
        assert all(map(torch.equal, grads, found[0][1]))


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(function.LEAST - 1),
        torch.randn(N, dtype=torch.float64),
        torch.randn(N).half(),
        torch.empty(N, device="meta"),
    ],
    ids=["small", "float64", "float16", "meta"],
)
def test_other_tensors_take_torchs_own_operations(x: Tensor) -> None:
    assert function.kernel_for(Formula("sin(x) + 0.25").plan, x, ()) is None


def test_a_subclass_and_a_transform_take_torchs_own_operations() -> None:
    class Own(Tensor):
        pass

    f = Formula("sin(x) + 0.125")
    assert isinstance(f(torch.randn(N).as_subclass(Own)), Own)
    x = torch.randn(3, N)
    torch.testing.assert_close(torch.func.vmap(f)(x), torch.sin(x) + 0.125)
    assert not f.plan.kernels


def test_batched_gradients_and_negated_views_are_read_as_what_they_stand_for() -> None:
    f, x, many = Formula("x * tanh(exp(x))"), torch.randn(N, requires_grad=True), torch.randn(3, N)
    y = f(x)
    (batched,) = torch.autograd.grad(y, x, many, is_grads_batched=True, retain_graph=True)
    for g, found in zip(many, batched, strict=True):
        for same in (g, torch._neg_view(-g)):
            torch.testing.assert_close(torch.autograd.grad(y, x, same, retain_graph=True)[0], found)
    torch.testing.assert_close(f(torch._neg_view(-x)), y)


def test_kernels_can_be_turned_off(plain: pytest.MonkeyPatch) -> None:
    plain.setenv("WHET_KERNELS", "0")
    f = Formula("sin(x) + 0.75")
    f(torch.randn(N))
    assert not f.plan.kernels


@pytest.mark.parametrize("broken", ["absent", "failing"])
def test_without_a_working_compiler_the_numbers_are_the_same(
    broken: str, plain: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "cc"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    plain.setenv("PATH", str(tmp_path / "empty") if broken == "absent" else str(tmp_path))
    plain.delenv("CC", raising=False)
    library.compiler.cache_clear()
    f, x = Formula(f"x * sin(x) + {0.5 if broken == 'absent' else 0.25}"), torch.randn(N)
    y = f(x)
    library.compiler.cache_clear()
    assert f.plan.kernels == {torch.float32: None}
    torch.testing.assert_close(y, x * torch.sin(x) + (0.5 if broken == "absent" else 0.25))


def test_threads_that_come_at_once_compile_once(plain: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = library.load
    plain.setattr(library, "load", lambda code, *how: made.append(code) or real(code, *how))
    f, x = Formula("x * sin(x) + 0.0625"), torch.randn(N)
    gate = threading.Barrier(4)

    def go(_: int) -> Tensor:
        gate.wait()
        return f(x)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(go, range(4)))
    assert len(made) == 1
    assert all(torch.equal(y, results[0]) for y in results)


def _in_child(answers: "multiprocessing.Queue[float]", f: Formula, x: Tensor) -> None:
    answers.put(math.fsum(f(x).tolist()))  # torch's own sum would wait for threads that a forked child does not have


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_another_process_gets_the_same_answer(method: str) -> None:
    f, x = Formula("x * tanh(softplus(x))"), torch.linspace(-3, 3, N)
    here = float(f(x).sum())
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(answers, f, x))
    child.start()
    assert answers.get(timeout=250) == pytest.approx(here, rel=1e-6)
    child.join()


def test_every_prelude_function_is_vectorised() -> None:
    if "Free Software" not in subprocess.run([library.compiler(), "--version"], capture_output=True, text=True).stdout:
        pytest.skip("only gcc says what it vectorised")
    texts = [
        *FUNCTIONS,
        "sigmoid(max(sinh(x / x), phi(x)))",
        "max(x, 1) + min(x, 2) + sign(x) + tan(x) + xlogy(x, x)",
        "x * tanh(softplus(x))",
        "x * exp(-exp(-x)) + x * (atan(x) / pi + 0.5) + x * (1 + x / sqrt(1 + x^2))",
    ]
    for text in texts:
        code = source(parse(text), (), "float32")
        said = subprocess.run(
            [
                library.compiler(),
                *library.FLAGS,
                *library.MATHS,
                *library.SHARED,
                "-fopt-info-vec",
                "-xc",
                "-",
                "-o",
                "/dev/null",
            ],
            input=code,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        assert len({line.split(":")[1] for line in said.splitlines() if "loop vectorized" in line}) >= 2, text


def test_lowering_shares_one_exponential_between_value_and_slope() -> None:
    both = str(lowered(parse("sigmoid(x) + softplus(x) + logistic(x)")))
    assert {part.split(")")[0] for part in both.split("decay(")[1:]} == {"-abs(x"}


@pytest.mark.parametrize("name", ["phish", "tanh_soft", "tanh_exp", "serf"])
def test_lowering_takes_some_slopes_as_a_whole(name: str) -> None:
    entry = ACTIVATIONS[name]
    slope = derive(prepare(entry.formula, {}, dict(entry.defaults)))
    assert str(lowered(guarded(slope))) == f"{name}_slope(x)"


def test_openmp_is_torchs_own() -> None:
    """In a process of its own: scikit-learn brings another libgomp."""
    code = f"""
import torch
from whet.activations.formula import Formula
Formula("x * tanh(softplus(x))")(torch.randn({N}))
maps = open("/proc/self/maps").read().splitlines()
raise SystemExit(len({{line.split()[-1] for line in maps if "libgomp" in line}}) > 1)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


FAR = torch.tensor([4.1e6, -5e6, 1e8, -3.3e9, 1e20, -1e38, 3.3e38, math.inf, -math.inf, math.nan, 2.0])


@pytest.mark.parametrize(
    "text",
    [
        *("sin(x)", "cos(x)", "tan(x)", "x * sin(x) * cos(x)", "sin(2 * x)^2"),
        *("sin(1.3 * x)", "cos(x^2 / 3)", "sin(7 * x - x^3)"),
    ],
)
def test_sines_of_numbers_far_from_0_are_torchs_own(text: str, plain: pytest.MonkeyPatch) -> None:
    """Once they were 0 beyond 4e6, of infinity too, which hid that a training had diverged; and NaN where 1.3 x overflows."""
    x = torch.cat([torch.linspace(-3, 3, 5000), FAR])
    fast = run(Formula(text), x)
    plain.setenv("WHET_KERNELS", "0")
    slow = run(Formula(text), x)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_sines_far_from_0_with_a_parameter_per_channel_are_torchs_own(plain: pytest.MonkeyPatch) -> None:
    x = torch.cat([torch.linspace(-3, 3, 1000 - len(FAR)), FAR]).view(20, 50)
    f = Formula("sin(a * x + b)", {"a": 1.7, "b": -0.3}, channels=50)
    fast = run(f, x)
    plain.setenv("WHET_KERNELS", "0")
    torch.testing.assert_close(fast, run(f, x), rtol=1e-5, atol=1e-5, equal_nan=True)


def test_a_block_that_is_computed_again_adds_to_a_parameters_gradient_once(plain: pytest.MonkeyPatch) -> None:
    """Where a far number turns up, a block's sines are taken once more, in the form that is right for all numbers."""
    x, f = (
        torch.cat([torch.linspace(-3, 3, 5000), torch.tensor([4.1e6, -5e6, 2.0])]),
        Formula("sin(a * x) / (1 + abs(x))", {"a": 1.5}),
    )
    _, (_, fast) = run(f, x)
    plain.setenv("WHET_KERNELS", "0")
    _, (_, slow) = run(f.double(), x.double())
    assert abs(fast - slow) < 1e-2


@pytest.mark.parametrize("text", ["sin(x)", "cos(1.3 * x)"])
def test_a_near_number_has_the_same_bits_beside_a_far_one(text: str) -> None:
    x, f = torch.randn(N), Formula(text)
    assert torch.equal(f(torch.cat([x[:1000], FAR]))[:1000], f(x)[:1000])


def test_a_sine_of_nan_or_of_a_far_number_does_not_slow_a_block_down() -> None:
    """Once sin(log(x)) of negative numbers took 30 times as long, number by number, and sin(1.3e8 x) 80 times."""
    x = torch.randn(N)

    def seconds(f: Formula) -> float:
        took = []
        for _ in range(30):
            began = time.perf_counter()
            y = f(x)
            took.append(time.perf_counter() - began)
        assert bool(y[x < 0].isnan().any()) == ("abs" not in f.text)
        return min(took)

    assert seconds(Formula("sin(log(x))")) < 4 * seconds(Formula("sin(log(abs(x)))"))
    assert seconds(Formula("sin(abs(1.3e8 * x))")) < 25 * seconds(Formula("sin(abs(1.3 * x))"))


@pytest.mark.parametrize("kernels", ["1", "0"])
@pytest.mark.parametrize(
    "text",
    [
        *("sin((abs(x) + 1) * x)", "sin(a * x - 1)", "cos(x^2 / 3)", "sin(1.3 * x) * cos(1.3 * x)"),
        "sin(30 * (abs(x) + 1) * x)",
    ],
)
def test_a_sine_of_what_float32_does_not_hold_is_as_exact_as_others(
    text: str, kernels: str, plain: pytest.MonkeyPatch
) -> None:
    """Once sin(30 x^2) was off by 1e-3 at x = 100: its argument was rounded first."""
    plain.setenv("WHET_KERNELS", kernels)
    f, x = Formula(text, {"a": 17.7} if "a *" in text else {}), inputs()
    (y, (g, *_)), (true, (slope, *_)) = run(f, x), run(f.double(), x.double())
    assert (y - true).abs().max() < 3e-7
    assert (g - slope).abs().max() < 3e-7 * slope.abs().max()


@pytest.mark.parametrize("text", ["erf(x)", "tanh(x)", "x * tanh(x * Phi(x))"])
def test_no_value_leaves_the_range(text: str) -> None:
    """Once erf and tanh reached 1.00000012, whose complement has no logarithm, and phish -4e-7."""
    y = Formula(text)(torch.linspace(-20, 20, 20_000))
    assert y.min() >= (0 if "P" in text else -1)
    assert "P" in text or y.max() <= 1
