"""The commands that train: one network as good as can be, or several that are compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from whet.commands.options import (
    Data,
    Holdout,
    Model,
    Ray,
    Said,
    Split,
    Storage,
    Target,
    TaskName,
    process_start,
)
from whet.roles import with_roles

COMPARED = "What is compared"


def _compared(example: str) -> Any:
    return typer.Option(rich_help_panel=COMPARED, help=f"With commas between them: {example}")


@with_roles
def fit(
    data: Data,
    target: Target = None,
    task: TaskName = None,
    budget: Annotated[str, typer.Option(help="Wall-clock for everything: 60s, 5m, 1h30m.")] = "60s",
    seed: Annotated[int, typer.Option(help="One seed for every random number.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The run folder; the same command goes on in it.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials that run side by side; if not given, as many as pay.", min=1)
    ] = None,
    ray: Ray = None,
    storage: Storage = None,
    holdout: Holdout = None,
    split: Split = None,
    model: Model = None,
    recipe: Annotated[Path | None, typer.Option(help="Train exactly this recipe.toml.")] = None,
    steps: Annotated[int | None, typer.Option(help="Train exactly this many steps.", min=1)] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(help="What is searched, once for each: optimizer.lr=1e-4..1e-2, activation=relu,gelu."),
    ] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Several networks may be delivered as one.")] = False,
    *,
    roles: Said,
) -> None:
    """Train the best network that the budget allows, and report why it is the best."""
    from whet.tasks import aside

    with aside.early(data):
        from whet.improve import fit as run

        run(
            data,
            target=target,
            task=task,
            budget=budget,
            seed=seed,
            out=out,
            workers=workers,
            ray=ray,
            storage=storage,
            holdout=holdout,
            split=split,
            model=model,
            recipe=recipe,
            steps=steps,
            space=search,
            ensemble=ensemble,
            show=True,
            started=process_start(),
            **roles,
        )


@with_roles
def compare(
    data: Data,
    activation: Annotated[str | None, _compared("relu,gelu,mish")] = None,
    optimizer: Annotated[str | None, _compared("adamw,lion")] = None,
    init: Annotated[str | None, _compared("he,auto")] = None,
    norm: Annotated[str | None, _compared("batch,layer,none")] = None,
    loss: Annotated[str | None, _compared("cross_entropy,focal")] = None,
    augment: Annotated[str | None, _compared("none,flip,flip+crop(pad=2)")] = None,
    choices: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=A,B", rich_help_panel=COMPARED, help="Any choice: optimizer.lr=1e-3,1e-2"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings per arm, paired.")] = 5,
    budget: Annotated[str, typer.Option(help="Wall-clock for everything: 60s, 5m, 1h30m.")] = "5m",
    steps: Annotated[int | None, typer.Option(help="Exactly so many steps per training; no clock.", min=1)] = None,
    by: Annotated[str, typer.Option(help="What each training has the same of: steps or seconds.")] = "steps",
    keep_lr: Annotated[bool, typer.Option("--keep-lr", help="Don't tune each arm's learning rate.")] = False,
    target: Target = None,
    task: TaskName = None,
    seed: Annotated[int, typer.Option(help="Of the split, and the first of the trainings'.")] = 0,
    out: Annotated[Path | None, typer.Option(help="The folder; the same command goes on in it.")] = None,
    workers: Annotated[int, typer.Option(help="Trainings that run side by side.", min=1)] = 1,
    ray: Ray = None,
    storage: Storage = None,
    holdout: Holdout = None,
    split: Split = None,
    model: Model = None,
    recipe: Annotated[
        Path | None, typer.Option(help="What all arms share; else what whet fit would try first.")
    ] = None,
    *,
    roles: Said,
) -> None:
    """A controlled experiment: which choice trains the best network on this data, and how sure is that?"""
    from whet.comparing.arms import asked_for
    from whet.comparing.conduct import compare as call

    named = given(activation=activation, optimizer=optimizer, init=init, norm=norm, loss=loss, augment=augment)
    call(
        data,
        asked_for(named, choices or ()),
        seeds=seeds,
        budget=budget,
        steps=steps,
        by=by,
        keep_lr=keep_lr,
        target=target,
        task=task,
        seed=seed,
        out=out,
        workers=workers,
        ray=ray,
        storage=storage,
        holdout=holdout,
        split=split,
        model=model,
        recipe=recipe,
        show=True,
        started=process_start(),
        **roles,
    )


def given(**roles: Any) -> dict[str, Any]:
    """Only what was said."""
    return {name: value for name, value in roles.items() if value is not None}
