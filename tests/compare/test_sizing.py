"""The budget becomes a length of training that is the same for all arms."""

import pytest

from whet.comparing.sizing import MARGIN, SHRINKS, TUNING_SHARE, WORKERS_START, Cost, Layout, Size, again, size_for
from whet.errors import BudgetError
from whet.search import rates
from whet.train.loop import VALIDATIONS

CHEAP, DEAR = Cost(0.1, 0.01, 0.02, 0.2), Cost(0.1, 0.03, 0.02, 0.2)
LAYOUT = Layout(arms=2, seeds=5, tuned=True)


def seconds_of(size: Size, costs: list[Cost], layout: Layout) -> float:
    """What everything takes, added up training by training."""
    total = 0.0
    for cost in costs:
        for share, count in ((1.0, layout.seeds), (TUNING_SHARE, layout.tuning)):
            length = (
                size.steps * share * cost.step + VALIDATIONS * cost.validation if size.steps else size.seconds * share
            )
            total += count * (cost.start + length)
    test = sum(layout.seeds * cost.test for cost in costs) + (WORKERS_START if layout.workers > 1 else 0)
    return total / layout.workers + test


@pytest.mark.parametrize("by", ["steps", "seconds"])
@pytest.mark.parametrize("workers", [1, 2])
def test_all_trainings_together_fill_the_budget(by: str, workers: int) -> None:
    layout = Layout(2, 5, True, workers)
    size = size_for(100.0, [CHEAP, DEAR], layout, by, 0, [1, 1])
    assert seconds_of(size, [CHEAP, DEAR], layout) == pytest.approx(MARGIN * 100, rel=0.02)


def test_a_recipe_that_is_done_early_leaves_the_rest_of_the_budget() -> None:
    size = size_for(1000.0, [CHEAP, CHEAP], LAYOUT, "steps", 150, [1, 1])
    assert size.steps == 150
    assert "done after 150 steps" in size.why
    by_clock = size_for(1000.0, [CHEAP, CHEAP], LAYOUT, "seconds", 150, [1, 1])
    assert by_clock.seconds == pytest.approx(150 * CHEAP.step + VALIDATIONS * CHEAP.validation)


@pytest.mark.parametrize("by", ["steps", "seconds"])
def test_a_short_budget_is_refused_with_one_that_is_enough(by: str) -> None:
    with pytest.raises(BudgetError, match="too short for 5 seeds x 2 arms") as caught:
        size_for(5.0, [CHEAP, DEAR], LAYOUT, by, 0, [1, 1], spent=2.0)
    least = float(str(caught.value).split("--budget ")[1].split("s")[0])
    assert size_for(least - 2.0, [CHEAP, DEAR], LAYOUT, by, 0, [1, 1], spent=2.0)


def test_arms_with_larger_batches_take_fewer_steps_for_the_same_rows() -> None:
    assert Size(100).of(0.5).steps == 50
    alone = size_for(100.0, [CHEAP, CHEAP], LAYOUT, "steps", 0, [1, 1]).steps
    assert size_for(100.0, [CHEAP, CHEAP], LAYOUT, "steps", 0, [1, 0.5]).steps > alone


def test_after_tuning_the_size_follows_what_trainings_really_cost() -> None:
    planned = size_for(100.0, [CHEAP, DEAR], LAYOUT, "steps", 0, [1, 1])
    short = planned.of(TUNING_SHARE).steps
    took = [VALIDATIONS * c.validation + short * c.step for c in (CHEAP, DEAR)]
    spent = rates.TRIALS * (sum(took) + 2 * CHEAP.start)
    same = again(100.0 - spent, [CHEAP, DEAR], took, LAYOUT, planned, 0, [1, 1])
    assert same.steps == pytest.approx(planned.steps, rel=0.15)
    slower = again(100.0 - spent, [CHEAP, DEAR], [2 * t for t in took], LAYOUT, planned, 0, [1, 1])
    assert slower.steps < 0.6 * same.steps


def test_however_slow_the_machine_becomes_a_part_of_the_length_stays() -> None:
    planned = size_for(100.0, [CHEAP, DEAR], LAYOUT, "steps", 0, [1, 1])
    assert again(1.0, [CHEAP, DEAR], [50.0, 50.0], LAYOUT, planned, 0, [1, 1]).steps == int(SHRINKS * planned.steps)
