"""First recipes for sound: what is strong on its own for so many recordings and so much time."""

from __future__ import annotations

from whet.recipe import Choice, Recipe
from whet.search.first import Candidate, Facts

FEW = 10_000
"""With fewer training recordings than this: small batches."""
FEW_TEXTS = 1_000
"""The same for recordings that are written down, and a narrow network."""
WIDTHS = (32, 64, 128)
AUGMENT = (
    Choice("time_shift", seconds=0.1),
    Choice("speed", share=0.1),
    Choice("tract", share=0.15),
    Choice("stretch", share=0.15),
)


def audio_recipes(facts: Facts) -> list[Candidate]:
    """The default first."""
    if facts.goal == "transcribe":
        return transcribing(facts)
    recipe = Recipe(
        family=Choice("fastconv", widths=WIDTHS),
        activation=Choice("gelu"),
        loss=Choice("cross_entropy", label_smoothing=0.2) if facts.goal == "classify" else Choice("mse"),
        optimizer=Choice(
            "muon", lr=0.12, momentum=0.6, sphere=True, rest="sgd", rest_lr=0.5, rest_momentum=0.85, weight_decay=1e-3
        ),
        schedule=Choice("linear"),
        augment=AUGMENT,
        batch_size=64 if facts.n_train < FEW else 256,
    )
    return [Candidate("spectral", recipe, "a fast convolutional network on log-mel spectrograms")]


def transcribing(facts: Facts) -> list[Candidate]:
    """Convolutions, a recurrent layer both ways, CTC."""
    few = facts.n_train < FEW_TEXTS
    recipe = Recipe(
        family=Choice("audio_crnn", widths=(16, 32, 32), width=64) if few else Choice("audio_crnn"),
        optimizer=Choice("adamw", lr=2e-3, weight_decay=0.01),
        schedule=Choice("one_cycle", warmup=0.1),
        regularise=(Choice("clip", max_norm=1.0),),
        augment=(Choice("speed", share=0.1), Choice("time_mask", share=0.05), Choice("mel_mask", share=0.15)),
        batch_size=8 if few else 32,
    )
    return [Candidate("crnn", recipe, "convolutions and a recurrent layer, trained by CTC")]
