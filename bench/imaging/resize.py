"""The one definition of resizing: any image to a square of a given side.

Each side of the image is brought to its new length on its own:

- one that shrinks is averaged by area: every new pixel is the mean of the old ones it covers, those
  at its border in proportion (`cv2.INTER_AREA`). Nothing is skipped, so there is no aliasing;
- one that grows is interpolated linearly between the centres of the old pixels, the outermost
  pixels being continued (`cv2.INTER_LINEAR`);
- if one shrinks and the other grows, it is in this order, rounded in between;
- one that keeps its length is not resampled, nor is an image that keeps both.

Results are rounded to whole numbers, as far as OpenCV's arithmetic goes: they differ from the exact
value by at most 0.52, by at most 1 where an 8-bit image grows, and by 1 more if they were rounded in
between. Channels do not mix; all channels of an image are resized alike.

"pad" keeps the aspect ratio: the longer side becomes `size`, the other one
max(1, round(side * size / longer)), halves to the even number. The image is centred, an odd rest of
the padding goes below or to the right. The padding is one value, or "border": per channel the median of
the outermost pixels of the resized image. "stretch" makes both sides `size`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[Any]
    Resizer: TypeAlias = Callable[[Pixels, Pixels], tuple[int, int]]

VERSION = 2
"""Of the definition above; part of the key of everything prepared."""

_AT_ONCE = 4
"""OpenCV resizes at most this many channels together."""


def resizer(size: int, shape: Literal["pad", "stretch"] = "pad") -> Resizer:
    """Return a function that resizes images into preallocated squares.

    The function takes an image, shape (height, width, channels), not empty, and a square of the same
    dtype (uint8 or uint16), shape (channels, size, size), whose channels are contiguous. It writes
    what the image covers, leaves the padding alone, and returns the height and width of the former;
    `corner` says where that lies.
    """
    import cv2  # so that the version can be read without it

    resize, area, linear = cv2.resize, cv2.INTER_AREA, cv2.INTER_LINEAR

    def resampled(image: Pixels, height: int, width: int, out: Pixels | None) -> Pixels:
        old_height, old_width = image.shape[:2]
        if height <= old_height and width <= old_width:
            how = area
        else:
            how = linear
            if height < old_height or width < old_width:
                image = resize(image, (min(width, old_width), min(height, old_height)), None, 0, 0, area)
        return resize(image, (width, height), out, 0, 0, how)

    def into(image: Pixels, square: Pixels) -> tuple[int, int]:
        old_height, old_width, channels = image.shape
        if shape == "stretch":
            height = width = size
        elif old_height >= old_width:
            height, width = size, max(1, round(old_width * size / old_height))
        else:
            height, width = max(1, round(old_height * size / old_width)), size
        top, left = corner(size, height, width)
        inner = square[:, top : top + height, left : left + width]
        if height == old_height and width == old_width:
            inner[...] = image.transpose(2, 0, 1)
        elif channels == 1:
            resampled(image, height, width, inner[0])
        elif channels <= _AT_ONCE:
            inner[...] = resampled(image, height, width, None).transpose(2, 0, 1)
        else:
            for c in range(channels):
                resampled(image[..., c], height, width, inner[c])
        return height, width

    return into


def corner(size: int, height: int, width: int) -> tuple[int, int]:
    """Return the first row and column of a square that an image of this height and width covers."""
    return (size - height) // 2, (size - width) // 2


def pad_with_border(square: Pixels, height: int, width: int) -> None:
    """Set the padding of an image in a square to the median of the image's border, per channel.

    Parameters
    ----------
    square : shape (channels, size, size); the image lies in it as this module defines.
    height, width : of the image within the square.
    """
    size = square.shape[1]
    if height == size and width == size:
        return
    top, left = corner(size, height, width)
    values = border_medians(square[:, top : top + height, left : left + width])[:, None, None]
    square[:, :top] = square[:, top + height :] = values
    square[:, :, :left] = square[:, :, left + width :] = values


def border_medians(planes: Pixels) -> Pixels:
    """Return per channel the median of the outermost pixels, of an even number the lower of the middle two.

    `planes`: shape (channels, height, width). The result has its dtype, shape (channels,): a value that
    occurs there, so that it commutes with every rising scale.
    """
    import numpy as np

    sides = [planes[:, 0], planes[:, -1], planes[:, 1:-1, 0], planes[:, 1:-1, -1]]
    ring = np.concatenate(sides, axis=1)
    middle = (ring.shape[1] - 1) // 2
    return np.asarray(np.partition(ring, middle, axis=1)[:, middle])


def to_square(
    image: Pixels,
    size: int,
    shape: Literal["pad", "stretch"] = "pad",
    fill: int | Literal["border"] = 0,
) -> NDArray[Any]:
    """Resize one image to a square, as this module defines it.

    Parameters
    ----------
    image : uint8 or uint16, shape (height, width, channels), not empty.
    size : side of the result, in px.
    shape : "pad" keeps the aspect ratio, "stretch" does not.
    fill : value of the padding; "border" is the median of the resized image's border, per channel.

    Returns
    -------
    Same dtype, shape (size, size, channels).
    """
    import numpy as np

    square = np.full((image.shape[2], size, size), 0 if fill == "border" else fill, image.dtype)
    height, width = resizer(size, shape)(image, square)
    if fill == "border":
        pad_with_border(square, height, width)
    return np.ascontiguousarray(square.transpose(1, 2, 0))
