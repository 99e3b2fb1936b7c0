"""The one rule: what it makes trainable, what it leaves alone, and what it says."""

import copy
import itertools

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from whet.activations import formula, get
from whet.errors import UserError
from whet.init import INITS, auto_
from whet.init.shaped import Shaped


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def plain(depth: int, activation: nn.Module, width: int = 48, inputs: int = 64) -> nn.Sequential:
    sizes = [inputs, *[width] * depth]
    pairs = [(nn.Linear(a, b), copy.deepcopy(activation)) for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(*[layer for pair in pairs for layer in pair], nn.Linear(width, 10))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32), torch.tensor(y)


def learned(model: nn.Module, x: Tensor, y: Tensor, epochs: int) -> float:
    """Accuracy on the last third after training on the rest."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    order = seeded(9)
    for _ in range(epochs):
        for rows in torch.randperm(1200, generator=order).split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return (model(x[1200:]).argmax(1) == y[1200:]).float().mean().item()


# -- deep plain networks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["relu", "sigmoid", "sine", "x*exp(-x^2)", "softplus(x)-1"])
def test_a_plain_network_of_40_layers_learns_at_once(function: str, digits: tuple[Tensor, Tensor]) -> None:
    model = plain(40, get(function) if function.isidentifier() else formula(function))
    auto_(model, digits[0][:256], seeded())
    assert learned(model, *digits, epochs=2) > 0.8


def test_the_same_network_learns_nothing_as_torch_draws_it(digits: tuple[Tensor, Tensor]) -> None:
    model = plain(40, nn.ReLU())
    INITS["default"].make()(model, seeded())
    assert learned(model, *digits, epochs=2) < 0.4


@pytest.mark.parametrize("sampled", [True, False])
def test_signal_and_gradient_keep_their_length_through_100_layers(sampled: bool, digits: tuple[Tensor, Tensor]) -> None:
    model = plain(100, nn.GELU())
    auto_(model, digits[0][:256] if sampled else None, seeded())
    x = digits[0][300:500] if sampled else torch.randn(200, 64, generator=seeded())
    seen: list[Tensor] = []
    h = x
    for layer in model:
        h = layer(h)
        if isinstance(layer, Shaped):
            h.retain_grad()
            seen.append(h)
    h.square().sum().backward()
    assert all(0.7 < a.square().mean().sqrt() < 1.4 for a in seen)
    gradients = [a.grad.norm().item() for a in seen if a.grad is not None]
    assert max(gradients) < 3 * min(gradients)


def test_a_deep_plain_convolutional_network_learns(digits: tuple[Tensor, Tensor]) -> None:
    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()]
    for i in range(24):
        layers += [nn.Conv2d(16, 16, 3, padding=1, stride=2 if i in (8, 16) else 1), nn.ReLU()]
    model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *layers, nn.Flatten(), nn.Linear(64, 10))
    auto_(model, digits[0][:256], seeded())
    assert learned(model, *digits, epochs=2) > 0.8


def test_weights_are_larger_where_steps_add_up_and_not_for_an_optimiser_of_small_steps() -> None:
    adam, sgd = plain(60, nn.ReLU()), plain(60, nn.ReLU())
    auto_(adam, None, seeded())
    auto_(sgd, None, seeded(), step=0)
    ratio = (adam[2].weight / sgd[2].weight).mean().item()
    assert ratio == pytest.approx(1e-3 * (64 + 59 * 48), rel=1e-4)
    x = torch.randn(5, 64)
    torch.testing.assert_close(adam[:-1](x), sgd[:-1](x), atol=1e-3, rtol=1e-3)


# -- functions that are called -----------------------------------------------------------------------------------------------


class Called(nn.Module):
    """A loop over layers, with a function in it."""

    def __init__(self, depth: int = 12) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16 if i == 0 else 32, 32) for i in range(depth)])
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self.bend(layer(x))
        return self.head(x)

    def bend(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class WithLeakyRelu(Called):
    def bend(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.2)


class WithTanh(Called):
    def bend(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class WithMethod(Called):
    def bend(self, x: Tensor) -> Tensor:
        return x.relu()


class WithFormula(Called):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
            x = x * torch.sigmoid(x)
        return self.head(x)


@pytest.mark.parametrize("kind", [WithLeakyRelu, WithTanh, WithMethod, WithFormula])
def test_functions_are_shaped_like_modules(kind: type[Called]) -> None:
    model, x = kind(), torch.randn(200, 16)
    report = auto_(model, x, seeded())
    assert (report.depth, report.shaped, report.refined) == (12, 1, 12)
    inside = model(x).std() * 32**0.5  # the output starts small
    assert 0.7 < inside < 1.4


class Gated(nn.Module):
    """Branches of a product, added up without norms."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.down = (nn.ModuleList(nn.Linear(16, 16) for _ in range(3)) for _ in range(3))
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        for up, gate, down in zip(self.up, self.gate, self.down, strict=True):
            x = x + down(nn.functional.silu(gate(x)) * up(x))
        return self.head(x)


