"""A trial in trouble goes on: from its newest sound checkpoint with a lower rate, or with fewer rows at once.

What was done stands in the trial's retries.jsonl, a line for each time:

    name     "diverged", "out of memory" or "never learned"      why   the sentence
    edit     what was changed                   step, back_to   where it happened, and where it goes on from

The line is written first and the recipe last, so that a process that is killed in between does the same thing again; lines
with the same edit count once.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from whet import files, record
from whet.diagnosis.born import born
from whet.errors import CorruptCheckpoint, Diverged
from whet.recipe import Edit, Recipe
from whet.record import Finding
from whet.remedies import recipe_edits
from whet.train import checkpoint
from whet.train.loop import Training, draw_from, own_random_numbers
from whet.train.plan import Plan

if TYPE_CHECKING:
    from whet.runners.trial import Trial

RETRIES = 2
"""How often a trial that diverged goes on: first from its newest sound checkpoint, then from fresh weights."""
TREATMENTS = 2
"""How often a trial that learns nothing is changed."""
DIVERGED, MEMORY, STILL = "diverged", "out of memory", "never learned"
LIVE = ("optimizer.lr", "regularise.clip")
"""What can be changed without changing the network, the first one first."""
NOTES = "retries.jsonl"


class Reached:
    """Listens to a training: the newest step whose gradients were complete."""

    def __init__(self) -> None:
        self.step = -1

    def on_backward(self, training: Training) -> None:
        self.step = training.step


def trouble_of(error: Exception, trial: Trial) -> Finding | None:
    """What an error says of a trial; None for one that nothing can be done about here."""
    step = trial.training.step
    if isinstance(error, Diverged):
        where = birthplace(trial.training)
        said = f"{error} The first that is no number: {where}." if where else str(error)
        return Finding(DIVERGED, said, where=f"step {step}", severity="error", evidence={"at": step})
    rows = rows_at_once(trial)
    if is_memory(error) and rows > 1:
        return Finding(MEMORY, f"There was no room for {rows} rows at once.", evidence={"at": step, "rows": rows})
    return None


def is_memory(error: BaseException) -> bool:
    """Whether there was not enough memory. Torch says so in three ways, one of them in words only."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in said or "not enough memory" in said)


def birthplace(training: Training) -> str:
    """Where in the network numbers stopped being numbers, asked with the batch that it happened with."""
    parts, step = training.parts, training.step
    with own_random_numbers():
        generator = draw_from(training.seed, step)
        inputs, target = parts.train.batch(*divmod(step, parts.train.batches_per_epoch))
        inputs, _ = parts.prepare(inputs, target, generator, training.progress)
        return born(parts.model, inputs)


def alone(trial: Trial, error: Exception) -> bool:
    """Whether this process may mend the trial by itself: several meet a divergence at the same place, and nothing else."""
    return trial.training.world.size == 1 or isinstance(error, Diverged)


def mend(trial: Trial, trouble: Finding) -> bool:
    """Change what is needed for the trial to go on; False where it can't."""
    return smaller(trial, trouble) if trouble.name == MEMORY else calmer(trial, trouble)


def calmer(trial: Trial, trouble: Finding) -> bool:
    """A lower rate, or shorter gradients, from where the weights were sound."""
    edit = live_edit(trouble, trial.recipe)
    if edit is None:
        return False
    before = retries(trial.folder, but=str(replace(edit, because="")))
    if before >= RETRIES:
        return False
    spent, horizon, step = trial.training.seconds, trial.training.horizon, trial.training.step
    by_the_clock = not math.isinf(horizon.seconds)
    if before == 0 and by_the_clock:  # which checkpoint there is, is the clock's doing: a repeatable run starts again
        drop_spoilt(trial)
    else:
        trial.forget()
    kept = checkpoint.checkpoints(trial.folder)
    note(trial.folder, trouble, edit, step, back_to=step_of(kept[0]) if kept else 0, seconds=spent)
    trial.edit(edit)
    trial.training.seconds = spent
    return True


def live_edit(trouble: Finding, recipe: Recipe) -> Edit | None:
    """The first remedy that the network's weights survive."""
    edits = recipe_edits([trouble], recipe)
    return next((e for path in LIVE for e in edits if e.path.startswith(path)), None)


def choices(finding: Finding, recipe: Recipe) -> tuple[str, ...]:
    """What can be changed about a finding, in the words of an edit, the most promising first."""
    return tuple(str(replace(edit, because="")) for edit in recipe_edits([finding], recipe))


