"""One way to decode an image."""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage
from bench.imaging.resize import to_square

__all__ = ["MAX_PIXELS", "decode", "to_square"]

MAX_PIXELS = 100_000_000
"""Larger images are refused before any memory is allocated for them."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BYTES_PER_PIXEL = 8  # RGBA of 16 bits: no valid file within the limit is much longer than its pixels


def decode(
    source: Path | bytes, *, grey: bool, name: str = "", max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Decode one JPEG, PNG, BMP or TIFF image of 8 or 16 bits; the content says which, not the file name.

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
    if data.startswith(_TIFF):
        return _decode_tiff(data, grey, name, max_pixels)
    try:
        width, height = _declared_size(data, name)
    except (struct.error, IndexError):
        raise BadImage(f"{name}: is cut off within its header") from None
    _check_size(width, height, name, max_pixels)
    colours = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    as_stored = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), colours | as_stored)
    except cv2.error as e:
        raise BadImage(f"{name}: cannot be decoded: {e.err}") from None
    if image is None:
        raise BadImage(f"{name}: cannot be decoded; the file is damaged or of an unsupported kind")
    image = image[..., None] if grey else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return _checked(image, (height, width), name)


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


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise BadImage(f"{name}: has no pixels: its header declares {width} x {height}")
    if width * height > max_pixels:
        raise BadImage(f"{name}: declares {width} x {height} pixels; the limit is {max_pixels} pixels")


def _checked(image: NDArray[Any], size: tuple[int, int], name: str) -> NDArray[Any]:
    if image.shape[:2] != size:
        raise BadImage(f"{name}: decodes to {image.shape[:2]} (height, width), its header declares {size}")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"{name}: has pixels of type {image.dtype}; only 8 and 16 bits are read")
    return image


def _declared_size(data: bytes, name: str) -> tuple[int, int]:
    """Return (width, height) from the header, and refuse files whose end is missing."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data, name)
    if data.startswith(_PNG):
        return _png_size(data, name)
    if data.startswith(b"BM"):
        return _bmp_size(data, name)
    raise BadImage(f"{name}: is not a JPEG, PNG, BMP or TIFF image")


def _jpeg_size(data: bytes, name: str) -> tuple[int, int]:
    size, at = None, 2
    while True:
        if data[at] != 0xFF:
            raise BadImage(f"{name}: is a damaged JPEG: no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = size or (width, height)
        at += 2 + length
        if marker == 0xDA:
            break
        if marker == 0xD9:
            raise BadImage(f"{name}: is a JPEG without an image")
    # Decoders fill what is missing with grey. Within coded pixels 0xFF is followed by 0, so this is the end.
    if data.find(b"\xff\xd9", at) < 0:
        raise BadImage(f"{name}: is cut off: a JPEG without its end")
    if size is None:
        raise BadImage(f"{name}: is a damaged JPEG: pixels before their size")
    return size


def _png_size(data: bytes, name: str) -> tuple[int, int]:
    at, kind = len(_PNG), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise BadImage(f"{name}: is cut off: a PNG without its end")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise BadImage(f"{name}: is cut off: a PNG without its end")
        if zlib.crc32(memoryview(data)[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise BadImage(f"{name}: is a damaged PNG: wrong checksum of the part at byte {at}")
        at = end + 4
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp_size(data: bytes, name: str) -> tuple[int, int]:
    pixels_at, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        coding = 0
    else:
        width, height, _, bits, coding = struct.unpack_from("<iiHHI", data, 18)
    height = abs(height)  # negative: rows from the top
    row = (width * bits + 31) // 32 * 4
    if coding in (0, 3) and pixels_at + row * height > len(data):
        raise BadImage(f"{name}: is cut off: {width} x {height} pixels of {bits} bits in {len(data)} bytes")
    return width, height


def _decode_tiff(data: bytes, grey: bool, name: str, max_pixels: int) -> NDArray[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data), name=name) as tiff:
            page = tiff.pages.first
            _check_tiff(tiff, page, len(data), name, max_pixels)
            image = np.asarray(page.asarray(maxworkers=1))
            size, axes, inverted = (page.imagelength, page.imagewidth), page.axes, page.photometric == 0
    except BadImage:
        raise
    except Exception as e:  # a damaged file may raise anything there
        raise BadImage(f"{name}: cannot be decoded: {' '.join(str(e).split())}") from e
    if axes not in ("YX", "YXS", "SYX"):
        raise BadImage(f"{name}: has the axes {axes}; only images of height, width and colours are read")
    if image.ndim != len(axes):  # contradictory sizes in the header
        raise BadImage(f"{name}: is a damaged TIFF: its pixels do not form an image")
    image = np.moveaxis(image, 0, 2) if axes == "SYX" else image
    image = np.atleast_3d(image)
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * 255
    image = _checked(image, size, name)
    image = np.iinfo(image.dtype).max - image if inverted else image
    return _colours(np.ascontiguousarray(image), grey, name)


def _check_tiff(tiff: Any, page: Any, n_bytes: int, name: str, max_pixels: int) -> None:
    """Check what a TIFF declares about itself, so that reading it neither allocates nor guesses."""
    _check_size(page.imagewidth, page.imagelength, name, max_pixels)
    _check_size(page.tilewidth or 1, page.tilelength or 1, name, max_pixels)
    if page.imagedepth != 1 or not 1 <= page.samplesperpixel <= 4:
        raise BadImage(
            f"{name}: has {page.imagedepth} planes of {page.samplesperpixel} channels, not 1 of 1 to 4"
        )
    if page.bitspersample not in (1, 8, 16) or page.dtype not in (np.bool_, np.uint8, np.uint16):
        raise BadImage(f"{name}: has pixels of type {page.dtype}; only 8 and 16 bits are read")
    if page.photometric == 3:
        raise BadImage(f"{name}: has a colour palette; save it as grey or RGB")
    if sum(not p.is_reduced for p in tiff.pages) > 1:
        raise BadImage(f"{name}: has several pages; one image per file is read")
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(parts) != math.prod(page.chunked):  # the reader would put zeros where a part is missing
        raise BadImage(f"{name}: is a damaged TIFF: {len(parts)} parts of {math.prod(page.chunked)}")
    if any(count == 0 or at + count > n_bytes for at, count in parts):
        raise BadImage(f"{name}: is cut off: its pixels end beyond the end of the file")


def _colours(image: NDArray[Any], grey: bool, name: str) -> NDArray[Any]:
    """Turn 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels into 1 or 3."""
    image = np.ascontiguousarray(image[..., : 1 if image.shape[2] < 3 else 3])
    if grey and image.shape[2] == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None]
    return np.repeat(image, 3, axis=2) if not grey and image.shape[2] == 1 else image
