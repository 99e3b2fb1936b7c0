"""Started several times at once by torchrun: the same trainings by all processes together and by the first one alone.

The first one writes what came out of both into the file that is named on the command line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from setups import SMALL, TABLE, images, rows, training
from torch import nn

from whet.errors import Diverged, RecipeError
from whet.recipe import Choice, Recipe
from whet.train.loop import Training, advance, draw_from
from whet.train.plan import Plan
from whet.train.world import ALONE, World, joined, synced

STILL = SMALL.put("augment", ()).put("norm", Choice("none"))
"""Nothing is drawn in a batch: the numbers of one process and of several agree."""
NORMED = STILL.put("norm", Choice("batch"))
HELD = TABLE.put("family.dropout", 0.0).put(
    "regularise", (Choice("l2", strength=1e-3), Choice("clip", max_norm=0.1), Choice("ema", decay=0.9))
)
Make = Callable[[], Training]


def of(recipe: Recipe, table: bool = False, plan: Plan | None = None) -> Make:
    return lambda: training(recipe, rows() if table else images(), steps=12, plan=plan)


CASES: dict[str, Make] = {
    "pictures": of(STILL),
    "batch norm": of(NORMED),
    "a table, with a penalty, clipping and an average": of(HELD, table=True),
    "shares of unequal size": of(NORMED.put("batch_size", 18)),
    "in pieces": of(STILL.put("batch_size", 24), plan=Plan(micro_batch=3)),
}


def trained(make: Make, world: World) -> Training:
    one = make()
    one.world = world
    if world.size > 1:
        synced(one.parts.model)
    advance(one)
    return one


def difference(a: Training, b: Training) -> float:
    """The largest between two trainings' weights and losses, in units of the weights' own size."""
    mine, theirs = a.parts.model.state_dict(), b.parts.model.state_dict()
    gaps = [float((mine[k] - theirs[k]).abs().max() / (1 + mine[k].abs().max())) for k in mine]
    return max(*gaps, abs(a.loss - b.loss), abs(a.metrics["val/loss"] - b.metrics["val/loss"]))


def same_everywhere(one: Training) -> bool:
    """Whether all processes have the same weights, to the bit."""
    weights = torch.cat([p.detach().reshape(-1) for p in one.parts.model.parameters()])
    first = weights.clone()
    dist.broadcast(first, src=0)
    equal = torch.tensor(float(torch.equal(first, weights)))
    dist.all_reduce(equal, dist.ReduceOp.MIN)
    return bool(equal)


def gathered(value: object) -> list[object]:
    found: list[object] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return found


def shares(world: World) -> bool:
    """Whether the processes' rows are the batch's, each once."""
    loader = of(STILL.put("batch_size", 18))().parts.train
    mine = world.batch(loader, 0, 1)[0][0]
    return torch.equal(torch.cat(gathered(mine)), loader.batch(0, 1)[0][0])  # type: ignore[arg-type]


def raised(world: World, make: Make, error: type[Exception]) -> list[object]:
    try:
        trained(make, world)
    except error:
        return gathered(True)
    return gathered(False)


def lame(world: World) -> int:
    """Steps done by the clock of the first process, where the others' clocks are an hour ahead."""
    one = of(STILL)()
    one.world, one.seconds = world, 3600.0 * world.rank
    one.listeners = ()
    one.horizon = type(one.horizon)(steps=6, seconds=1800.0)
    advance(one)
    return one.step


def sick() -> Training:
    """A network whose loss is no number on the rows of some processes only."""
    one = of(STILL)()
    loss, bad = one.parts.loss, joined().rank == joined().size - 1
    one.parts.loss = lambda said, target: loss(said, target) * (float("nan") if bad else 1.0)
    return one


def unused() -> Training:
    """A weight that nothing uses: it must stay without a gradient, as with one process."""
    one = of(STILL)()
    one.parts.model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    one.parts.optimizer.add_param_group({"params": [one.parts.model.unused], "weight_decay": 0.5, "base_lr": 0.1})
    return one


def main(out: Path) -> None:
    world = joined()
    found: dict[str, object] = {"size": world.size, "joined twice": joined() == world, "cases": {}, "same": {}}
    for name, make in CASES.items():
        together = trained(make, world)
        found["same"][name] = same_everywhere(together)  # type: ignore[index]
        if world.rank == 0:
            found["cases"][name] = difference(trained(make, ALONE), together)  # type: ignore[index]
    found["shares"] = shares(world)
    found["drawn"] = gathered(float(torch.rand(1, generator=draw_from(0, 5, world.rank))))
    found["steps"] = gathered(lame(world))
    found["diverged"] = raised(world, sick, Diverged)
    found["refused"] = raised(world, of(STILL.put("batch_size", 1)), RecipeError)
    found["unused"] = trained(unused, world).parts.model.unused.tolist()  # type: ignore[union-attr, operator]
    if world.rank == 0:
        out.write_text(json.dumps(found))
    began = time.perf_counter()
    for _ in range(200):
        world.first(1.0)
    if world.rank == 0:
        print("broadcast", (time.perf_counter() - began) / 200)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