def test_the_output_of_added_products_starts_at_full_size() -> None:
    model = Gated()
    auto_(model, torch.randn(64, 16), seeded())
    assert torch.linalg.matrix_norm(model.head.weight, 2).item() == pytest.approx(1.0, abs=1e-5)


def test_the_settings_of_a_call_are_kept() -> None:
    model = WithLeakyRelu()
    auto_(model, torch.randn(64, 16), seeded())
    (shaped,) = (m for m in model.modules() if isinstance(m, Shaped))
    assert shaped.function(torch.tensor(-1.0)).item() == pytest.approx(-0.2)


def test_calls_in_a_shallow_network_stay_calls() -> None:
    model = WithTanh(depth=2)
    report = auto_(model, torch.randn(64, 16), seeded())
    assert report.shaped == 0
    assert type(model) is WithTanh
    assert not list(model.named_modules())[-1][1]._forward_hooks


# -- what is left alone ------------------------------------------------------------------------------------------------------


def test_an_output_function_a_gate_and_what_a_norm_feeds_stay_as_they_are() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.gate = nn.Linear(8, 8), nn.Linear(8, 8), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) * self.gate(self.b(x))

    normed = [layer for _ in range(6) for layer in (nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU())]
    report = auto_(nn.Sequential(Gated(), *normed, nn.Linear(8, 2), nn.Sigmoid()), torch.randn(64, 8), seeded())
    assert (report.depth, report.shaped) == (1, 0)
    text = str(report)
    assert "a gate" in text
    assert "it makes the output" in text
    assert "it carries this depth as it is" in text


def test_frozen_weights_and_those_that_ask_for_it_are_kept() -> None:
    model = plain(6, nn.ReLU())
    model[0].weight.requires_grad_(False)
    model[2].weight.keep_init = True
    model[4].bias.keep_init = True
    kept = [model[0].weight.clone(), model[2].weight.clone(), model[4].bias.clone()]
    auto_(model, torch.randn(64, 64), seeded())
    assert all(torch.equal(a, b) for a, b in zip(kept, [model[0].weight, model[2].weight, model[4].bias], strict=True))


def test_nothing_but_weights_and_activations_changes() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.ReLU(), nn.Linear(8, 2)).train()
    model[2].eval()
    state = torch.random.get_rng_state()
    auto_(model, torch.randn(64, 8, generator=seeded()), seeded())
    assert torch.equal(state, torch.random.get_rng_state())
    assert (model.training, model[2].training, model[1].training) == (True, False, True)
    assert model[1].running_mean.count_nonzero() == 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_model_that_draws_numbers_does_not_move_the_global_generator() -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x)

    state = torch.random.get_rng_state()
    model = nn.Sequential(nn.Linear(8, 8), Noisy(), nn.ReLU(), nn.Linear(8, 2))
    torch.random.set_rng_state(state)
    auto_(model, torch.randn(64, 8, generator=seeded()), seeded())
    assert torch.equal(state, torch.random.get_rng_state())


# -- the same again ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: plain(8, nn.GELU(), inputs=16), WithLeakyRelu, WithFormula])
def test_applied_twice_it_gives_the_same(make: object) -> None:
    assert callable(make)
    model, x = make(), torch.randn(64, 16)
    auto_(model, x, seeded())
    once = {k: v.clone() for k, v in model.state_dict().items()}
    auto_(model, x, seeded())
    twice = model.state_dict()
    assert list(once) == list(twice)
    assert all(torch.equal(once[k], twice[k]) for k in once)


