"""A trained network with its transforms: all that predicting needs, in files that can't run code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from whet import files
from whet.data.judge import Judge
from whet.data.prepared import Transform, scale_from
from whet.data.transforms import TargetScale
from whet.data.units import Units
from whet.errors import CorruptCheckpoint, OutputError
from whet.families.ensemble import NAME as ENSEMBLE
from whet.families.ensemble import members_of, recipe_of, shares_of
from whet.families.user import remember
from whet.fields import field
from whet.model import make_model, make_spec
from whet.recipe import Recipe
from whet.tasks import Task, goal
from whet.train import checkpoint
from whet.train.evaluate import outputs
from whet.train.loop import own_random_numbers
from whet.train.plan import Plan, has_fast_bfloat16

FORMAT = 1
LOOKS = 1
"""Views that outputs are averaged over where nobody said how many: of pictures the mirror image."""
WEIGHTS, SPEC = "model.safetensors", "task.json"


@dataclass
class Network:
    """What a finished training leaves: weights, and how raw rows become inputs and outputs become predictions."""

    model: nn.Module
    recipe: Recipe
    task: Task
    transform: Transform
    scale: TargetScale | Units | Judge | None
    plan: Plan
    inputs: Mapping[str, Any]
    """What raw data must look like: what `load_inputs` checks."""
    looks: int = LOOKS
    """How many of the field's views of an input, such as its mirror image, outputs are averaged over besides itself."""

    @property
    def views(self) -> tuple[Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]], ...]:
        """Those views: changes of a batch that keep what is to be said of it."""
        return field(self.task.domain).views(self.recipe)[: self.looks]

    def predict(self, x: Any) -> np.ndarray:
        """What the goal's metrics judge (probabilities (n, C), values (n,) in the target's units, …) for raw rows."""
        return np.concatenate([self.from_tensors(some) for some in self.transform.pieces(x)])

    def from_tensors(self, inputs: tuple[Tensor, ...], rows: Tensor | None = None) -> np.ndarray:
        """The same for these rows of already transformed inputs."""
        own = field(self.task.domain)
        prepare = own.preparing(self.transform, self.task)
        said = outputs(self.model, prepare, inputs, rows, self.plan, views=self.views)
        return goal(self.task.goal).predictions(said, self.scale)

    def describe(self) -> dict[str, Any]:
        """All but the weights, as plain data: what task.json holds."""
        return {
            "format": FORMAT,
            "task": self.task.to_dict(),
            "recipe": self.recipe.to_dict(),
            "inputs": dict(self.inputs),
            "transform": self.transform.to_dict(),
            "scale": self.scale.to_dict() if self.scale else None,
            "bfloat16": self.plan.bfloat16,
            "looks": self.looks,
        }

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write task.json and model.safetensors; `weights` in place of the model's own."""
        files.write_json(folder / SPEC, self.describe())
        checkpoint.write(folder / WEIGHTS, self.model.state_dict() if weights is None else weights, {"format": FORMAT})

    @classmethod
    def load(cls, folder: Path, model: Any = None) -> Network:
        """The network in a run's folder. `model`, a function or "FILE.py:function", makes a network of the user's own.

        Raises OutputError where there is none, or where its files are damaged.
        """
        try:
            said = json.loads((folder / SPEC).read_text())
            weights, _ = checkpoint.read(folder / WEIGHTS)
            if not isinstance(said, dict):
                raise ValueError(f"{SPEC} holds no object")
        except FileNotFoundError as error:
            missing = Path(str(error.filename)).name
            raise OutputError(
                f"{folder} holds no trained network ({missing} is missing).", "Give a run's folder."
            ) from None
        except (OSError, ValueError, CorruptCheckpoint) as error:
            raise OutputError(f"The network in {folder} can't be read: {error}.", "Train it again.") from error
        if said.get("format") != FORMAT:
            raise OutputError(f"{folder} was written by another version of whet (format {said.get('format')}).")
        recipe, task = with_model(Recipe.from_dict(said["recipe"]), model), Task.from_dict(said["task"])
        own = field(task.domain)
        transform = own.seen_by(members_of(recipe)[0], own.transform_from(said["transform"]))
        with own_random_numbers():
            spec = make_spec(recipe, task, transform)
            module = make_model(recipe, spec, seed=0)
        module.load_state_dict(weights)
        return cls(
            model=module.eval(),
            recipe=recipe,
            task=task,
            transform=transform,
            scale=scale_from(said["scale"]),
            plan=Plan(bfloat16=said["bfloat16"] and has_fast_bfloat16()),
            inputs=said["inputs"],
            looks=said.get("looks", LOOKS),
        )


def with_model(recipe: Recipe, model: Any) -> Recipe:
    """The recipe with the user's own network as it was given now; the one of a whet family as it is."""
    if model is not None and recipe.family.name == ENSEMBLE:
        return recipe_of([with_model(one, model) for one in members_of(recipe)], shares_of(recipe))
    if recipe.family.name != "user" or model is None:
        return recipe
    return recipe.put("family.factory", remember(model))
