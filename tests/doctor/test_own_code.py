"""Losses, steps and networks that somebody wrote by hand: what losses aim at, whether steps move anything, what is seen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import moons, net, regression, setup
from torch import Tensor, nn
from torch.nn import functional as F

import whet
from whet.diagnosis.aims import aim
from whet.diagnosis.dependence import jumps, unseen
from whet.diagnosis.evidence import Aim
from whet.diagnosis.examine import before
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.output import ASTRAY, HEARD
from whet.diagnosis.verdict import CERTAIN
from whet.doctor import LIKELY, WORTH, border, choices, need_of
from whet.plans import together
from whet.record import Finding
from whet.remedies.network import draw_weights
from whet.setups import Course, Point, Setup
from whet.setups.code import code_of
from whet.setups.criteria import recognise
from whet.setups.lengths import adams_rate, usual_rate
from whet.setups.operations import Scale, ScaleInputs
from whet.setups.widths import Widen


def steps(*order: str, factor: float = 1.0) -> Any:
    """A training step that does these, in this order, after the forward pass."""

    def step(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        value: Tensor = loss(model(batch[0]), batch[1])
        for what in order:
            if what == "backward":
                (factor * value).backward()
            elif what == "clear":
                optimizer.zero_grad()
            elif what == "step":
                optimizer.step()
        return value

    return step


def by_hand(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    """A step without an optimiser's."""
    value: Tensor = loss(model(batch[0]), batch[1])
    gradients = torch.autograd.grad(value, list(model.parameters()))
    with torch.no_grad():
        for p, g in zip(model.parameters(), gradients, strict=True):
            p -= 0.1 * g
    return value


def first_of(given: Setup) -> tuple[str, str]:
    found = judge(before(given))
    return (found[0].name, found[0].code) if found else ("", "")


# -- steps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "code"),
    [(("clear", "backward"), "FRZ"), (("backward", "clear", "step"), "ZGR")],
    ids=["never", "cleared"],
)
def test_a_step_that_moves_no_weight_is_named_and_mended(order: tuple[str, ...], code: str) -> None:
    """Both were taken for rates that are too low, and no rate helps."""
    given = setup(step=steps(*order))
    assert first_of(given) == ("a step that changes nothing", code)
    mended = whet.repair(given)
    assert [e.path for e in mended.edits] == ["step"]
    assert mended.train(5).value > 0.9


@pytest.mark.parametrize("step", [steps("clear", "backward", "step"), by_hand], ids=["usual", "by hand"])
def test_steps_that_move_weights_are_left_alone(step: Any) -> None:
    names = {f.name for f in judge(before(setup(step=step)))}
    assert not names & {"a step that changes nothing", "steps that go uphill"}


def test_a_sign_that_is_wrong_is_named_and_mended() -> None:
    given = setup(step=steps("clear", "backward", "step", factor=-1.0))
    assert first_of(given)[0] == "steps that go uphill"
    most = setup(optimizer=lambda p: torch.optim.Adam(p, lr=5e-3, maximize=True))
    assert first_of(most)[0] == "steps that go uphill"
    mended = whet.repair(most)
    assert [e.path for e in mended.edits] == ["maximize"]
    assert mended.train(5).value > 0.9


# -- losses ------------------------------------------------------------------------------------------------------------


def aimed(loss: Any, outputs: Tensor, y: Tensor, classes: bool) -> Aim:
    return aim(loss, outputs, y, recognise(loss, outputs, y), classes)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def pinball(z: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(0.9 * (y - z), -0.1 * (y - z)).mean()


COUNTS = torch.poisson(torch.full((200, 1), 4.0), generator=torch.Generator().manual_seed(1))
KINDS = torch.arange(200) % 4


@pytest.mark.parametrize(
    ("loss", "astray"),
    [
        (nn.PoissonNLLLoss(log_input=True), True),
        (nn.PoissonNLLLoss(log_input=False), False),
        (pinball, False),
        (lambda z, y: (z - y).cosh().log().mean(), False),
        (lambda z, y: (z - 2 * y).square().mean(), True),
    ],
    ids=["logarithms", "counts", "quantile", "log-cosh", "twice the target"],
)
def test_a_loss_of_values_whose_best_answers_are_wrong_is_found(loss: Any, astray: bool) -> None:
    assert (aimed(loss, drawn(200, 1), COUNTS, classes=False).astray > ASTRAY) is astray


def weighted(*weights: float) -> Any:
    return lambda z, y: F.cross_entropy(z, y, weight=torch.tensor(weights))


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (weighted(1, 1, 1, 1e-4), "deaf"),
        (weighted(1, 2, 0.5, 3), ""),
        (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.97), "astray"),
        (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), ""),
        (nn.MultiMarginLoss(), ""),
        (lambda z, y: -F.nll_loss(z, y), "astray"),
    ],
    ids=["one class unheard", "weights", "smoothed away", "smoothed", "margin", "wrong sign"],
)
def test_a_loss_of_classes_that_does_not_want_the_right_answers_is_found(loss: Any, found: str) -> None:
    of = aimed(loss, drawn(200, 4), KINDS, classes=True)
    assert ("astray" if of.astray > ASTRAY else "deaf" if of.heard < HEARD else "") == found


