"""TIFF: the tags decide what the pixels mean; what is not understood is refused with its tag and value."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage
from bench.imaging.header import check_pixels, check_size

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How files start, those of BigTIFF included."""

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
"""PhotometricInterpretation -> channels of colour; more are extra samples."""
_BITS = {_WHITE_IS_ZERO: (1, 2, 4, 8, 16), _BLACK_IS_ZERO: (1, 2, 4, 8, 16), _PALETTE: (1, 2, 4, 8)}
_BITS_OF_COLOURS = (8, 16)
_ALPHA = (1, 2)
"""ExtraSamples that are transparency: associated and unassociated."""
_JPEG = 7
_TAGS = {
    "BitsPerSample": 258,
    "ColorMap": 320,
    "Compression": 259,
    "DotRange": 336,
    "ExtraSamples": 338,
    "ImageDepth": 32997,
    "InkSet": 332,
    "NewSubfileType": 254,
    "PhotometricInterpretation": 262,
    "PlanarConfiguration": 284,
    "SampleFormat": 339,
    "SamplesPerPixel": 277,
}


@dataclass(frozen=True)
class _Meaning:
    """What the tags of a page say about its pixels."""

    photometric: int
    bits: int
    palette: NDArray[np.uint8] | None
    """Shape (2 ** bits, 3): the colour of each value."""


