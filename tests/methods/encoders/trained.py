"""What the tests of trained encoders share: fitting in a folder, and killing a training on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.interfaces import Json
from tests.methods import adapter, make_run, prepared


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


SCRIPT = """
import json, sys
from pathlib import Path
from bench.nn import training
from tests.methods.encoders.trained import fitted, noise
original = training.Steps
training.Steps = lambda *a: original(*a, checkpoint_s=0.0)
fitted(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), noise())
"""


def whole_and_killed(folder: Path, name: str, settings: dict[str, Any]) -> list[tuple[bytes, Json]]:
    """Return weights and facts of an undisturbed training and of one killed on the way and started again."""
    root, killed = str(Path(__file__).parents[3]), folder / "killed"
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(killed), name, json.dumps(settings)]
    process = subprocess.Popen(command, cwd=root, env=env)
    while not list((killed / "c").glob("*.pt")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (killed / "w").rmdir()  # nothing is there before the end
    trained: list[tuple[bytes, Json]] = []
    for sub in ("whole", "killed"):
        _, facts = fitted(folder / sub, name, settings, noise())
        facts.pop("speed")
        trained.append(((folder / sub / "w" / "backbone.safetensors").read_bytes(), facts))
    return trained