def test_the_generator_alone_decides() -> None:
    models = [plain(5, nn.ReLU()) for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        auto_(model, None, seeded(seed))
    assert torch.equal(models[0][2].weight, models[1][2].weight)
    assert not torch.equal(models[0][2].weight, models[2][2].weight)


def test_what_was_shaped_can_be_saved_and_loaded() -> None:
    x = torch.randn(64, 64)
    one, two = plain(10, nn.Softplus()), plain(10, nn.Softplus())
    auto_(one, x * 3, seeded())
    auto_(two, None, seeded(1))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(x), two(x))


def test_what_was_shaped_can_be_exported() -> None:
    model, x = WithFormula(), torch.randn(8, 16)
    auto_(model, x, seeded())
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), model(x))


# -- other kinds of networks -------------------------------------------------------------------------------------------------


def test_recurrent_layers_are_orthogonal_from_step_to_step_with_open_forget_gates() -> None:
    model = nn.LSTM(6, 10, num_layers=2)
    auto_(model, torch.randn(5, 3, 6), seeded())
    for part in model.weight_hh_l1.split(10):
        torch.testing.assert_close(part @ part.T, torch.eye(10), atol=1e-5, rtol=0)
    gates = model.bias_ih_l0 + model.bias_hh_l0
    assert gates.split(10)[1].eq(1).all()
    assert gates.sum() == 10


def test_embeddings_keep_their_padding_and_are_small_where_they_also_make_the_output() -> None:
    embed, head = nn.Embedding(50, 64, padding_idx=0), nn.Linear(64, 50, bias=False)
    auto_(nn.Sequential(embed, head), torch.randint(50, (4, 7)), seeded())
    assert embed.weight[0].count_nonzero() == 0
    assert embed.weight[1:].std().item() == pytest.approx(1, rel=0.05)
    head.weight = embed.weight
    auto_(nn.Sequential(embed, head), torch.randint(50, (4, 7)), seeded())
    assert embed.weight[1:].std().item() == pytest.approx(1 / 8, rel=0.05)


def test_the_branches_of_a_transformer_are_damped() -> None:
    block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(block, 4, enable_nested_tensor=False)
    auto_(model, torch.randn(3, 5, 16), seeded())
    out = model.layers[2].self_attn.out_proj.weight
    torch.testing.assert_close(out @ out.T, torch.eye(16) / 8, atol=1e-5, rtol=0)  # 8 branches


def test_a_transformer_that_norms_each_sum_is_not_damped() -> None:
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 4, enable_nested_tensor=False
    )
    auto_(model, torch.randn(3, 5, 16), seeded())
    out = model.layers[2].self_attn.out_proj.weight
    torch.testing.assert_close(out @ out.T, torch.eye(16), atol=1e-5, rtol=0)


def test_the_output_starts_small() -> None:
    model = plain(2, nn.ReLU())
    auto_(model, None, seeded())
    out = model[-1].weight
    torch.testing.assert_close(out @ out.T, torch.eye(10) / 48, atol=1e-5, rtol=0)


def test_a_network_that_no_made_up_input_fits_is_drawn_layer_by_layer_and_says_so() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.layer(x) + y

    report = auto_(Two(), None, seeded())
    assert "give a sample" in str(report)
    assert "give a sample" not in str(auto_(Two(), (torch.randn(2, 4), torch.randn(2, 4)), seeded()))
    assert "give a sample" not in str(auto_(Two(), {"x": torch.randn(2, 4), "y": torch.randn(2, 4)}, seeded()))


def test_an_activation_that_is_used_many_times_is_shaped_once() -> None:
    act = nn.Tanh()
    layers = [layer for _ in range(10) for layer in (nn.Linear(16, 16), act)]
    model = nn.Sequential(*layers, nn.Linear(16, 2))
    assert auto_(model, torch.randn(64, 16), seeded()).shaped == 1
    assert model[1] is model[3]
    assert isinstance(model[1], Shaped)


