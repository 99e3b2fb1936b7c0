"""Pictures inside a page: small, and as data: URIs, so that the page is one file."""

from __future__ import annotations

import base64
import io

import numpy as np

MOST_PIXELS = 112
"""The longer side of a picture in a report; larger ones are made smaller."""
AS_PNG = 48
"""Up to this side a picture is kept exactly (PNG); above it, JPEG."""


def thumbnail(pixels: np.ndarray, most: int = MOST_PIXELS) -> str:
    """A data: URI for uint8 (height, width, 1 or 3), its longer side at most `most` pixels."""
    from PIL import Image

    array = np.asarray(pixels, dtype=np.uint8)
    image = Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    image.thumbnail((most, most))
    small = max(image.size) <= AS_PNG
    return _uri(image, "PNG") if small else _uri(image, "JPEG", quality=82)


def shrunk(values: np.ndarray, most: int) -> np.ndarray:
    """A matrix with at most `most` rows and columns, each the mean of what it stands for; NaN where a value is NaN."""
    from PIL import Image

    height, width = (min(side, most) for side in values.shape)
    if (height, width) == values.shape:
        return values
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float64)


def tinted(shares: np.ndarray, colour: tuple[int, int, int], gamma: float = 0.6) -> str:
    """A data: URI for a matrix of shares in [0, 1]: `colour`, the more opaque the larger the share.

    The opacity is share^gamma: below 1, small shares can be seen, which are what one looks for among confusions.
    """
    from PIL import Image

    pixels = np.zeros((*shares.shape, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.round(255 * np.clip(shares, 0, 1) ** gamma)
    return _uri(Image.fromarray(pixels, "RGBA"), "PNG")


def _uri(image: object, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **options)  # type: ignore[attr-defined]
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
