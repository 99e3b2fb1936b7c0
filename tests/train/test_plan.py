"""Plans: measured, remembered, and never more than a matter of speed."""

import time
from pathlib import Path

import pytest
import torch
from setups import SMALL, training, weights

from whet.train import plan as plans
from whet.train.loop import advance, train_step
from whet.train.plan import Plan, measure, micro_batch, saved_bytes


def test_the_fastest_of_the_tried_plans_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))

    def cost(plan: Plan) -> float:
        return 1e-3 * (1.0 - 0.3 * plan.bfloat16 - 0.2 * (plan.threads == 1) + 0.1 * plan.channels_last)

    found = measure(cost, Plan(threads=2), "a network")
    assert (found.threads, found.bfloat16, found.channels_last) == (1, True, False)
    assert found.milliseconds == pytest.approx(0.5)


def test_a_gain_within_the_noise_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    assert not measure(lambda plan: 1e-3 - 2e-5 * plan.bfloat16, Plan(), "another").bfloat16


@pytest.mark.parametrize(("limit", "milliseconds"), [(2.0, 200.0), (0.5, 300.0)])
def test_a_long_step_is_timed_again_where_the_limit_allows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: float, milliseconds: float
) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    calls: list[Plan] = []

    def cost(plan: Plan) -> float:
        calls.append(plan)
        return 0.3 if len(calls) == 1 else 0.2 if plan.channels_last else 0.4

    assert measure(cost, Plan(channels_last=True), "network", limit).milliseconds == milliseconds


def test_slow_steps_are_not_timed_beyond_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    calls: list[Plan] = []

    def cost(plan: Plan) -> float:
        calls.append(plan)
        return 5.0

    assert measure(cost, Plan(), "a slow network", limit=2.0) == Plan(milliseconds=5000.0)
    assert len(calls) == 1


def test_a_plan_is_measured_once_per_machine_and_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    calls: list[Plan] = []

    def cost(plan: Plan) -> float:
        calls.append(plan)
        return 1e-3

    first = measure(cost, Plan(), "network")
    count = len(calls)
    assert measure(cost, Plan(), "network") == first
    assert len(calls) == count + 1, "the plan is remembered, and how long a step takes now is measured"
    measure(cost, Plan(), "network of another shape")
    assert len(calls) == 2 * count + 1


def test_a_plan_found_beside_other_programs_does_not_slow_down_what_comes_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))

    def beside_others(plan: Plan) -> float:
        return 1e-3 * plan.threads * (1.0 - 0.3 * plan.bfloat16)

    def alone(plan: Plan) -> float:
        return 1e-3 / plan.threads

    found = measure(beside_others, Plan(threads=2), "network")
    assert (found.threads, found.bfloat16) == (1, True)
    found = measure(alone, Plan(threads=2), "network")
    assert (found.threads, found.bfloat16) == (2, True), "all but the threads is remembered"


def test_on_a_busy_machine_one_thread_is_tried_whatever_the_limit_and_not_remembered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))

    def cost(plan: Plan) -> float:
        time.sleep(0.01)  # threads that wait take no processor time
        return 4.0 / plan.threads**busy

    busy = -1
    assert measure(cost, Plan(threads=2), "network", limit=0.0) == Plan(threads=1, milliseconds=4000.0)
    busy = 1
    assert measure(cost, Plan(threads=2), "network", limit=0.0) == Plan(threads=2, milliseconds=2000.0)
    assert not (tmp_path / "plans.json").exists()


@pytest.mark.parametrize(("seconds", "calls"), [(0.04, 4), (0.15, 2), (0.6, 2), (1.2, 1)])
def test_the_longer_a_step_the_fewer_are_timed(monkeypatch: pytest.MonkeyPatch, seconds: float, calls: int) -> None:
    now = [0.0]
    monkeypatch.setattr(plans.time, "perf_counter", lambda: now[0])
    made: list[float] = []

    def step() -> None:
        now[0] += seconds
        made.append(now[0])

    assert plans.time_of_step(step, 0.08) == pytest.approx(seconds)
    assert len(made) == calls


def test_a_broken_cache_is_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHET_CACHE", str(tmp_path))
    for text in ("{not json", "[]", '{"x": 1}'):
        (tmp_path / "plans.json").write_text(text)
        assert measure(lambda plan: 1.0, Plan(), "network").milliseconds == 1000


def test_layout_and_fused_steps_change_results_by_rounding_only() -> None:
    plain, fast = training(SMALL, steps=3), training(SMALL, steps=3, plan=Plan(channels_last=True, fused=True))
    for one in (plain, fast):
        for _ in range(3):
            train_step(one)
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(weights(fast)[name].contiguous(), tensor, rtol=1e-3, atol=1e-4)


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with plans.running(Plan(threads=before + 1)):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_a_batch_that_does_not_fit_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "free_memory", lambda: 1000)
    assert micro_batch(bytes_per_row=1, rows=100) == 0
    assert micro_batch(bytes_per_row=10, rows=100) == 40
    assert micro_batch(bytes_per_row=10_000, rows=100) == 1


def test_saved_bytes_are_what_the_backward_pass_needs() -> None:
    x = torch.ones(1000, requires_grad=True)
    assert saved_bytes(lambda: x.sum()) == 0
    assert saved_bytes(lambda: (x * 2).exp().sum()) == 4000


def test_pieces_of_a_batch_learn_the_same_task() -> None:
    one = training(steps=120, plan=Plan(micro_batch=8))
    advance(one)
    assert one.best is not None
    assert one.best.score > 0.9


def test_a_plan_that_another_version_wrote_is_read() -> None:
    assert Plan.of({"threads": 3, "bfloat16": True, "a setting of another time": 1}) == Plan(threads=3, bfloat16=True)
