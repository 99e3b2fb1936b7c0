"""Trainings of an unusual form: steps by hand, loaders without a length, embeddings, layers in common, complex weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from cases import adam, moons, net, setup
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, RandomSampler, TensorDataset

import whet
from whet import repairing
from whet.attempts import Attempt
from whet.diagnosis.evidence import Evidence
from whet.diagnosis.examine import before, examine
from whet.diagnosis.first_steps import moves
from whet.diagnosis.rules import judge
from whet.diagnosis.rules.measures import planned
from whet.diagnosis.rules.shape import in_a_row
from whet.diagnosis.verdict import Harm, harm
from whet.doctor import hopeless, need_of
from whet.record import Finding
from whet.remedies.steps import adam as usual_adam
from whet.repairing import prove, tried_out
from whet.setups import Course, Point, Setup, train
from whet.setups.work import Purse, cost_of


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def names(e: Evidence) -> list[str]:
    return [f.name for f in judge(e)]


# -- loaders -----------------------------------------------------------------------------------------------------------


class Stream(IterableDataset[Any]):
    """The half circles, without a length."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, y = moons()
        for i in torch.randperm(len(y)):
            yield x[i], y[i]


def sampled() -> Setup:
    """A loader that gives 640 of 20,000 rows an epoch."""
    rows = TensorDataset(*moons(20_000))
    loader = DataLoader(rows, batch_size=32, sampler=RandomSampler(rows, num_samples=640))
    return setup(train=loader, optimizer=adam(1e-6), epochs=20)


def test_a_loader_that_does_not_say_how_long_it_is_is_repaired() -> None:
    """It was a division by zero."""
    found = whet.repair(setup(train=DataLoader(Stream(), batch_size=32), optimizer=adam(1e-6), epochs=12))
    assert found.train(5).value > 0.95


def test_an_epoch_is_as_long_as_the_loader_makes_it_and_not_as_its_dataset() -> None:
    """It was taken for 31 times as long, and each attempt was cut off, and asked for more epochs: 4,860 of them in the end."""
    given = sampled()
    e = before(given)
    assert planned(e) == 20 * 20
    origin = Attempt(given, examine(given, first=e), Harm("still"))
    one = cost_of(given).of(origin.found.trained.course)
    mended = tried_out(given.edited(optimizer=adam(5e-3)), (), 0, Purse(1.5, one), origin)
    assert mended.found.trained.course.last is not None
    assert mended.found.trained.course.last.epoch == given.epochs
    assert not mended.cut


def test_what_the_budget_cut_off_is_not_asked_for_more_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    given = setup(optimizer=adam(1e-6), epochs=6)
    origin = Attempt(given, examine(given), Harm("still"))
    asked = []

    def cut_off(candidate: Setup, stages: Any, *_: Any) -> Attempt:
        asked.append(candidate.epochs)
        return Attempt(candidate, origin.found, Harm("still"), stages, cut=True)

    monkeypatch.setattr(repairing, "tried_out", cut_off)
    purse = Purse(100.0, 1.0)
    repairing.search(origin, 0, purse)
    longer = [at for at, epochs in enumerate(asked) if epochs > min(asked[: at + 1])]
    assert len(asked) > 1
    assert not longer
    assert purse.refused


# -- proofs ------------------------------------------------------------------------------------------------------------


def test_a_proof_trains_what_was_given_to_its_end_unless_it_stands_still_there_as_well() -> None:
    """Cut off at a third by bad luck with the first seed, it was a third on all seeds."""
    given = setup(epochs=12)
    first = before(given)
    cut = Attempt(given, examine(given, first=first, epochs=4), Harm("still"))
    best = Attempt(given, examine(given, first=first), Harm())
    proof = prove(cut, best, 0, Purse(4.0, cost_of(given).of(best.found.trained.course)))
    assert len(proof.seeds) > 1
    assert proof.before[1:] == proof.after[1:]


def test_the_price_of_a_proof_is_that_of_whole_trainings_though_the_first_one_broke_at_once() -> None:
    given = setup(epochs=12)
    first = before(given)
    broke = examine(given, first=first, epochs=1)
    broke.trained.course = Course(first_loss=0.7, steps=1, broke=1)
    best = Attempt(given, examine(given, first=first), Harm())
    one = cost_of(given).of(best.found.trained.course)
    assert len(prove(Attempt(given, broke, Harm("broke")), best, 0, Purse(1.5, one)).seeds) == 1


# -- steps -------------------------------------------------------------------------------------------------------------


def descent(rate: float) -> Any:
    return lambda p: torch.optim.SGD(p, lr=rate)


