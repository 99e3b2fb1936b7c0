"""The doctor beside Keras' loop, on torch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from small import SICK_RATE, SOUND_RATE, example, moons

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Keras warns of while it is imported is not ours
    keras = pytest.importorskip("keras")

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras was imported with another backend"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # its variables as arrays
]


def fitted(rate: float, *callbacks: Any, dead: bool = False) -> Any:
    keras.utils.set_random_seed(0)
    start = "zeros" if dead else "glorot_uniform"
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(24, "relu", kernel_initializer=start),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(24, "relu", kernel_initializer=start),
            keras.layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = moons()
    model.fit(x.numpy(), y.numpy(), epochs=6, batch_size=32, verbose=0, callbacks=[*callbacks])
    return model


def test_keras_ends_with_the_same_bits_and_no_alarm_on_a_sound_training() -> None:
    from whet.callbacks import KerasDoctor

    said: list[str] = []
    doctor = KerasDoctor(said.append)
    with_it, without = fitted(SOUND_RATE, doctor), fitted(SOUND_RATE)
    for a, b in zip(with_it.get_weights(), without.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert doctor.diagnosis.healthy
    assert said == []


@pytest.mark.parametrize(("rate", "dead", "code"), [(SICK_RATE, False, "HLR"), (SOUND_RATE, True, "WCI")])
def test_keras_tells_of_a_sick_training(rate: float, dead: bool, code: str) -> None:
    from whet.callbacks import KerasDoctor

    said: list[str] = []
    doctor = KerasDoctor(said.append)
    fitted(rate, doctor, dead=dead)
    assert not doctor.diagnosis.healthy
    assert doctor.diagnosis.findings[0].code == code
    assert len(said) == 1


def test_the_documented_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = moons()
    exec(example("KerasDoctor"), {"model": fitted(SOUND_RATE), "x": x.numpy(), "y": y.numpy()})
    assert "steps were watched" in capsys.readouterr().out
