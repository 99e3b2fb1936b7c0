"""First recipes: what is strong on its own for this kind of data, size and time, and what is worth racing against it.

Every rule says the numbers it was set by; they were measured on validation rows, never on test rows (docs/log.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whet.recipe import Choice, Recipe

RACE_FROM = 100.0
"""Passes over the data that the budget must allow before any of it is spent on a race: in a slice of less than two
passes candidates show how they start, not how they end."""


@dataclass(frozen=True)
class Candidate:
    """A recipe with a name to call it by and the reason why it is tried."""

    name: str
    recipe: Recipe
    because: str
    afresh: int = 0
    """Added to the run's seed: other initial weights, another order of the rows."""

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "recipe": self.recipe.to_dict(), "because": self.because, "afresh": self.afresh}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Candidate:
        return cls(said["name"], Recipe.from_dict(said["recipe"]), said["because"], said.get("afresh", 0))


@dataclass(frozen=True)
class Facts:
    """What the rules look at."""

    domain: str
    goal: str
    n_train: int
    shape: tuple[int, ...]
    """Of one example: (C, H, W) of an image, (F,) of a table's numbers, …"""
    outputs: int
    seconds: float
    """Time that training has."""
    mirror: tuple[float, float] = (-math.inf, -math.inf)
    """What (left-right, upside-down) mirror images add to a quick judge's accuracy, in standard errors."""
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What only this field's rules look at."""
    factory: str = ""
    """The user's own network; empty: whet chooses."""
    rate: float = 0.0
    """Measured speed, 0: not yet. Images: multiply-adds of forward passes per second of training. Tables: rows per second
    with the probe's members."""
    fewer: bool = False
    """Whether convolutions train with fewer products than they have multiply-adds."""

    def at_speed(self, probe: Recipe, milliseconds: float, fewer: bool = False) -> Facts:
        """The facts with the speed at which a step of the probe ran."""
        rows = min(probe.batch_size, self.n_train) / (milliseconds / 1e3)
        facts = dataclasses.replace(self, fewer=fewer)
        each = facts.flops_of(probe) or 1.0  # networks other than the fast one are counted in rows
        return dataclasses.replace(facts, rate=rows * each)

    def flops_of(self, recipe: Recipe) -> float:
        """Multiply-adds of one image forward through the recipe's fast network; 0 where it has another."""
        widths, depth = recipe["family.widths"], recipe["family.depth"]
        return flops(self.shape, widths, depth or 2, fewer=self.fewer) if isinstance(widths, tuple) else 0.0


def portfolio(facts: Facts) -> list[Candidate]:
    """The recipe that should win, first, and the ones worth racing against it where there is time for a race."""
    if facts.factory:
        return user_recipes(facts)
    return image_recipes(facts) if facts.domain == "image" else table_recipes(facts)


# -- images --------------------------------------------------------------------------------------------------------

