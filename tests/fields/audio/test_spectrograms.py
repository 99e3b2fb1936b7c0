"""From samples to spectrograms, and what augmentation does on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sounds import RATE, tone

from whet.augment import AUGMENTS, Sound, audio, plan
from whet.errors import RecipeError
from whet.fields.audio.clips import Clips
from whet.fields.audio.front import Front, fitted, levelled, read, read_at
from whet.fields.audio.mel import filters, log_mel, power, power_by_products
from whet.fields.audio.transform import AudioTransform
from whet.recipe import Choice
from whet.tasks import make_task

TASK = make_task("audio", "classify", ("a", "b"), "label")
OF_SOUND = [e for e in AUGMENTS if e.domains == ("audio",)]
STRONG = {"seconds": 0.05, "share": 0.4, "decibels": 9.0, "count": 2}


def clips(*lengths: float) -> Clips:
    rows = [(32767 * tone(500, s, seed=i)).astype(np.int16) for i, s in enumerate(lengths)]
    sizes = np.asarray([len(r) for r in rows])
    return Clips(np.concatenate(rows), np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes, RATE)


def front(x: Clips, *choices: Choice, timed: bool = False) -> tuple[Front, tuple[torch.Tensor, ...]]:
    transform = AudioTransform.sized(x, np.arange(len(x)), timed)
    inputs = transform.apply(x)
    return Front.of(fitted(transform, inputs, torch.arange(len(x))), TASK, choices), inputs


def seen(own: Front, inputs: tuple[torch.Tensor, ...], seed: int | None = None) -> torch.Tensor:
    draw = None if seed is None else torch.Generator().manual_seed(seed)
    return own(inputs, torch.empty(0), draw)[0][0]


def test_the_power_is_that_of_torchs_own_short_time_transform() -> None:
    x = torch.randn(3, 1_000)
    window = torch.hann_window(128)
    theirs = torch.stft(x, 128, 40, window=window, return_complex=True, pad_mode="constant").abs().square()
    torch.testing.assert_close(power(x, 128, 40), theirs.transpose(1, 2) / window.square().sum(), rtol=1e-4, atol=1e-5)


def test_the_power_by_products_is_the_same() -> None:
    x = torch.randn(2, 700)
    torch.testing.assert_close(power_by_products(x, 96, 30), power(x, 96, 30), rtol=1e-3, atol=1e-5)


def test_white_noise_of_level_one_has_the_same_power_in_every_band() -> None:
    found = log_mel(torch.randn(8, 20_000), 8_000, 256, 128, 40).exp().mean((0, 1, 3))
    torch.testing.assert_close(found, torch.ones(40), rtol=0.3, atol=0)


@pytest.mark.parametrize(("rate", "size", "mels"), [(8_000, 256, 40), (16_000, 512, 64), (4_000, 128, 40)])
def test_every_mel_band_hears_something_and_weighs_one(rate: int, size: int, mels: int) -> None:
    found = filters(rate, size, mels)
    torch.testing.assert_close(found.sum(0), torch.ones(mels))
    centres = found.argmax(0)
    assert (centres.diff() >= 0).all()


def test_a_tone_lights_its_own_band() -> None:
    bands = [
        int(log_mel(torch.from_numpy(tone(p, 0.5)).float()[None], RATE, 128, 40, 20).mean(3).argmax())
        for p in (300, 900)
    ]
    assert bands[0] < bands[1]


def test_training_rows_have_mean_zero_and_spread_one_in_every_band() -> None:
    own, inputs = front(clips(0.3, 0.25, 0.3, 0.28))
    x = seen(own, inputs)
    assert x.shape == (4, 1, *own.transform.shape[1:])
    torch.testing.assert_close(x.mean((0, 1, 3)), torch.zeros(40), atol=1e-4, rtol=0)
    torch.testing.assert_close(x.std((0, 1, 3), correction=0), torch.ones(40), atol=1e-3, rtol=0)


def test_louder_and_softer_recordings_look_the_same() -> None:
    x = clips(0.3, 0.3)
    soft = Clips((x.samples // 8 * 2).astype(np.int16), x.starts, x.lengths, RATE)
    own, inputs = front(x)
    torch.testing.assert_close(seen(own, inputs), seen(own, own.transform.apply(soft)), atol=0.1, rtol=0)


def test_a_short_clip_stands_in_the_middle_and_a_long_one_is_cut_to_its_loudest_part() -> None:
    x = clips(0.1, *[0.2] * 150, 0.9)
    transform = AudioTransform.sized(x, np.arange(len(x)), timed=False)
    assert transform.window == round(0.2 * RATE)
    samples, span = transform.apply(x)
    assert span[0].tolist() == [-round(0.05 * RATE), round(0.1 * RATE)]
    wave = read(samples.view(torch.int16), span[:, 0], span[:, 1], transform.window)
    assert (wave[0, : round(0.05 * RATE)] == 0).all()
    middle = x.clip(len(x) - 1)[round(0.45 * RATE) - 60 : round(0.45 * RATE) + 60]
    kept = (32768 * wave[-1]).to(torch.int16).numpy()
    assert middle.tobytes() in kept.tobytes()


def test_what_is_cached_is_what_is_applied_and_pieces_are_parts_of_it() -> None:
    x = clips(0.2, 0.31, 0.25)
    transform = AudioTransform.sized(x, np.arange(3), timed=False)
    (samples, span), _ = transform.cached(x, "some sounds")
    whole = transform.apply(x)
    assert torch.equal(samples, whole[0])
    assert torch.equal(span, whole[1])
    pieces = [*transform.pieces(x)]
    assert torch.equal(torch.cat([p[0] for p in pieces]), whole[0])


def test_a_transform_survives_json() -> None:
    own, _ = front(clips(0.2, 0.3))
    assert AudioTransform.from_dict(own.transform.to_dict()) == own.transform


def test_reading_at_speed_one_is_reading() -> None:
    x = torch.randint(-9_000, 9_000, (3, 400), dtype=torch.int16)
    start, length = torch.tensor([0, -20, 30]), torch.tensor([400, 300, 400])
    plain = read(x, start, length, 300)
    assert torch.equal(plain, read_at(x, start, length, 300, torch.ones(3), 0.5))
    almost = read_at(x, start, length, 300, torch.full((3,), 1 + 1e-7), 0.5)
    assert (almost - plain).abs().gt(1e-2).float().mean() < 0.01  # all but the ends


def test_a_faster_recording_is_higher() -> None:
    x = torch.from_numpy((9_000 * np.sin(2 * np.pi * 400 * np.arange(2_000) / RATE)).astype(np.int16))[None]
    fast = read_at(x, torch.tensor([200]), torch.tensor([2_000]), 1_000, torch.tensor([1.25]), 0.5)[0]
    peak = int(torch.fft.rfft(fast * torch.hann_window(1_000)).abs().argmax()) * RATE / 1_000
    assert peak == pytest.approx(500, abs=5)


def test_silence_is_not_blown_up() -> None:
    assert levelled(torch.full((1, 100), 1e-7), torch.tensor([100])).abs().max() < 0.01


@pytest.mark.parametrize("entry", OF_SOUND, ids=lambda e: e.name)
def test_an_augmentation_changes_training_alone_and_follows_its_generator(entry: object) -> None:
    choice = Choice(entry.name, {k: STRONG[k] for k in entry.defaults})
    own, inputs = front(clips(0.3, 0.25, 0.28), choice)
    plain, _ = front(clips(0.3, 0.25, 0.28))
    assert torch.equal(seen(own, inputs), seen(plain, inputs))
    one, again, other = (seen(own, inputs, seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.isfinite().all()
    assert one.shape == seen(plain, inputs).shape
    assert not torch.equal(one, seen(plain, inputs, 1)) or entry.name == "gain"


@pytest.mark.parametrize("entry", OF_SOUND, ids=lambda e: e.name)
def test_an_augmentation_of_no_range_changes_nothing(entry: object) -> None:
    own, inputs = front(clips(0.3, 0.25), Choice(entry.name, dict.fromkeys(entry.defaults, 0)))
    torch.testing.assert_close(seen(own, inputs, 5), seen(own, inputs), atol=1e-5, rtol=1e-5)


def test_a_gain_makes_louder_by_at_most_its_decibels() -> None:
    x = torch.ones(200, 10)
    found = 20 * audio.disturb(x, Sound(gain=6.0), torch.Generator().manual_seed(0))[:, 0].log10()
    assert found.abs().max() <= 6
    assert found.std() > 2


def test_masks_hide_spans_of_at_most_their_share() -> None:
    hidden = audio.draw_spans(500, 40, 0.25, torch.Generator().manual_seed(0))
    counts = hidden.sum(1)
    assert counts.max() == 10
    assert counts.min() == 0
    edges = hidden.int().diff(dim=1).abs().sum(1)
    assert edges.max() <= 2, "a mask is one piece"
    x = audio.mask(torch.ones(4, 1, 20, 30), Sound(mel_mask=0.5, mel_masks=1), torch.Generator().manual_seed(1))
    rows = x[:, 0].mean(2)
    assert ((rows == 0) | (rows == 1)).all()


def test_a_longer_vocal_tract_moves_tones_up_the_scale_and_keeps_the_lowest() -> None:
    x = torch.zeros(40, 1, 20, 8)
    x[:, :, 10] = 1.0
    found = audio.warp(x, Sound(tract=0.3), torch.Generator().manual_seed(0))[:, 0].mean(2).argmax(1)
    assert found.min() >= 7
    assert found.max() <= 15
    assert len(found.unique()) > 3


def test_augmentations_of_pictures_and_sounds_are_not_mixed_up() -> None:
    with pytest.raises(RecipeError, match="can't change sounds"):
        front(clips(0.2, 0.2), Choice("flip"))
    with pytest.raises(RecipeError, match="can't change images"):
        plan((Choice("speed"),), (8, 8))


@pytest.mark.parametrize(("name", "value"), [("speed", 1.5), ("tract", -0.1), ("noise", -1.0), ("time_masks", -1)])
def test_ranges_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(RecipeError, match=name):
        Sound(**{name: value})
