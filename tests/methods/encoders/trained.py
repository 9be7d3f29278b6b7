"""What the tests of trained encoders share: fitting in a folder, and killing a training on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.interfaces import Json
from tests.methods import adapter, make_run, prepared
from tests.methods.killed import kill


def noise(
    n: int = 24, channels: int = 1, height: int = 16, width: int = 16, dtype: type[Any] = np.uint8
) -> NDArray[Any]:
    """Return random pixels (n, channels, height, width)."""
    top = int(np.iinfo(dtype).max)
    return np.random.default_rng(0).integers(0, top + 1, (n, channels, height, width)).astype(dtype)


def fitted(
    folder: Path, name: str, settings: dict[str, Any], pixels: NDArray[Any], seed: int = 0, **run: Any
) -> tuple[NDArray[np.float32], dict[str, Json]]:
    """Train an encoder; return the features of its images and what it says of the training."""
    (folder / "w").mkdir(parents=True)
    (folder / "c").mkdir(exist_ok=True)
    where = make_run(seed, checkpoints=folder / "c", **run)
    encoder = adapter("encoders", name, **settings)
    encoder.fit(prepared(pixels), folder / "w", where)
    return encoder.encode(prepared(pixels), folder / "w", make_run(seed)), where.facts


_SCRIPT = """
import json, sys
from pathlib import Path
from tests.methods.encoders.trained import fitted, noise
fitted(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), noise())
"""


def whole_and_killed(
    folder: Path, name: str, settings: dict[str, Any], file: str = "backbone.safetensors", phase: str = ""
) -> list[tuple[bytes, Json]]:
    """Return weights and facts of an undisturbed training and of one killed on the way and started again.

    `file`: of the weights; `phase`: the one of several trainings that is killed, a folder of checkpoints.
    """
    killed = folder / "killed"
    kill(_SCRIPT, str(killed), name, json.dumps(settings), checkpoints=killed / "c" / phase)
    (killed / "w").rmdir()  # nothing is there before the end
    trained: list[tuple[bytes, Json]] = []
    for sub in ("whole", "killed"):
        _, facts = fitted(folder / sub, name, settings, noise())
        facts.pop("speed")
        trained.append(((folder / sub / "w" / file).read_bytes(), facts))
    return trained