SMALL_ENOUGH = 64
"""Larger images are made this small, in pixels of the shorter side.

64 pixels beat 96 on 150-pixel photographs at 60 s, validation accuracy 0.84 against 0.79: twice the passes.
"""
NATIVE = 40
"""Up to this side an image has the detail of an icon: three stages; above, four."""
TINY = 16
"""Below this side two stages are all that can be pooled, and narrow networks won by 1-3 points."""
RUNGS = {
    "tiny": ((32, 64, 64),),
    "small": ((32, 64, 128), (64, 128, 256), (64, 256, 256)),
    "large": ((32, 64, 128, 256), (64, 128, 256, 256), (64, 256, 256, 256)),
}
"""Widths of the stages, from the cheapest to the dearest, by the images' size."""
ENOUGH_PASSES = (0.0, 4.0, 6.0)
"""Passes over the data that the time must allow before a rung is worth its cost.

On CIFAR-10's validation rows the second rung with 4.2 passes was as good as the third with 2.9 and half a point better
than the first with 6; between these it is interpolated.
"""
DEEP_FROM = 12.0
"""Passes from which on the dearest small network has three convolutions a stage, the last two with a skip around them, and
batches of 512, which take a fifth of the time off a step and cost no accuracy. On CIFAR-10's validation rows wider crops,
holes, mixing, and seeing learned rows less often gained nothing there or lost up to a point (docs/log.md)."""
FEW = 10_000
"""With fewer training images than this: the narrowest network, small batches, strong augmentation."""
HARMFUL, UPSIDE_DOWN = -1.5, -1.0
"""Changed examples, mirror images say, are trained on unless a quick judge shows that they harm (data/taught.py): what it
gains by them, in standard errors. More is asked of upside-down images.

Measured with five draws each, left-right and upside-down: digits -2.5 to -1.6, -4.5 to -2.3; fashion-mnist -1.3 to 1.1,
where mirror images help the network (0.9350 against 0.9292), -3.5 to -1.3; trashnet -1.4 to 2.4, 0.5 to 2.0; 2,000 of
CIFAR-10's 0.6 to 2.3, -3.1 to -2.1. Pictures whose class is a direction: -20 to -7.
"""
WARP_FROM = 60.0
"""Passes from which on a few images are also warped and shaded. Accuracy with and without: 1,000 of fashion-mnist 0.826 and
0.867 after 24 passes, 600 of them 0.822 and 0.837 after 60; CIFAR-10's 0.584 and 0.598, 0.533 and 0.534 (docs/log.md)."""
MIX_FROM = 15.0
"""Passes from which on a few images are also mixed."""


def image_size(size: tuple[int, int]) -> tuple[int, int] | None:
    """(height, width) to which larger images are made smaller; None: they stay as they are."""
    shorter = min(size)
    if shorter <= SMALL_ENOUGH:
        return None
    return round(size[0] * SMALL_ENOUGH / shorter), round(size[1] * SMALL_ENOUGH / shorter)


def image_recipes(facts: Facts) -> list[Candidate]:
    rungs = rungs_of(facts)
    rung = affordable(facts, rungs)
    passes = passes_of(facts, rungs[rung])
    recipe = fast_conv(facts, rungs[rung], passes)
    named = "-".join(map(str, rungs[rung]))
    if rungs[rung] == RUNGS["small"][-1] and (deep := passes_of(facts, rungs[rung], depth=3)) >= DEEP_FROM:
        recipe, passes, named = deepened(recipe), deep, f"{named} with three convolutions a stage"
    said = f"a fast convolutional network {named}" + (f", time for about {passes:.0f} passes" if passes else "")
    first = [Candidate("fastconv", recipe, said)]
    if passes < RACE_FROM:
        return first
    gentle = recipe.put("optimizer.lr", recipe["optimizer.lr"] / 2).put("optimizer.rest_lr", 0.25)
    others = [Candidate("gentle", gentle, "half the learning rate")]
    if rung + 1 < len(rungs):
        others.append(Candidate("wider", recipe.put("family.widths", rungs[rung + 1]), "wider stages"))
    if facts.mirror[0] < 2 and any(c.name == "flip" for c in recipe.augment):
        others.append(Candidate("unmirrored", recipe.put("augment.flip", None), "without mirror images"))
    return [*first, *others]


def deepened(recipe: Recipe) -> Recipe:
    """The recipe for many passes over many images."""
    return recipe.put("family.depth", 3).put("batch_size", 512).put("optimizer.lr", 0.17)


def rungs_of(facts: Facts) -> tuple[tuple[int, ...], ...]:
    side = min(facts.shape[1:])
    return RUNGS["tiny" if side < TINY else "small" if side <= NATIVE else "large"]


def affordable(facts: Facts, rungs: tuple[tuple[int, ...], ...]) -> int:
    """The dearest rung for whose passes there is time; the cheapest for few images."""
    if facts.n_train < FEW:
        return 0
    if not facts.rate:
        return min(1, len(rungs) - 1)
    return max(i for i, widths in enumerate(rungs) if i == 0 or passes_of(facts, widths) >= ENOUGH_PASSES[i])