def test_weights_that_make_up_for_rare_classes_leave_each_heard() -> None:
    rare = (torch.arange(400) % 100 == 0).long()
    assert aimed(weighted(1, 99), drawn(400, 2), rare, classes=True).heard > 0.9


def test_a_loss_that_likes_wrong_answers_is_exchanged() -> None:
    given = setup(loss=lambda z, y: F.cross_entropy(z, y, label_smoothing=0.99))
    assert first_of(given) == ("a loss that prefers other answers", "LCH")
    assert choices(given, before(given), judge(before(given))[0]) == ("loss: unknown -> cross_entropy",)


def test_values_compared_with_every_other_are_compared_row_by_row_whatever_the_loss_does_to_shapes() -> None:
    """Outputs were given the targets' shape, which a loss that takes one away itself undid."""
    given = regression(loss=lambda z, y: F.mse_loss(z, y[:, 0]), epochs=15)
    with pytest.warns(UserWarning, match="target size"):
        mended = whet.repair(given)
    assert [e.new for e in mended.edits] == ["row by row"]


# -- scales ------------------------------------------------------------------------------------------------------------


def test_series_are_scaled_by_feature_whichever_axis_it_is() -> None:
    """Those of (rows, time, feature) had one scale for all their features at a time."""
    series = drawn(100, 12, 2) * torch.tensor([1000.0, 0.1]) + torch.tensor([5e4, 0.0])
    for x, axis in ((series, 2), (series.transpose(1, 2), 1)):
        scale = Scale.of(x)
        assert scale.mean.shape[axis - 1] == 2
        scaled = (x - scale.mean) / scale.spread
        assert scaled.std([i for i in range(3) if i != axis]).tolist() == pytest.approx([1.0, 1.0], rel=0.01)


class Beside(nn.Module):
    """Numbers, and a vector for the kind."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds, self.net = nn.Embedding(3, 4), nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 2))

    def forward(self, x: Tensor, kind: Tensor) -> Tensor:
        return self.net(torch.cat([x, self.kinds(kind)], 1))


def test_numbers_beside_other_inputs_are_looked_at_and_scaled() -> None:
    """Two inputs were taken for inputs without a scale."""
    (x, y), (xv, yv) = moons(), moons(300, 1)
    kinds = torch.zeros(600, dtype=torch.int64)
    given = setup(model=Beside, train=((3e4 * x + 1e5, kinds), y), val=((3e4 * xv + 1e5, kinds[:300]), yv))
    assert first_of(given)[0] == "unscaled inputs"
    mended = whet.repair(given)
    assert [e.path for e in mended.edits] == ["inputs"]
    assert mended.train(5).value > 0.9
    assert "ScaleInputs.of(*X)" in mended.as_code()


def test_twins_share_a_scale_and_what_is_yes_or_no_has_none() -> None:
    a, b = 100 * drawn(50, 3), 100 * drawn(60, 3)[:50] + 7
    twins = ScaleInputs.of(a, b).scales
    assert twins[0] is not None
    assert twins[0] is twins[1]
    assert torch.equal(twins[0].mean, torch.cat([a, b]).mean(0))
    edges, kinds = (drawn(50, 4, 4) > 0).float(), torch.zeros(50, dtype=torch.int64)
    assert [scale is None for scale in ScaleInputs.of(a, edges, kinds).scales] == [False, True, True]


# -- what a network sees -----------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Attention over six places, read at the last one."""

    def __init__(self, ahead: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(5, 8)
        self.body = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
        mask = torch.full((6, 6), float("-inf")).triu(1)
        self.mask = mask.T.clone() if ahead else mask

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.words(x), src_mask=self.mask)[:, -1]


