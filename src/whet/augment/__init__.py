"""Augmentation on whole batches: of images here, of sounds in audio.py, of texts in text.py, of series in series.py.

`AUGMENTS`: name -> make(**params) -> settings; an image's are of one of four kinds:

    Moves     flip, vertical_flip, rotate, shift, zoom, shear, crop, elastic    one map of positions per image
    Shades    brightness, contrast, colour                                      one affine map of colours per image
    Grain     blur, pixel_noise                                                 one Gaussian each per image
    Holes     cutout, erase                                                     a grey square, a rectangle of noise per image

`plan(choices, size)` adds up the settings of a recipe once; calling its result on a batch draws a few numbers from
the passed generator and runs at most one kernel of each kind. What has a zero range is not run at all.

Moves made of flips and whole pixels (flip, vertical_flip, shift, crop) copy pixels without interpolation and take any
dtype; the others go through one fused warp. `Augmentation.takes_uint8` says whether a recipe can run on bytes, before
the conversion to float; `x.permute(0, 3, 1, 2)` makes a batch (B, H, W, C) fit without a copy.
"""

from __future__ import annotations

from whet.augment import audio, series, text
from whet.augment.audio import Sound
from whet.augment.colour import Shades
from whet.augment.grain import Grain
from whet.augment.holes import Holes
from whet.augment.moves import Moves
from whet.augment.planning import Augmentation, Settings, combine
from whet.augment.series import Reshaping
from whet.augment.text import WordDropout
from whet.entry import Catalogue, Entry
from whet.recipe import Choice

