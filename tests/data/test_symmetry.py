"""Mirror images: the data says whether they keep their class."""

import numpy as np
import pytest

from whet.data.symmetry import mirror_gain


def bars(vertical: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two classes: a bright bar at the left or the right (or: at the top or the bottom)."""
    random = np.random.default_rng(0)
    x = random.integers(0, 80, (200, 8, 8, 1), dtype=np.uint8)
    y = random.integers(0, 2, 200)
    for i, c in enumerate(y):
        place = (slice(None), slice(0, 3) if c else slice(5, 8))
        x[i][place[::-1] if vertical else place] += 150
    return x, y


ROWS = np.arange(200)


@pytest.mark.parametrize("vertical", [False, True])
def test_mirror_images_harm_where_a_class_is_a_side(vertical: bool) -> None:
    gains = mirror_gain(*bars(vertical), ROWS)
    assert gains[vertical] < -5
    assert gains[not vertical] > -1


def test_a_class_that_is_a_direction_is_found_whatever_its_colours() -> None:
    random = np.random.default_rng(0)
    x, y = np.full((300, 16, 16, 3), 128, np.uint8), random.integers(0, 2, 300)
    x += random.integers(0, 40, x.shape, dtype=np.uint8)
    for image, c in zip(x, y, strict=True):  # a line that rises to the left or to the right, light or dark
        at, (row, column) = np.arange(9), random.integers(0, 7, 2)
        image[row + at, column + (at if c else 8 - at)] = random.choice([0, 255], 3)
    across, upside = mirror_gain(x, y, np.arange(300))
    assert across < -5
    assert upside < -5


def test_mirror_images_help_where_they_are_only_more_images() -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 200, (120, 12, 12, 1), dtype=np.uint8), random.integers(0, 3, 120)
    for image, c, (row, column) in zip(x, y, random.integers(0, 8, (120, 2)), strict=True):
        image[row : row + 2 + c, column : column + 2 + c] = 255
    across, upside = mirror_gain(x, y, np.arange(120))
    assert min(across, upside) > -1


def test_too_few_images_say_nothing() -> None:
    x, y = bars(vertical=False)
    assert mirror_gain(x, y, np.arange(3)) == (-np.inf, -np.inf)


def test_what_images_say_does_not_depend_on_their_order_in_memory_or_on_other_parts() -> None:
    x, y = bars(vertical=False)
    more = np.concatenate([255 - x, x]), np.concatenate([1 - y, y])
    assert mirror_gain(x, y, ROWS) == mirror_gain(*more, ROWS + 200)


def test_pictures_that_are_all_alike_say_nothing_against_mirrors() -> None:
    x = np.zeros((40, 8, 8, 3), np.uint8)
    assert mirror_gain(x, np.arange(40) % 2, np.arange(40)) == (0, 0)
