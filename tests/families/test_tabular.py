"""The table network: its members, its encodings, and tables that lack one kind of column."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from whet.errors import RecipeError, UnknownName
from whet.families import FAMILIES
from whet.families.spec import InputSpec
from whet.families.tabular import (
    EMBEDDINGS,
    Dropout,
    Packed,
    PiecewiseLinear,
    PiecewiseVectors,
    Tabular,
    combine,
    make,
    thin,
)

BINS = [[-1.0, 0.0, 0.5, 2.0], [0.0, 1.0], [-3.0, -1.0, 3.0]]
SPEC = InputSpec(
    shape=(3,),
    outputs=4,
    goal="classify",
    activation=nn.ReLU,
    norm=lambda width: nn.Identity(),
    cardinalities=(3, 20),
    bins=BINS,
)
ROWS = 7


def rows(spec: InputSpec, n: int = ROWS) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    numeric = torch.randn(n, spec.shape[0], generator=g)
    codes = [torch.randint(0, size, (n,), generator=g) for size in spec.cardinalities]
    return numeric, torch.stack(codes, 1) if codes else torch.zeros(n, 0, dtype=torch.int64)


def small(spec: InputSpec = SPEC, **params: Any) -> Tabular:
    torch.manual_seed(0)
    network = make(spec, **{"width": 16, "members": 5, **params})
    assert isinstance(network, Tabular)
    return network


@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_training_gives_every_member_and_evaluation_gives_one_answer(embedding: str) -> None:
    network = small(embedding=embedding)
    assert network(*rows(SPEC)).shape == (ROWS, 5, 4)
    assert network.eval()(*rows(SPEC)).shape == (ROWS, 4)


def test_classes_are_combined_as_the_mean_probability() -> None:
    network = small(dropout=0.0)
    members = network(*rows(SPEC))
    mean = members.softmax(-1).mean(1)
    torch.testing.assert_close(network.eval()(*rows(SPEC)).exp(), mean)


def test_values_are_combined_as_the_mean() -> None:
    network = small(dataclasses.replace(SPEC, goal="regress", outputs=2), dropout=0.0)
    members = network(*rows(SPEC))
    torch.testing.assert_close(network.eval()(*rows(SPEC)), members.mean(1))


def test_a_single_logit_is_combined_as_the_logit_of_the_mean_probability() -> None:
    out = torch.randn(6, 3, 1) * 4
    torch.testing.assert_close(combine(out, classify=True), torch.logit(out.sigmoid().mean(1)), atol=1e-4, rtol=1e-4)


def test_one_member_is_a_plain_perceptron() -> None:
    network = small(members=1, dropout=0.0, depth=2)
    plain = nn.Sequential(nn.Linear(3 + 6 + 3 + 8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    linears = [layer for layer in plain if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for linear, packed in zip(linears, [*network.layers, network.head], strict=True):
            linear.weight.copy_(packed.weight[0].T)
            linear.bias.copy_(packed.bias[0, 0])
    numeric, category = rows(SPEC)
    torch.testing.assert_close(network(numeric, category)[:, 0], plain(network.embed(numeric, category)))


def test_a_columns_vector_stands_between_its_bins_and_the_first_layer_only_when_asked_for() -> None:
    assert small(embedding_dim=0).layers[0].weight.shape[1] == 3 + 6 + 3 + 8
    assert small(embedding_dim=4).layers[0].weight.shape[1] == 3 + 3 * 4 + 3 + 8


def test_the_catalogue_and_the_network_have_the_same_defaults() -> None:
    defaults = {name: p.default for name, p in inspect.signature(make).parameters.items() if name != "spec"}
    assert dict(FAMILIES["tabular"].defaults) == defaults


def test_each_member_is_a_linear_layer_of_its_own() -> None:
    layer, x = Packed(3, 5, 2), torch.randn(3, 6, 5)
    slow = torch.stack([x[m] @ layer.weight[m] + layer.bias[m] for m in range(3)])
    torch.testing.assert_close(layer(x), slow)


def test_members_learn_apart() -> None:
    network = small(dropout=0.0)
    network(*rows(SPEC))[:, 2].sum().backward()
    touched = [bool(network.head.weight.grad[m].abs().sum() > 0) for m in range(5)]  # type: ignore[index]
    assert touched == [False, False, True, False, False]


def test_the_piecewise_linear_encoding_agrees_with_its_definition() -> None:
    x = torch.cat([torch.linspace(-5, 5, 41).unsqueeze(1).expand(-1, 3), torch.tensor([[e] * 3 for e in BINS[0]])])
    torch.testing.assert_close(PiecewiseLinear([torch.tensor(b) for b in BINS])(x), slow_encoding(x))


def test_learned_vectors_agree_with_one_dense_layer_per_column() -> None:
    vectors, x = PiecewiseVectors([torch.tensor(b) for b in BINS], dim=5), torch.randn(9, 3)
    parts = slow_encoding(x).split([len(b) - 1 for b in BINS], dim=1)
    slow = [torch.relu(p @ vectors.weight[k, : p.shape[1]] + vectors.bias[k]) for k, p in enumerate(parts)]
    torch.testing.assert_close(vectors(x), torch.cat(slow, 1))


def slow_encoding(x: Tensor) -> Tensor:
    """Number by number, bin by bin, as the paper writes it."""
    return torch.tensor([[part for v, edges in zip(row, BINS, strict=True) for part in encode(v, edges)] for row in x])


def encode(value: Tensor, edges: list[float]) -> list[float]:
    out = []
    for t in range(len(edges) - 1):
        share = (float(value) - edges[t]) / (edges[t + 1] - edges[t])
        if share < 0 and t > 0:
            share = 0.0
        if share > 1 and t < len(edges) - 2:
            share = 1.0
        out.append(share)
    return out


def test_too_many_bins_are_thinned_and_the_outer_edges_stay() -> None:
    edges = torch.arange(49.0)
    assert thin(edges, 8).tolist() == [0, 6, 12, 18, 24, 30, 36, 42, 48]
    assert thin(edges, 48) is edges
    assert thin(edges, 1).tolist() == [0, 48]


def test_a_category_never_seen_in_training_has_an_answer_of_its_own() -> None:
    network = small().eval()
    numeric, category = rows(SPEC)
    unseen, first = torch.zeros_like(category), torch.ones_like(category)
    assert torch.isfinite(network(numeric, unseen)).all()
    assert not torch.equal(network(numeric, unseen), network(numeric, first))


@pytest.mark.parametrize(
    "spec",
    [
        dataclasses.replace(SPEC, shape=(0,), bins=[]),
        dataclasses.replace(SPEC, cardinalities=()),
        dataclasses.replace(SPEC, shape=(0,), bins=[], cardinalities=()),
    ],
    ids=["no numbers", "no categories", "no columns at all"],
)
def test_a_table_may_lack_a_kind_of_column(spec: InputSpec) -> None:
    network = small(spec)
    network(*rows(spec)).sum().backward()
    assert network.eval()(*rows(spec)).shape == (ROWS, 4)


@pytest.mark.parametrize("embedding_dim", [0, 4])
@pytest.mark.parametrize("embedding", EMBEDDINGS)
@pytest.mark.parametrize("norm", [nn.Identity, nn.BatchNorm1d, nn.LayerNorm])
def test_gradients_are_finite_and_reach_every_weight(embedding: str, embedding_dim: int, norm: type[nn.Module]) -> None:
    network = small(dataclasses.replace(SPEC, norm=norm), embedding=embedding, embedding_dim=embedding_dim)
    numeric, category = rows(SPEC, n=64)
    network(numeric * 100, category).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    torch.manual_seed(0)
    x = torch.ones(200, 1001)
    out = Dropout(0.25)(x)
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(Dropout(0.25).eval()(x), x)


def test_it_learns_a_bend_that_a_line_cannot() -> None:
    spec = InputSpec((1,), 1, "regress", nn.ReLU, lambda width: nn.Identity(), (), [torch.linspace(-1, 1, 9).tolist()])
    network, x = small(spec, dropout=0.0), torch.linspace(-1, 1, 128).unsqueeze(1)
    none, target = torch.zeros(128, 0, dtype=torch.int64), x.abs()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (network(x, none) - target.unsqueeze(1)).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * target.var().item()


def test_what_it_cannot_build_is_said_in_one_line() -> None:
    with pytest.raises(UnknownName, match="periodic"):
        make(SPEC, embedding="periodik")
    with pytest.raises(RecipeError, match="bins"):
        make(dataclasses.replace(SPEC, bins=None))
    with pytest.raises(RecipeError, match="members=0"):
        make(SPEC, members=0)
    with pytest.raises(RecipeError, match="embedding_dim=-1"):
        make(SPEC, embedding_dim=-1)
    with pytest.raises(RecipeError, match="dropout=1"):
        make(SPEC, dropout=1)
