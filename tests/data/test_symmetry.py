"""Mirror images: the data says whether they keep their class."""

import numpy as np

from whet.data.symmetry import mirror_symmetry


def bars(vertical: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two classes: a bright bar at the left or the right (or: at the top or the bottom)."""
    random = np.random.default_rng(0)
    x = random.integers(0, 80, (200, 8, 8, 1), dtype=np.uint8)
    y = random.integers(0, 2, 200)
    for i, c in enumerate(y):
        place = (slice(None), slice(0, 3) if c else slice(5, 8))
        x[i][place[::-1] if vertical else place] += 150
    return x, y


def test_a_class_that_is_a_side_does_not_survive_the_mirror() -> None:
    rows = np.arange(200)
    side, upright = mirror_symmetry(*bars(vertical=False), rows[:150], rows[150:])
    assert side < 0.2
    assert upright > 0.9
    side, upright = mirror_symmetry(*bars(vertical=True), rows[:150], rows[150:])
    assert side > 0.9
    assert upright < 0.2
