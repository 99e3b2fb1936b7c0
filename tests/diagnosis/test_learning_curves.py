"""Rules on stored records: a sick curve gives its finding, a healthy one gives none."""

from whet.diagnosis.curves import diagnose
from whet.record import Record, Step


def record(train: list[float], val: list[float], epochs: float = 30.0) -> Record:
    n = len(train)
    steps = [
        Step(i, epochs * i / n, float(i), i / n, {"train/loss": a, "val/loss": b})
        for i, (a, b) in enumerate(zip(train, val, strict=True), 1)
    ]
    return Record("t", "r", "table-classification", 0, tuple(steps))


def names(one: Record) -> list[str]:
    return [f.name for f in diagnose(one)]


FALLING = [1.0, 0.8, 0.65, 0.55, 0.5, 0.47, 0.45, 0.44, 0.435, 0.433, 0.432, 0.432]


def test_a_healthy_training_gives_no_finding() -> None:
    assert names(record(FALLING, [v + 0.05 for v in FALLING])) == []


def test_a_validation_loss_that_rises_while_training_goes_on_is_overfitting() -> None:
    val = [1.0, 0.8, 0.7, 0.65, 0.68, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]
    assert names(record(FALLING, val)) == ["overfitting"]


def test_a_loss_that_does_not_move_never_learned() -> None:
    assert names(record([0.7] * 10, [0.7] * 10)) == ["never learned"]
    assert names(record([0.7] * 10, [0.7 - 0.01 * i for i in range(10)])) == []


def test_a_loss_that_still_falls_at_the_end_was_short_of_time() -> None:
    falling = [2.0 - 0.1 * i for i in range(12)]
    assert names(record(falling, falling, epochs=3.0)) == ["short of time"]
    assert names(record(falling, falling, epochs=50.0)) == []


def test_a_record_that_is_too_short_is_not_judged() -> None:
    assert names(record([1.0], [1.0])) == []
    assert names(Record("t", "r", "", 0)) == []