def by_hand(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
    value: Tensor = loss(model(batch[0]), batch[1])
    model.zero_grad()
    value.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad  # type: ignore[operator]
    return value


def test_a_step_by_hand_is_as_long_as_the_plain_one_and_taken_once() -> None:
    """It was repeated 64 times, because this optimiser never stepped, and measured as one step: 64 times too long."""
    calls = []

    def counted(*args: Any) -> Tensor:
        calls.append(1)
        return by_hand(*args)

    plain = moves(setup(optimizer=descent(0.1)), 0)
    assert moves(setup(optimizer=descent(0.1), step=counted), 0) == pytest.approx(plain)
    assert len(calls) == 1


def test_two_steps_on_a_batch_are_two_and_a_step_that_fails_is_none() -> None:
    def twice(model: nn.Module, batch: Any, loss: Any, optimizer: Any) -> Tensor:
        for _ in range(2):
            optimizer.zero_grad()
            value: Tensor = loss(model(batch[0]), batch[1])
            value.backward()
            optimizer.step()
        return value

    def over(*_: Any) -> Tensor:
        raise ValueError("Tried to step 65 times. The total number of steps is 64.")

    plain = moves(setup(optimizer=descent(0.01)), 0)
    assert moves(setup(optimizer=descent(0.01), step=twice), 0) == pytest.approx(plain, rel=0.1)
    assert moves(setup(step=over), 0) == {}


# -- answers that the loss does not hear -------------------------------------------------------------------------------


class Embedding(nn.Module):
    """Classes behind a rectifier, and the vector that they come from."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(2, 24), nn.Linear(24, 24), nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        z = self.b(self.a(x).relu())
        return torch.cat([self.head(z.relu()), z], 1)


def of_classes(said: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(said[:, :2], y)


def nearest(said: Tensor, y: Tensor) -> float:
    """Of each row's vector, whether the nearest other one's is of its class."""
    far = torch.cdist(said[:, 2:], said[:, 2:]).fill_diagonal_(torch.inf)
    return float((y[far.argmin(1)] == y).float().mean())


def test_vectors_that_are_taught_by_classes_behind_a_dead_unit_are_heard() -> None:
    """One unit that was dead from the start counted as weights that nothing teaches: 0.99 was called sick."""

    def near_dead() -> nn.Module:
        model = Embedding()
        with torch.no_grad():
            model.b.bias[:3] = -50
        return model

    e = examine(setup(model=near_dead, loss=of_classes, metric=nearest)).evidence
    assert e.value > 0.95
    assert e.unheard == 0
    assert "outputs that the loss does not hear" not in names(e)
    assert not harm(e)


def test_outputs_that_nobody_teaches_and_that_serve_the_metric_well_are_a_note() -> None:
    e = replace(before(setup(metric=nearest, model=Embedding, loss=of_classes)), unheard=0.5)
    course = Course([Point(k, 10 * k, 0.5 / k, 0.99, 0.99, 0.5) for k in (1, 2)], first_loss=0.7, steps=500)
    e = replace(e, yardsticks={"guess": 0.5, "start": 0.9}, course=course)
    assert harm(e)
    known = replace(e, informed=0.5)
    assert "outputs that the loss does not hear" in names(known)
    assert not harm(known)


# -- layers in common, a fresh network that is good by luck, complex weights ------------------------------------------


def test_places_in_a_row_are_those_of_one_container() -> None:
    assert in_a_row(("2", "4", "6"))
    assert in_a_row(("body.1.0", "body.2.0"))
    for paths in (("tower1", "tower2"), ("tower1.0", "tower2.0"), ("0", "9"), ("a.0", "b.0"), ("a.0.1", "a.1.2")):
        assert not in_a_row(paths)


class Shared(nn.Module):
    """One layer passed three times, as it is meant in some networks."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 24), nn.Linear(24, 2)
        self.body = nn.ModuleList([nn.Linear(24, 24)] * 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        for layer in self.body:
            x = layer(x).relu()
        return self.last(x)


def ended(e: Evidence, value: float, known: dict[str, float]) -> Evidence:
    points = [Point(k, 10 * k, 0.7 - 0.04 * k, v, v, 0.6) for k, v in enumerate((value - 0.02, value - 0.01, value), 1)]
    return replace(e, yardsticks=known, course=Course(points, first_loss=0.7, steps=500))


def test_weights_in_common_speak_against_a_training_only_beside_one_with_weights_of_their_own() -> None:
    """A sound network slightly behind a simple method was sick for having them."""
    e = before(setup(model=Shared))
    known = {"guess": 0.5, "neighbours": 0.97}
    assert not harm(ended(e, 0.91, known | {"mended": 0.92}))
    assert harm(ended(e, 0.75, {"guess": 0.5, "mended": 0.97}))


def right(said: Tensor, y: Tensor) -> float:
    return float((said.argmax(1) == y).float().mean())


def test_a_fresh_network_that_is_good_by_luck_is_no_yardstick_beside_the_same_answer_for_all() -> None:
    e = before(setup(metric=right))
    assert not harm(ended(e, 0.54, {"guess": 0.5, "start": 0.56, "mended": 0.52}))
    assert e.known == {}
    assert replace(e, yardsticks={"start": 0.5}).known == {"start": 0.5}


class Turned(nn.Module):
    """Complex weights."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.net = nn.Parameter(torch.randn(2, 24, dtype=torch.cfloat)), net()()
        self.head = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x.to(torch.cfloat) @ self.turn).abs())


def test_the_usual_optimiser_trains_complex_weights_too() -> None:
    given = setup(model=Turned, optimizer=lambda p: torch.optim.SGD(p, lr=1e-6), epochs=2)
    e = before(given)
    mended = usual_adam(need_of(given, e, Finding("optimiser too slow", "", confidence=0.9)))
    assert mended is not None
    assert train(mended).course.broke is None
    assert hopeless(Course(), mended, e) is False