class Part(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :2]


def test_a_mask_the_wrong_way_round_hides_inputs() -> None:
    x = torch.randint(0, 5, (40, 6), generator=torch.Generator().manual_seed(0))
    assert unseen(Reader(ahead=True), (x,)) == pytest.approx(5 / 6)
    assert unseen(Reader(ahead=False), (x,)) == 0


def test_columns_that_are_cut_away_are_not_seen_and_those_that_never_vary_do_not_count() -> None:
    x = torch.cat([drawn(40, 4), torch.ones(40, 3)], 1)
    cut = nn.Sequential(Part(), nn.Linear(2, 3))
    assert unseen(cut, (x,)) == pytest.approx(2 / 4)
    assert unseen(nn.Linear(7, 3), (x,)) == 0
    x, y = moons()
    wide = torch.cat([torch.randn(600, 3, generator=torch.Generator().manual_seed(1)), x], 1)
    given = setup(
        model=lambda: nn.Sequential(Part(), nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2)),
        train=(wide, y),
        val=(wide, y),
    )
    assert first_of(given) == ("inputs that no answer depends on", "LRM")


class Sine(nn.Module):
    def __init__(self, pace: float) -> None:
        super().__init__()
        self.pace = pace

    def forward(self, x: Tensor) -> Tensor:
        return (self.pace * x).sin()


def test_functions_that_turn_too_fast_are_found_and_tamed() -> None:
    fast = regression(model=net(lambda: Sine(60.0), outputs=1))
    assert first_of(fast) == ("answers that jump", "ACH")
    assert jumps(net(lambda: Sine(1.5), outputs=1)(), (drawn(64, 2),)) < 0.1
    mended = whet.repair(fast)
    assert [e.path for e in mended.edits] == ["init"]
    assert mended.train(5).value > 0.9


def test_looking_for_what_is_seen_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2)).train()
    x, state = drawn(40, 2), torch.get_rng_state()
    unseen(model, (x,))
    jumps(model, (x,))
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


# -- what the course says ----------------------------------------------------------------------------------------------


def course_of(pairs: list[tuple[float, float]], losses: list[float]) -> Course:
    points = [
        Point(i + 1, 10 * i, loss, a, b, loss) for i, ((a, b), loss) in enumerate(zip(pairs, losses, strict=True))
    ]
    return Course(points, first_loss=1.1, steps=100)


def names_of(given: Setup, pairs: list[tuple[float, float]], losses: list[float]) -> list[str]:
    return [f.name for f in judge(replace(before(given), course=course_of(pairs, losses)))]


def test_a_network_that_answered_others_better_than_its_own_rows_has_wrong_labels() -> None:
    """Such labels were called over-fitting where neighbours say nothing."""
    flat = [0.9] * 5
    noisy = [(0.53, 0.74), (0.54, 0.74), (0.57, 0.65), (0.8, 0.56), (0.93, 0.53)]
    assert "label noise" in names_of(setup(), noisy, flat)
    assert "label noise" not in names_of(setup(), [(b, a) for a, b in noisy[:2]] + noisy[2:], flat)
    assert "label noise" not in names_of(setup(), [noisy[0], *noisy[2:], noisy[4]], flat)  # once is chance


def test_a_loss_that_still_falls_is_seen_after_two_epochs_and_not_asked_for_where_rows_are_known_by_heart() -> None:
    """A training of fewer than five epochs was never called unfinished."""
    assert "still improving" in names_of(setup(), [(0.5, 0.5), (0.6, 0.6)], [1.0, 0.8])
    assert "still improving" not in names_of(setup(), [(0.5, 0.5), (0.6, 0.6)], [1.0, 0.99])
    sure = [
        f.confidence
        for val in (0.9, 0.3)
        for f in judge(replace(before(setup()), course=course_of([(0.5, 0.3), (0.93, val)], [1.0, 0.5])))
        if f.name == "still improving"
    ]
    assert sure[1] == pytest.approx(0.5 * sure[0], abs=0.01)


# -- what it cost ------------------------------------------------------------------------------------------------------


