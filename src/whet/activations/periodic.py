"""Activations that go up and down: sines, and functions with a wave on them."""

from __future__ import annotations

from whet.activations.entry import Activation, of_formula

FIELDS = ("coordinates", "audio", "series")
SINE = "sin(frequency * x)"
GELU_SINE = "x * Phi(x) + amplitude * sin(x)"
FINER = "sin(frequency * (abs(x) + 1) * x)"
GABOR = "cos(frequency * x) * exp(-(scale * x)^2)"
EXP_SIN = "exp(-sin(frequency * x))"

ENTRIES = [
    Activation(
        "sine",
        of_formula(SINE),
        "sin(frequency x); for fields over coordinates the paper takes frequency 30 and a start of its own.",
        {"frequency": 1.0},
        formula=SINE,
        ranges={"frequency": (1e-2, 100.0)},
        domains=FIELDS,
        year=2020,
        paper="Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation Functions, "
        "arXiv:2006.09661",
        cost="one sine",
        hurts_when="weights are large: many hills, and gradients that agree on nothing",
        aliases=("sin", "siren"),
    ),
    Activation(
        "cosine",
        of_formula("cos(frequency * x)"),
        "cos(frequency x): an even wave; with random weights, the features of a Gaussian kernel.",
        {"frequency": 1.0},
        formula="cos(frequency * x)",
        ranges={"frequency": (1e-2, 100.0)},
        domains=FIELDS,
        year=2007,
        paper="Rahimi & Recht 2007, Random Features for Large-Scale Kernel Machines, algorithm 1",
        cost="one cosine",
        hurts_when="weights are large: many hills; and it has no slope at zero",
        aliases=("cos",),
    ),
    Activation(
        "gelu_sine",
        of_formula(GELU_SINE),
        "Gelu with a small wave on it.",
        {"amplitude": 0.1},
        formula=GELU_SINE,
        ranges={"amplitude": (0.0, 10.0)},
        year=2026,
        paper="Vitvitskyi et al. 2026, Mining Generalizable Activation Functions, arXiv:2602.05688 (GELUSine)",
        cost="an error function and a sine",
        hurts_when="time is short, and no data lie outside the range of training",
    ),
    Activation(
        "gcu",
        of_formula("x * cos(x)"),
        "x cos(x), the growing cosine unit: one unit can solve xor.",
        formula="x * cos(x)",
        year=2021,
        paper="Noel et al. 2021, Growing Cosine Unit, arXiv:2108.12943",
        cost="one cosine",
        hurts_when="inputs are not held near zero: it swings ever wider",
    ),
    Activation(
        "finer",
        of_formula(FINER),
        "sin(frequency (|x| + 1) x): the wave gets faster away from zero; frequency 30 for fields.",
        {"frequency": 1.0},
        formula=FINER,
        ranges={"frequency": (1e-2, 100.0)},
        domains=FIELDS,
        year=2023,
        paper="Liu et al. 2023, FINER: Flexible Spectral-Bias Tuning, arXiv:2312.02434",
        cost="one sine",
        hurts_when="inputs are large: it becomes noise",
    ),
    Activation(
        "gabor",
        of_formula(GABOR),
        "cos(frequency x) exp(-(scale x)^2), a short wave; the real part of WIRE's.",
        {"frequency": 5.0, "scale": 1.0},
        formula=GABOR,
        ranges={"frequency": (1e-2, 100.0), "scale": (1e-2, 100.0)},
        domains=FIELDS,
        year=2023,
        paper="Saragadam et al. 2023, WIRE: Wavelet Implicit Neural Representations, arXiv:2301.05187",
        cost="a cosine and an exponential",
        hurts_when="inputs are large: value and gradient are zero there",
        aliases=("wire",),
    ),
    Activation(
        "exp_sin",
        of_formula(EXP_SIN),
        "exp(-sin(frequency x)), a positive wave.",
        {"frequency": 1.0},
        formula=EXP_SIN,
        ranges={"frequency": (1e-2, 100.0)},
        domains=FIELDS,
        year=2022,
        paper="Ramasinghe & Lucey 2022, Beyond Periodicity, arXiv:2111.15135, table 1",
        cost="a sine and an exponential",
        hurts_when="weights are large: many hills; and its mean is not zero",
    ),
]
