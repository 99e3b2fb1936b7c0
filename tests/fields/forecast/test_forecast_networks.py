"""What every forecasting network keeps: shapes, gradients, seeds, and what normalised windows promise."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families import FAMILIES, InputSpec
from whet.fields.forecast.recipes import near, series_recipes
from whet.regularise.penalties import L2
from whet.search.first import Facts

NAMES = [e.name for e in FAMILIES if e.domains == ("series",)]
SMALL = {"width": 16, "heads": 2, "patch": 6, "depth": 2, "members": 2}
L, H, C = 24, 5, 3


def spec(covariates: int = 0, calendar: int = 0) -> InputSpec:
    more = {"horizon": H, "covariates": covariates, "calendar": calendar, "season": 12}
    return InputSpec((L, C), H * C, "forecast", nn.ReLU, nn.BatchNorm1d, domain="series", more=more)


def made(name: str, given: InputSpec, seed: int = 0, **params: object) -> nn.Module:
    torch.manual_seed(seed)
    entry = FAMILIES[name]
    small = {k: v for k, v in SMALL.items() if k in entry.defaults}
    return entry.make(given, **entry.fill({**small, **params}))


def windows(rows: int = 4, covariates: int = 0, calendar: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    sizes = ((L, C), (L, covariates), (L + H, calendar))
    return tuple(torch.randn(rows, *size, generator=draw) for size in sizes)  # type: ignore[return-value]


def stirred(network: nn.Module) -> nn.Module:
    """Heads that start at nothing would hide what is behind them."""
    draw = torch.Generator().manual_seed(2)
    for p in network.parameters():
        p.data.add_(0.05 * torch.randn(p.shape, generator=draw))
    return network


def forms(name: str) -> list[dict[str, object]]:
    """The forms of a family: with channels mixed or alone, linear ones by their name."""
    if name == "series_linear":
        plain = [{"form": f, "individual": i} for f in ("nlinear", "dlinear", "rlinear") for i in (False, True)]
        return [*plain, {"form": "nlinear", "start": "season", "own": 0.5}, {"form": "rlinear", "start": "solved"}]
    return [{"mixing": m} for m in (True, False)] if "mixing" in FAMILIES[name].defaults else [{}]


EVERY = [pytest.param(n, f, id=f"{n}-{'-'.join(map(str, f.values()))}") for n in NAMES for f in forms(n)]


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_windows_become_one_row_of_steps_each(name: str, form: dict[str, object]) -> None:
    network = made(name, spec(2, 4), calendar=True, **form)
    assert network(*windows(4, 2, 4)).shape[-1] == H * C
    assert network.eval()(*windows(4, 2, 4)).shape == (4, H * C)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_every_weight_gets_a_finite_gradient(name: str, form: dict[str, object]) -> None:
    network = stirred(made(name, spec(2, 4), calendar=True, **form))
    network(*windows(4, 2, 4)).square().sum().backward()
    for label, p in network.named_parameters():
        assert p.grad is not None, label
        assert torch.isfinite(p.grad).all(), label
        assert p.grad.any(), label


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_network(name: str) -> None:
    a, b = (made(name, spec(), 3).state_dict() for _ in range(2))
    assert all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize(("name", "form"), [p for p in EVERY if "dlinear" not in p.id])
def test_a_window_that_is_shifted_gives_a_forecast_that_is_shifted(name: str, form: dict[str, object]) -> None:
    network = stirred(made(name, spec(), **form)).eval()
    past = windows()[0]
    torch.testing.assert_close(network(past + 3), network(past) + 3, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "series_linear"])
def test_a_window_that_is_scaled_gives_a_forecast_that_is_scaled(name: str) -> None:
    network = stirred(made(name, spec())).eval()
    past = windows()[0]
    torch.testing.assert_close(network(5 * past), 5 * network(past), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_channels_that_are_not_mixed_say_nothing_of_each_other(name: str) -> None:
    alone = {"mixing": False} if "mixing" in FAMILIES[name].defaults else {}
    network = stirred(made(name, spec(), **alone)).eval()
    past = windows()[0]
    changed = past.clone()
    changed[..., 0] += torch.randn(L)
    before, after = (network(x).view(-1, H, C) for x in (past, changed))
    torch.testing.assert_close(before[..., 1:], after[..., 1:])
    assert not torch.allclose(before[..., 0], after[..., 0])


def test_a_constant_window_is_forecast_without_nan() -> None:
    for name in NAMES:
        assert torch.isfinite(stirred(made(name, spec())).eval()(torch.full((2, L, C), 4.0))).all(), name


def test_covariates_and_the_calendar_say_nothing_at_first_and_can_learn_to() -> None:
    past, covariates, calendar = windows(4, 2, 4)
    plain, told = (made("series_linear", spec(2, 4), calendar=on) for on in (False, True))
    torch.testing.assert_close(plain(past, covariates, calendar), told(past, covariates, calendar))
    stirred(told)
    assert not torch.allclose(told(past, covariates, calendar), told(past, covariates, -calendar))
    assert not torch.allclose(told(past, covariates, calendar), told(past, -covariates, calendar))


def test_a_linear_network_recovers_a_linear_rule() -> None:
    network = made("series_linear", spec(), form="nlinear")
    draw = torch.Generator().manual_seed(0)
    rule = torch.randn(L, H, generator=draw) / L
    past = torch.randn(400, L, C, generator=draw)
    level = past[:, -1:]
    target = torch.einsum("blc,lh->bhc", past - level, rule) + level
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = (network(past) - target.flatten(1)).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


def test_a_linear_map_can_begin_as_the_mean_of_earlier_seasons() -> None:
    network = made("series_linear", spec(), form="nlinear", start="season").eval()
    past = windows()[0]
    expected = (past[:, :H] + past[:, 12 : 12 + H]) / 2  # two seasons of 12 steps, whose first H follow
    torch.testing.assert_close(network(past), expected.flatten(1))


def test_what_a_channel_has_of_its_own_costs_more_than_what_all_share() -> None:
    """The same change of all channels' maps, shared or each by itself: a penalty on weights prefers it shared."""
    shared, apart = (made("series_linear", spec(), own=0.25) for _ in range(2))
    with torch.no_grad():
        shared.core[1].change.fill_(0.25)  # type: ignore[index]
        apart.core[1].own.fill_(1.0)  # type: ignore[index]
    past = windows()[0]
    torch.testing.assert_close(shared(past), apart(past))
    cost = [float(L2(1.0)(network).detach()) for network in (shared, apart)]
    assert cost[1] == pytest.approx(cost[0] * C * 16)