def test_what_a_repair_took_and_how_long_the_repaired_training_takes_is_said() -> None:
    short = whet.repair(setup(epochs=1, optimizer=lambda p: torch.optim.Adam(p, lr=2e-3)))
    assert any(e.path == "epochs" for e in short.edits)
    assert short.longer > 3
    assert f"takes {short.longer:.2g} times that of the other" in str(short)
    healthy = whet.repair(setup())
    assert healthy.took == ()


# -- what is made first and called last --------------------------------------------------------------------------------


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)
        self.body = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def test_layers_are_read_in_the_order_of_their_calls() -> None:
    """A head that is made before the body was taken for a hidden layer, and the body's last one for the head."""
    e = before(setup(model=HeadFirst))
    assert [x.path for x in e.start.layers] == ["body.0", "body.2", "head"]
    mended = Widen("body.2", 8)(HeadFirst())
    assert mended(torch.zeros(3, 2)).shape == (3, 2)


def test_a_rate_is_not_raised_to_where_no_rate_is_of_use() -> None:
    """Where no gradient came back, a rate of 1,000 was tried."""
    assert usual_rate(0.1, 1e-9, "SGD", 500) == 10
    assert usual_rate(1e-3, 1e-9, "Adam", 500) == 0.1
    assert usual_rate(50.0, 1e-3, "SGD", 500) == 50


class Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


def test_norms_that_begin_with_odd_gains_are_brought_back_with_the_weights() -> None:
    """All numbers forty times as large: the weights were drawn anew, and the norms kept theirs."""

    def model() -> nn.Module:
        made = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 2))
        nn.init.zeros_(made[3].weight)  # type: ignore[arg-type]
        nn.init.constant_(made[1].weight, 40.0)  # type: ignore[arg-type]
        return made

    given = setup(model=model)
    need = need_of(given, before(given), Finding("initial weights far too large", "", confidence=0.9))
    drawn = draw_weights(need)
    assert "UsualNorms" in code_of(drawn)
    gains = [m.weight.detach().mean().item() for m in drawn.fresh(0).modules() if isinstance(m, nn.LayerNorm)]
    assert gains == [1.0, 0.0]
    usual = setup()
    assert "UsualNorms" not in code_of(draw_weights(need_of(usual, before(usual), need.finding)))


def ended_at(given: Setup, value: float, best: float, *, guess: float = 0.5) -> float:
    """The border for a training that reached `value` where the best simple method reaches `best`."""
    course = course_of([(value, value)] * 5, [0.4, 0.39, 0.389, 0.388, 0.387])
    return border(replace(before(given), course=course, yardsticks={"guess": guess, "linear": best}))


def test_a_training_is_held_against_a_mended_one_the_sooner_the_less_it_reaches() -> None:
    """At chance where simple methods are too, or a little behind them with a likely cause, none was."""
    squares = setup(model=net(Exponential, depth=3))
    assert ended_at(squares, 0.52, 0.52) == WORTH  # at chance, as all are
    assert ended_at(squares, 0.83, 0.91) == WORTH  # a little behind, and a likely cause
    assert ended_at(setup(), 0.83, 0.91) == CERTAIN  # ten points are lacking, and no cause is likely
    assert ended_at(squares, 0.95, 0.91) == math.inf
    assert ended_at(squares, 0.7, 0.65) == LIKELY  # it could be far better


# -- in which order, and how far ---------------------------------------------------------------------------------------


def test_a_rate_under_three_names_is_one_cause_and_leaves_room_for_another() -> None:
    """Two names of steps that are too short took both places, and targets in cents stayed."""
    found = [
        Finding("optimiser too slow", "", confidence=0.95, code="OCH"),
        Finding("learning rate too low", "", confidence=0.87, code="HLR"),
        Finding("unscaled targets", "", confidence=0.85, code="CPP"),
    ]
    assert [f.code for f in together(found)] == ["OCH", "CPP"]


def test_a_batch_of_all_rows_is_mended_before_the_few_steps_that_come_of_it() -> None:
    assert first_of(setup(batch_size=600, epochs=10)) == ("batch too large", "HBS")
    assert first_of(setup(batch_size=600, epochs=2))[0] == "too few steps"
    assert judge(before(setup(batch_size=600, epochs=200)))[0].confidence < 0.7  # steps enough to learn something


def test_short_trainings_get_longer_steps_and_long_ones_the_usual_ones() -> None:
    rates = [adams_rate(steps) for steps in (50, 500, 5000)]
    assert rates[0] > rates[1] > rates[2] == 1e-3
