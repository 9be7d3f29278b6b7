"""A suite with all its input files, to modify and plan again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Plan, make_plan
from bench.suite import suitefile
from tests.conftest import write_suite

SUITE = """\
seeds: [0, 1]
datasets:
  - {name: Kaggle, use: kaggle_plankton, size: 32}
methods:
  - {name: A, encoder: pixels, clusterer: {use: kmeans, reduce: {use: umap, n_neighbors: 5}}}
  - {name: B, encoder: {use: precomputed, file: features.npy}, clusterer: ward}
  - {name: C, encoder: ./own.py, clusterer: {use: kmeans, k: 2}}
  - {name: D, encoder: {use: timm, weights: file, weights_file: w.safetensors}, clusterer: kmeans}
  - {name: E, classifier: ./learner.py}
"""
OWN = '''\
from bench.interfaces import Encoder

class Own(Encoder):
    """A user's own encoder."""
    power: float = 2.0
    def encode(self, images, weights, run):
        return images.batch(0, len(images)).reshape(len(images), -1).astype("float32") ** self.power
'''
LEARNER = '''\
from bench.interfaces import Classifier

class Learner(Classifier):
    """A user's own classifier."""
    def fit(self, images, weights, run): ...
    def predict(self, images, weights, run): ...
'''
KEYS = dict[tuple[str, int, str], str]
"""(method, seed, stage) -> key."""


class World:
    """A suite file with all its input files, planned anew on every access."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.text = SUITE
        np.save(folder / "features.npy", np.zeros((20, 3), np.float32))
        (folder / "own.py").write_text(OWN)
        (folder / "learner.py").write_text(LEARNER)
        (folder / "w.safetensors").write_bytes(b"weights")

    def plan(self) -> Plan:
        file = write_suite(self.folder, self.text)
        suite = suitefile.load(file, None, self.data)
        return make_plan(suite, Fingerprints(self.folder / "prints.sqlite", read_only=True))

    def keys(self) -> KEYS:
        plan = self.plan()
        assert [c.blocked for c in plan.cells] == [None] * len(plan.cells)
        return {(c.method, c.seed, plan.stages[k].kind): k for c in plan.cells for k in c.stages}

    def images(self) -> list[Path]:
        return sorted(self.data.rglob("*.jpg"))
