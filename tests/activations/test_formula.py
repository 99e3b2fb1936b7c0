"""`Formula`, the module: parameters, layouts, dtypes, derivatives of any order, copies."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from whet.activations import get
from whet.activations.formula import Formula, elementwise
from whet.errors import RecipeError

EDGES = torch.tensor([-1e4, -300.0, -88.0, -20.0, -3.0, -0.5, 0.0, 0.5, 3.0, 20.0, 88.0, 300.0, 1e4])
SOUND = {
    "mish": "x * tanh(softplus(x))",
    "mish as in the paper": "x * tanh(log(1 + exp(x)))",
    "tanhexp, telu": "x * tanh(exp(x))",
    "serf": "x * erf(log(1 + exp(x)))",
    "golu": "x * exp(-exp(-x))",
    "squareplus": "(x + sqrt(x^2 + 4)) / 2",
    "logsigmoid": "-log(1 + exp(-x))",
    "lisht": "x * tanh(x)",
    "gelu": "x * Phi(x)",
    "gelu by tanh": "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))",
    "snake": "x + sin(2 * x)^2 / 2",
    "xielu": "where(x > 0, 0.8 * x^2 + 0.5 * x, 0.8 * (exp(min(x, 0)) - 1) - 0.8 * x + 0.5 * x)",
    "elu": "where(x > 0, x, exp(x) - 1)",
    "softsign": "x / (1 + abs(x))",
    "smelu": "where(abs(x) > 1, relu(x), (x + 1)^2 / 4)",
    "bent identity": "(sqrt(x^2 + 1) - 1) / 2 + x",
    "silu": "x / (1 + exp(-x))",
    "tanh by exp": "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    "log cosh": "log(cosh(x))",
    "root": "sqrt(relu(x)) + x * log(1 + relu(x))",
}


def gradient(f: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    y = f(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    return y.detach(), g


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_value_and_gradient_are_those_of_float64_up_to_1e4(text: str, dtype: torch.dtype) -> None:
    x = EDGES.to(dtype)
    y, g = gradient(Formula(text), x)
    y64, g64 = gradient(Formula(text).double(), x.double())
    fits = y64.abs() < torch.finfo(dtype).max
    size = 1e-5 if dtype == torch.float32 else 2 * torch.finfo(dtype).eps
    torch.testing.assert_close(y.double()[fits], y64[fits], rtol=size, atol=size)
    torch.testing.assert_close(g.double(), g64, rtol=size, atol=size)


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_gradients_of_first_and_second_order_are_limits_of_differences(text: str) -> None:
    x = torch.linspace(-4.03, 4.1, 30, dtype=torch.float64, requires_grad=True)
    f = Formula(text)
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


def test_learned_parameters_get_their_gradient_too() -> None:
    f = Formula("max(x, 0) + a * sin(b * x) ^ 2 / b", {"a": 0.3, "b": 1.2}).double()
    x = torch.linspace(-2, 2.1, 9, dtype=torch.float64, requires_grad=True)

    def of(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.func.functional_call(f, {"a": a, "b": b}, (x,))

    assert torch.autograd.gradcheck(of, (x, f.a, f.b))
    assert torch.autograd.gradgradcheck(of, (x, f.a, f.b))


def test_a_parameter_per_channel_works_along_its_dimension() -> None:
    f = Formula("where(x > 0, x, a * x)", {"a": 0.25}, channels=3)
    assert f.a.shape == (3,)
    x = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(f(x), nn.PReLU(3)(x))
    f(x).sum().backward()
    torch.testing.assert_close(f.a.grad, (x * (x < 0)).sum((0, 2, 3)))
    last = Formula("a * x", {"a": 2.0}, channels=4, dim=-1)
    assert last(torch.randn(2, 3, 4)).shape == (2, 3, 4)


def test_it_is_a_module_like_any() -> None:
    f = Formula("x * tanh(exp(a * x)) + c", {"a": 1.0}, {"c": 0.5})
    assert repr(f) == "Formula(x * tanh(exp(a * x)) + c, c=0.5)"
    assert list(f.state_dict()) == ["a"]
    with torch.no_grad():
        f.a.fill_(2.0)
    for twin in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert twin.a is not f.a
        torch.testing.assert_close(twin(EDGES), f(EDGES), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (4,), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("text", ["x * sigmoid(x)", "3", "a", "x"])
def test_shape_and_dtype_are_the_inputs(shape: tuple[int, ...], text: str) -> None:
    f = Formula(text, {"a": 1.0} if text == "a" else {})
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        y = f(torch.randn(shape).to(dtype).requires_grad_())
        assert (y.shape, y.dtype) == (shape, dtype)


def test_memory_formats_are_kept() -> None:
    f = Formula("x * sigmoid(x)")
    x = torch.randn(2, 3, 4, 5)
    for layout in (
        x,
        x.to(memory_format=torch.channels_last),
        x.transpose(1, 3),
        x[:, :, ::2],
        x.expand(6, 2, 3, 4, 5)[3],
    ):
        y = f(layout)
        assert y.stride() == nn.functional.silu(layout).stride()
        torch.testing.assert_close(y, nn.functional.silu(layout))


def test_only_the_input_is_kept_for_the_backward_pass() -> None:
    kept: list[Tensor] = []
    x = torch.randn(1000, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        Formula("x * tanh(softplus(x)) + sin(x)")(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, when it first makes a dual
def test_functional_transforms_agree_with_autograd() -> None:
    f = elementwise("x * tanh(exp(k * x))", k=0.7)
    x = torch.randn(5, dtype=torch.float64)
    first = torch.func.vmap(torch.func.grad(f))
    second = torch.func.vmap(torch.func.grad(torch.func.grad(f)))
    _, tangent = torch.func.jvp(f, (x,), (torch.ones_like(x),))
    z = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(z).sum(), z, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), z)
    torch.testing.assert_close(first(x), g)
    torch.testing.assert_close(tangent, g.detach())
    torch.testing.assert_close(second(x), h)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(f(dual)).tangent, g.detach())


def test_a_compiled_formula_has_the_same_exact_gradient() -> None:
    f = Formula("x * tanh(exp(a * x))", {"a": 1.0})
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")
    (y, g), (y_plain, g_plain) = gradient(compiled, EDGES), gradient(f, EDGES)
    torch.testing.assert_close(y, y_plain)
    torch.testing.assert_close(g, g_plain)
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the tracing exporter's; the newer one needs onnxscript
def test_it_is_exported_for_torch_and_for_onnx() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    f, x = Formula("x * Phi(a * x) + expm1(min(x, 0))", {"a": 1.1}), torch.linspace(-3, 3, 13)
    torch.testing.assert_close(torch.export.export(f, (x,)).module()(x), f(x))
    buffer = io.BytesIO()
    torch.onnx.export(f, (x,), buffer, dynamo=False, opset_version=18)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, f(x).detach().numpy(), rtol=1e-5, atol=1e-6)


ONNX_LACKS = [
    "expm1",
    "sinh",
    "cosh",
    "arcsinh",
    "sech",
    "log1p",
    "softplus",
    "Phi",
    "phi",
    "logistic",
    "tan",
    "sign",
    "square",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("function", ONNX_LACKS)
def test_functions_that_onnx_lacks_are_spelt_out_for_it(function: str) -> None:
    """Once sinh, cosh and arcsinh stopped the export of every formula with one of them."""
    onnxruntime = pytest.importorskip("onnxruntime")
    f, x = Formula(f"{function}(x)"), torch.tensor([-0.9, -1e-4, 0.0, 1e-5, 0.3, 2.5])
    buffer = io.BytesIO()
    torch.onnx.export(f, (x,), buffer, dynamo=False, opset_version=18)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, f(x).numpy(), rtol=2e-6, atol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_formula_that_is_worth_a_constant_keeps_its_input_in_onnx() -> None:
    """Once the graph had no input, and onnxruntime refused what it was given."""
    onnxruntime = pytest.importorskip("onnxruntime")
    buffer = io.BytesIO()
    torch.onnx.export(Formula("x - x + 1"), (torch.zeros(3),), buffer, dynamo=False, opset_version=18)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    x = np.array([0, np.inf, np.nan], np.float32)
    assert session.run(None, {session.get_inputs()[0].name: x})[0].tolist() == [1, 1, 1]


def test_constants_keep_their_precision_in_float64() -> None:
    """Once where(x > 0, 0.1, 0.7) gave float32's 0.1, because torch.where makes numbers float32."""
    y = Formula("where(x > 0, 0.1, 0.7)")(torch.tensor([-1.0, 1.0], dtype=torch.float64))
    assert y.tolist() == [0.7, 0.1]


