"""The networks for sound, and what they promise about time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from whet.errors import RecipeError
from whet.families import FAMILIES, InputSpec
from whet.families.audio_common import AttentionPool, Recurrent, backwards, end_in_blanks

MELS, FRAMES = 20, 33
NAMES = [e.name for e in FAMILIES if "audio" in e.domains]
OVER_TIME = ["audio_rnn", "audio_crnn", "audio_transformer"]
THIN = {
    "audio_cnn": {"widths": (8, 8, 16)},
    "audio_rnn": {"width": 8},
    "audio_crnn": {"widths": (4, 8, 8), "width": 8},
    "audio_transformer": {"width": 16, "depth": 2, "heads": 2},
    "audio_wave": {"widths": (8, 8, 16)},
    "resnet": {"depth": 10, "width": 0.25},
    "densenet": {"depth": 16, "growth": 4},
    "fastconv": {"widths": (8, 16, 16)},
    "textbook": {"width": 8},
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def spec(goal: str = "classify", waves: bool = False) -> InputSpec:
    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm1d(channels) if waves else nn.BatchNorm2d(channels)

    shape = (1, 2_000) if waves else (1, MELS, FRAMES)
    return InputSpec(shape, 5, goal, nn.ReLU, norm, domain="audio", more={"rate": 4_000})


def thin(name: str, goal: str = "classify", **params: object) -> nn.Module:
    entry = FAMILIES[name]
    return entry.make(spec(goal, name == "audio_wave"), **entry.fill({**THIN[name], **params}))


def sound(name: str, rows: int = 3) -> Tensor:
    return torch.randn(rows, *spec(waves=name == "audio_wave").shape)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_becomes_one_row_of_outputs_and_every_weight_learns(name: str) -> None:
    network = thin(name)
    for p in network.parameters():
        p.data.add_(0.01)
    out = network(sound(name))
    assert out.shape == (3, 5)
    out.square().sum().backward()
    for label, p in network.named_parameters():
        if p.requires_grad:
            assert p.grad is not None, label
            assert p.grad.isfinite().all(), label


@pytest.mark.parametrize("name", OVER_TIME)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_step_gets_an_answer_where_steps_are_labelled(name: str, cell: str) -> None:
    full = {"audio_rnn": {"cell": cell}, "audio_crnn": {"cell": cell, "stride": 1}, "audio_transformer": {"patch": 1}}
    assert thin(name, "label-steps", **full[name])(sound(name)).shape == (3, FRAMES, 5)


@pytest.mark.parametrize("name", OVER_TIME)
def test_what_follows_the_sound_changes_nothing_that_is_written_down(name: str) -> None:
    network = thin(name, "transcribe").eval()
    x, lengths = sound(name), torch.tensor([FRAMES, 17, 9])
    x = x * (torch.arange(FRAMES) < lengths[:, None])[:, None, None]
    both = network(x, lengths)
    for i, length in enumerate(lengths):
        short = x[i : i + 1, :, :, : min(FRAMES, length + 5)]
        alone = network(short, lengths[i : i + 1])
        steps = min(alone.shape[1], both.shape[1])
        torch.testing.assert_close(both[i : i + 1, :steps], alone[:, :steps], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", OVER_TIME)
def test_the_end_of_a_transcription_is_blank(name: str) -> None:
    said = thin(name, "transcribe").eval()(sound(name), torch.tensor([FRAMES, 17, 9]))
    p = said.softmax(-1)
    torch.testing.assert_close(p[2, -1], torch.eye(5)[0])
    assert p[0, -1, 0] < 0.9


def test_networks_that_judge_the_whole_refuse_to_label_steps() -> None:
    for name in ("audio_cnn", "audio_wave"):
        with pytest.raises(RecipeError, match="Choose audio_rnn"):
            thin(name, "transcribe")
    with pytest.raises(RecipeError, match="stride = 1"):
        thin("audio_crnn", "label-steps")
    with pytest.raises(RecipeError, match="patch = 1"):
        thin("audio_transformer", "label-steps")


def test_a_cell_and_a_stride_that_do_not_exist_are_refused() -> None:
    with pytest.raises(RecipeError, match="gru or lstm"):
        thin("audio_rnn", cell="rnn")
    with pytest.raises(RecipeError, match="depth=0 leaves no recurrent layer"):
        thin("audio_rnn", depth=0)
    with pytest.raises(RecipeError, match="stride=3"):
        thin("audio_crnn", stride=3)
    with pytest.raises(RecipeError, match="multiple of 6"):
        thin("audio_transformer", heads=3)


def test_reversing_twice_gives_the_sequence_back_and_leaves_the_end_alone() -> None:
    x, lengths = torch.randn(3, 7, 2), torch.tensor([7, 4, 1])
    back = backwards(x, lengths)
    assert torch.equal(backwards(back, lengths), x)
    assert torch.equal(back[1, :4], x[1, :4].flip(0))
    assert torch.equal(back[1, 4:], x[1, 4:])
    assert torch.equal(backwards(x, None), x.flip(1))


def test_the_recurrent_layer_is_torchs_packed_one() -> None:
    own = Recurrent("gru", 3, 4, depth=1, dropout=0.0)
    theirs = nn.GRU(3, 4, batch_first=True, bidirectional=True)
    for name, value in own.ahead[0].named_parameters():
        getattr(theirs, name).data.copy_(value)
    for name, value in own.back[0].named_parameters():
        getattr(theirs, f"{name}_reverse").data.copy_(value)
    x, lengths = torch.randn(3, 7, 3), torch.tensor([7, 4, 2])
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    found = own(x, lengths)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(found[i, :length], expected[i, :length])


def test_attention_weighs_the_sound_alone() -> None:
    pool = AttentionPool(4)
    x = torch.randn(2, 6, 4)
    x[1, 3:] = 100.0
    lengths = torch.tensor([6, 3])
    torch.testing.assert_close(pool(x, lengths)[1:], pool(x[1:, :3], None))


def test_certain_blanks_leave_the_loss_as_if_the_lengths_were_known() -> None:
    logits, lengths = torch.randn(2, 9, 5, requires_grad=True), torch.tensor([9, 5])
    target = torch.tensor([[1, 2, 2], [3, 4, -1]])
    from whet.losses import LOSSES

    found = LOSSES["ctc"].make()(end_in_blanks(logits, lengths), target)
    known = nn.functional.ctc_loss(
        logits.log_softmax(2).transpose(0, 1), target.clamp_min(0), lengths, torch.tensor([3, 2])
    )
    torch.testing.assert_close(found, known)
    (first,) = torch.autograd.grad(found, logits, retain_graph=True)
    (second,) = torch.autograd.grad(known, logits)
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
