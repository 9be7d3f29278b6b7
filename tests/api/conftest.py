"""One finished run on real images, with what can happen to cells: scores, noise, classes, an error."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import cutjoin
from cutjoin import FinishedRun
from tests.conftest import once

BROKEN = '''\
"""Fails."""
from cutjoin import DataError, Encoder


class Broken(Encoder):
    """Refuses all images."""

    def encode(self, images, weights, run):
        raise DataError("<script>no & nothing</script>")
'''


def real_suite(base: Path) -> dict[str, Any]:
    """Return a suite on real plankton, some of it without labels."""
    return {
        "title": "Real <script>",
        "seeds": (3,),
        "label_free": True,
        "bootstrap": {"replicates": 20},
        "metrics": ["acc", "ami"],
        "datasets": [
            {"name": "plankton", "use": "kaggle_plankton", "root": base / "labelled", "size": 24}
            | {"fit": {"fraction": 0.4}, "score": {"fraction": 0.6}},
            {
                "name": "unlabelled",
                "use": "image_folder",
                "root": base / "unlabelled",
                "size": 24,
                "methods": ["k-means*"],
                "baselines": False,
            },
        ],
        "methods": [
            {"name": "k-means <b>&", "encoder": "pixels", "clusterer": {"use": "kmeans", "k": 3}},
            {"name": "noisy", "encoder": "polar_fft", "clusterer": {"use": "hdbscan", "reduce": "pca"}},
            {"name": "probe", "classifier": {"use": "linear_probe", "encoder": "pixels"}},
            {"name": "broken", "encoder": str(base / "broken.py"), "clusterer": "ward"},
        ],
    }


@pytest.fixture(scope="session")
def real(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Return the finished run. Read it only."""
    train = next(p for p in sorted((samples / "kaggle_plankton").rglob("train")) if p.is_dir())
    classes = sorted(p for p in train.iterdir() if len(list(p.glob("*.jpg"))) >= 10)[:2]

    def copy(base: Path) -> None:
        (base / "unlabelled").mkdir()
        for folder in classes:
            target = base / "labelled" / "train" / folder.name
            target.mkdir(parents=True)
            for i, image in enumerate(sorted(folder.glob("*.jpg"))[:10]):
                shutil.copyfile(image, target / image.name)
                if i < 6:
                    shutil.copyfile(image, base / "unlabelled" / image.name)
        (base / "broken.py").write_text(BROKEN)

    base = once(tmp_path_factory, "real", copy)
    suite = cutjoin.load_suite(real_suite(base), name="real")
    return cutjoin.run(suite, store=base / "store", results=base / "results", jobs=2, progress=False)