def test_a_convolution_sees_the_whole_look_back_and_nothing_is_left_unseen() -> None:
    network = stirred(made("series_tcn", spec(), depth=0)).eval()
    past = windows(1)[0].requires_grad_()
    network.core(past.transpose(1, 2)).sum().backward()  # type: ignore[operator]
    assert past.grad is not None
    assert past.grad[0, 0].any()


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("series_linear", {"form": "xlinear"}, "no linear form"),
        ("series_linear", {"start": "zero"}, "no start 'zero'"),
        ("series_linear", {"own": -1.0}, "is negative"),
        ("series_linear", {"start": "season", "shrink": 0.1}, "draws a map that is solved"),
        ("series_mixer", {"centre": "middle"}, "can't be centred"),
        ("series_rnn", {"cell": "elman"}, "no cell 'elman'"),
        ("series_patch", {"width": 15, "heads": 4}, "don't share"),
        ("series_tcn", {"kernel": 1, "depth": 0}, "sees one step only"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, params: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        made(name, spec(), **params)


def test_a_season_longer_than_the_look_back_can_begin_nothing() -> None:
    given = spec()
    longer = replace(given, more={**given.more, "season": L + 1})
    with pytest.raises(RecipeError, match="No season of 25 steps fits into a look-back of 24"):
        made("series_linear", longer, start="season")


def facts(rows: int = 10_000, season: int = 12, covariates: int = 0, rate: float = 0.0, **more: float) -> Facts:
    """Of so many training windows; `rate`: windows a second, of which there are 100."""
    known = {"horizon": H, "season": season, "series": 1, "covariates": covariates, **more}
    return Facts("series", "forecast", rows, (L, C), H * C, seconds=100.0, rate=rate, more=known)


@pytest.mark.parametrize(
    ("given", "start"),
    [
        (facts(), "season"),
        (facts(rate=1_000.0), "season"),
        (facts(rows=1_000), "mean"),
        (facts(covariates=1), "mean"),
        (facts(season=L + 1), "solved"),
        (facts(shrink=0.1), "solved"),
        (facts(rate=100.0), "solved"),
    ],
    ids=["a season", "time", "few", "covariates", "no season", "a clear season", "no time"],
)
def test_many_windows_begin_at_their_season_or_at_their_least_squares(given: Facts, start: str) -> None:
    """Two passes after its season's mean a map of clean series was 1.7 times as far off as the linear baseline."""
    (found,) = series_recipes(given)
    assert found.recipe.family.params.get("start", "mean") == start
    drawn = found.recipe["family.shrink"] or start == "season"
    assert any(choice.name == "l2" for choice in found.recipe.regularise) == bool(drawn)
    others = {c.name: c.recipe for c in itertools.islice(near(found.recipe, 0), 20)}
    assert others["mlp"]["regularise.l2"] is None
    assert others["learned" if start == "solved" else "solved"]["family.start"] != start
    for recipe in (found.recipe, *others.values()):
        FAMILIES[recipe.family.name].make(spec(), **FAMILIES[recipe.family.name].fill(recipe.family.params))


def test_a_solved_map_that_is_drawn_to_its_season_lies_between_both() -> None:
    past = windows(2_000)[0]
    weights = torch.randn(L, H, generator=torch.Generator().manual_seed(3))
    ahead = (past.transpose(1, 2) @ weights).transpose(1, 2).flatten(1)
    season = made("series_linear", spec(), form="nlinear", start="season").core[1].start

    def line(strength: float) -> Tensor:
        network = made("series_linear", spec(), form="nlinear", start="solved", shrink=strength)
        network.begin_at(network.solved(ahead, past))
        return network.core[1].weight()[0].detach()

    torch.testing.assert_close(line(1e6), season, atol=1e-4, rtol=0)
    off = [float((line(strength) - season).norm()) for strength in (0.0, 0.1, 1.0, 10.0)]
    assert off == sorted(off, reverse=True)
    assert off[-1] > 0


def test_a_map_is_solved_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million windows at once would not fit into memory."""
    past, ahead = windows(50)[0], torch.randn(50, H * C, generator=torch.Generator().manual_seed(4))
    network = made("series_linear", spec(), start="solved")
    whole = network.solved(ahead, past)
    monkeypatch.setattr("whet.families.series_linear.PIECE", 7)
    torch.testing.assert_close(network.solved(ahead, past), whole)


@pytest.mark.parametrize("form", ["nlinear", "rlinear"])
def test_a_solved_map_begins_at_the_least_squares_of_training_windows(form: str) -> None:
    past = windows(200)[0]
    weights = torch.randn(L, H, generator=torch.Generator().manual_seed(3))
    network = made("series_linear", spec(), form=form, start="solved")
    _, middle, _ = network.instance(past.transpose(1, 2))
    ahead = ((past.transpose(1, 2) - middle) @ weights + middle).transpose(1, 2).flatten(1)  # (n, H C)
    gap = ahead.clone()
    gap[7, 3] = float("nan")
    assert network.solved(gap, past, *windows(200)[1:]).isfinite().all()
    network.begin_at(network.solved(ahead, past, *windows(200)[1:]))
    torch.testing.assert_close(network.eval()(*windows(200)), ahead, atol=2e-2, rtol=0)


def test_only_maps_of_centred_windows_begin_solved() -> None:
    with pytest.raises(RecipeError, match="centred"):
        made("series_linear", spec(), form="dlinear", start="solved")
