"""What a run is asked for, read from what a user gave, and refused in one line where it makes no sense."""

from __future__ import annotations

import contextlib
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from whet import files, naming
from whet.data.core import Data, Roles
from whet.errors import DataError, RecipeError, UnknownName, UserError, shown
from whet.fields import load
from whet.fields.own import NAME as OWN_DATA
from whet.journal import Journal
from whet.recipe import Recipe
from whet.run_folder import Order, RunFolder
from whet.screen import Screen
from whet.train.plan import cores

LARGE = 50e6
"""Bytes from which a file is named before it is read: a table of 200 MB takes 4 s of a core that nobody else uses."""
FOUND_BY_RAY = ("auto", "local")
ANSWERS_IN = 5.0
"""Seconds in which a cluster has to answer."""

AnyOrder = TypeVar("AnyOrder", bound=Order)


class Source(NamedTuple):
    """Where the data is, and what was said of it."""

    data: Any
    target: str | None
    task: str | None
    holdout: Any
    split: str | None
    roles: Mapping[str, Any]


def ordered(
    kind: type[AnyOrder], source: Source, model: Any, fixed: Recipe | None, **more: Any
) -> tuple[AnyOrder, Data]:
    """What is asked, of a run or of a comparison, as its folder keeps it; and the data, loaded. `more`: the kind's own."""
    data, target, task, holdout, split, _ = source
    roles = roles_of(source.roles)
    factory_name(model)  # a file that is not there is said before data is read
    found = load(data, target=target, task=task, holdout=holdout, split=split, roles=roles)
    named = in_common(data, found, model, holdout, fixed, roles)
    return kind(**named, target=target, task=task, split=split, **more), found


def in_common(data: Any, found: Data, model: Any, holdout: Any, fixed: Recipe | None, roles: Roles) -> dict[str, Any]:
    """What live objects are called in an `Order`."""
    return {
        "data": str(data) if isinstance(data, str | Path) else found.name,
        "fingerprint": found.fingerprint + code_of(model),
        "model": factory_name(model),
        "recipe": fixed.to_json() if fixed else None,
        "holdout": None if holdout is None else str(holdout) if isinstance(holdout, str | Path) else "given",
        "roles": {role: said if isinstance(said, str | int) else "given" for role, said in roles.given().items()},
    }


def roles_of(said: Mapping[str, Any]) -> Roles:
    """Raises UnknownName for a role that no field knows."""
    for name in said:
        if name not in Roles.__dataclass_fields__:
            raise UnknownName("option", name, Roles.__dataclass_fields__)
    return Roles(**said)


def refuse_run(*sources: Any) -> None:
    """Raises DataError for the folder of a run, or of a comparison, where data belongs."""
    for source in sources:
        begun = started_in(Path(source)) if isinstance(source, str | Path) else None
        if begun is None:
            continue
        compares = "choices" in begun.get("order", {})
        steps = f"`whet report {source}` shows what came out, and the command that began it goes on with it."
        raise DataError(
            f"{source} is the folder of a {'comparison' if compares else 'run'}, not data.",
            steps if compares else f"`whet predict {source} DATA` applies its network, {steps}",
        )


def say_large(screen: Screen, *sources: Any) -> None:
    """Name the files that take a while to read, so that nobody waits before an empty screen."""
    for source in sources:
        with contextlib.suppress(OSError, ValueError, TypeError):  # whatever else is wrong is said by those who read it
            path = Path(source)
            if path.is_file() and path.stat().st_size >= LARGE:
                screen.say(f"Reading {path.name} ({path.stat().st_size / 1e6:,.0f} MB).")


def started_in(folder: Path) -> dict[str, Any] | None:
    """How the run in this folder was begun; None for any other folder."""
    try:
        return Journal(RunFolder(folder).journal).last("start")
    except (OSError, ValueError):  # no name that a file can have
        return None


@dataclass(frozen=True)
class Where:
    """Where trainings are done: in so many processes of this machine, or on a Ray cluster. Refused where it makes no sense."""

    workers: int | None = None
    """None: as many as pay."""
    ray: str | None = None
    storage: str | None = None

    def __post_init__(self) -> None:
        refuse_counts(workers=self.workers)
        refuse_storage_alone(self.storage, self.ray)
        refuse_silence(self.ray)

    def at_once(self, order: Order, screen: Screen) -> int:
        """Trainings side by side on this machine: no more than cores, and one where a part of them is a function of this
        process; 0: as many as pay. Raises RecipeError where a cluster would have to know such a function."""
        own = functions_of_this_process(order)
        if self.ray:
            refuse_own_functions(own)
            return 1
        if self.workers is None:
            return 1 if own else 0
        if self.workers > 1 and own:
            screen.say(
                f"The {own} is a function of this process: trials run one after the other (give FILE.py:function)."
            )
            return 1
        if self.workers > cores():
            screen.say(f"{self.workers} workers on {cores()} cores: {cores()} are used.")
        return min(self.workers, cores())


