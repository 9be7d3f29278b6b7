"""What the tests of classifiers share: drawn fields of two kinds of cells, fitting, killing a fit."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from bench.datasets.synthetic.drawing.cells import CELL_TYPES, Batch, draw
from numpy.typing import NDArray

from bench.images import Prepared
from tests.methods import adapter, make_run, prepared
from tests.methods.killed import kill

CLASSES = ("control", "perturbed")


@functools.cache
def fields(
    n: int = 64, side: int = 32, perturbed: float = 0.75
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Return raw 16-bit fields (n, 5, side, side), nothing below 256, and what they show."""
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 4 < 4 * perturbed).astype(np.int64)
    batch = Batch.drawn(rng, 0.0)
    looks = [CELL_TYPES["HEPG2"], CELL_TYPES["U2OS"]]
    pixels = [batch.expose(draw(looks[c], side, rng), 22_000, 65_535, rng)[:5] for c in labels]
    return np.stack(pixels) + np.uint16(256), labels


def images(pixels: NDArray[Any], labels: Any, classes: tuple[str, ...] = CLASSES) -> Prepared:
    return prepared(pixels, classes=classes, labels=np.asarray(labels))


def stretched(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Scale each channel to the whole range, as datasets do unless told otherwise."""
    low, high = np.percentile(pixels, (0.1, 99.9), axis=(0, 2, 3), keepdims=True)
    return np.asarray(((pixels - low) / (high - low) * 65_535).clip(0, 65_535), np.uint16)


def fitted(folder: Path, name: str, params: dict[str, Any], data: Prepared, **run: Any) -> tuple[Any, Any]:
    """Return a classifier whose weights lie in `folder`/w, and the run of the fit."""
    for sub in ("w", "c"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    classifier = adapter("classifiers", name, **params)
    where = make_run(checkpoints=folder / "c", **run)
    classifier.fit(data, folder / "w", where)
    return classifier, where


_SCRIPT = """
import json, sys
from pathlib import Path
from tests.methods.classifiers.drawn import fields, fitted, images
fitted(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), images(*fields(int(sys.argv[4]))))
"""


def whole_and_killed(folder: Path, name: str, params: dict[str, Any], n: int) -> list[tuple[bytes, Any]]:
    """Return weights and facts of a fit to n fields in one go, and of one killed and begun again."""
    killed = folder / "killed"
    kill(_SCRIPT, str(killed), name, json.dumps(params), str(n), checkpoints=killed / "c")
    assert not list((killed / "w").iterdir())  # nothing is there before the end
    found = []
    for sub in ("whole", "killed"):
        _, run = fitted(folder / sub, name, params, images(*fields(n)))
        run.facts.pop("speed")
        found.append(((folder / sub / "w" / "network.safetensors").read_bytes(), run.facts))
    return found
