"""One encoded picture -> uint8 pixels of a given height, width and channel count.

Whatever its mode: grey, palette, alpha (laid on white), CMYK, 16-bit and float (scaled to 8 bits), turned by EXIF.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".gif", ".tif", ".tiff")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "GIF", "TIFF")
"""What is tried, whatever the suffix says. Formats that call other programs (EPS, …) stay closed."""

LONGEST_SIDE = 224
"""Larger pictures are shrunk to this, as the common networks for large pictures expect."""

BIGGEST_FILE = 1 << 30
"""Bytes; a larger file is no picture to train on."""

Encoded = bytes | str
"""A picture's bytes, or its file's path."""

DEPTHS = (255, 1023, 4095, 16383, 65535)
"""The largest values of 8-, 10-, 12-, 14- and 16-bit cameras."""


class Unreadable(Exception):
    """A picture that can't be decoded, with the reason in a few words."""


@dataclass(frozen=True)
class Canvas:
    """What all pictures of a source are decoded to."""

    height: int
    width: int
    channels: int
    """1 or 3."""
    white: float = 65535.0
    """The value of white in pictures with more than 8 bits per channel."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Header:
    """What is known of a picture before its pixels are decoded."""

    size: tuple[int, int]
    """(width, height)."""
    mode: str
    grey: bool


@contextmanager
def careful() -> Iterator[None]:
    """Decompression bombs raise instead of warning, and the decoders' other warnings are kept quiet.

    Enter it in the thread that starts the workers: the setting holds for all of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_bytes(encoded: Encoded) -> bytes:
    """The bytes of an encoded picture. Raises Unreadable for a file that can't be read."""
    if isinstance(encoded, bytes):
        raw = encoded
    else:
        try:
            info = Path(encoded).stat()
            if not stat.S_ISREG(info.st_mode):  # opening a named pipe would wait for ever
                raise Unreadable("not a plain file")
            if info.st_size > BIGGEST_FILE:
                raise Unreadable(f"{info.st_size >> 20} MiB is too large for a picture")
            raw = Path(encoded).read_bytes()
        except OSError as error:
            raise Unreadable((error.strerror or str(error)).lower()) from error
    if not raw:
        raise Unreadable("zero bytes")
    return raw


def opened(encoded: Encoded) -> Image.Image:
    """The picture with its header read, and its pixels not yet. Raises Unreadable."""
    raw = read_bytes(encoded)
    try:
        return Image.open(io.BytesIO(raw), formats=FORMATS)
    except Exception as error:  # broken files make the decoders raise nearly anything
        raise Unreadable(reason(error)) from error


def reason(error: Exception) -> str:
    """Why a decoder failed, in a few words on one line."""
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return "too many pixels for its file: looks like a decompression bomb"
    if isinstance(error, UnidentifiedImageError):
        return "not in an image format that is known"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    return " ".join(str(error).split())[:120] or type(error).__name__


def header(encoded: Encoded) -> Header:
    """Size and mode without decoding the pixels. Raises Unreadable."""
    image = opened(encoded)
    try:
        width, height = image.size
        # Pillow turns TIFF by itself: its size is upright already.
        turned = image.format != "TIFF" and _tells_orientation(image) and image.getexif().get(0x0112, 1) >= 5
        grey = is_grey(image)
    except Exception as error:
        raise Unreadable(reason(error)) from error
    return Header((height, width) if turned else (width, height), image.mode, grey)


def is_grey(image: Image.Image) -> bool:
    """Whether a picture's mode, or its palette, can hold no colour."""
    if image.mode == "P":
        palette = np.asarray(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def is_deep(mode: str) -> bool:
    """Whether a mode has more than 8 bits per channel."""
    return mode == "F" or mode.startswith("I")


def pixels(encoded: Encoded, canvas: Canvas) -> tuple[np.ndarray, Header]:
    """uint8 (height, width, channels) on the canvas, and the header as stored. Raises Unreadable."""
    image = opened(encoded)
    size, mode, target = image.size, image.mode, (canvas.width, canvas.height)
    try:
        if image.size != target:
            side = max(target)
            image.draft(image.mode, (side, side))  # a JPEG is shrunk while it is decoded, which is far cheaper
        image.load()
        grey = is_grey(image)
        if _tells_orientation(image):
            image = ImageOps.exif_transpose(image)
        image = flattened(image, canvas)
        if image.size != target:
            image = image.resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return np.asarray(image).reshape(canvas.shape), Header(size, mode, grey)
    except Exception as error:
        raise Unreadable(reason(error)) from error


def flattened(image: Image.Image, canvas: Canvas) -> Image.Image:
    """The picture in mode L or RGB: alpha laid on white, depth scaled to 8 bits."""
    mode = "L" if canvas.channels == 1 else "RGB"
    if is_deep(image.mode):
        image = _eight_bits(image, canvas.white)
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    elif image.mode == "P":
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image, white: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(image).astype(np.float32)) * (255.0 / white)
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8))


def _tells_orientation(image: Image.Image) -> bool:
    """Whether the picture has metadata that may turn it; asking costs much less than parsing."""
    return any(key in image.info for key in ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))


def choose(samples: Sequence[Encoded]) -> Canvas:
    """The canvas for a source, from a sample of its pictures; broken ones are left out.

    One size of at most `LONGEST_SIDE` is kept. Otherwise: the median aspect ratio, the long side the median one
    and at most `LONGEST_SIDE`, both rounded to multiples of 8, so that networks can halve them.
    Raises Unreadable when no picture of the sample can be read.
    """
    heads: list[Header] = []
    brightest, last = 0.0, "no picture"
    for encoded in samples:
        try:
            head = header(encoded)
            if is_deep(head.mode):
                brightest = max(brightest, _brightest(encoded))
        except Unreadable as error:
            last = str(error)
            continue
        heads.append(head)
    if not heads:
        raise Unreadable(last)
    height, width = common_size([head.size for head in heads])
    return Canvas(height, width, 1 if all(head.grey for head in heads) else 3, white_for(brightest))


def common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(height, width) for pictures of these (width, height)."""
    if len(set(sizes)) == 1 and max(sizes[0]) <= LONGEST_SIDE:
        return sizes[0][1], sizes[0][0]
    widths, heights = np.asarray(sizes, dtype=np.float64).T
    aspect = float(np.median(widths / heights))
    side = min(LONGEST_SIDE, float(np.median(np.maximum(widths, heights))))
    height, width = (side, side * aspect) if aspect <= 1 else (side / aspect, side)
    return _eighths(height), _eighths(width)


def _eighths(length: float) -> int:
    return max(8, 8 * round(length / 8))


def white_for(brightest: float) -> float:
    """What counts as white in deep pictures whose brightest value is this: the smallest usual depth that holds it."""
    if 0 < brightest <= 1:
        return 1.0
    return float(next((depth for depth in DEPTHS if brightest <= depth), brightest)) if brightest else 65535.0


def _brightest(encoded: Encoded) -> float:
    try:
        return float(np.nan_to_num(np.asarray(opened(encoded)).astype(np.float32), posinf=0.0).max())
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(reason(error)) from error