def decode_tiff(data: bytes, grey: bool, name: str, max_pixels: int) -> NDArray[Any]:
    """Decode the image of a TIFF file as `bench.imaging.decode.decode` does.

    Read are grey (of 1, 2 and 4 bits scaled to 8), RGB, palettes of up to 8 bits, CMYK, and YCbCr within
    JPEG; in one or in separate planes. Channels beyond those of the colour are dropped where ExtraSamples
    calls them alpha. CMYK becomes (1 - C)(1 - K), (1 - M)(1 - K), (1 - Y)(1 - K).

    Raises
    ------
    BadImage : of anything else; the message names the tag and its value.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data), name=name) as tiff:
            page = _only_page(tiff, name)
            meaning = _meaning(page, name, max_pixels)
            _check_parts(page, len(data), name)
            image = np.asarray(page.asarray(maxworkers=1))
            size, axes = (page.imagelength, page.imagewidth), page.axes
    except BadImage:
        raise
    except Exception as e:  # a damaged file may raise anything there
        raise BadImage(f"{name}: cannot be decoded: {' '.join(str(e).split())}") from e
    if axes not in ("YX", "YXS", "SYX"):
        raise BadImage(f"{name}: has the axes {axes}; only images of height, width and colours are read")
    if image.ndim != len(axes):  # contradictory sizes in the header
        raise BadImage(f"{name}: is a damaged TIFF: its pixels do not form an image")
    image = np.moveaxis(image, 0, 2) if axes == "SYX" else image
    if image.dtype == np.bool_:
        image = image.astype(np.uint8)
    image = check_pixels(np.atleast_3d(image), size, name)
    return _in_colours(_coloured(image, meaning), grey)


def _only_page(tiff: Any, name: str) -> Any:
    pages = [p for p in tiff.pages if not p.is_reduced]
    if not pages:
        raise _refused(name, "NewSubfileType", tiff.pages.first.subfiletype, "only a thumbnail is there")
    stacked = (tiff.imagej_metadata or {}).get("images", 1) if tiff.is_imagej else 1
    if len(pages) > 1 or stacked > 1:  # ImageJ lists large stacks as one page
        raise BadImage(f"{name}: has several pages; one image per file is read")
    return pages[0]


def _meaning(page: Any, name: str, max_pixels: int) -> _Meaning:
    """Read the tags, so that decoding neither allocates too much nor guesses."""
    check_size(page.imagewidth, page.imagelength, name, max_pixels)
    check_size(page.tilewidth or 1, page.tilelength or 1, name, max_pixels)
    if page.imagedepth != 1:
        raise _refused(name, "ImageDepth", page.imagedepth, "one plane is read")
    if 262 not in page.tags:
        raise _refused(name, "PhotometricInterpretation", None, "it says what the pixels mean")
    photometric = int(page.photometric)
    if photometric not in _CHANNELS:
        what = "grey, RGB, palettes, CMYK and YCbCr are read"
        raise _refused(name, "PhotometricInterpretation", page.photometric, what)
    bits = page.bitspersample
    if bits not in _BITS.get(photometric, _BITS_OF_COLOURS):
        known = ", ".join(map(str, _BITS.get(photometric, _BITS_OF_COLOURS)))
        what = f"{page.photometric.name} pixels of type {page.dtype}; those of {known} bits are read"
        raise _refused(name, "BitsPerSample", bits, what)
    if page.dtype not in (np.bool_, np.uint8, np.uint16):
        what = f"pixels of type {page.dtype}; only 8 and 16 bits are read, unsigned"
        raise _refused(name, "SampleFormat", page.sampleformat, what)
    if page.planarconfig not in (1, 2):
        raise _refused(name, "PlanarConfiguration", page.planarconfig, "1 and 2 are read")
    _check_channels(page, photometric, name)
    if photometric == _CMYK:
        _check_inks(page, bits, name)
    if photometric == _YCBCR and page.compression != _JPEG:
        raise _refused(name, "Compression", page.compression, "YCbCr is read within JPEG; save it as RGB")
    palette = _palette(page, bits, name) if photometric == _PALETTE else None
    return _Meaning(photometric, bits, palette)


def _check_channels(page: Any, photometric: int, name: str) -> None:
    """Check that channels beyond those of the colour are transparency."""
    colours, found = _CHANNELS[photometric], page.samplesperpixel
    if found < colours:
        what = f"{page.photometric.name} has {colours} channels"
        raise _refused(name, "SamplesPerPixel", found, what)
    extra = [int(kind) for kind in page.extrasamples]
    if len(extra) != found - colours or len(extra) > 1 or not set(extra) <= set(_ALPHA):
        value = ", ".join(map(str, extra)) if 338 in page.tags else None
        what = (
            f"{found} channels where {page.photometric.name} has {colours}; only one that is alpha (1 or 2) "
            "is dropped; save channels of data as a file each"
        )
        raise _refused(name, "ExtraSamples", value, what)


def _check_inks(page: Any, bits: int, name: str) -> None:
    inks = page.tags.valueof(332, 1)
    if inks != 1:
        raise _refused(name, "InkSet", inks, "of inks CMYK (1) is read")
    dots = page.tags.valueof(336)
    full = (0, 2**bits - 1)
    if dots is not None and tuple(dots) not in (full, full * 4):
        raise _refused(name, "DotRange", dots, f"CMYK of the range {full} is read")
    if page.compression == _JPEG:  # writers disagree on whether its values are inverted
        raise _refused(name, "Compression", page.compression, "CMYK within JPEG is ambiguous; save it as RGB")


def _palette(page: Any, bits: int, name: str) -> NDArray[np.uint8]:
    stored = page.colormap
    if stored is None or stored.shape != (3, 2**bits) or not stored.any():
        shape = None if stored is None else f"of shape {stored.shape}{'' if stored.any() else ', all 0'}"
        raise _refused(name, "ColorMap", shape, f"a palette of {bits} bits needs {2**bits} colours")
    # Some writers fill the map with values of 8 bits, as libtiff knows too.
    return np.asarray((stored if stored.max() < 256 else stored >> 8).T.astype(np.uint8))


def _check_parts(page: Any, n_bytes: int, name: str) -> None:
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(parts) != math.prod(page.chunked):  # the reader would put zeros where a part is missing
        raise BadImage(f"{name}: is a damaged TIFF: {len(parts)} parts of {math.prod(page.chunked)}")
    if any(count == 0 or at + count > n_bytes for at, count in parts):
        raise BadImage(f"{name}: is cut off: its pixels end beyond the end of the file")


def _coloured(image: NDArray[Any], meaning: _Meaning) -> NDArray[Any]:
    """Turn channels as stored into grey, shape (h, w, 1), or RGB, shape (h, w, 3); 8 or 16 bits."""
    image = np.ascontiguousarray(image[..., : _CHANNELS[meaning.photometric]])
    if meaning.palette is not None:
        colours = meaning.palette
        if (colours == colours[:, :1]).all():
            colours = colours[:, :1]
        return np.asarray(colours[image[..., 0]])
    top = np.iinfo(image.dtype).max
    if meaning.photometric == _CMYK:
        light = (top - image).astype(np.uint32)
        return np.asarray(((light[..., :3] * light[..., 3:] + top // 2) // top).astype(image.dtype))
    if meaning.bits < 8:
        image = (image * (top // (2**meaning.bits - 1))).astype(image.dtype)
    return top - image if meaning.photometric == _WHITE_IS_ZERO else image


def _in_colours(image: NDArray[Any], grey: bool) -> NDArray[Any]:
    """Turn grey or RGB into the one that is asked for."""
    image = np.ascontiguousarray(image)
    if grey and image.shape[2] == 3:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[..., None]
    return np.repeat(image, 3, axis=2) if not grey and image.shape[2] == 1 else image


def _refused(name: str, tag: str, value: object, what: str) -> BadImage:
    number = getattr(value, "value", value)
    called = f" ({value.name})" if hasattr(value, "name") else ""
    found = "is missing" if value is None else f"is {number}{called}"
    return BadImage(f"{name}: {tag} (tag {_TAGS[tag]}) {found}: {what}")