def passes_of(facts: Facts, widths: tuple[int, ...], depth: int = 2) -> float:
    """How often the time allows to see all training images; 0 while the speed is not known."""
    return facts.seconds * facts.rate / (flops(facts.shape, widths, depth, fewer=facts.fewer) * facts.n_train)


def fast_conv(facts: Facts, widths: tuple[int, ...], passes: float) -> Recipe:
    """Whitening stem, Muon on the filters, label smoothing, a rate that falls to zero (after Jordan 2024)."""
    few = facts.n_train < FEW
    grey, large = facts.shape[0] == 1, min(facts.shape[1:]) > NATIVE
    patch = 3 if large or (grey and min(facts.shape[1:]) >= TINY) else 2
    mixing = (Choice("cutmix", alpha=1.0, until=0.8), Choice("mixup", alpha=0.2, until=0.8))
    return Recipe(
        family=Choice("fastconv", widths=widths, patch=patch),
        activation=Choice("gelu"),
        loss=Choice("cross_entropy", label_smoothing=0.2) if facts.goal == "classify" else Choice("mse"),
        optimizer=Choice(
            "muon", lr=0.12, momentum=0.6, sphere=True, rest="sgd", rest_lr=0.5, rest_momentum=0.85, weight_decay=1e-3
        ),
        schedule=Choice("linear"),
        regularise=mixing if few and large and facts.goal == "classify" and passes >= MIX_FROM else (),
        augment=image_augment(facts, passes),
        batch_size=64 if few else 256,
    )


