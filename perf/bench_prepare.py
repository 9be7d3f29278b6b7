"""Speed of drawing and preparing images, each beside the naive way: one image at a time with Pillow.

Times are CPU time of all threads, so divide the number of images by them for the rate per core;
those of `Threads` are wall time.
"""

from __future__ import annotations

import importlib
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from bench.adapters.registry import load
from bench.images import ImageSet
from bench.imaging.decode import decode
from bench.imaging.prepare import prepare
from bench.imaging.resize import to_square
from bench.interfaces import Dataset, Generator, Run
from bench.layouts.fileset import FileSet

JPEGS, CROPS, TIFFS = 1000, 5000, 12


def _run(folder: Path, threads: int = 1) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("perf"), folder, lambda *_: None)


class _Timed:
    """`self.folder`, empty, while a benchmark runs."""

    timer = time.process_time

    def setup(self, *params: int) -> None:
        try:
            importlib.import_module("PIL")
        except ImportError:
            raise NotImplementedError from None  # asv's way to skip
        self.folder = Path(tempfile.mkdtemp())

    def teardown(self, *_: object) -> None:
        shutil.rmtree(self.folder)


class _Plankton(_Timed):
    def setup(self, *params: int) -> None:
        super().setup(*params)
        self.root, self.out = self.folder / "root", self.folder / "out"
        self.root.mkdir()
        self.out.mkdir()
        self.generator = cast(type[Generator], load("generator", "plankton"))(images=JPEGS)
        self.generator.write(self.root, _run(self.folder))
        self.dataset = cast(type[Dataset], load("dataset", "kaggle_plankton"))(size=64)
        self.files = list(self.dataset.files(self.root))
        self.images = self.dataset.open(self.root)


class Jpegs(_Plankton):
    """Seconds from 1,000 small grey JPEG files to squares of 64 px."""

    def time_write(self) -> None:
        self.generator.write(self.out, _run(self.folder))

    def time_open(self) -> None:
        self.dataset.open(self.root)

    def time_prepare(self) -> None:
        prepare(self.images, self.dataset, self.out, _run(self.folder))

    def time_decode(self) -> None:
        for path in self.files:
            decode(path, grey=True)

    def time_naive(self) -> None:
        from PIL import Image

        for path in self.files:
            with Image.open(path) as image:
                _padded(image.convert("L"), 255)


class Threads(_Plankton):
    """Seconds on the clock from 1,000 small JPEG files to squares of 64 px."""

    timer = time.perf_counter
    params = (1, 2)
    param_names = ("threads",)

    def time_prepare(self, threads: int) -> None:
        prepare(self.images, self.dataset, self.out, _run(self.folder, threads))


class Particles(ImageSet):
    """Views of one collage, of 15 to 59 px a side."""

    def __init__(self, n: int, channels: int) -> None:
        rng = np.random.default_rng(0)
        self.table = pd.DataFrame(
            {"id": pd.RangeIndex(n).astype("str"), "label": pd.array([None] * n, dtype="str")}
        )
        self.table["run"] = np.arange(n) % 40
        self.group = "run"
        self.channels = channels
        self.collage = rng.integers(0, 256, (1024, 1280, channels), np.uint8)
        corners = rng.integers(0, (960, 1200), (200, 2))
        self.boxes = [
            (*start, *(start + side))
            for start, side in zip(corners.tolist(), rng.integers(15, 60, (200, 2)), strict=True)
        ]

    def read(self, row: int) -> NDArray[Any]:
        top, left, bottom, right = self.boxes[row % len(self.boxes)]
        return self.collage[top:bottom, left:right]

    def read_many(self, rows: range) -> Iterator[NDArray[Any]]:
        for row in rows:
            yield self.read(row)


class Crops(_Timed):
    """Seconds from 5,000 particles of a collage in memory to squares of 64 px."""

    params = (1, 3)
    param_names = ("channels",)

    def setup(self, *params: int) -> None:
        super().setup(*params)
        self.images = Particles(CROPS, params[0])

    def time_prepare(self, channels: int) -> None:
        prepare(self.images, Dataset(size=64), self.folder, _run(self.folder))

    def time_prepare_normalised(self, channels: int) -> None:
        prepare(self.images, Dataset(size=64, normalise="per_group"), self.folder, _run(self.folder))

    def time_naive(self, channels: int) -> None:
        from PIL import Image

        for row in range(CROPS):
            _padded(Image.fromarray(self.images.read(row).squeeze()), 0)


class Tiffs(_Timed):
    """Seconds from 12 compressed grey TIFF files of 1080 x 1080 px and 16 bits to squares of 256 px."""

    def setup(self, *params: int) -> None:
        super().setup(*params)
        rng = np.random.default_rng(0)
        self.files = [self.folder / f"{i}.tiff" for i in range(TIFFS)]
        for path in self.files:
            image = rng.poisson(rng.gamma(2, 200, (135, 135)).repeat(8, 0).repeat(8, 1))
            tifffile.imwrite(path, image.astype(np.uint16), compression="lzw")
        names = [path.name for path in self.files]
        self.images = FileSet(names, [None] * TIFFS, self.files, grey=True, fill=0, dtype=np.uint16, notes={})

    def time_prepare(self) -> None:
        prepare(self.images, Dataset(size=256), self.folder, _run(self.folder))

    def time_decode_and_resize(self) -> None:
        for path in self.files:
            to_square(decode(path, grey=True), 256)

    def time_bare_decode(self) -> None:
        for path in self.files:
            tifffile.imread(path)

    def time_naive(self) -> None:
        from PIL import Image

        for path in self.files:
            image = Image.fromarray(tifffile.imread(path).astype(np.float32))
            np.asarray(image.resize((256, 256), Image.Resampling.BOX)).round().astype(np.uint16)


class Memory(_Timed):
    """Peak memory of the process that prepares this many particles; their pixels are 4 KiB each."""

    params = (2000, 20_000, 200_000)
    param_names = ("images",)
    timeout = 300

    def setup(self, *params: int) -> None:
        super().setup(*params)
        self.images = Particles(params[0], 1)

    def peakmem_prepare(self, n: int) -> None:
        prepare(self.images, Dataset(size=64), self.folder, _run(self.folder))


def _padded(image: Any, fill: int) -> NDArray[np.uint8]:
    """Bring a Pillow image to a square of 64 px: averaged if it shrinks, centred."""
    from PIL import Image, ImageOps

    colour = fill if image.mode == "L" else (fill,) * 3
    return np.asarray(ImageOps.pad(image, (64, 64), Image.Resampling.BILINEAR, color=colour))
