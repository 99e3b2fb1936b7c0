"""First recipes of generators."""

from __future__ import annotations

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

STEPS_FOR_FLOW = 150
"""Steps that flow matching needs. On fashion-mnist's validation rows the distance was 0.060 after 150, 0.026 after 300."""
FEW = 2_000
"""Training pictures below which batches are smaller."""


def recipes(facts: Facts) -> list[Candidate]:
    """Flow matching with a small U-Net; where there is no time for it, a variational autoencoder."""
    batch = 128 if facts.n_train >= FEW else max(8, min(32, facts.n_train // 4))
    steps = facts.rate * facts.seconds / batch
    if facts.rate and steps < STEPS_FOR_FLOW:
        return [Candidate("vae", vae(batch), "a variational autoencoder: there is little time")]
    said = "flow matching with a small U-Net" + (f", time for about {steps:,.0f} steps" if facts.rate else "")
    return [Candidate("flow", flow(batch), said)]


def flow(batch: int) -> Recipe:
    return Recipe(
        family=Choice("unet_flow", width=48, depth=1, patch=2, steps=5),
        activation=Choice("silu"),
        norm=Choice("group", groups=8),
        optimizer=Choice("adamw", lr=2e-3, beta2=0.99, weight_decay=0.01),
        schedule=Choice("trapezoid", warmup=0.02, decay=0.4),
        regularise=(Choice("ema", decay=0.995), Choice("clip", max_norm=1.0)),
        batch_size=batch,
    )


def vae(batch: int) -> Recipe:
    return Recipe(
        family=Choice("conv_vae", width=32, code=32),
        activation=Choice("silu"),
        norm=Choice("batch"),
        optimizer=Choice("adamw", lr=2e-3, weight_decay=0.01),
        schedule=Choice("trapezoid", warmup=0.02, decay=0.4),
        regularise=(Choice("ema", decay=0.99), Choice("clip", max_norm=1.0)),
        batch_size=batch,
    )


def row_recipes(facts: Facts) -> list[Candidate]:
    """Flow matching between noise and normal scores."""
    batch = 256 if facts.n_train >= FEW else max(8, facts.n_train // 8)
    return [Candidate("flow", row_flow(batch), "flow matching on normal scores and categories")]


def row_flow(batch: int) -> Recipe:
    return Recipe(
        family=Choice("row_flow", width=256, depth=3, steps=10),
        activation=Choice("silu"),
        norm=Choice("layer"),
        optimizer=Choice("adamw", lr=1e-3, beta2=0.99, weight_decay=0.01),
        schedule=Choice("trapezoid", warmup=0.02, decay=0.5),
        regularise=(Choice("ema", decay=0.998), Choice("clip", max_norm=1.0)),
        batch_size=batch,
    )
