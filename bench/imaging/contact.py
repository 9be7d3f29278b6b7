"""Contact sheets: a row per class with its name, its count and some of its images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.imaging.resize import to_square
from bench.util.text import plural, suggest

COLOURS = {
    "blue": (0.2, 0.35, 1.0),
    "green": (0.1, 0.9, 0.2),
    "red": (1.0, 0.15, 0.1),
    "cyan": (0.0, 0.8, 0.8),
    "magenta": (0.9, 0.1, 0.9),
    "yellow": (0.85, 0.8, 0.0),
    "orange": (1.0, 0.5, 0.0),
    "white": (0.8, 0.8, 0.8),
}
"""What the channels of images that are neither grey nor RGB are shown in, in this order."""
MAX_PAGES = 100
UNKNOWN = "(none)"

_LINES_PER_PAGE = 40
_PER_LINE = 12
_GAP = 4
_NAME_WIDTH = 240
_LEAST_WIDTH = 800
_MEASURED = 256
"""Images from which the intensity scaling is estimated."""
_PIXELS_EACH = 4096
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class ImageGroup:
    """Images that share a value of a column."""

    name: str
    rows: Sequence[int]
    """All of them, in the order of the table."""


@dataclass(frozen=True)
class Intensity:
    """Intensity scaling for display: the range shown per channel, and a legend."""

    limits: NDArray[np.float64]
    """Shape (channels, 2): the value shown black, and the one shown brightest."""
    legend: str
    gain: float = 1.0
    """Factor on mixed colours: several bright channels in one spot would otherwise saturate to white."""


def groups(images: ImageSet, by: str | None) -> tuple[str, list[ImageGroup]]:
    """Return the column that groups the images and its groups, by name; images without a value come last.

    Unless `by` is given it is `label`, for sets without labels their group column, for sets without
    either no column: one group of all. Raises `DataError` for a column that is not there.
    """
    table = images.table
    if by is not None and by not in table.columns:
        raise DataError(f"--by: no column {by!r}; {suggest(by, [str(c) for c in table.columns])}")
    has_labels = bool(table["label"].notna().any())
    column = by or ("label" if has_labels else images.group)
    if not column:
        return "", [ImageGroup("all images", range(len(table)))]
    values = table[column]
    known: dict[str, list[int]] = {}
    unknown: list[int] = []
    for row, (value, missing) in enumerate(zip(values, values.isna(), strict=True)):
        (unknown if missing else known.setdefault(str(value), [])).append(row)
    found = [ImageGroup(name, known[name]) for name in sorted(known, key=_natural)]
    return column, found + ([ImageGroup(UNKNOWN, unknown)] if unknown else [])


def sheets(
    images: ImageSet, found: Sequence[ImageGroup], title: str, per: int, size: int
) -> Iterator[NDArray[np.uint8]]:
    """Draw the sheets, one page of at most 40 lines at a time.

    Parameters
    ----------
    images : the set.
    found : as `groups` returns them.
    title : written on top of every page.
    per : images of each group, evenly spread over it in the table's order; the same at every call.
    size : side of the square an image is fitted into, px.

    Yields
    ------
    uint8, shape (height, width, 3), RGB. A bad image is a crossed cell.

    Raises
    ------
    DataError : more than `MAX_PAGES` pages.
    """
    pages = _pages(found, per)
    if len(pages) > MAX_PAGES:
        raise DataError(
            f"{len(found)} groups make {len(pages)} pages, over {MAX_PAGES}; group by another column"
        )
    shown = [row for group in found for row in spread(group.rows, per)]
    intensity = measured(images, shown)
    columns = max(len(line.rows) for page in pages for line in page)
    for number, page in enumerate(pages, 1):
        of = f", page {number} of {len(pages)}" if len(pages) > 1 else ""
        yield _draw(images, page, f"{title}{of}", intensity, columns, size)


def spread(rows: Sequence[int], count: int) -> list[int]:
    """Return at most `count` of the rows, evenly spread, in order."""
    if len(rows) <= count:
        return list(rows)
    return [rows[(2 * i + 1) * len(rows) // (2 * count)] for i in range(count)]


def measured(images: ImageSet, rows: Sequence[int]) -> Intensity:
    """Estimate from some of the images how to display all of them.

    Grey and RGB of 8 bits is shown as it is. Else every channel is scaled by its percentiles 0.5 and 99.5.
    """
    channels, largest = images.channels, int(np.iinfo(images.dtype).max)
    if channels in (1, 3) and images.dtype == np.uint8:
        return Intensity(np.tile([0.0, 255.0], (channels, 1)), "brightness as stored")
    samples = []
    for row in spread(rows, _MEASURED):
        image = _read(images, row)
        if image is not None:
            pixels = image.reshape(-1, channels)
            samples.append(pixels[:: max(1, len(pixels) // _PIXELS_EACH)])
    if not samples:
        return Intensity(np.tile([0.0, float(largest)], (channels, 1)), "brightness as stored")
    pixels = np.concatenate(samples)
    limits = np.percentile(pixels, _PERCENTILES, axis=0).T
    limits[:, 1] = np.maximum(limits[:, 1], limits[:, 0] + 1)
    named = enumerate(zip(_colour_names(channels), limits, strict=True), 1)
    ranges = "; ".join(f"{i} {colour} {low:.0f} to {high:.0f}" for i, (colour, (low, high)) in named)
    intensity = Intensity(limits, f"channels, colours and the values shown dark to bright: {ranges}")
    brightest = float(np.percentile(_mixed(pixels, intensity).max(axis=1), _PERCENTILES[1]))
    return replace(intensity, gain=1 / max(brightest, 1.0))


def coloured(image: NDArray[Any], intensity: Intensity) -> NDArray[np.uint8]:
    """Return an image of shape (height, width, channels) as uint8 RGB."""
    return np.rint(np.clip(_mixed(image, intensity), 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True)
class _Line:
    group: ImageGroup
    rows: Sequence[int]
    first: bool


def _pages(found: Sequence[ImageGroup], per: int) -> list[list[_Line]]:
    lines = []
    for group in found:
        chosen = spread(group.rows, per)
        starts = range(0, max(len(chosen), 1), _PER_LINE)
        lines += [_Line(group, chosen[s : s + _PER_LINE], s == 0) for s in starts]
    return [lines[i : i + _LINES_PER_PAGE] for i in range(0, len(lines), _LINES_PER_PAGE)]


def _draw(
    images: ImageSet, page: Sequence[_Line], title: str, intensity: Intensity, columns: int, size: int
) -> NDArray[np.uint8]:
    width = max(_NAME_WIDTH + columns * (size + _GAP) + _GAP, _LEAST_WIDTH)
    head = [*_wrapped(title, 17, width - 2 * _GAP), *_wrapped(intensity.legend, 12, width - 2 * _GAP)]
    top = 2 * _GAP + sum(step for _, _, step in head) + _GAP
    row_height = max(size, 36) + _GAP
    canvas = Image.new("RGB", (width, top + row_height * len(page)), (236, 238, 242))
    pen = ImageDraw.Draw(canvas)
    y = 2 * _GAP
    for text, points, step in head:
        pen.text((_GAP, y), text, fill=(0, 0, 0), font=_font(points))
        y += step
    for i, line in enumerate(page):
        y = top + i * row_height
        if line.first or i == 0:
            _write_name(pen, line, y, min(row_height, size + _GAP))
        for j, row in enumerate(line.rows):
            x = _NAME_WIDTH + j * (size + _GAP)
            image = _read(images, row)
            if image is None:
                pen.rectangle((x, y, x + size - 1, y + size - 1), outline=(200, 0, 0))
                pen.line((x, y, x + size - 1, y + size - 1), fill=(200, 0, 0), width=2)
                pen.line((x, y + size - 1, x + size - 1, y), fill=(200, 0, 0), width=2)
            else:
                square = to_square(image, size, "pad", images.fill)
                canvas.paste(Image.fromarray(coloured(square, intensity)), (x, y))
    return np.asarray(canvas)


def _write_name(pen: ImageDraw.ImageDraw, line: _Line, y: int, height: int) -> None:
    count = len(line.group.rows)
    caption = f"{plural(count, 'image')}{'' if line.first else ', continued'}"
    lines = _wrapped(line.group.name, 13, _NAME_WIDTH - 3 * _GAP)
    fitting = max(1, (height - 16) // 16)
    if len(lines) > fitting:
        lines = [*lines[: fitting - 1], (f"{lines[fitting - 1][0][:-1]}…", 13, 16)]
    for text, points, step in lines:
        pen.text((_GAP, y), text, fill=(0, 0, 0), font=_font(points))
        y += step
    pen.text((_GAP, y), caption, fill=(90, 90, 90), font=_font(12))


def _wrapped(text: str, points: int, width: int) -> list[tuple[str, int, int]]:
    """Break a text into lines of at most `width` px: at spaces and after `_`, `-`, `/`, else anywhere."""
    font, lines, current = _font(points), [], ""
    for word in re.findall(r"[^\s_\-/]*[\s_\-/]*", " ".join(text.split())):
        if current and font.getlength((current + word).rstrip()) > width:
            lines.append(current.rstrip())
            current = ""
        current += word
        while font.getlength(current.rstrip()) > width:
            cut = next(
                n for n in range(len(current) - 1, 0, -1) if n == 1 or font.getlength(current[:n]) <= width
            )
            lines.append(current[:cut])
            current = current[cut:]
    return [(line, points, points + 4 - points // 12) for line in [*lines, current.rstrip()] if line]


@cache
def _font(points: int) -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), points)


def _mixed(pixels: NDArray[Any], intensity: Intensity) -> NDArray[np.float64]:
    """Turn pixels of shape (..., channels) into RGB of shape (..., 3): 0 is dark, 1 bright or more."""
    low, high = intensity.limits[:, 0], intensity.limits[:, 1]
    scaled = np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1)
    channels = pixels.shape[-1]
    if channels == 1:
        return np.repeat(scaled, 3, axis=-1)
    if channels == 3:
        return scaled
    colours = np.array([COLOURS[name] for name in _colour_names(channels)])
    return np.asarray(scaled @ colours) * intensity.gain


def _read(images: ImageSet, row: int) -> NDArray[Any] | None:
    try:
        image = images.read(row)
    except BadImage:
        return None
    return image if image.shape[2] == images.channels and image.dtype == images.dtype else None


def _colour_names(channels: int) -> list[str]:
    if channels == 1:
        return ["grey"]
    if channels == 3:
        return ["red", "green", "blue"]
    names = list(COLOURS)
    return [names[i % len(names)] for i in range(channels)]


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sort numbers within names by value: day 2 before day 10."""
    return [(0, int(t), "") if t.isdecimal() else (1, 0, t) for t in re.findall(r"\d+|\D+", text)]