AUGMENTS: Catalogue[Settings | Sound | WordDropout | Reshaping] = Catalogue(
    "augmentation",
    [
        Entry(
            "flip",
            lambda p: Moves(flip=p),
            "Mirrors left and right with probability p.",
            {"p": 0.5},
            domains=("image",),
            paper="Krizhevsky, Sutskever & Hinton 2012, ImageNet Classification, section 4.1",
            cost="a copy of the batch, shared with shift and crop",
            hurts_when="left and right carry meaning: digits, letters, signs",
        ),
        Entry(
            "vertical_flip",
            lambda p: Moves(vertical_flip=p),
            "Mirrors top and bottom with probability p.",
            {"p": 0.5},
            domains=("image",),
            cost="as flip",
            hurts_when="pictures have an up and a down; good for microscopes and satellites",
        ),
        Entry(
            "rotate",
            lambda degrees: Moves(rotate=degrees),
            "Turns by an angle within +-degrees.",
            {"degrees": 10.0},
            domains=("image",),
            paper="Simard, Steinkraus & Platt 2003, Best Practices for Convolutional Neural Networks",
            cost="the warp, shared with zoom and shear",
            hurts_when="images are tiny: interpolation blurs them",
        ),
        Entry(
            "shift",
            lambda share, pixels: Moves(shift_share=share, shift_pixels=pixels),
            "Moves by whole pixels, up to `share` of each side plus `pixels`; the border is reflected.",
            {"share": 0.0, "pixels": 2},
            domains=("image",),
            paper="Simard, Steinkraus & Platt 2003, Best Practices for Convolutional Neural Networks",
            cost="a copy of the batch, shared with flip and crop",
            hurts_when="the place in the picture carries meaning",
        ),
        Entry(
            "zoom",
            lambda share: Moves(zoom=share),
            "Enlarges by a factor within 1 +- share.",
            {"share": 0.1},
            domains=("image",),
            cost="the warp, shared with rotate and shear",
            hurts_when="size carries meaning, or images are tiny",
        ),
        Entry(
            "shear",
            lambda degrees: Moves(shear=degrees),
            "Slants by an angle within +-degrees.",
            {"degrees": 10.0},
            domains=("image",),
            paper="Simard, Steinkraus & Platt 2003, Best Practices for Convolutional Neural Networks",
            cost="the warp, shared with rotate and zoom",
            hurts_when="as rotate",
        ),
        Entry(
            "crop",
            lambda pad: Moves(shift_pixels=pad),
            "Pads by reflection and cuts out a random window of the old size: a shift of up to `pad` pixels.",
            {"pad": 4},
            domains=("image",),
            paper="He et al. 2016, Deep Residual Learning, arXiv:1512.03385, section 4.2",
            cost="a copy of the batch, shared with flip and shift",
            hurts_when="pad is more than an eighth of the side",
        ),
        Entry(
            "elastic",
            lambda share, smooth: Moves(elastic=share, smooth=smooth) if share else Moves(),
            "Bends by a smooth random field that pulls each place by about `share` of the shorter side.",
            {"share": 0.04, "smooth": 0.14},
            domains=("image",),
            paper="Simard, Steinkraus & Platt 2003, Best Practices for Convolutional Neural Networks, section 2: "
            "its alpha = 34 and sigma = 4 on 29x29 pixels are about the defaults, a share of 0.048",
            cost="the warp, shared with rotate, zoom and shear, and a field per image",
            hurts_when="straight lines carry meaning: buildings, printed letters",
        ),
        Entry(
            "brightness",
            lambda amount: Shades(brightness=amount),
            "Multiplies by a factor within 1 +- amount.",
            {"amount": 0.2},
            domains=("image",),
            paper="Howard 2013, Some Improvements on Deep Convolutional Neural Network Based Image Classification",
            cost="two passes over the batch, shared with contrast and colour",
            hurts_when="brightness carries meaning, as in X-rays",
        ),
        Entry(
            "contrast",
            lambda amount: Shades(contrast=amount),
            "Stretches the distance to the image's mean by a factor within 1 +- amount.",
            {"amount": 0.2},
            domains=("image",),
            paper="Howard 2013, Some Improvements on Deep Convolutional Neural Network Based Image Classification",
            cost="a mean per image, and as brightness",
            hurts_when="as brightness",
        ),
        Entry(
            "colour",
            lambda saturation, hue: Shades(saturation=saturation, hue=hue),
            "Stretches the distance to grey by 1 +- saturation, turns hues within +-hue degrees; RGB only.",
            {"saturation": 0.2, "hue": 0.0},
            domains=("image",),
            paper="Krizhevsky, Sutskever & Hinton 2012, ImageNet Classification, section 4.1",
            cost="a 3x3 matrix per image, shared with brightness and contrast",
            hurts_when="the colour decides the class: ripe fruit, traffic lights",
        ),
        Entry(
            "cutout",
            lambda share: Holes(share=share),
            "Greys out a square with sides of `share` of the shorter side, at a random centre.",
            {"share": 0.25},
            domains=("image",),
            paper="DeVries & Taylor 2017, Cutout, arXiv:1708.04552, section 3.2",
            cost="a copy of the batch",
            hurts_when="the class is decided by a small spot, or time is short",
        ),
        Entry(
            "erase",
            lambda p, share: Holes(erase=p, area=share),
            "Fills a rectangle of up to `share` of the area with noise, with probability p.",
            {"p": 0.5, "share": 0.4},
            domains=("image",),
            paper="Zhong et al. 2017, Random Erasing Data Augmentation, arXiv:1708.04896, Algorithm 1",
            cost="a copy of the batch, and a random number for each pixel that is erased",
            hurts_when="as cutout",
        ),
        Entry(
            "blur",
            lambda pixels: Grain(blur=pixels),
            "Blurs by a Gaussian with a standard deviation of up to `pixels`.",
            {"pixels": 1.0},
            domains=("image",),
            paper="Chen et al. 2020, A Simple Framework for Contrastive Learning, arXiv:2002.05709, appendix A",
            cost="some ten passes over the batch for each pixel of the deviation",
            hurts_when="fine texture decides, or images are tiny",
        ),
        Entry(
            "pixel_noise",
            lambda amount: Grain(noise=amount),
            "Adds Gaussian noise with a standard deviation of up to `amount` of the range.",
            {"amount": 0.1},
            domains=("image",),
            paper="Bishop 1995, Training with Noise is Equivalent to Tikhonov Regularization, doi:10.1162/neco.1995.7.1.108",
            cost="a random number for each pixel and channel: about as much as the warp and the colours together",
            hurts_when="fine texture decides, or pictures are clean where the network will be used",
        ),
        *audio.ENTRIES,
        *text.ENTRIES,
        *series.ENTRIES,
    ],
)


def plan(choices: tuple[Choice, ...], size: tuple[int, int]) -> Augmentation:
    """The augmentation of a recipe for images of this (height, width): `plan(...)(x, generator)`."""
    made = [AUGMENTS[c.name].make(**AUGMENTS[c.name].fill(c.params)) for c in choices]
    return combine(made, size)


__all__ = ["AUGMENTS", "Augmentation", "Grain", "Holes", "Moves", "Settings", "Shades", "Sound", "plan"]