def image_augment(facts: Facts, passes: float = 0.0) -> tuple[Choice, ...]:
    """Mirror images where the data says that they keep their class; more warping where there are few images, and time to see
    them so often that they would be learned by heart (`passes`; 0: not known).

    For many images nothing stronger paid. CIFAR-10's validation rows, 64-128-256, 5.4 passes, one run each: 0.8844 with
    these (and whitening in float32); flips alternating between passes with cutout 0.8772, with crops of 4 pixels 0.8826.
    """
    side, upright = facts.mirror
    flips = [Choice("flip")] if side >= HARMFUL else []
    if facts.n_train >= FEW or 0 < passes < WARP_FROM:
        return (*flips, Choice("crop", pad=max(1, min(facts.shape[1:]) // 16 - (facts.shape[0] == 1))))
    if not flips:  # digits, letters, signs
        warps = [Choice("rotate", degrees=10.0), Choice("zoom", share=0.15), Choice("shift", share=0.12, pixels=0)]
        return (*warps, Choice("shear", degrees=8.0))
    flips += [Choice("vertical_flip")] if upright >= UPSIDE_DOWN else []
    warps = [Choice("rotate", degrees=15.0), Choice("zoom", share=0.2), Choice("shift", share=0.1, pixels=0)]
    shades = [Choice("brightness", amount=0.2), Choice("contrast", amount=0.2)]
    shades += [Choice("colour", saturation=0.2)] if facts.shape[0] == 3 else []
    return (*flips, *warps, *shades)


SPARED = 0.5
"""What a convolution with fewer products takes of the time of a plain one (benchmarks/convolution_speed.py)."""


def flops(
    shape: tuple[int, ...], widths: tuple[int, ...], depth: int = 2, patch: int = 2, fewer: bool = False
) -> float:
    """Multiply-adds of one image forward through the fast network, `depth` convolutions a stage.

    `fewer`: where the convolutions after the first train with fewer products, by the time that they take.
    """
    channels, height, width = shape
    area, before, total = float((height - 1) * (width - 1)), 2 * min(16, channels * patch**2), 0.0
    share = 1.0
    for stage in widths:
        after = area / 4 if area >= 36 else area
        total += 9 * stage * share * before * area
        share = SPARED if fewer else 1.0
        total += 9 * stage * share * (depth - 1) * stage * after
        area, before = after, stage
    return total


# -- tables --------------------------------------------------------------------------------------------------------


FEW_ROWS = 3_000
LARGE_TABLE = 50_000
PASSES = {"few": 150, "regress": 60, "classify": 16}
"""Passes over a table after which more of them over-fit: few rows, values, MANY_ROWS of classes."""
MANY_ROWS = 31_000
"""Fewer rows of classes take more passes, with the root of how many fewer. Of 3,060 rows, hurried, 22 passes made 18 to 41 %
fewer errors than 7 on three of five tables and as many on two; 66 made fewer again on two of them, and more on one."""
HURRIED = 0.5
"""The share of the passes, with the fewest members, where there is no time for all: 30 passes of 4 members reached
0.448 on california-housing's validation rows in a fifth of the time in which 60 passes of 8 reached 0.445."""
MEMBERS = (4, 8)
"""Networks in the packed ensemble, in a hurry and with time: 16 were no better than 8."""
WIDEST = 300
"""Columns up to which numbers are encoded at all."""
BIN_BUDGET = 1536
"""Bins of all columns together: wide tables get coarser ones."""


def table_recipes(facts: Facts) -> list[Candidate]:
    """One strong recipe. What else is tried when it is done before the time is up, `neighbours` says."""
    columns = tuple(facts.more.get("columns", ()))
    recipe = tabular(dataclasses.replace(facts, shape=(len(columns),)) if columns else facts)
    members = recipe.family.params["members"]
    said = f"{members} packed perceptrons over piecewise-linear columns, {table_passes(facts)} passes"
    if not columns:
        return [Candidate("tabular", recipe, said)]
    said += f", of {len(columns)} columns: the others say nothing of the target that chance would not"
    return [Candidate("tabular", recipe.put("family.columns", columns), said)]


def tabular(facts: Facts) -> Recipe:
    """Two rectified layers, briefly trained: what won on validation rows of three tables."""
    few, values = facts.n_train < FEW_ROWS, facts.goal == "regress"
    batch = 512 if facts.n_train > LARGE_TABLE else 256
    batch = min(128, max(16, facts.n_train // 8)) if few else batch
    columns, start = facts.shape[0], {"straight": True} if few else {}
    return Recipe(
        family=Choice(
            "tabular",
            start,
            width=128 if few else 256,
            depth=2,
            dropout=0.0 if few else 0.2 if values else 0.3,
            members=members_for(facts),
            bins=max(4, min(48, BIN_BUDGET // max(1, columns))),
            embedding="ple" if columns <= WIDEST else "none",
            embedding_dim=16 if values and not few and columns <= WIDEST // 4 else 0,
        ),
        activation=Choice("relu"),
        norm=Choice("none"),
        optimizer=Choice("adamw", lr=2e-3, beta2=0.95, weight_decay=3e-4 if few else 1.0),
        schedule=Choice("trapezoid", warmup=0.0, decay=0.5),
        batch_size=min(batch, facts.n_train),
        steps=table_passes(facts) * max(1, facts.n_train // batch),
    )


def whole_passes(facts: Facts) -> int:
    if facts.n_train < FEW_ROWS or facts.goal == "regress":
        return PASSES["few" if facts.n_train < FEW_ROWS else "regress"]
    return round(PASSES["classify"] * math.sqrt(max(1.0, MANY_ROWS / facts.n_train)))


def table_passes(facts: Facts) -> int:
    whole = whole_passes(facts)
    return whole if members_for(facts) == MEMBERS[1] else round(whole * HURRIED)


def members_for(facts: Facts) -> int:
    """More members where there is time for all passes with them; the many while the speed is not known."""
    whole = whole_passes(facts) * facts.n_train
    hurry = 0 < facts.rate * facts.seconds * MARGIN < whole  # rows per second, measured with the many
    return MEMBERS[0] if hurry else MEMBERS[1]


MARGIN = 0.9
"""The share of the time that is planned with: machines slow down."""
OVERFITTED = 0.7
"""Where the best validation came before this share of the steps, the rest of them were too many."""

CHANGES: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("dropout", {"family.dropout": 0.2}, "more or less dropout"),
    ("faster", {"optimizer.lr": "x2"}, "twice the learning rate"),
    ("slower", {"optimizer.lr": "x0.5"}, "half the learning rate"),
    ("deeper", {"family.depth": 3}, "a third layer"),
    ("decay", {"optimizer.weight_decay": 0.3}, "another weight decay"),
    ("longer", {"steps": "x2"}, "twice the passes"),
    ("wider", {"family.width": 512}, "wider layers"),
    ("half", {"steps": "x0.5"}, "half the passes"),
)
"""(name, what is changed, why) in the order in which they are tried. Chosen by hand on three tables; `benchmarks/portfolio.py`
measures what else is worth a try."""


def neighbours(recipe: Recipe, best_share: float = 1.0, hinted: Sequence[Candidate] = ()) -> Iterator[Candidate]:
    """Hand-made changes of a good recipe, each once: what this data hints at, and what helped on some table.

    `best_share`: the share of its steps at which the recipe was best. After overfitting, what regularises comes first.
    """
    seen = {recipe.hash}
    edits = (Candidate(name, changed(recipe, change), because) for name, change, because in CHANGES)
    calm = calmer(recipe, best_share) if best_share < OVERFITTED else ()
    for candidate in (*all_columns(recipe), *calm, *hinted, *edits):
        if candidate.recipe.hash not in seen:
            seen.add(candidate.recipe.hash)
            yield candidate


def changed(recipe: Recipe, change: Mapping[str, Any]) -> Recipe:
    """The recipe with these values at these paths; "x2" is twice what it has there, and nothing where it has nothing."""
    found = recipe
    for path, value in change.items():
        times = isinstance(value, str) and value.startswith("x")
        if not times:
            found = found.put(path, value)
        elif recipe[path] is not None:
            found = found.put(path, scaled(recipe[path], float(value[1:])))
    return found


def scaled(value: float, by: float) -> float:
    """Whole numbers stay whole, and above zero."""
    return max(1, round(by * value)) if isinstance(value, int) else by * value


def all_columns(recipe: Recipe) -> Iterator[Candidate]:
    """The recipe with what it leaves out."""
    if recipe["family.columns"]:
        whole = recipe.put("family.columns", None).put("family.embedding", "none")
        yield Candidate("all-columns", whole, "all columns, as they are")


def calmer(recipe: Recipe, best_share: float) -> Iterator[Candidate]:
    """Recipes that can over-fit less."""
    half, steps = max(10, recipe.steps // 2), max(10, round(recipe.steps * best_share))
    yield Candidate("shorter", recipe.put("steps", steps), "ending where the validation was best")
    yield Candidate("calmer", recipe.put("family.dropout", 0.3).put("steps", half), "more dropout and half the passes")
    small = recipe.put("family.width", 32).put("family.depth", 1).put("optimizer.lr", 5e-3)
    yield Candidate("smaller", small.put("family.bins", 8), "one narrow layer")
    linear = recipe.put("family", Choice("linear")).put("optimizer.lr", 1e-2).put("steps", half)
    yield Candidate("linear", linear, "a linear model")


# -- the user's own ------------------------------------------------------------------------------------------------


USER_RACE_FROM = 30.0
"""Passes over the data from which a user's own network is raced with other optimisers."""


def user_recipes(facts: Facts) -> list[Candidate]:
    passes = facts.seconds * facts.rate / facts.n_train
    recipe = Recipe(
        family=Choice("user", factory=facts.factory),
        optimizer=Choice("adamw", lr=1e-3, weight_decay=0.01),
        schedule=Choice("one_cycle", warmup=0.1),
        augment=image_augment(facts, passes) if facts.domain == "image" else (),
        batch_size=128 if facts.n_train > 2_000 else 32,
    )
    first = Candidate("yours", recipe, "your network with AdamW")
    if passes < USER_RACE_FROM:
        return [first]
    return [
        first,
        Candidate("yours-higher-lr", recipe.put("optimizer.lr", 3e-3), "three times the learning rate"),
        Candidate("yours-sgd", recipe.put("optimizer", Choice("sgd", lr=0.05, weight_decay=5e-4)), "SGD with momentum"),
    ]
