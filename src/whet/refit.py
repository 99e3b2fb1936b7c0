"""Once more on all rows: what the validation rows chose is trained again, from fresh weights, with them among the others.

    training rows  --training, search--> recipe, steps --+
    validation rows --which is best?---------------------+--> as many passes over both --> the network that is delivered

Validation rows have done their work when the recipe is chosen. Where rows are few each of them is missed, and a field that
gains by it (`Field.refits`, measured by cross-validation) gets them back. What was measured and calibrated on them stays
that of networks which had not seen them. The test rows stay closed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from whet.build import build
from whet.data.prepared import Prepared
from whet.errors import Diverged
from whet.families.ensemble import members_of, weights_of
from whet.fields import field
from whet.network import Network
from whet.recipe import Recipe
from whet.record import Finding
from whet.run import Run
from whet.train import checkpoint
from whet.train.horizon import Horizon
from whet.train.loop import Training, advance, evaluation_weights
from whet.train.plan import running

ENOUGH = 0.75
"""Share of what was kept with which it is begun, and of the steps with which it counts: its schedule may end by the clock."""

Weights = dict[str, Tensor]


def train_again(run: Run) -> None:
    """Train what was chosen on all rows that are not test rows, where the field gains by it and there is time.

    It replaces the network that was chosen when it is done; whatever goes wrong before leaves that one in place.
    """
    chosen = Network.load(run.folder.path)
    recipes = members_of(chosen.recipe)
    needed, run.delivery.kept = run.delivery.kept, 0.0  # what was kept free is to be used now
    begun_before = run.journal.last("again")
    if not needed or not wanted(run, recipes) or not (begun_before or run.time_to_train >= ENOUGH * needed):
        return
    data = on_all_rows(run.prepared)
    run.say("again", recipes=[recipe.hash for recipe in recipes], rows=data.n_train)  # a restart goes on with it
    run.screen.say(f"Training again, on all {data.n_train:,} rows, with the steps found.")
    states: list[Weights] = []
    for i, recipe in enumerate(recipes):
        states.append(trained(run, data, recipe, f"again-{i}", run.time_to_train / (len(recipes) - i)))
    if all(states):
        deliver(run, chosen, data, states[0] if len(states) == 1 else weights_of(states))


def wanted(run: Run, recipes: tuple[Recipe, ...]) -> bool:
    """A recipe or a number of steps that was given is left as it is, and so is one that ended by the clock."""
    return field(run.data.domain).refits and run.delivery.refits and all(recipe.steps for recipe in recipes)


def on_all_rows(data: Prepared) -> Prepared:
    """The same tensors, with the validation rows among those that are trained on. The transforms stay as they were."""
    return replace(data, rows={**data.rows, "train": torch.cat([data.rows["train"], data.rows["val"]])})


def trained(run: Run, data: Prepared, recipe: Recipe, name: str, seconds: float) -> Weights:
    """The weights after the recipe's passes over all rows; none if it failed. Goes on from its newest checkpoint."""
    folder, steps = run.folder.trial(name), as_many_passes(run, data, recipe)
    with running(run.plan):
        training = begun(run, data, recipe, checkpoint.Checkpoints(folder))
        checkpoint.resume(training, folder)
        training.horizon = Horizon(steps, training.seconds + seconds)
        try:
            advance(training)
        except Diverged as error:
            return failed(run, name, f"On all rows the training failed: {error}")
        if training.step < ENOUGH * steps:
            return failed(run, name, f"On all rows there was time for {training.step} of {steps} steps.")
        with evaluation_weights(training.parts) as model:
            return {key: tensor.detach().clone() for key, tensor in model.state_dict().items()}


def failed(run: Run, name: str, why: str) -> Weights:
    """Say that what was chosen stays."""
    run.findings.append(Finding("not-trained-again", f"{why} The network that was chosen before stays.", where=name))
    return {}


def begun(run: Run, data: Prepared, recipe: Recipe, *listeners: object) -> Training:
    """A fresh training of the run's seed that measures nothing: there are no rows left to measure on."""
    parts = build(recipe, run.task, data, run.order.seed, run.plan)
    return Training(parts, Horizon(), run.order.seed, listeners=listeners)


def as_many_passes(run: Run, data: Prepared, recipe: Recipe) -> int:
    """The steps in which a recipe sees each of all rows as often as it saw each training row."""
    own = field(run.data.domain)
    before, now = (own.batches(d, recipe.batch_size, run.order.seed).batches_per_epoch for d in (run.prepared, data))
    return max(1, round(recipe.steps * now / before))


def deliver(run: Run, chosen: Network, data: Prepared, weights: Weights) -> None:
    """Put the weights in the place of those that were chosen; what was calibrated stays."""
    chosen.save(run.folder.path, weights)
    cause = (
        f"What validation chose was trained again on all {data.n_train:,} training and validation rows, with the steps "
        "found. Figures of validation rows are of the training before, which had not seen them."
    )
    run.findings.append(Finding("trained-again", cause, evidence={"rows": data.n_train}, severity="info"))


def forget(folder: Path) -> None:
    """The run in this folder is done: nothing goes on from the checkpoints of its training on all rows."""
    for trial in folder.glob("trials/again-*"):
        for path in checkpoint.checkpoints(trial):
            path.unlink(missing_ok=True)
