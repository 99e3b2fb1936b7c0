"""First recipes: sensible for every kind of data, size and time, and buildable all of them."""

import pytest

from whet.recipe import Choice, Recipe
from whet.search.first import (
    CHANGES,
    SPARED,
    Candidate,
    Facts,
    changed,
    flops,
    image_size,
    neighbours,
    passes_of,
    portfolio,
)


def facts(**changes: object) -> Facts:
    known = {"domain": "image", "goal": "classify", "n_train": 45_000, "shape": (3, 32, 32), "outputs": 10}
    return Facts(**{**known, "seconds": 250.0, "mirror": (4.0, -3.0), **changes})  # type: ignore[arg-type]


def widths(one: Facts) -> tuple[int, ...]:
    return portfolio(one)[0].recipe.family.params["widths"]  # type: ignore[return-value]


def test_more_time_never_gives_a_narrower_network() -> None:
    rate = flops((3, 32, 32), (64, 128, 256)) * 1000  # images per second on two cores
    chosen = [sum(widths(facts(seconds=s, rate=rate))) for s in (10, 60, 250, 800, 5000)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_with_time_for_many_passes_a_stage_has_a_third_convolution_and_batches_are_larger() -> None:
    rate = flops((3, 32, 32), (64, 256, 256), depth=3) * 1000  # images per second of that network

    def recipe(passes: float, **changes: object) -> Recipe:
        return portfolio(facts(rate=rate, seconds=45 * passes, **changes))[0].recipe

    short, long = recipe(11.9), recipe(12.1)
    assert (short["family.widths"], short["family.depth"]) == ((64, 256, 256), None)
    assert (long["family.widths"], long["family.depth"]) == ((64, 256, 256), 3)
    assert (short.batch_size, long.batch_size) == (256, 512)
    assert recipe(100, n_train=9_000)["family.depth"] is None, "few images"
    assert (
        "with three convolutions a stage, time for about 12 passes"
        in portfolio(facts(rate=rate, seconds=545))[0].because
    )


def test_the_work_of_a_network_is_that_of_its_convolutions() -> None:
    first, second = 24 * 64 * 31 * 31, 64 * 64 * 15.5 * 15.5
    assert flops((3, 32, 32), (64,)) == 9 * (first + second)
    assert flops((3, 32, 32), (64,), depth=3) == 9 * (first + 2 * second)
    deep = portfolio(facts())[0].recipe.put("family.depth", 3)
    assert facts().flops_of(deep) == flops((3, 32, 32), deep["family.widths"], depth=3)
    assert facts().at_speed(deep, 100.0).rate == facts().flops_of(deep) * deep.batch_size * 10


def test_where_convolutions_have_fewer_products_more_of_them_cost_less() -> None:
    """The first one, of a few channels, costs what it did: it weighs more in the narrow network, whose step is timed."""
    narrow = portfolio(facts())[0].recipe
    deep = narrow.put("family.widths", (64, 256, 256)).put("family.depth", 3)
    plain, fewer = (facts().at_speed(narrow, 100.0, fewer=one) for one in (False, True))
    many = deep["family.widths"]
    assert plain.flops_of(deep) == flops(plain.shape, many, depth=3)
    assert SPARED * plain.flops_of(deep) < fewer.flops_of(deep) < (SPARED + 0.05) * plain.flops_of(deep)
    assert 1.05 < passes_of(fewer, many, depth=3) / passes_of(plain, many, depth=3) < 1.2


def test_digits_are_not_mirrored_and_photographs_are() -> None:
    def flips(one: Facts) -> list[str]:
        return [c.name for c in portfolio(one)[0].recipe.augment if "flip" in c.name]

    assert flips(facts(mirror=(-2.0, -3.0), shape=(1, 8, 8), n_train=1200)) == []
    assert flips(facts()) == ["flip"]
    assert flips(facts(mirror=(-0.5, 0.3), n_train=1000)) == ["flip", "vertical_flip"]


def test_few_images_are_warped_only_where_there_is_time_to_learn_them_by_heart() -> None:
    rate = flops((3, 32, 32), (32, 64, 128)) * 1000

    def warps(seconds: float, rate: float = rate) -> set[str]:
        augment = portfolio(facts(n_train=2000, rate=rate, seconds=seconds))[0].recipe.augment
        return {c.name for c in augment} - {"flip", "crop"}

    assert passes_of(facts(n_train=2000, rate=rate, seconds=10.0), (32, 64, 128)) == pytest.approx(5.0)
    assert not warps(seconds=10.0)
    assert not warps(seconds=100.0), "clothes lose 1 to 5 points up to there"
    assert warps(seconds=130.0) == {"rotate", "zoom", "shift", "brightness", "contrast", "colour"}
    assert warps(seconds=10.0, rate=0.0), "while the speed is not known"


def test_a_network_of_the_users_own_sees_few_images_as_they_are_where_time_is_short() -> None:
    """Its speed is counted in rows a second."""

    def augment(passes: float) -> list[str]:
        own = facts(n_train=2000, rate=100.0, seconds=passes * 20, factory="mine.py:make")
        return [c.name for c in portfolio(own)[0].recipe.augment]

    assert augment(passes=8) == ["flip", "crop"]
    assert augment(passes=50) == ["flip", "crop"]
    assert "rotate" in augment(passes=65)


def test_a_race_needs_time_for_it() -> None:
    rate = flops((3, 32, 32), (64, 128, 256)) * 1000
    assert len(portfolio(facts(rate=rate))) == 1
    assert len(portfolio(facts(rate=rate, seconds=100_000.0))) > 1


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 64), (150, 150), (100, 300)])
def test_large_images_are_made_smaller_and_keep_their_shape(size: tuple[int, int]) -> None:
    small = image_size(size)
    if min(size) <= 64:
        assert small is None
    else:
        assert small is not None
        assert min(small) == 64
        assert small[0] / small[1] == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_table_gets_more_members_where_there_is_time() -> None:
    def members(seconds: float) -> int:
        one = facts(domain="table", shape=(8,), n_train=20_000, seconds=seconds, rate=20_000.0)
        return portfolio(one)[0].recipe.family.params["members"]  # type: ignore[return-value]

    assert members(5) < members(60) <= 8