def test_a_derivatives_constant_may_exceed_float32() -> None:
    """The slope of (1e20 x)^2 is 2e40 x: once torch refused the constant."""
    y, g = gradient(Formula("(1e20 * x)^2"), torch.tensor([-1e-2, 0.0, 1e-30]))
    assert y.isfinite().all()
    assert g.isfinite().all()
    assert gradient(Formula("0^x"), torch.tensor([0.5, 2.0]))[1].tolist() == [0.0, 0.0]


def test_under_autocast_it_returns_what_it_was_given() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Formula("x * sigmoid(x)")(torch.randn(3)).dtype == torch.float32
        assert Formula("x * sigmoid(x)")(torch.randn(3).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("text", "learn", "fix", "said"),
    [
        ("a * x", {}, {}, "unknown name 'a'"),
        ("x", {"a": 1.0}, {}, "a does not occur"),
        ("a * x", {"a": 1.0}, {"a": 2.0}, "both learned and fixed"),
        ("a * x", {"a": float("nan")}, {}, "a=nan is not a number"),
        ("a * x", {"a": "1"}, {}, "a='1' is not a number"),
        ("a * x", {}, {"a": True}, "a=True is not a number"),
        ("forward * x", {"forward": 1.0}, {}, "torch modules use it"),
        ("tanh * x", {"tanh": 1.0}, {}, "can't be a parameter's name"),
        ("x", {"x": 1.0}, {}, "can't be a parameter's name"),
        ("1e30 * 1e30 * x", {}, {}, "more than float32 can hold"),
        ("1e20 * a * x", {}, {"a": 1e25}, "more than float32 can hold"),
        ("x * sqrt(-2)", {}, {}, r"sqrt\(-2\), is undefined"),
        ("x / 0", {}, {}, "divides by 0"),
        ("x / (1 - 1)", {}, {}, "divides by 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(text: str, learn: dict, fix: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Formula(text, learn, fix)


@pytest.mark.parametrize("channels", [0, -3, 2.5, True])
def test_a_number_of_channels_that_is_none_is_refused(channels: object) -> None:
    with pytest.raises(RecipeError, match=f"channels={channels} is no number of channels"):
        Formula("a * x", {"a": 1.0}, channels=channels)


@pytest.mark.parametrize("dim", [0.5, "1", True])
def test_a_dimension_that_is_none_is_refused(dim: object) -> None:
    with pytest.raises(RecipeError, match="no dimension"):
        get("glu", dim=dim)


@pytest.mark.parametrize("shape", [(2, 5), (4,), ()])
def test_an_input_without_the_channels_of_the_parameters_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RecipeError, match="4 channels along dimension 1"):
        Formula("a * x", {"a": 1.0}, channels=4)(torch.zeros(shape))


def test_whole_numbers_as_input_are_refused() -> None:
    with pytest.raises(RecipeError, match="floating-point tensors, not torch.int64"):
        Formula("relu(x)")(torch.arange(3))


def test_a_formula_without_x_fills_memory_of_its_own_in_the_order_of_its_input() -> None:
    x = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
    y = Formula("a^2", {"a": 3.0})(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert y.detach().relu_().eq(9).all()
