"""Images: folders of pictures, Parquet tables of them, IDX files, arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from whet import augment as augments
from whet import regularise
from whet.data.core import Data, Profile
from whet.data.image_transform import ImageTransform
from whet.data.prepared import Prepared, prepare
from whet.data.symmetry import mirror_gain
from whet.data.targets import TASKS
from whet.fields.base import Shown, Wanted
from whet.fields.common import CommonField
from whet.fields.image_pictures import augmented
from whet.fields.mixing import Mixing
from whet.figures import Figure
from whet.recipe import Choice, Recipe
from whet.rng import generator
from whet.search.first import Candidate, Facts, image_recipes, image_size
from whet.tasks import IMAGE_ROWS, PIXELS, Baseline, Features, Task, baselines
from whet.train.parts import Inputs as Tensors
from whet.train.parts import Prepare


class ImageField(CommonField):
    """uint8 images of one size."""

    name = "image"
    tasks = tuple(t for t in TASKS if not t.startswith("table"))
    nouns = ("image", "images")

    def profile(self, data: Data, parts: Mapping[str, np.ndarray]) -> Profile:
        from whet.data.profile_images import profile

        return profile(data, parts)

    def prepare(self, data: Data, parts: Mapping[str, np.ndarray]) -> Prepared:
        return prepare(data, parts, image_size(data.x.shape[1:3]))

    def transform_from(self, state: Mapping[str, Any]) -> ImageTransform:
        return ImageTransform.from_dict(state)

    def preparing(
        self, transform: Any, task: Task, augment: Sequence[Choice] = (), mixers: Sequence[regularise.Mix] = ()
    ) -> Prepare:
        warp = augments.plan(tuple(augment), (transform.height, transform.width)) if augment else None
        mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (transform.mean, transform.std))
        return Pixels(mean, std, warp, Mixing.of(tuple(mixers), task))

    def views(self, recipe: Recipe) -> tuple[Callable[[Tensors], Tensors], ...]:
        """The mirror image, where the recipe trains on mirrored images too; with crops also both moved by a pixel."""
        trained = {choice.name for choice in recipe.augment}
        if "flip" not in trained:
            return ()
        return (mirrored, *MOVED) if "crop" in trained else (mirrored,)

    def facts(self, data: Data, parts: Mapping[str, np.ndarray], prepared: Prepared) -> dict[str, Any]:
        if data.goal != "classify":
            return {}
        return {"mirror": mirror_gain(data.x, data.y, parts["train"])}

    def recipes(self, facts: Facts) -> list[Candidate]:
        return image_recipes(facts)

    def baselines(self, wanted: Wanted) -> Sequence[Baseline]:
        rows = some(wanted.parts["train"], IMAGE_ROWS, wanted.seed)
        x, y = wanted.data.x, wanted.data.y[rows]
        train, test = thinned(x, rows), thinned(x, wanted.parts["test"])
        return baselines(
            train,
            y,
            test,
            goal=wanted.task.goal,
            outputs=wanted.task.outputs,
            seconds=wanted.seconds,
            threads=wanted.threads,
            seed=wanted.seed,
        )

    def predict_rows(self, network: Any, data: Data, rows: np.ndarray, prepared: Prepared) -> np.ndarray:
        """From the tensors at hand, which lie on the disk already."""
        said: np.ndarray = network.from_tensors(prepared.inputs, torch.from_numpy(rows))
        return said

    def figures(self, shown: Shown) -> tuple[Figure, ...]:
        found = augmented(shown)
        return (found,) if found else ()


@dataclass(frozen=True)
class Pixels:
    """uint8 (B, H, W, C) -> normalised float (B, C, H, W), augmented and mixed where a generator is given."""

    mean: Tensor
    """(1, C, 1, 1) of the training images in 0..1."""
    std: Tensor
    warp: augments.Augmentation | None
    mixing: Mixing

    def __call__(
        self, inputs: Tensors, target: Tensor, generator: torch.Generator | None, progress: float = 0.0
    ) -> tuple[Tensors, Tensor]:
        return self.mixing((self.image(inputs[0], generator),), target, generator, progress)

    def image(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """The batch in the channels-last layout that it has already."""
        x = x.permute(0, 3, 1, 2)
        warp = self.warp if generator is not None else None
        if warp is not None and generator is not None and warp.takes_uint8:  # a quarter of the bytes to move
            x, warp = warp(x, generator), None
        x = x.float().mul_(1 / 255)
        if warp is not None and generator is not None:
            x = warp(x, generator)
        return x.sub_(self.mean).div_(self.std)


def mirrored(inputs: Tensors) -> Tensors:
    return (inputs[0].flip(-1), *inputs[1:])


def down(inputs: Tensors) -> Tensors:
    """Moved by a pixel down and to the right; the border is repeated."""
    return (F.pad(inputs[0], (1, 0, 1, 0), mode="replicate")[..., :-1, :-1], *inputs[1:])


def up(inputs: Tensors) -> Tensors:
    """Moved by a pixel up and to the left; the border is repeated."""
    return (F.pad(inputs[0], (0, 1, 0, 1), mode="replicate")[..., 1:, 1:], *inputs[1:])


MOVED = (down, up, lambda inputs: down(mirrored(inputs)), lambda inputs: up(mirrored(inputs)))


def some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """These rows, or `most` of them drawn by the seed."""
    return rows if len(rows) <= most else np.sort(generator(seed, "baseline rows").choice(rows, most, replace=False))


def thinned(x: np.ndarray, rows: np.ndarray) -> Features:
    """No more pixels than a baseline will use."""
    down, across = (max(1, -(-side // PIXELS)) for side in x.shape[1:3])
    return Features.images(x[rows, ::down, ::across])


FIELD = ImageField()
