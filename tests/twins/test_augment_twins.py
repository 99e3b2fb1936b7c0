"""Augmentation kernels against torch's own flips, pads and slices, and against chains of single warps."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from whet.augment import plan
from whet.augment.colour import LUMA, Shades, Tint, draw_tint, hue_matrix, recolour
from whet.augment.grain import blur
from whet.augment.holes import Holes, draw_boxes, erase
from whet.augment.moves import Motion, Moves, affine, copy_pixels, draw_field, draw_motion, sampling_grid, warp
from whet.recipe import Choice

LAYOUTS = pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["rows", "cl"])


def motion(rows: int = 1, **changes: float) -> Motion:
    values: dict[str, float] = {
        "flip": 0,
        "vertical_flip": 0,
        "dx": 0,
        "dy": 0,
        "angle": 0.0,
        "zoom": 1.0,
        "shear": 0.0,
    }
    values |= changes
    kinds = {"flip": torch.bool, "vertical_flip": torch.bool, "dx": torch.int64, "dy": torch.int64}
    return Motion(**{k: torch.full((rows,), v).to(kinds.get(k, torch.float32)) for k, v in values.items()})


def smooth(height: int, width: int) -> Tensor:
    """A picture that bilinear sampling hardly changes."""
    y, x = torch.meshgrid(torch.linspace(0, 3, height), torch.linspace(0, 4, width), indexing="ij")
    return torch.stack([0.5 + 0.4 * torch.sin(x + k) * torch.cos(y - k) for k in range(3)])[None]


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.bfloat16])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_exact_path_is_a_flip_of_a_slice_of_a_padded_image(
    layout: torch.memory_format, dtype: torch.dtype, data: st.DataObject
) -> None:
    height, width = data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9))
    dx, dy = data.draw(st.integers(-3, 3)), data.draw(st.integers(-3, 3))
    flips = [data.draw(st.booleans()), data.draw(st.booleans())]
    x = torch.randint(0, 256, (2, 3, height, width)).to(dtype).to(memory_format=layout)
    y = copy_pixels(x, motion(2, dx=dx, dy=dy, flip=flips[0], vertical_flip=flips[1]))
    padded = F.pad(x.float(), (3, 3, 3, 3), mode="reflect")
    expected = padded[:, :, 3 + dy : 3 + dy + height, 3 + dx : 3 + dx + width]
    expected = expected.flip([d for d, f in ((3, flips[0]), (2, flips[1])) if f])
    assert torch.equal(y.float(), expected)


def test_a_flip_is_torchs_and_undoes_itself() -> None:
    x = torch.rand(4, 3, 6, 7)
    flip = plan((Choice("flip", p=1.0),), (6, 7))
    once = flip(x, torch.Generator())
    assert torch.equal(once, x.flip(3))
    assert torch.equal(flip(once, torch.Generator()), x)


def test_flips_and_shifts_warp_to_what_they_copy() -> None:
    x = torch.rand(2, 3, 8, 11)
    same = motion(2, dx=2, dy=-1, flip=1)
    torch.testing.assert_close(warp(x, same), copy_pixels(x, same), atol=1e-5, rtol=0)


def test_our_grid_is_torchs_affine_grid() -> None:
    drawn = draw_motion(Moves(0.5, 0.5, 0.1, 1, 20, 0.2, 10), 5, (8, 11), torch.Generator().manual_seed(0))
    A, t = affine(drawn)
    half = torch.tensor([5.0, 3.5])
    theta = torch.cat([A * half / half[:, None], (t / half)[:, :, None]], 2)
    control = F.affine_grid(theta, [5, 3, 8, 11], align_corners=True)
    torch.testing.assert_close(sampling_grid(A, t, (8, 11)), control, atol=1e-5, rtol=1e-5)


def test_the_fused_warp_is_the_chain_of_single_warps_up_to_interpolation() -> None:
    """source = rotation(slant(zoom(flip(result)))) + shift: the chain, as images, starts with the shift."""
    x = smooth(48, 64)
    parts = {"dx": 2, "dy": -3, "angle": 0.15, "shear": 0.1, "zoom": 1.1, "flip": 1}
    chain = x
    for names in (("dx", "dy"), ("angle",), ("shear",), ("zoom",), ("flip",)):
        chain = warp(chain, motion(1, **{k: parts[k] for k in names}))
    inner = (slice(None), slice(None), slice(14, -14), slice(18, -18))  # the border is mirrored more than once
    torch.testing.assert_close(warp(x, motion(1, **parts))[inner], chain[inner], atol=5e-3, rtol=0)


def test_a_quarter_turn_is_torchs() -> None:
    x = torch.rand(1, 3, 9, 9)
    turned = warp(x, motion(angle=math.pi / 2))
    torch.testing.assert_close(turned, torch.rot90(x, 1, (2, 3)), atol=1e-5, rtol=0)


def test_zoom_enlarges_about_the_centre() -> None:
    x = torch.zeros(1, 1, 9, 9)
    x[:, :, 3:6, 3:6] = 1
    assert warp(x, motion(zoom=1.5)).sum() > 1.5 * x.sum()


@pytest.mark.parametrize("seed", range(3))
def test_drawn_motions_stay_within_their_ranges(seed: int) -> None:
    moves = Moves(flip=0.5, shift_share=0.25, shift_pixels=1, rotate=10, zoom=0.2, shear=5)
    drawn = draw_motion(moves, 2000, (8, 16), torch.Generator().manual_seed(seed))
    assert set(drawn.dx.tolist()) == set(range(-5, 6))
    assert set(drawn.dy.tolist()) == set(range(-3, 4))
    assert drawn.angle.abs().max() <= math.radians(10)
    assert drawn.zoom.min() >= 0.8
    assert drawn.flip.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert not drawn.vertical_flip.any()


def test_a_shift_never_reaches_beyond_the_mirrored_border() -> None:
    x = torch.rand(50, 1, 3, 3)
    assert plan((Choice("crop", pad=9),), (3, 3))(x, torch.Generator().manual_seed(0)).shape == x.shape


def test_bytes_move_as_floats_do() -> None:
    bytes_ = torch.randint(0, 256, (20, 10, 12, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    augment = plan((Choice("flip"), Choice("crop")), (10, 12))
    assert augment.takes_uint8
    moved = augment(bytes_, torch.Generator().manual_seed(0))
    assert torch.equal(moved.float() / 255, augment(bytes_.float() / 255, torch.Generator().manual_seed(0)))


def test_bytes_are_refused_where_interpolation_or_colours_are_asked_for() -> None:
    augment = plan((Choice("rotate"),), (4, 4))
    with pytest.raises(ValueError, match="takes_uint8"):
        augment(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), torch.Generator())


def shade_slowly(image: Tensor, tint: Tint, k: int) -> Tensor:
    """One image (3, H, W), a step at a time as the notation of colour.py has it."""
    pixels = image.flatten(1)  # (3, P)
    angle = tint.angle[k].item()
    axis = torch.ones(3, 3) / 3
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = math.cos(angle) * (torch.eye(3) - axis) + math.sin(angle) * cross + axis
    turned = turn @ pixels
    luma = torch.tensor(LUMA)
    turned = turned - luma @ turned + luma @ pixels
    grey = luma @ turned
    saturated = grey + tint.saturation[k] * (turned - grey)
    mean = pixels.mean()
    contrasted = mean + tint.contrast[k] * (saturated - mean)
    return (tint.brightness[k] * contrasted).clamp(0, 1).view(image.shape)


@LAYOUTS
@pytest.mark.parametrize("shades", [Shades(0.3, 0.3), Shades(0.2, 0.2, 0.5, 40)], ids=["grey", "colour"])
def test_the_fused_colours_are_the_chain_of_single_ones(layout: torch.memory_format, shades: Shades) -> None:
    x = torch.rand(4, 3, 5, 6).to(memory_format=layout)
    tint = draw_tint(shades, 4, torch.Generator().manual_seed(0))
    slow = torch.stack([shade_slowly(x[k], tint, k) for k in range(4)])
    torch.testing.assert_close(recolour(x, tint), slow, atol=1e-5, rtol=0)


def test_hue_and_saturation_leave_greys_and_luma_alone() -> None:
    matrix = hue_matrix(draw_tint(Shades(0, 0, 0.5, 90), 3, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(matrix @ torch.ones(3), torch.ones(3, 3))
    torch.testing.assert_close(torch.tensor(LUMA) @ matrix, torch.tensor(LUMA).expand(3, 3))


def test_colour_leaves_grey_images_alone() -> None:
    x = torch.rand(3, 1, 4, 4)
    torch.testing.assert_close(plan((Choice("colour", hue=30.0),), (4, 4))(x, torch.Generator()), x)


def test_cutout_greys_one_square_per_image() -> None:
    x = torch.zeros(30, 3, 12, 12)
    y = plan((Choice("cutout", share=0.5),), (12, 12))(x, torch.Generator().manual_seed(0))
    assert set(y.unique().tolist()) == {0.0, 0.5}
    assert y[:, 0].flatten(1).gt(0).sum(1).max() == 36
    assert y[:, 0].flatten(1).gt(0).sum(1).min() >= 9


def test_the_choices_of_a_recipe_run_together() -> None:
    names = ("flip", "rotate", "zoom", "crop", "brightness", "contrast", "colour", "cutout")
    x = torch.rand(6, 3, 16, 16)
    y = plan(tuple(Choice(n) for n in names), (16, 16))(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    assert not any(torch.equal(a, b) for a, b in zip(x, y, strict=True))


def test_a_blur_is_a_gaussian_sum_over_mirrored_neighbours() -> None:
    x, sigma, reach = torch.rand(2, 1, 7, 9, dtype=torch.float64), torch.tensor([0.4, 1.1]), 3
    at = torch.arange(-reach, reach + 1)
    for k in (0, 1):
        weights = torch.exp(-(at**2) / (2 * sigma[k] ** 2))
        kernel = (weights[:, None] * weights / weights.sum() ** 2).to(x)
        padded = F.pad(x[k : k + 1], (reach,) * 4, mode="reflect")
        expected = F.conv2d(padded, kernel[None, None])
        torch.testing.assert_close(blur(x, sigma, reach)[k : k + 1], expected, atol=1e-6, rtol=0)


def test_no_blur_gives_the_image_back() -> None:
    x = torch.rand(2, 3, 5, 6)
    torch.testing.assert_close(blur(x, torch.zeros(2), 3), x)


def test_noise_has_the_deviation_that_was_drawn_for_its_image() -> None:
    x = torch.full((200, 1, 24, 24), 0.5)
    spread = plan((Choice("pixel_noise", amount=0.1),), (24, 24))(x, torch.Generator().manual_seed(0)).std((1, 2, 3))
    assert spread.max() == pytest.approx(0.1, rel=0.1)
    assert spread.mean().item() == pytest.approx(0.05, rel=0.1)


def test_what_is_erased_is_a_rectangle_of_noise_within_the_papers_ranges() -> None:
    size = (40, 30)
    boxes = torch.tensor(draw_boxes(Holes(erase=0.7, area=0.4), 4000, size, torch.Generator().manual_seed(0)))
    top, left, height, width = boxes.T
    erased = (height > 0) & (width > 0)
    assert erased.float().mean().item() == pytest.approx(0.7, abs=0.03)
    assert (top + height).max() == 40
    assert (left + width).max() == 30
    share = (height * width)[erased] / 1200
    assert share.min() > 0.01
    assert 0.38 < share.max() < 0.42
    lies = (height < width)[erased]
    assert lies.float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_erasing_changes_nothing_outside_the_rectangle(dtype: torch.dtype) -> None:
    x = torch.full((2, 3, 8, 9), 300.0 if dtype == torch.float32 else 7).to(dtype)
    y = erase(x, [(1, 2, 3, 4), (5, 6, 0, 0)], torch.Generator().manual_seed(0))
    changed = y != x
    assert changed[0, :, 1:4, 2:6].float().mean() > 0.9
    assert changed.sum() == changed[0, :, 1:4, 2:6].sum()


@LAYOUTS
def test_a_warp_of_many_images_is_that_of_each_alone(layout: torch.memory_format) -> None:
    """A batch is warped a few images at a time."""
    x = torch.rand(5, 3, 200, 150).to(memory_format=layout)
    drawn = draw_motion(Moves(rotate=20, zoom=0.2), 5, (200, 150), torch.Generator().manual_seed(0))
    alone = [warp(x[k : k + 1], Motion(**{n: v[k : k + 1] for n, v in vars(drawn).items()})) for k in range(5)]
    assert torch.equal(warp(x, drawn), torch.cat(alone))


def test_an_elastic_field_is_noise_at_every_pixel_smoothed_by_a_gaussian() -> None:
    """Its spread is what was asked for, and so is its correlation over a distance d: exp(-d^2 / (4 sigma^2))."""
    moves, sigma = Moves(elastic=0.05, smooth=0.125), 4.0
    field = draw_field(moves, 2000, (32, 48), torch.Generator().manual_seed(0))
    assert field is not None
    assert field.std((0, 3)).sub(0.05 * 32).abs().max() < 0.1
    for distance in (2, 5, 9):
        near = (field[:, :, :-distance] * field[:, :, distance:]).mean() / field.square().mean()
        assert near.item() == pytest.approx(math.exp(-(distance**2) / (4 * sigma**2)), abs=0.02)


def test_an_elastic_warp_takes_each_pixel_from_where_the_field_points() -> None:
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(30.0), indexing="ij")
    field = torch.stack([torch.sin(y / 5), torch.cos(x / 4)], -1)[None]
    bent = warp(torch.stack([x, y])[None], motion(), field)[0]
    inner = (slice(2, -2), slice(2, -2))
    torch.testing.assert_close(bent[0][inner], (x + field[0, ..., 0])[inner], atol=1e-4, rtol=0)
    torch.testing.assert_close(bent[1][inner], (y + field[0, ..., 1])[inner], atol=1e-4, rtol=0)


def test_elastic_bends_in_the_same_pass_as_other_moves() -> None:
    x = smooth(32, 32).expand(3, -1, -1, -1)
    y = plan((Choice("elastic"), Choice("flip")), (32, 32))(x, torch.Generator().manual_seed(0))
    assert not torch.allclose(y[0], y[1])
    assert y.amin() >= x.amin() - 1e-6