def test_activations_in_place_and_dropout_between_layers_do_no_harm() -> None:
    layers = [layer for _ in range(8) for layer in (nn.Linear(16, 16), nn.ReLU(inplace=True), nn.Dropout(0.5))]
    model, x = nn.Sequential(*layers, nn.Linear(16, 2)), torch.randn(64, 16)
    assert auto_(model, x, seeded()).shaped == 8
    before = x.clone()
    model(x).sum().backward()
    assert torch.equal(before, x)
    assert all(isinstance(m.function, nn.ReLU) and m.function.inplace for m in model if isinstance(m, Shaped))


def test_a_compiled_model_is_drawn_as_the_model_itself() -> None:
    (model, x), twin = (plain(8, nn.Softplus()), torch.randn(64, 64)), plain(8, nn.Softplus())
    auto_(torch.compile(model, backend="eager"), x, seeded())
    auto_(twin, x, seeded())
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_stays_of_that_precision(dtype: torch.dtype) -> None:
    model, x = plain(8, nn.Softplus()).to(dtype), torch.randn(64, 64).to(dtype)
    auto_(model, x, seeded())
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert model(x).dtype == dtype


def test_a_learned_activation_keeps_its_parameters() -> None:
    model = plain(8, nn.PReLU(48))
    own = [m.weight for m in model if isinstance(m, nn.PReLU)]
    report = auto_(model, None, seeded())
    assert report.shaped == 8
    assert all(any(p is q for q in model.parameters()) for p in own)


# -- bad input ---------------------------------------------------------------------------------------------------------------


def test_lazy_and_scripted_models_and_a_sample_that_does_not_fit_are_refused_in_one_line() -> None:
    model = plain(3, nn.ReLU())
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(UserError, match="no weights yet") as lazy:
        auto_(nn.Sequential(nn.LazyLinear(3)))
    with pytest.raises(UserError, match="fails on this sample") as unfit:
        auto_(model, torch.randn(2, 3), seeded())
    with pytest.raises(UserError, match="is no network"):
        auto_("relu")
    for error in (lazy, unfit):
        assert "\n" not in str(error.value)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_sample_with_holes_is_refused() -> None:
    with pytest.raises(UserError, match="not finite"):
        auto_(plain(3, nn.ReLU()), torch.full((4, 64), float("nan")), seeded())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sample": torch.empty(0, 64)}, "sample is empty"),
        ({"generator": 5}, "no torch.Generator"),
        ({"step": -1.0}, "no size of a step"),
        ({"step": float("nan")}, "no size of a step"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_changed(given: dict, words: str) -> None:
    model = plain(3, nn.Tanh())
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(UserError, match=words):
        auto_(model, **given)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_activations_that_share_a_tuple_are_all_shaped_and_unshaped() -> None:
    class Tuple(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(6)])
            self.acts = tuple(nn.Sigmoid() for _ in range(5))

        def forward(self, x: Tensor) -> Tensor:
            for layer, act in zip(self.layers, self.acts, strict=False):
                x = act(layer(x))
            return self.layers[-1](x)

    model = Tuple()
    for _ in range(2):
        auto_(model, torch.randn(32, 8), seeded())
        assert all(isinstance(act, Shaped) and isinstance(act.function, nn.Sigmoid) for act in model.acts)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_model_is_refused() -> None:
    with pytest.raises(UserError, match="TorchScript"):
        auto_(torch.jit.script(nn.Sequential(nn.Linear(2, 2))))


class GatesInARow(nn.Module):
    """f(U h) * V h in a row, with no skip."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        sizes = list(itertools.pairwise([64, *[48] * depth]))
        self.u, self.v = (nn.ModuleList(nn.Linear(a, b) for a, b in sizes) for _ in range(2))
        self.gates = nn.ModuleList(nn.Softplus() for _ in sizes)
        self.head = nn.Linear(48, 10)

    def forward(self, h: Tensor) -> Tensor:
        for u, v, gate in zip(self.u, self.v, self.gates, strict=True):
            h = gate(u(h)) * v(h)
        return self.head(h)


def test_20_gated_layers_without_skips_learn(digits: tuple[Tensor, Tensor]) -> None:
    model = GatesInARow(20)
    auto_(model, digits[0][:256], seeded())
    assert learned(model, *digits, epochs=6) > 0.5
