"""Speed of drawing, decoding and preparing images, with a plain Pillow loop to compare with."""

from __future__ import annotations

import importlib
import logging
import shutil
import tempfile
from pathlib import Path
from typing import cast

import numpy as np

from bench.decode import decode, to_square
from bench.interfaces import Dataset, Generator, Run
from bench.prepare import prepare
from bench.registry import load

N = 1000


def _run(folder: Path, threads: int) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("perf"), folder, lambda *_: None)


class _Folders:
    """Generated plankton below `self.root`, and `self.out` to write to."""

    def setup(self, *_: object) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.root, self.out = self.folder / "root", self.folder / "out"
        self.root.mkdir()
        self.out.mkdir()
        self.generator = cast(type[Generator], load("generator", "plankton"))(images=N)
        self.generator.write(self.root, _run(self.folder, 1))
        self.dataset = cast(type[Dataset], load("dataset", "kaggle_plankton"))(size=64)
        self.files = list(self.dataset.files(self.root))

    def teardown(self, *_: object) -> None:
        shutil.rmtree(self.folder)


class Generate(_Folders):
    """Seconds to draw and write N images."""

    def time_write(self) -> None:
        self.generator.write(self.out, _run(self.folder, 1))


class Prepare(_Folders):
    """Seconds from N JPEG files to the prepared set."""

    params = (1, 2)
    param_names = ("threads",)

    def setup(self, *_: object) -> None:
        super().setup()
        self.images = self.dataset.open(self.root)

    def time_prepare(self, threads: int) -> None:
        prepare(self.images, self.dataset, self.out, _run(self.folder, threads))

    def time_open(self, threads: int) -> None:
        self.dataset.open(self.root)


class OneByOne(_Folders):
    """Seconds to read N JPEG files into squares of 64 px in memory, without the harness around it."""

    def time_decode_and_resize(self) -> None:
        for path in self.files:
            to_square(decode(path, grey=True), 64, "pad", 255)

    def time_decode(self) -> None:
        for path in self.files:
            decode(path, grey=True)


class Pillow(_Folders):
    """The same with Pillow."""

    def setup(self, *_: object) -> None:
        try:
            importlib.import_module("PIL")
        except ImportError:
            raise NotImplementedError from None  # asv's way to skip
        super().setup()

    def time_decode_and_resize(self) -> None:
        from PIL import Image, ImageOps

        for path in self.files:
            with Image.open(path) as image:
                square = ImageOps.pad(image.convert("L"), (64, 64), Image.Resampling.BILINEAR, color=255)
                np.asarray(square)
