"""Adding one of anything is one file: each kind from a folder of the user's own, used end to end."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import bench

FILES = {
    "noise.py": '''
"""Discs on noise, as they lie in a folder of PNG files."""
from pathlib import Path

import cutjoin


class Noise(cutjoin.Dataset):
    """Reads every PNG file; the letter before the number is the class."""

    def files(self, root: Path) -> list[Path]:
        """List the images."""
        return sorted(root.glob("*.png"))

    def open(self, root: Path) -> cutjoin.ImageSet:
        """Open them."""
        paths = self.files(root)
        labels = [p.stem[0] for p in paths]
        return cutjoin.FileSet([p.stem for p in paths], labels, paths, grey=True, fill=0, notes={})
''',
    "brightness.py": '''
"""Brightness as the only feature."""
from pathlib import Path

import numpy as np

import cutjoin


class Brightness(cutjoin.Encoder):
    """Mean and standard deviation of each image, times `scale`."""

    scale: float = 1.0
    """Factor of both features."""

    def encode(self, images: cutjoin.Prepared, weights: Path | None, run: cutjoin.Run) -> np.ndarray:
        """Return shape (n, 2)."""
        pixels = images.batch(0, len(images)).reshape(len(images), -1).astype(np.float32)
        return self.scale * np.stack([pixels.mean(axis=1), pixels.std(axis=1)], axis=1)
''',
    "fowlkes.py": '''
"""The Fowlkes-Mallows index."""
import numpy as np

import cutjoin


def measure(tables) -> np.ndarray:
    """Return the geometric mean of precision and recall of joins."""
    p = tables.pairs
    precision = p.join_join / np.maximum(p.join_join + p.cut_join, 1)
    recall = p.join_join / np.maximum(p.join_join + p.join_cut, 1)
    return np.sqrt(precision * recall)


FMI = cutjoin.Metric("fowlkes", "FMI", "Geometric mean of precision and recall of joins.", measure)
''',
    "bars.py": '''
"""Sizes of the clusters."""
import numpy as np

from cutjoin import Figure, drawing


class Bars(Figure):
    """One bar per cluster."""

    def draw(self, cell, options):
        """Draw the bars."""
        figure = drawing.new(4, 3)
        clusters, sizes = np.unique(cell.clusters, return_counts=True)
        figure.subplots().bar(clusters, sizes)
        return drawing.Drawing(figure)
''',
    "lines.py": '''
"""One line per method."""
from cutjoin import TableContent, TableFormat


class Lines(TableFormat):
    """Plain lines of name and first number."""

    suffix = "lines"

    def render(self, content: TableContent) -> str:
        """Return the lines."""
        board = content.board.boards[0]
        first = board.metrics[0]
        return "".join(f"{r.method}|{r.numbers[first].mean:.3f}\\n" for r in board.rows)
''',
    "here.py": '''
"""Runs stages in the process of the run, one at a time."""
import time

import cutjoin


class Here(cutjoin.Executor):
    """No processes at all."""

    def __init__(self, setup: cutjoin.Setup) -> None:
        super().__init__(setup)
        self.ended: list[cutjoin.Ended] = []

    def has_room(self, work: cutjoin.Work) -> bool:
        """Say whether the last one has been collected."""
        return not self.ended

    def start(self, work: cutjoin.Work) -> None:
        """Run it to its end."""
        began = time.monotonic()
        outcome = cutjoin.run_stage(work, self.setup)
        self.ended = [cutjoin.Ended(work.job.key, outcome, time.monotonic() - began, log=b"ran here")]

    def wait(self, seconds: float) -> list[cutjoin.Ended]:
        """Return what ended."""
        ended, self.ended = self.ended, []
        return ended

    def running(self) -> list[cutjoin.InProgress]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Hold nothing."""
''',
    "own.yaml": """
title: All of it is the user's
seeds: [0]
bootstrap: {replicates: 50}
metrics: [acc, ./fowlkes.py]
datasets:
  - {name: Discs, use: ./noise.py, root: ./images, size: 16}
methods:
  - {name: bright, encoder: {use: ./brightness.py, scale: 2}, clusterer: {use: kmeans, k: classes}}
""",
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One file of each kind, a suite, and 40 images of two classes that brightness tells apart."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.lstrip())
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        pixels = rng.integers(0, 40, (16, 16), dtype=np.uint8) + (150 if i % 2 else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{'ab'[i % 2]}{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_one_file_of_each_kind_is_used_end_to_end(own: Path) -> None:
    where = {"store": own / "store", "results": own / "results"}
    done = bench("run", "own.yaml", "--executor", "./here.py", "--json", **where)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"ok": 4}
    logs = {p.read_text() for p in (own / "results/own/logs").glob("*.log")}
    assert any("ran here" in text for text in logs)

    with (own / "results/own/leaderboard.csv").open() as f:
        rows = {row["method"]: row for row in csv.DictReader(f)}
    assert float(rows["bright"]["acc"]) == 1.0
    assert float(rows["bright"]["fowlkes"]) == 1.0
    assert float(rows["bright"]["fowlkes_low"]) <= 1.0

    done = bench("table", "own.yaml", "--format", "./lines.py", **where)
    assert done.stdout.splitlines()[0] == "bright|1.000"

    done = bench("figure", "./bars.py", "own.yaml", "--json", **where)
    assert done.returncode == 0, done.stderr
    assert [p.suffix for p in (own / "results/own/figures").iterdir()]

    for kind, name in (("metric", "./fowlkes.py"), ("encoder", "./brightness.py"), ("figure", "./bars.py")):
        assert bench("describe", kind, name, **where).returncode == 0


@pytest.mark.slow
def test_processes_run_the_same_files_to_the_same_record(own: Path) -> None:
    found = []
    for executor, folder in (("./here.py", "a"), ("local", "b")):
        where = {"store": own / folder / "store", "results": own / folder / "results"}
        assert bench("run", "own.yaml", "--executor", executor, "-q", **where).returncode == 0
        found.append(sorted(p.name for p in (own / folder / "results/own/records").iterdir()))
    assert found[0] == found[1]
