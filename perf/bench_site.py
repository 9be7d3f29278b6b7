"""The web page: building it for a hundred cells, and for one map of 30,000 images."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

try:
    from bench.records.results import Results
    from bench.records.store import Store
    from bench.report.site.build import build_site
    from bench.report.site.suite import SiteSuite
except ImportError:  # commits from before there was a page; asv skips what raises NotImplementedError
    build_site = None  # type: ignore[assignment]

_SHAPES = {"100 cells of 4,000 images": (20, 5, 4000, 256), "one cell of 30,000 images": (1, 1, 30_000, 64)}
"""Methods, seeds, images, dimensions of the features."""


class Site:
    """From records and artefacts to the folder."""

    params = tuple(_SHAPES)
    param_names = ("shape",)
    timeout = 300
    number, repeat = 1, 2

    def setup(self, shape: str) -> None:
        if build_site is None:
            raise NotImplementedError
        sys.path.insert(0, str(Path(__file__).parents[1]))  # asv imports this folder alone
        from tests.report.site.made import Wish, make

        methods, seeds, images, dims = _SHAPES[shape]
        self.root = Path(tempfile.mkdtemp())
        names = [f"method {i}" for i in range(methods)]
        classes = [f"class {i}" for i in range(20)]
        made = make(self.root, Wish(classes, names, range(seeds), images, size=64, dims=dims, suite="perf"))
        results = Results(made.results, "perf")
        self.suite = SiteSuite(("perf",), results, results.read_plan())

    def teardown(self, shape: str) -> None:
        shutil.rmtree(self.root)

    def build(self) -> int:
        """Build it once; return the size of the folder in bytes."""
        store, out = Store(self.root / "store"), Path(tempfile.mkdtemp(dir=self.root))
        return build_site([self.suite], store, out / "site", "pca", 30_000, lambda *_: None).bytes

    def time_build(self, shape: str) -> None:
        self.build()

    def track_bytes(self, shape: str) -> int:
        return self.build()

    track_bytes.unit = "bytes"  # type: ignore[attr-defined]
