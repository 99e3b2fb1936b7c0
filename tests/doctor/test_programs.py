"""Programs as tutorials teach them: watched they end with the same bits, and nothing in them is an alarm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from programs import PROGRAMS, Program, unwatched

import whet


def weights(program: Program, watching: Any) -> torch.Tensor:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    return torch.cat([t.detach().flatten().double() for m in program(watching) for t in m.state_dict().values()])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_a_tutorial_raises_no_alarm_and_keeps_its_bits(name: str) -> None:
    seen: list[whet.doctor.Watching] = []

    def watching(*parts: Any, **more: Any) -> Any:
        seen.append(whet.watch(*parts, **more))
        return seen[-1]

    watched = weights(PROGRAMS[name], watching)
    assert torch.equal(watched, weights(PROGRAMS[name], unwatched))
    assert seen
    for watch in seen:
        assert watch.diagnosis.healthy, watch.diagnosis
        assert watch.sampler.count >= 2
