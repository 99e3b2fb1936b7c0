"""What augmentation does to windows: in training only, past and future alike, by the batch's generator."""

import pytest
import torch
from torch import Tensor

from whet.augment import AUGMENTS
from whet.augment.series import Reshaping, evened
from whet.errors import RecipeError
from whet.families import FAMILIES
from whet.fields import field
from whet.recipe import Choice

NAMES = [e.name for e in AUGMENTS if "series" in e.domains]


def batch() -> tuple[Tensor, Tensor]:
    """Past (6, 24, 2) of very different spreads, and what follows (6, 8 * 2)."""
    draw = torch.Generator().manual_seed(0)
    whole = torch.randn(6, 32, 2, generator=draw).cumsum(1) * torch.logspace(-1, 1, 6).view(6, 1, 1) + 5
    return whole[:, :24], whole[:, 24:].flatten(1)


def changed(name: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    prepare = field("series").preparing(None, None, (Choice(name),))  # type: ignore[arg-type]
    past, target = batch()
    inputs, target = prepare((past, torch.empty(6, 24, 0)), target, torch.Generator().manual_seed(seed))
    return inputs[0], target


@pytest.mark.parametrize("name", NAMES)
def test_windows_keep_their_shape_and_depend_on_the_generator_alone(name: str) -> None:
    past, target = changed(name)
    assert (past.shape, target.shape) == ((6, 24, 2), (6, 16))
    assert not torch.equal(past, batch()[0])
    torch.rand(1)
    assert all(torch.equal(a, b) for a, b in zip((past, target), changed(name), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes_without_a_generator(name: str) -> None:
    prepare = field("series").preparing(None, None, (Choice(name),))  # type: ignore[arg-type]
    past, target = batch()
    inputs, same = prepare((past,), target, None)
    assert inputs[0] is past
    assert same is target


def test_evened_windows_weigh_errors_by_their_spread() -> None:
    past, target = batch()
    future = target.view(6, 8, 2)
    x, y = evened(past, future, 0.5)
    spread = past.std(1, keepdim=True)
    torch.testing.assert_close(y - x[:, -1:], (future - past[:, -1:]) / spread.sqrt())
    torch.testing.assert_close(evened(past, future, 1.0)[0].std(1), torch.ones(6, 2))


def test_a_network_that_undoes_its_scaling_sees_only_the_weight() -> None:
    from test_forecast_networks import C, H, made, spec, stirred, windows

    network = stirred(made("series_linear", spec())).eval()
    past = windows()[0]
    future = torch.randn(len(past), H, C)
    plain = network(past).view(-1, H, C) - future
    x, y = evened(past, future, 1.0)
    torch.testing.assert_close(network(x).view(-1, H, C) - y, plain / past.std(1, keepdim=True), atol=1e-3, rtol=1e-3)


def test_a_masked_window_keeps_its_mean_and_loses_energy() -> None:
    past, target = batch()
    x, y = Reshaping(mask=0.5)(past, target, torch.Generator().manual_seed(0))
    before, after = (torch.cat([a, b.view(6, 8, 2)], 1) for a, b in ((past, target), (x, y)))
    torch.testing.assert_close(before.mean(1), after.mean(1))
    assert (after.var(1) <= before.var(1) + 1e-4).all()
    assert (after.var(1) < before.var(1) - 1e-4).any()


def test_an_augmentation_of_images_is_refused() -> None:
    with pytest.raises(RecipeError, match="flip does not change windows of series"):
        field("series").preparing(None, None, (Choice("flip"),))  # type: ignore[arg-type]


def test_every_family_of_series_is_known() -> None:
    assert {e.name for e in FAMILIES if "series" in e.domains} == {
        "series_linear", "series_mlp", "series_mixer", "series_tcn", "series_rnn", "series_patch",
    }  # fmt: skip
