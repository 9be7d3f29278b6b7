"""One way to decode an image."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage
from bench.imaging.header import check_pixels, check_size, declared_size
from bench.imaging.resize import to_square
from bench.imaging.tiff import TIFF, decode_tiff

__all__ = ["MAX_PIXELS", "decode", "to_square"]

MAX_PIXELS = 100_000_000
"""Larger images are refused before any memory is allocated for them."""

_BYTES_PER_PIXEL = 8  # RGBA of 16 bits: no valid file within the limit is much longer than its pixels


def decode(
    source: Path | bytes, *, grey: bool, name: str = "", max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode a JPEG, PNG, BMP, WebP or TIFF image of 8 or 16 bits; the content says which, not the file name.

    Parameters
    ----------
    source : the file, or its content.
    grey : one channel (colour is weighted 0.299 R + 0.587 G + 0.114 B), else three in the order RGB.
        Transparency is dropped.
    name : what messages call the image; by default the path.
    max_pixels : limit on width x height as the header declares them.

    Returns
    -------
    uint8 or uint16, as stored, shape (height, width, 1 or 3). Nothing is scaled, clipped or turned:
    the EXIF orientation is ignored.

    Raises
    ------
    BadImage : names the image and the reason: unreadable, empty, cut off, damaged, too large, of
        another format, of several pages, or of pixels that are neither 8 nor 16 bits.
    """
    name = name or (str(source) if isinstance(source, Path) else "image")
    data = _read(source, name, max_pixels) if isinstance(source, Path) else source
    if not data:
        raise BadImage(f"{name}: is empty")
    if data.startswith(TIFF):
        return decode_tiff(data, grey, name, max_pixels)
    try:
        width, height = declared_size(data, name)
    except (struct.error, IndexError):
        raise BadImage(f"{name}: is cut off within its header") from None
    check_size(width, height, name, max_pixels)
    colours = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    as_stored = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), colours | as_stored)
    except cv2.error as e:
        raise BadImage(f"{name}: cannot be decoded: {e.err}") from None
    if image is None:
        raise BadImage(f"{name}: cannot be decoded; the file is damaged or of an unsupported kind")
    image = image[..., None] if grey else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return check_pixels(image, (height, width), name)


def _read(path: Path, name: str, max_pixels: int) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # otherwise opening a FIFO would block
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise BadImage(f"{name}: is not a file")
            if status.st_size > max_pixels * _BYTES_PER_PIXEL + (1 << 20):
                raise BadImage(f"{name}: {status.st_size} bytes are more than {max_pixels} pixels can fill")
            return _whole(file, status.st_size)
        finally:
            os.close(file)
    except OSError as e:
        raise BadImage(f"{name}: cannot be read: {e.strerror}") from None


def _whole(file: int, size: int) -> bytes:
    """Return the first `size` bytes, or all if there are fewer; the system may return fewer at a time."""
    data = os.read(file, size)
    while len(data) < size and (more := os.read(file, size - len(data))):
        data += more
    return data
