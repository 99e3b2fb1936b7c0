"""First recipes for sound: what is strong on its own for so many recordings and so much time.

Measured on the training clips of spoken digits (2,700 of 0.4 s, 6 speakers, 8 kHz), whose test clips were not looked
at, one run each, batches of 64:

    400 clips of known speakers held out     600 steps, time_shift alone                    0 wrong
    one speaker held out (theo, 450 clips)   350 steps, time_shift alone                    2 wrong, log loss 0.49
                                                        and speed 0.1, tract, stretch 0.15  4 wrong, log loss 0.40
                                                        and masks in time and frequency     6 wrong, log loss 0.41

Masks did not pay for themselves in so few steps, so they are left to the race.
"""

from __future__ import annotations

from whet.recipe import Choice, Recipe
from whet.search.first import RACE_FROM, Candidate, Facts, passes_of

FEW = 10_000
"""With fewer training recordings than this: small batches."""
FEW_TEXTS = 1_000
"""The same for recordings that are written down, and a narrow network."""
RUNGS = ((16, 32, 64), (32, 64, 128))
"""Widths of the stages, the cheap ones for when there is no time for `ENOUGH_PASSES` with the others."""
ENOUGH_PASSES = 6.0
"""As for pictures of the same size (`whet.search.first.ENOUGH_PASSES`); not studied for sound."""
MOVES = (
    Choice("time_shift", seconds=0.1),
    Choice("speed", share=0.1),
    Choice("tract", share=0.1),
    Choice("stretch", share=0.1),
)
HARMFUL = -3.0
"""A change is left out where a quick judge loses so many standard errors by it (`harm.gains`).

Measured: notes of a scale, 12 classes, speed -7.2 and tract -6.8; spoken digits by known speakers -1.8 and -2.4, whom the judge
knows by their pitch, though the changes help with other speakers (above).
"""
MASKS = (Choice("time_mask"), Choice("mel_mask"))


def audio_recipes(facts: Facts) -> list[Candidate]:
    """The default first."""
    return [transcribing(facts)] if facts.goal == "transcribe" else spectral(facts)


def spectral(facts: Facts) -> list[Candidate]:
    """The network that is strong on small pictures, on spectrograms; raced where there is time for a race."""
    passes = {widths: passes_of(facts, widths) for widths in RUNGS}
    widths = RUNGS[0] if 0 < passes[RUNGS[1]] < ENOUGH_PASSES else RUNGS[1]
    known = facts.more.get("gains", {})
    moves = tuple(move for move in MOVES if known.get(move.name, 0.0) >= HARMFUL)
    recipe = Recipe(
        family=Choice("fastconv", widths=widths),
        activation=Choice("gelu"),
        loss=Choice("cross_entropy", label_smoothing=0.2) if facts.goal == "classify" else Choice("mse"),
        optimizer=Choice(
            "muon", lr=0.12, momentum=0.6, sphere=True, rest="sgd", rest_lr=0.5, rest_momentum=0.85, weight_decay=1e-3
        ),
        schedule=Choice("linear"),
        augment=moves,
        batch_size=64 if facts.n_train < FEW else 256,
    )
    said = "a fast convolutional network on log-mel spectrograms"
    if passes[widths]:
        said += f", time for about {passes[widths]:.0f} passes"
    first = [Candidate("spectral", recipe, said)]
    if passes[widths] < RACE_FROM:
        return first
    masked = recipe.put("augment", (*moves, *MASKS))
    return [*first, Candidate("masked", masked, "masks in time and frequency too"), ordered(recipe)]


def ordered(recipe: Recipe) -> Candidate:
    """A network that hears in which order things come."""
    other = recipe.put("family", Choice("audio_crnn")).put("optimizer", Choice("adamw", lr=2e-3))
    return Candidate("ordered", other, "convolutions and a recurrent layer")


def transcribing(facts: Facts) -> Candidate:
    """Convolutions, a recurrent layer both ways, CTC; words last longer than characters, and get longer steps.

    yesno's training recordings, 34 to learn from, training loss after 100 of 150 steps: with 8 frames a step 0.04 (seed
    0), with 4 frames 0.06 (seed 1) and 0.96 (seed 0, which had learned no more than how many words there are; neither
    more rate, nor no dropout, nor a norm before the recurrent layer helped it: 0.87 to 0.96).
    """
    few = facts.n_train < FEW_TEXTS
    family = Choice("audio_crnn", stride=8 if facts.more.get("words") else 4)
    recipe = Recipe(
        family=family.but(widths=(16, 32, 32), width=64) if few else family,
        optimizer=Choice("adamw", lr=3e-3, weight_decay=0.01),
        schedule=Choice("one_cycle", warmup=0.1),
        regularise=(Choice("clip", max_norm=1.0),),
        augment=(Choice("speed", share=0.1),),
        batch_size=8 if few else 32,
    )
    return Candidate("crnn", recipe, "convolutions and a recurrent layer, trained by CTC")
