"""The commands that tell of methods, before anything trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whet.errors import UserError


def list_(
    shelf: Annotated[str, typer.Argument(metavar="[WHAT]", help="activations, families, optimizers, tasks, …")] = "",
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One of them: everything about it.")] = "",
    kind: Annotated[str | None, typer.Option(help="Activations: fixed, learned, dynamic, gated or output.")] = None,
    zero_centred: Annotated[bool, typer.Option("--zero-centred", help="… whose mean is 0.")] = False,
    bounded: Annotated[bool, typer.Option("--bounded", help="… whose values stay between two numbers.")] = False,
    monotone: Annotated[bool, typer.Option("--monotone", help="… that never turn back.")] = False,
    convex: Annotated[bool, typer.Option("--convex", help="… that bend upwards.")] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="… without kinks, in the slope too.")] = False,
    odd: Annotated[bool, typer.Option("--odd", help="… with f(−x) = −f(x).")] = False,
    even: Annotated[bool, typer.Option("--even", help="… with f(−x) = f(x).")] = False,
    sparse: Annotated[bool, typer.Option("--sparse", help="… with exact zeros.")] = False,
    self_normalising: Annotated[bool, typer.Option("--self-normalising", help="… that keep N(0, 1).")] = False,
) -> None:
    """List the methods that a recipe can name, or show one; activations also by what is known of them."""
    from whet import shelf as shelves
    from whet.report import catalogue

    asked = dict(
        zip(
            shelves.TRAITS,
            (zero_centred, bounded, monotone, convex, smooth, odd, even, sparse, self_normalising),
            strict=True,
        )
    )
    traits = [trait for trait, wanted in asked.items() if wanted]
    if shelf in ("task", "tasks"):
        catalogue.show_tasks()
        return
    found = shelves.shelf(shelf)
    if name and found is not None:
        catalogue.show_entry(found[name])
    elif shelf.removesuffix("s") == "activation":
        catalogue.show_activations(shelves.activations(kind, traits))
    elif traits or kind:
        raise UserError(
            f"--{(traits or ['kind'])[0]} asks about activations.", "For example: whet list activations --odd"
        )
    else:
        catalogue.show_catalogue(shelf, found)


def theory(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME|FORMULA]…", help="Or none: the common ones.")
    ] = None,
    depth: Annotated[int, typer.Option(help="Layers of the plain network.", min=1)] = 50,
    width: Annotated[int, typer.Option(help="Units per layer.", min=1)] = 256,
    out: Annotated[Path | None, typer.Option(help="An .html or .txt file for the same.")] = None,
) -> None:
    """Say whether a plain network carries signal and gradient, before anything trains: gain, depth, what would change it."""
    from whet.report.theory_text import check_out, computed, show

    check_out(out)
    show(computed(names or (), depth, width), out=out)
