"""Images that are copies of others: identical, re-encoded, turned, flipped or shifted by a pixel."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray

from bench.images import BadImage, ImageSet
from bench.imaging.lowfrequency import (
    CROPS,
    WAVES,
    ViewPairs,
    Views,
    contrast,
    cosines,
    near_pairs,
    turned,
    views,
)

DISTANCE = 4.0
"""Grey levels (of 256). 99.9 % of plankton images as JPEG of quality 60 differ by less."""
STRONG = 27.0
"""Grey levels: of images with more contrast than this, the distance may be larger in proportion."""
RELATIVE = 0.45
"""Copies differ by at most this share of their own contrast; faint objects that scan alike by more."""
RELATIVE_CROPPED = 0.35
"""The same if either is cropped: with more ways to match, more images match by chance."""
RELATIVE_LOW = 0.3, 0.25
"""The same two limits for the low frequencies alone, which JPEG preserves better."""
EMPTY = 1.0
"""Grey levels: of images with less contrast than this only lossless copies count."""

CopyKind = Literal["identical", "rotated", "flipped", "near"]
KINDS: tuple[CopyKind, ...] = ("identical", "rotated", "flipped", "near")
"""From the strongest to the weakest. "rotated" and "flipped" are lossless; flipped may be rotated, too."""

Crop = tuple[int, int]
"""What is left out of the sides, vertically and horizontally: one of `CROPS` each."""
_WHOLE: Crop = (0, 0)
_PAIRINGS: tuple[tuple[Crop, Crop], ...] = (
    (_WHOLE, _WHOLE),
    *((crop, (-crop[0], -crop[1])) for crop in ((0, 1), (1, 0), (1, 1), (1, -1))),  # shifts
    *((crop, _WHOLE) for crop in itertools.product(CROPS, CROPS) if crop != _WHOLE),
)
_TURNS = ("", "flip 180", "flip", "180", "flip 90", "90", "270", "flip 270")
"""What the bits of `bench.imaging.lowfrequency.turned` mean."""
_FINE_WAVES = 32
"""Finer detail is not compared: JPEG discards it."""
_BLOCK = 32
_AHEAD = 4
_CACHE_BYTES = 128 << 20
_AT_ONCE = 512
"""Candidates compared between updates of the groups; fixed, so that results do not depend on `threads`."""
_LOSSLESS = np.float32(0.01)

ReportProgress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Link:
    """Two images that show the same.

    Attributes
    ----------
    first, second : rows of the image set.
    turn : how to turn the second so that it matches the first: "" or "90", "180", "270" (degrees
        counterclockwise); "flip" (left to right) comes before.
    shift : lines and columns that the images are shifted against each other, or by which one is larger.
    distance : rms difference in grey levels of 256, at up to 32 half waves per side.
    """

    first: int
    second: int
    kind: CopyKind
    turn: str
    shift: tuple[int, int]
    distance: float


@dataclass(frozen=True)
class CopyGroup:
    """Images connected by links.

    Attributes
    ----------
    rows : sorted.
    links : enough of them to connect all rows, not all that hold.
    """

    rows: tuple[int, ...]
    links: tuple[Link, ...]

    @property
    def kind(self) -> CopyKind:
        """The weakest kind needed to connect the group."""
        return max((link.kind for link in self.links), key=KINDS.index)


@dataclass(frozen=True)
class Duplicates:
    """The groups among the `n` images of a set, in order of their first rows; `unread` are bad images."""

    n: int
    groups: tuple[CopyGroup, ...]
    unread: tuple[int, ...]


def find_duplicates(
    images: ImageSet,
    *,
    distance: float = DISTANCE,
    threads: int = 1,
    report: ReportProgress = lambda done, total, text: None,
) -> Duplicates:
    """Find the images of a set that are copies of others.

    Parameters
    ----------
    images : of any size, depth and number of channels.
    distance : largest rms difference of near duplicates, in grey levels: 1/256 of the range of 8 bits;
        for 16 bits, of the range that the images use. 0: only lossless copies. See also `STRONG`.

    Notes
    -----
    Images match that have the same sides, after one of the 8 symmetries, and whose rms difference at up to
    32 half waves per side is at most `distance` and at most `RELATIVE` of the contrast of both. A line may
    be missing along either axis of one (a crop), or at opposite ends of both (a shift). Copies of another
    size are not found. Pairs are searched by the low frequencies of the mean channel
    (`bench.imaging.lowfrequency`), where they must differ by at most `RELATIVE_LOW` of the contrast. About
    6 kB of memory per image, and at most 128 MiB of decoded images; the result does not depend on `threads`.
    """
    seen = _scan_all(images, threads, report)
    identical, first_of = _identical(seen)
    groups = _Groups(len(images.table))
    for link in identical:
        groups.join(link.first, link.second)
    search = _NearSearch(distance, threads, report)
    links = [*identical, *_near(images, seen, first_of, groups, search)]
    return Duplicates(len(images.table), _grouped(links, groups), tuple(seen.unread))


def leaking(groups: Sequence[CopyGroup], fit: Collection[int], score: Collection[int]) -> list[int]:
    """Return the rows that are scored, not fitted, and copies of one that is fitted; sorted.

    Rows that are in both are not leaks: the selections ask for them.
    """
    fitted, scored = set(fit), set(score)
    return sorted(
        row
        for group in groups
        if not fitted.isdisjoint(group.rows)
        for row in group.rows
        if row in scored and row not in fitted
    )


@dataclass(frozen=True)
class _Seen:
    """What one scan at every image yields; arrays have one entry per usable image.

    `unit` is the number of pixel values that make one grey level.
    """

    rows: NDArray[np.int64]
    sides: NDArray[np.int64]
    digests: NDArray[np.uint64]
    waves: NDArray[np.float32]
    unit: float
    largest_bytes: int
    unread: list[int]


def _scan_all(images: ImageSet, threads: int, report: ReportProgress) -> _Seen:
    n = len(images.table)
    sides, digests = np.zeros((n, 2), np.int64), np.zeros(n, np.uint64)
    waves = np.zeros((n, len(CROPS), len(CROPS), WAVES, WAVES), np.float32)
    spans = np.zeros((n, 2))
    for row, scan in enumerate(_scans(images, n, threads)):
        if scan is not None:
            sides[row], digests[row], waves[row], spans[row] = scan
        report(row + 1, n, "images decoded")
    read = sides[:, 0] > 0
    pixel_bytes = images.channels * np.dtype(images.dtype).itemsize
    return _Seen(
        rows=np.flatnonzero(read),
        sides=sides[read],
        digests=digests[read],
        waves=waves if read.all() else waves[read],
        unit=_unit(images, spans[read]),
        largest_bytes=int(sides.prod(axis=1).max(initial=1)) * pixel_bytes,
        unread=np.flatnonzero(~read).tolist(),
    )


def _unit(images: ImageSet, spans: NDArray[np.float64]) -> float:
    if images.dtype == np.uint8 or not len(spans):
        return 1.0
    used = np.percentile(spans[:, 1], 99.9) - np.percentile(spans[:, 0], 0.1)
    return max(float(used) / 255, 1.0)


_Scan = tuple[tuple[int, int], int, NDArray[np.float32], tuple[float, float]]


def _scans(images: ImageSet, n: int, threads: int) -> Iterator[_Scan | None]:
    """Yield sides, digest, coefficients and range of each image in order; None for a bad one."""

    def block(start: int) -> list[_Scan | None]:
        rows = range(start, min(start + _BLOCK, n))
        return [_scan(images, image) for image in images.read_many(rows)]

    waiting: deque[Future[list[_Scan | None]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, n, _BLOCK):
            waiting.append(pool.submit(block, start))
            if len(waiting) > _AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _scan(images: ImageSet, image: NDArray[Any] | BadImage) -> _Scan | None:
    if isinstance(image, BadImage) or image.dtype != images.dtype or image.shape[2] != images.channels:
        return None
    height, width = image.shape[:2]
    digest = xxhash.xxh3_64_intdigest(np.ascontiguousarray(image).data, height)
    mean = image[:, :, 0] if images.channels == 1 else image.mean(axis=2, dtype=np.float32)
    mean = np.ascontiguousarray(mean, np.float32)
    return (height, width), digest, views(mean), (float(mean.min()), float(mean.max()))


def _identical(seen: _Seen) -> tuple[list[Link], NDArray[np.bool_]]:
    """Return links to the first of the images with the same pixels, and which are the first."""
    keys = np.column_stack([seen.sides.astype(np.uint64), seen.digests])
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    original = first[inverse.reshape(-1)] if len(keys) else np.empty(0, np.intp)
    copies = np.flatnonzero(original != np.arange(len(keys)))
    links = [
        Link(int(seen.rows[original[i]]), int(seen.rows[i]), "identical", "", (0, 0), 0.0) for i in copies
    ]
    return links, original == np.arange(len(keys))


@dataclass(frozen=True)
class _NearSearch:
    """How to search for near duplicates; see `find_duplicates`."""

    distance: float
    threads: int
    report: ReportProgress


@dataclass(frozen=True)
class _Candidate:
    """Two images that may be near duplicates, and how to lay the second over the first."""

    first: int
    second: int
    turn: int
    crops: tuple[Crop, Crop]


def _near(
    images: ImageSet, seen: _Seen, chosen: NDArray[np.bool_], groups: _Groups, search: _NearSearch
) -> list[Link]:
    """Return links between images of different pixels, the nearest first."""
    pairs, pairing = _candidates(seen, np.flatnonzero(chosen), search)
    read = functools.lru_cache(max(8, _CACHE_BYTES // seen.largest_bytes))(images.read)
    # Rounded, so that for a rotated lossless copy the whole image comes before crops that match equally well.
    keys = (pairs.second, pairs.first, pairing, np.round(pairs.distance, 2))
    order = deque(np.lexsort(keys).tolist())
    total = len(order)
    links: list[Link] = []

    def compared(k: int) -> Link | None:
        first, second, turn = int(pairs.first[k]), int(pairs.second[k]), int(pairs.turn[k])
        candidate = _Candidate(first, second, turn, _PAIRINGS[pairing[k]])
        return _compared(read, candidate, seen.unit, search.distance)

    with ThreadPoolExecutor(search.threads) as pool:
        while order:
            batch: list[int] = []
            while order and len(batch) < _AT_ONCE:
                k = order.popleft()
                if not groups.joined(int(pairs.first[k]), int(pairs.second[k])):
                    batch.append(k)
            found = [link for link in pool.map(compared, batch) if link is not None]
            links += [link for link in found if groups.join(link.first, link.second)]
            search.report(total - len(order), total, "candidates compared")
    return links


def _candidates(
    seen: _Seen, places: NDArray[np.intp], search: _NearSearch
) -> tuple[ViewPairs, NDArray[np.int64]]:
    """Return pairs of rows that are near in their low frequencies, and the place in `_PAIRINGS` of each."""
    made = functools.cache(lambda crop, relative: _cropped(seen, places, crop, relative, search.distance))
    found: list[ViewPairs] = []
    for k, (a, b) in enumerate(_PAIRINGS):

        def reported(done: int, total: int, before: int = k) -> None:
            search.report(before * total + done, len(_PAIRINGS) * total, "images searched")

        relative = RELATIVE_LOW[a != b]
        views = made(a, relative), made(b, relative)
        found.append(near_pairs(*views, threads=search.threads, report=reported))
    pairing = np.repeat(np.arange(len(found)), [len(p.first) for p in found])
    names = ("first", "second", "turn", "distance")
    return ViewPairs(*(np.concatenate([getattr(p, name) for p in found]) for name in names)), pairing


def _cropped(seen: _Seen, places: NDArray[np.intp], crop: Crop, relative: float, distance: float) -> Views:
    waves = seen.waves[places, CROPS.index(crop[0]), CROPS.index(crop[1])] / np.float32(seen.unit)
    visible = contrast(waves)
    reach = np.minimum(relative * visible, distance * np.maximum(visible / STRONG, 1)).astype(np.float32)
    sides = seen.sides[places] - np.abs(crop)
    kept = sides.min(axis=1) > 0
    return Views(seen.rows[places][kept], sides[kept], waves[kept], np.maximum(reach, _LOSSLESS)[kept])


def _compared(
    read: Callable[[int], NDArray[Any]], candidate: _Candidate, unit: float, distance: float
) -> Link | None:
    """Compare the pixels of two images, cropped and turned as the search found."""
    first, second, turn, crops = candidate.first, candidate.second, candidate.turn, candidate.crops
    a, b = _without(read(first), crops[0]), turned(_without(read(second), crops[1]), turn)
    uncropped = crops == ((0, 0), (0, 0))
    if uncropped and np.array_equal(a, b):
        kind: CopyKind = "flipped" if _TURNS[turn].startswith("flip") else "rotated"
        return Link(first, second, kind, _TURNS[turn], (0, 0), 0.0)
    fine_a, fine_b = _fine(a) / unit, _fine(b) / unit
    apart = float(np.sqrt(np.square(fine_a - fine_b).sum(axis=(1, 2)).mean()))
    visible = min(float(np.sqrt(np.square(contrast(f)).mean())) for f in (fine_a, fine_b))
    relative = RELATIVE if uncropped else RELATIVE_CROPPED
    if visible < EMPTY or apart > min(relative * visible, distance * max(visible / STRONG, 1)):
        return None
    (y, x), (y2, x2) = crops
    shift = (max(abs(y), abs(y2)), max(abs(x), abs(x2)))
    return Link(first, second, "near", _TURNS[turn], shift, round(apart, 3))


def _without(image: NDArray[Any], crop: Crop) -> NDArray[Any]:
    rows, columns = (slice(max(c, 0), min(c, 0) or None) for c in crop)
    return image[rows, columns]


def _fine(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return low and middle frequencies of each channel, float32, shape (channels, waves, waves)."""
    channels = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    vertical, horizontal = (cosines(side, min(side, _FINE_WAVES)) for side in image.shape[:2])
    return np.asarray(vertical @ channels @ horizontal.T, np.float32)


def _grouped(links: Sequence[Link], groups: _Groups) -> tuple[CopyGroup, ...]:
    by_root: dict[int, list[Link]] = {}
    for link in links:
        by_root.setdefault(groups.root(link.first), []).append(link)
    made = [
        CopyGroup(tuple(sorted({row for link in found for row in (link.first, link.second)})), tuple(found))
        for found in by_root.values()
    ]
    return tuple(sorted(made, key=lambda group: group.rows))


class _Groups:
    """Which rows are connected."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = row = self._parent[self._parent[row]]
        return row

    def joined(self, a: int, b: int) -> bool:
        return self.root(a) == self.root(b)

    def join(self, a: int, b: int) -> bool:
        """Connect two rows; say whether they were not connected before."""
        a, b = self.root(a), self.root(b)
        self._parent[max(a, b)] = min(a, b)
        return a != b
