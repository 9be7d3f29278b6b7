"""What the tests of adapters share."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.images import Prepared
from bench.interfaces import Adapter, Json, Run, ToCluster


def make_run(
    seed: int = 0,
    *,
    threads: int = 1,
    precision: str = "float32",
    checkpoints: Path | None = None,
    report: Callable[[int, int | None, str], None] | None = None,
) -> Run:
    """Return a run on the CPU with no facts yet; `checkpoints` exists only where given."""
    facts: dict[str, Json] = {}
    return Run(
        seed=seed,
        threads=threads,
        device="cpu",
        precision=precision,
        log=logging.getLogger("tests"),
        checkpoints=checkpoints or Path("no-checkpoints"),
        report=report or (lambda _done, _total, _text: None),
        facts=facts,
    )


def public_adapters(module: Any) -> list[type[Adapter]]:
    """Return the public adapter classes a module defines itself."""
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Adapter)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def adapter(kind: str, name: str, **parameters: Any) -> Any:
    """Make the adapter of the file `methods/<kind>/<name>.py`."""
    (found,) = public_adapters(importlib.import_module(f"bench.methods.{kind}.{name}"))
    return found(**parameters)


def prepared(pixels: NDArray[Any], **facts: Any) -> Prepared:
    """Wrap pixels (n, channels, size, size) as images named i0, i1..."""
    return Prepared(pixels, np.arange(len(pixels)), [f"i{i}" for i in range(len(pixels))], **facts)


def to_cluster(features: NDArray[Any], n_classes: int | None = None) -> ToCluster:
    """Wrap features of shape (n, d)."""
    return ToCluster(n=len(features), n_classes=n_classes, features=np.asarray(features, np.float32))


def blobs(
    sizes: tuple[int, ...], dims: int = 5, *, distance: float = 20.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return shuffled clusters of variance 1, at least `distance` between any two centres, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = np.zeros((len(sizes), dims))
    for i in range(len(sizes)):
        centres[i, i % dims] = distance * (1 + i // dims)
    return (centres[truth] + rng.normal(size=(truth.size, dims))).astype(np.float32), truth


def same_partition(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Say whether two labellings group alike, whatever the names (-1 is a name too)."""
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))