def drop_spoilt(trial: Trial) -> None:
    """Delete the checkpoints that must not be gone back to."""
    first = next((s.metrics["train/loss"] for s in trial.record.steps if s.metrics.get("train/loss") is not None), None)
    for path in checkpoint.checkpoints(trial.folder):
        try:
            sound = is_sound(*checkpoint.read(path), first)
        except CorruptCheckpoint:
            sound = False
        if not sound:
            path.unlink(missing_ok=True)


def is_sound(tensors: Mapping[str, Tensor], meta: Mapping[str, Any], first_loss: float | None) -> bool:
    """Whether every number is one, and the training had not lost yet what it had learned."""
    if meta["loss"] is None or not all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point()):
        return False
    total, count = meta["losses"]
    loss = total / count if count else meta["loss"]
    return math.isfinite(loss) and (first_loss is None or loss - first_loss <= abs(first_loss))


def step_of(path: Path) -> int:
    """The step at which a checkpoint was written."""
    return int(path.name.split("-")[1])


def smaller(trial: Trial, trouble: Finding) -> bool:
    """Half as many rows at once: the step is done again. Its batch, and what it learns from it, stay the same."""
    training, rows = trial.training, rows_at_once(trial)
    new = (rows + 1) // 2
    note(trial.folder, trouble, Edit("micro_batch", rows, new), training.step, back_to=training.step, micro_batch=new)
    trial.plan = replace(trial.plan, micro_batch=new)
    training.parts.plan = trial.plan
    if trial.reached.step == training.step:  # it broke within the optimiser's step: some weights may have moved already
        spent = training.seconds
        trial.reopen()
        trial.training.seconds = spent
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return True


def rows_at_once(trial: Trial) -> int:
    return trial.plan.micro_batch or trial.recipe.batch_size


def treat(trial: Trial) -> bool:
    """A trial that has learned nothing yet begins again with what its findings suggest; False where there is nothing to do.

    It loses nothing by that. Only the likeliest change is made, and looked at for as long as the first one was.
    """
    grave = [f for f in trial.findings if f.severity == "error"]
    sick = next((f for f in grave if f.name == STILL), None)
    if sick is None or trial.fate or trial.training.world.size > 1:
        return False
    edit = next(iter(recipe_edits(grave, trial.recipe)), None)
    known = [line for line in notes(trial.folder) if line["name"] == STILL]
    if edit is None or len(known) >= TREATMENTS:
        return False
    spent = trial.training.seconds
    note(trial.folder, sick, edit, trial.training.step, back_to=0, seconds=spent)
    trial.forget()
    trial.edit(edit)
    trial.training.seconds = spent
    return True


# -- what was done -------------------------------------------------------------------------------------------------


def note(folder: Path, trouble: Finding, edit: Edit, step: int, **more: Any) -> None:
    line = {"name": trouble.name, "why": trouble.cause, "edit": str(replace(edit, because="")), "step": step, **more}
    files.append_line(folder / NOTES, line)


def notes(folder: Path) -> list[dict[str, Any]]:
    """What was done about a trial's troubles, each once, in order."""
    return list({line["edit"]: line for line in record.lines(folder / NOTES)}.values())


def retries(folder: Path, but: str = "") -> int:
    """How often the trial diverged and went on; `but` an edit that was noted and not made, because the process died."""
    return sum(line["name"] == DIVERGED and line["edit"] != but for line in notes(folder))


def fitting(plan: Plan, folder: Path) -> Plan:
    """The plan with as many rows at once as the trial in the folder had room for."""
    known = [line["micro_batch"] for line in notes(folder) if "micro_batch" in line]
    return replace(plan, micro_batch=min(known)) if known else plan


def told(name: str, folder: Path) -> tuple[Finding, ...]:
    """The troubles of a trial that it got over, as findings."""
    return tuple(Finding("retried", sentence(line), where=name, severity=gravity(line)) for line in notes(folder))


def gravity(line: Mapping[str, Any]) -> str:
    return "info" if line["name"] == MEMORY else "warning"


def sentence(line: Mapping[str, Any]) -> str:
    if line["name"] == MEMORY:
        return f"{line['why']} From step {line['step']} on it trained with fewer: {line['edit']}."
    if line["name"] == STILL:
        return f"It had learned nothing by step {line['step']}, and was begun again with {line['edit']}."
    again = f"went on from step {line['back_to']}" if line["back_to"] else "was begun again"
    return f"It diverged at step {line['step']} ({line['why']}) and {again} with {line['edit']}."
