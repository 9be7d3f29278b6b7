"""What image files declare about themselves, checked before and after their pixels are decoded."""

from __future__ import annotations

import struct
import zlib
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAX_TAGS = 4096


def check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise BadImage(f"{name}: has no pixels: its header declares {width} x {height}")
    if width * height > max_pixels:
        raise BadImage(f"{name}: declares {width} x {height} pixels; the limit is {max_pixels} pixels")


def check_pixels(image: NDArray[Any], size: tuple[int, int], name: str) -> NDArray[Any]:
    if image.shape[:2] != size:
        raise BadImage(f"{name}: decodes to {image.shape[:2]} (height, width), its header declares {size}")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"{name}: has pixels of type {image.dtype}; only 8 and 16 bits are read")
    return image


def declared_size(data: bytes, name: str) -> tuple[int, int]:
    """Return (width, height) from the header, and refuse files whose end is missing."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data, name)
    if data.startswith(_PNG):
        return _png_size(data, name)
    if data.startswith(b"BM"):
        return _bmp_size(data, name)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp_size(data, name)
    raise BadImage(f"{name}: is not a JPEG, PNG, BMP, WebP or TIFF image")


def has_16_bits(path: Path) -> bool:
    """Say whether the header of a PNG or TIFF file declares 16 bits per channel; False if it cannot be read.

    Quick: it reads a few bytes and decodes nothing.
    """
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(32)
            if start.startswith(_PNG):
                return start[24:25] == b"\x10"
            return start[:4] in _TIFF and _tiff_bits(file, start) == 16
    except (OSError, struct.error):
        return False


def _tiff_bits(file: FileIO, start: bytes) -> int | None:
    """Return the first value of BitsPerSample of the first page of a (Big)TIFF."""
    order, big = ("<" if start[:2] == b"II" else ">"), start[2:4] in (b"+\0", b"\0+")
    (at,) = struct.unpack_from(f"{order}Q", start, 8) if big else struct.unpack_from(f"{order}I", start, 4)
    count_size, entry_size = (8, 20) if big else (2, 12)
    file.seek(at)
    (count,) = struct.unpack(f"{order}{'Q' if big else 'H'}", file.read(count_size))
    entries = file.read(entry_size * min(count, _MAX_TAGS))
    for i in range(0, len(entries) - entry_size + 1, entry_size):
        tag, kind = struct.unpack_from(f"{order}HH", entries, i)
        if tag == 258 and kind == 3:
            number, value = struct.unpack_from(f"{order}{'QQ' if big else 'II'}", entries, i + 4)
            if number * 2 > (8 if big else 4):
                file.seek(value)
                return int(struct.unpack(f"{order}H", file.read(2))[0])
            return int(struct.unpack_from(f"{order}H", entries, i + (12 if big else 8))[0])
    return None


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


def _webp_size(data: bytes, name: str) -> tuple[int, int]:
    if struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise BadImage(f"{name}: is cut off: a WebP without its end")
    kind = data[12:16]
    if kind == b"VP8X":
        if data[20] & 2:
            raise BadImage(f"{name}: is an animation; one image per file is read")
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise BadImage(f"{name}: is a damaged WebP: its first part is {kind!r}")
