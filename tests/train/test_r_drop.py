"""R-Drop: rows that are seen twice, by the loop and by the formula."""

import pytest
import torch
import torch.nn.functional as F
from setups import SMALL, TABLE, rows, training, weights

from whet.errors import RecipeError
from whet.recipe import Choice
from whet.regularise import RDrop
from whet.regularise.twins import disagreement, twice
from whet.train.loop import train_step
from whet.train.plan import Plan

TWICE = (Choice("r_drop", alpha=3.0),)


def test_the_loss_is_half_of_equation_4() -> None:
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    label = torch.tensor([0, 2, 1, 1])
    _, target = twice((), label)
    p, q = z[0::2].softmax(1), z[1::2].softmax(1)
    said = -(p.gather(1, label[:, None]).log() + q.gather(1, label[:, None]).log()).sum()
    apart = F.kl_div(q.log(), p, reduction="sum") + F.kl_div(p.log(), q, reduction="sum")
    torch.testing.assert_close(RDrop(3.0).loss(F.cross_entropy)(z, target), (said + 3.0 / 2 * apart) / 2 / 4)


def test_members_are_compared_each_with_itself() -> None:
    z = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))
    alone = [disagreement(z[:, member]) for member in range(2)]
    torch.testing.assert_close(disagreement(z), torch.stack(alone).mean())


def test_a_row_that_is_said_the_same_of_twice_costs_nothing_more() -> None:
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    assert disagreement(twice((z,), z)[0][0]) == 0


def test_rows_are_seen_twice_in_training_and_augmented_each_by_itself() -> None:
    parts = training(SMALL.put("regularise", TWICE)).parts
    inputs, target = parts.train.batch(0, 0)
    (x, *_), twins = parts.prepare(inputs, target, torch.Generator().manual_seed(0))
    assert torch.equal(twins[0::2], target)
    assert torch.equal(twins[1::2], target)
    assert not torch.equal(x[0::2], x[1::2])
    assert len(parts.prepare(inputs, target, None)[1]) == len(target)


def test_small_batches_part_no_twins() -> None:
    recipe = SMALL.put("family", Choice("linear")).put("optimizer", Choice("gd", lr=0.1)).put("regularise", TWICE)
    whole, pieces = training(recipe), training(recipe, plan=Plan(micro_batch=5))
    for one in (whole, pieces):
        train_step(one)
        train_step(one)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(pieces)[name], tensor, rtol=1e-4, atol=1e-6)


def test_what_has_no_classes_or_mixes_rows_is_refused() -> None:
    with pytest.raises(RecipeError, match="r_drop compares probabilities"):
        training(TABLE.put("regularise", TWICE), rows())
    with pytest.raises(RecipeError, match="of which mixup makes two rows"):
        training(SMALL.put("regularise", (*TWICE, Choice("mixup", alpha=0.2))))