def functions_of_this_process(order: Order) -> str:
    """What no other process could be told: the network, the loss or the data; empty for none of them."""
    given = {"network": order.model, "loss": order.loss, "data": "python:" if order.data == OWN_DATA else ""}
    return " and ".join(name for name, said in given.items() if (said or "").startswith("python:"))


def refuse_counts(**counts: Any) -> None:
    """Raises UserError for what is no number of things; None is fine."""
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, Integral) or count < 1):
            raise UserError(f"{name}={shown(count)} is no whole number from 1 on.", "Leave it out, or give one.")


def whole_seed(seed: Any) -> int:
    """The seed as a plain number, numpy's too. Raises UserError for what is no whole number."""
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise UserError(f"seed={shown(seed)} is no whole number.", "Leave it out, or give one.")
    return int(seed)


def refuse_storage_alone(storage: str | None, ray: str | None) -> None:
    """Raises UserError for storage that nobody would use."""
    if storage and not ray:
        raise UserError(
            f"storage={storage!r} is for the nodes of a cluster, and none is named.", "Give --ray ADDRESS too."
        )


def refuse_silence(ray: str | None) -> None:
    """Raises UserError where no cluster is named, or nothing answers at its address: else it is asked for work late."""
    if ray is None or ray in FOUND_BY_RAY or ("://" in str(ray) and not str(ray).startswith("ray://")):
        return  # Ray hands other schemes to whoever offers them
    host, _, port = str(ray).removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise UserError(f"ray={ray!r} names no cluster.", 'Give HOST:PORT, "auto", or "local" for one of this run.')
    try:
        socket.create_connection((host, int(port)), timeout=ANSWERS_IN).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"No Ray cluster answers at {ray!r}: {why}.",
            "Start one with `ray start --head`, or give its HOST:PORT; `--ray local` starts one for this run.",
        ) from None


def refuse_own_functions(own: str) -> None:
    """Raises RecipeError where a cluster would have to know functions of this process."""
    if own:
        raise RecipeError(
            f"The {own} is a function of this process, which no node of a cluster knows.", "Give FILE.py:function."
        )


def read_recipe(recipe: Recipe | Mapping[str, Any] | str | Path | None) -> Recipe | None:
    """A recipe from a recipe, its dict, a TOML file, or nothing. Raises RecipeError where nothing can be read, or is said,
    and UnknownName for a method that there is not."""
    if recipe is None:
        return None
    if isinstance(recipe, Mapping):
        recipe = Recipe.from_dict(recipe)
    found = recipe if isinstance(recipe, Recipe) else in_file(recipe)
    naming.check_recipe(found)
    return found


def in_file(recipe: str | Path) -> Recipe:
    """The recipe of a TOML file."""
    try:
        text = Path(recipe).read_text()
    except FileNotFoundError:
        raise RecipeError(
            f"There is no recipe {str(recipe)!r}.", "Give the recipe.toml of a run, or write one."
        ) from None
    except UnicodeDecodeError:
        raise RecipeError(f"The recipe {str(recipe)!r} is not text.", "Give a recipe.toml.") from None
    except OSError as error:
        raise RecipeError(
            f"The recipe {str(recipe)!r} can't be read: {error.strerror}.", "Give a recipe.toml."
        ) from error
    found = Recipe.from_toml(text)
    if not tomllib.loads(text):
        raise RecipeError(f"The recipe {str(recipe)!r} is empty.", "Leave --recipe out, or name a choice in the file.")
    return found


def factory_name(model: Any) -> str | None:
    """A user's network as text, and the permission to run it: "FILE.py:function", or a name for a callable.

    Raises RecipeError for a file that is not there.
    """
    if model is None:
        return None
    from whet.families.user import located, remember

    if isinstance(model, str) and ":" in model and not model.startswith("python:"):
        located(model)
    return remember(model)


def code_of(model: Any) -> str:
    """A checksum of the file that "FILE.py:function" names: another network is another run. Empty for no file."""
    path = Path(str(model).rpartition(":")[0])
    return "+" + files.sha256(path)[:12] if isinstance(model, str) and path.is_file() else ""
