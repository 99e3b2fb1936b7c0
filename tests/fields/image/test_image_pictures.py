"""The pictures of augmentation in a report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from whet.fields.image_pictures import augmented
from whet.figures import Pictures
from whet.recipe import Choice, Recipe


def shown(*names: str, channels: int = 3, rows: int = 9) -> Any:
    """What `augmented` looks at, of random pictures."""
    x = torch.randint(0, 256, (12, 8, 10, channels), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    recipe = Recipe(augment=tuple(Choice(name) for name in names))
    prepared = SimpleNamespace(inputs=(x,), rows={"train": torch.arange(2, 2 + rows)})
    return SimpleNamespace(network=SimpleNamespace(recipe=recipe), prepared=prepared, seed=3)


@pytest.mark.parametrize("channels", [1, 3])
def test_three_examples_are_shown_as_they_are_under_each_augmentation_and_under_all(channels: int) -> None:
    given = shown("rotate", "brightness", channels=channels)
    figure = augmented(given)
    assert isinstance(figure, Pictures)
    assert list(figure.captions) == ["original", "rotate", "brightness", "together"] * 3
    assert figure.columns == 4
    assert {image.shape for image in figure.images} == {(8, 10, channels)}
    for row, picture in enumerate((2, 6, 10)):
        original, *others = figure.images[4 * row : 4 * row + 4]
        np.testing.assert_array_equal(original, given.prepared.inputs[0][picture])
        assert not any(np.array_equal(original, other) for other in others)


def test_a_single_augmentation_is_not_shown_twice() -> None:
    figure = augmented(shown("rotate"))
    assert isinstance(figure, Pictures)
    assert figure.columns == 4, "two examples abreast: one would be shown too large"


def test_the_same_seed_shows_the_same_pictures() -> None:
    one, two = (augmented(shown("rotate", "cutout")) for _ in range(2))
    assert isinstance(one, Pictures)
    assert isinstance(two, Pictures)
    assert all(np.array_equal(a, b) for a, b in zip(one.images, two.images, strict=True))


def test_fewer_examples_than_three_are_all_shown() -> None:
    figure = augmented(shown("rotate", rows=2))
    assert isinstance(figure, Pictures)
    assert len(figure.images) == 4


@pytest.mark.parametrize("given", [shown(), shown("rotate", channels=2)], ids=["nothing", "two channels"])
def test_without_augmentation_or_colours_to_draw_nothing_is_shown(given: Any) -> None:
    assert augmented(given) is None
