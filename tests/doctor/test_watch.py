"""The doctor beside a loop of the user's own: it sees, and changes nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from cases import adam, moons, net
from torch import nn

import whet
from whet.errors import UserError


def loop(watching: bool, lr: float = 5e-3, model: Any = None, steps: int = 200) -> tuple[torch.Tensor, Any]:
    torch.manual_seed(0)
    model = model or net(nn.ReLU, lambda: nn.Dropout(0.1))()
    optimizer, loss_fn, (x, y) = adam(lr)(model.parameters()), nn.CrossEntropyLoss(), moons()
    with whet.watch(model, optimizer, loss=loss_fn) if watching else contextlib.nullcontext() as seen:
        for i in range(steps):
            rows = torch.arange(32) + i * 32 % 500
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            if seen is not None:
                seen.step(loss)
    return torch.cat([p.detach().flatten() for p in model.parameters()]), seen


def test_a_watched_training_ends_with_the_same_bits() -> None:
    torch.set_num_threads(1)
    assert torch.equal(loop(True)[0], loop(False)[0])


def test_a_sound_loop_raises_no_alarm_and_a_wild_one_does() -> None:
    assert loop(True)[1].diagnosis.healthy
    wild = loop(True, lr=20.0)[1].diagnosis
    assert not wild.healthy
    assert wild.findings[0].code == "HLR"


def test_hooks_are_gone_after_the_block() -> None:
    model = net()()
    loop(True, model=model, steps=3)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_loop_is_not_sampled_at_every_step() -> None:
    seen = loop(True, steps=400)[1]
    assert seen.steps == 400
    assert 2 <= seen.sampler.count < 200


def test_what_can_not_be_watched_is_said() -> None:
    model = net()()
    with pytest.raises(UserError, match="none of the model's parameters"):
        whet.watch(model, adam()(net()().parameters()))
    with whet.watch(model, adam()(model.parameters())) as seen:
        pass
    with pytest.raises(UserError, match="No training step"):
        _ = seen.diagnosis
    with pytest.raises(UserError, match="not one number"):
        seen.step(torch.zeros(3))


@pytest.mark.parametrize(
    ("clears", "backwards", "told"), [("first", 1, False), ("middle", 1, False), ("first", 3, False), ("", 1, True)]
)
def test_gradients_that_nobody_clears_are_named(clears: str, backwards: int, told: bool) -> None:
    """Cleared before or after the forward pass, and of several backward passes only once, is cleared."""
    torch.manual_seed(0)
    model = net()()
    optimizer, loss_fn, (x, y) = adam(1e-3)(model.parameters()), nn.CrossEntropyLoss(), moons()
    with whet.watch(model, optimizer, loss=loss_fn) as seen:
        for _ in range(12):
            if clears == "first":
                optimizer.zero_grad()
            for _ in range(backwards):
                loss = loss_fn(model(x[:32]), y[:32])
                if clears == "middle":
                    optimizer.zero_grad()
                loss.backward()
            optimizer.step()
            seen.step(loss)
    assert any(f.code == "ZGR" for f in seen.diagnosis.findings) == told
    assert not told or "look at this" in str(seen.diagnosis)


@pytest.mark.parametrize(
    "wrong", [lambda: whet.diagnose(net()()), lambda: whet.repair("x"), lambda: whet.watch(net()(), None)]
)
def test_what_is_no_setup_and_no_optimiser_is_said(wrong: Any) -> None:
    with pytest.raises(UserError, match="is no set-up|can be watched, not"):
        wrong()