def test_few_rows_start_from_a_solved_line_and_many_do_not() -> None:
    few, many = (portfolio(facts(domain="table", shape=(8,), n_train=n))[0].recipe for n in (500, 20_000))
    assert few["family.straight"] is True
    assert many["family.straight"] is None


def test_columns_that_say_nothing_are_left_out_and_tried_again_by_a_neighbour() -> None:
    table = facts(domain="table", shape=(300,), n_train=500, more={"columns": ("a", "b")})
    recipe = portfolio(table)[0].recipe
    assert recipe["family.columns"] == ("a", "b")
    assert recipe["family.bins"] == 48
    assert next(neighbours(recipe)).recipe["family.columns"] is None


def test_neighbours_differ_from_the_recipe_and_from_each_other() -> None:
    recipe = portfolio(facts(domain="table", shape=(8,), n_train=500))[0].recipe
    found = list(neighbours(recipe, best_share=0.5))
    assert len(found) > 8
    assert all(recipe.diff(c.recipe) for c in found)
    assert len({c.name for c in found}) == len({c.recipe.hash for c in found}) == len(found)


def test_changes_are_values_or_factors_of_what_the_recipe_has() -> None:
    recipe = Recipe(Choice("tabular", width=100), optimizer=Choice("adamw", lr=1e-3), steps=5)
    found = changed(recipe, {"family.width": "x0.5", "optimizer.lr": "x2", "steps": "x0.1", "family.depth": 3})
    assert (found["family.width"], found["optimizer.lr"], found["steps"], found["family.depth"]) == (50, 2e-3, 1, 3)
    assert changed(recipe, {"family.bins": "x2"}) == recipe, "twice nothing"


@pytest.mark.parametrize("path", sorted({path for _, change, _ in CHANGES for path in change}))
def test_what_is_changed_is_a_place_that_a_tables_recipe_has(path: str) -> None:
    recipe = portfolio(facts(domain="table", shape=(8,), n_train=500))[0].recipe
    assert recipe[path] is not None


def test_after_overfitting_the_shorter_training_comes_first() -> None:
    recipe = portfolio(facts(domain="table", shape=(8,), n_train=500))[0].recipe
    first = next(neighbours(recipe, best_share=0.25))
    assert first.recipe.steps == round(recipe.steps * 0.25)


def test_a_candidate_survives_the_journal() -> None:
    one = portfolio(facts())[0]
    assert Candidate.from_dict(one.to_dict()) == one
    assert isinstance(one.recipe, Recipe)


def test_the_passes_that_time_allows_are_counted_by_the_measured_speed() -> None:
    shape = (64, 128, 256)
    one = facts(seconds=90.0, rate=flops((3, 32, 32), shape) * 1000)
    assert passes_of(one, shape) == pytest.approx(2.0)


def test_the_fewer_rows_of_classes_the_more_passes_and_values_keep_theirs() -> None:
    def passes(rows: int, goal: str) -> float:
        recipe = portfolio(Facts("table", goal, rows, (10,), 2, seconds=600.0))[0].recipe
        return recipe.steps * recipe.batch_size / rows

    counted = [passes(rows, "classify") for rows in (2_999, 3_060, 7_750, 31_000, 45_000)]
    assert counted == pytest.approx([150, 51, 32, 16, 16], rel=0.1)  # whole batches only
    assert passes(3_060, "regress") == pytest.approx(passes(31_000, "regress"), rel=0.1)
