"""Several trained networks as one: each says what it thinks, and the shares that it was given weigh it.

An ensemble is made of trained networks, it is not trained itself; its recipe holds its members' recipes as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from whet.recipe import Choice, Recipe

NAME = "ensemble"

Pool = Callable[[Tensor, Tensor], Tensor]
"""(outputs of the members (M, n, …), shares (M,) that sum to 1) -> outputs (n, …) of the same meaning."""


class Ensemble(nn.Module):
    """Inputs -> the pooled outputs of all members."""

    shares: Tensor
    """(M,)"""

    def __init__(self, members: Sequence[nn.Module], shares: Sequence[float], pool: Pool) -> None:
        super().__init__()
        self.members, self.pool = nn.ModuleList(members), pool
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32), persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        said = torch.stack([member(*inputs).float() for member in self.members])
        return self.pool(said, self.shares)


def recipe_of(recipes: Sequence[Recipe], shares: Sequence[float]) -> Recipe:
    """The recipe of an ensemble; what stands beside the family is the first member's."""
    members = tuple(recipe.to_json() for recipe in recipes)
    return recipes[0].put("family", Choice(NAME, members=members, shares=tuple(map(float, shares))))


def members_of(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipes of an ensemble's members; of another recipe, itself."""
    if recipe.family.name != NAME:
        return (recipe,)
    return tuple(Recipe.from_json(str(text)) for text in recipe.family.params["members"])  # type: ignore[union-attr]


def shares_of(recipe: Recipe) -> tuple[float, ...]:
    """How much each member counts."""
    return tuple(recipe.family.params["shares"])  # type: ignore[arg-type]


def weights_of(members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The ensemble's state from the members' own."""
    return {f"members.{i}.{name}": tensor for i, state in enumerate(members) for name, tensor in state.items()}
