"""What the tests of classifiers share: drawn fields of two kinds of cells, fitting, interrupting a fit."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.cell_drawing import CELL_TYPES, Batch, draw
from bench.images import Prepared
from bench.nn import training
from tests.methods import adapter, make_run, prepared

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


def whole_and_interrupted(
    folder: Path, name: str, params: dict[str, Any], data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[bytes, Any]]:
    """Return weights and facts of a fit in one go, and of one interrupted after 20 steps and begun again."""
    original = training.Steps
    monkeypatch.setattr(training, "Steps", lambda *a: original(a[0], a[1], checkpoint_s=0.0))

    def stop(done: int, _total: int | None, text: str) -> None:
        if done >= 20 and text.startswith("steps"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(folder / "twice", name, params, data, report=stop)
    assert list((folder / "twice" / "c").glob("step-0000000010.*.pt"))
    found = []
    for sub in ("whole", "twice"):
        _, run = fitted(folder / sub, name, params, data)
        run.facts.pop("speed")
        found.append(((folder / sub / "w" / "network.safetensors").read_bytes(), run.facts))
    return found
