"""From outputs over time to texts, and how far texts are apart."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from whet.data.units import BLANK, Units, units_of
from whet.losses import LOSSES
from whet.tasks import goal
from whet.tasks.transcribe import best_path, best_prefix, edits

ASKED = goal("transcribe")


def spelled(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(u for u, _ in itertools.groupby(path) if u)


def by_all_paths(p: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every spelling, by trying every path."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        found[spelled(path)] += float(np.prod(p[np.arange(len(p)), path]))
    return found


def outputs(seed: int, steps: int = 5, units: int = 3) -> np.ndarray:
    z = 1.5 * np.random.default_rng(seed).standard_normal((steps, units))
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(8))
def test_the_beam_finds_the_most_probable_spelling(seed: int) -> None:
    p = outputs(seed)
    truth = by_all_paths(p)
    assert best_prefix(p, beam=100) == max(truth, key=lambda s: truth[s])


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_the_probability_of_all_paths(seed: int) -> None:
    p = outputs(seed)
    spelling = max(by_all_paths(p), key=len)
    found = LOSSES["ctc"].make()(torch.from_numpy(p).log()[None], torch.tensor([spelling]))
    assert float(found) == pytest.approx(-np.log(by_all_paths(p)[spelling]) / len(spelling), rel=1e-4)


def test_a_beam_can_beat_the_best_path() -> None:
    p = np.asarray([[0.6, 0.4], [0.6, 0.4]])  # "" has 0.36; "1" has 0.64 over three paths (Graves et al. 2006, fig. 3)
    assert best_path(p) == ()
    assert best_prefix(p, beam=4) == (1,)


def test_repetitions_need_a_blank_between_them() -> None:
    p = np.eye(3)[[1, 1, 0, 1, 2, 2, 0]]
    assert best_path(p) == best_prefix(p, 4) == (1, 1, 2)


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_a_distance(a: str, b: str, c: str) -> None:
    assert (edits(a, b) == 0) == (a == b)
    assert edits(a, b) == edits(b, a)
    assert edits(a, c) <= edits(a, b) + edits(b, c)
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))


def test_the_word_error_rate_counts_edits_over_all_words() -> None:
    truth, said = np.asarray(["no yes no", "yes"]), np.asarray(["no no", "yes yes"])
    assert ASKED.metrics["word_error_rate"].function(truth, said) == pytest.approx(2 / 4)
    assert ASKED.metrics["character_error_rate"].function(truth, said) == pytest.approx(8 / 12)
    assert ASKED.metrics["word_error_rate"].function(np.asarray([""]), np.asarray([""])) == 0
    assert ASKED.row_losses(truth, said, None).tolist() == [0.5, 0.5]


def test_few_frequent_words_are_units_and_many_rare_ones_are_spelled() -> None:
    few, why = units_of(["no yes", "yes no no"] * 5)
    assert few == ("no", "yes")
    assert "words are the units" in why
    many, why = units_of(["one two three", "four five"])
    assert " " in many
    assert "characters are the units" in why


@pytest.mark.parametrize("texts", [["no yes", "yes", ""], ["a cat", "tin  can"]])
def test_what_is_encoded_is_written_back(texts: list[str]) -> None:
    names, _ = units_of(texts * (5 if "yes" in texts else 1))
    units = Units((BLANK, *names))
    rows = units.encode(texts)
    assert rows.shape[0] == len(texts)
    assert [units.text([u for u in row if u >= 0]) for row in rows] == [" ".join(t.split()) for t in texts]
    assert units.encode(["no maybe"]).max() < len(units.names)


def test_a_delivered_network_keeps_a_beam() -> None:
    units = Units((BLANK, "no"))
    again = Units.from_dict(units.to_dict())
    assert (units.beam, again.names) == (1, units.names)
    assert again.beam > 1


def test_steps_that_are_not_known_count_nowhere() -> None:
    asked, y = goal("label-steps"), np.asarray([[0, 1, -100], [-100, -100, -100]])
    p = np.asarray([[[0.9, 0.1], [0.8, 0.2], [0.0, 1.0]]] * 2)
    assert asked.metrics["step_accuracy"].function(y, p) == 0.5
    assert asked.metrics["step_log_loss"].function(y, p) == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)
    assert asked.row_losses(y, p, None).tolist() == [0.5, 0.0]
    loss = LOSSES["step_cross_entropy"].make(label_smoothing=0.0)
    z = torch.from_numpy(p).clamp_min(1e-9).log()
    assert float(loss(z, torch.from_numpy(y))) == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)
    assert float(loss(z, torch.full((2, 3), -100))) == 0
