"""Calls of `bench data`, and small folders of images for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from typer.testing import CliRunner

from bench.cli.app import app


def call(*words: object) -> tuple[int, str]:
    """Run a command in this process; return exit code and standard output. Errors are raised."""
    done = CliRunner().invoke(
        app, ["data", *map(str, words)], catch_exceptions=False, env={"BENCH_DATA": None}
    )
    return done.exit_code, done.stdout


def asked(*words: object) -> Any:
    """Return what a command says in JSON."""
    return json.loads(call(*words, "--json")[1])


def write_images(folder: Path, count: int = 2) -> dict[str, bytes]:
    """Write images of two classes, return them by name."""
    rng = np.random.default_rng(0)
    made = {}
    for label in ("one", "two"):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            _, data = cv2.imencode(".png", rng.integers(0, 256, (8 + i, 12, 3), np.uint8))
            (folder / label / f"{i}.png").write_bytes(data.tobytes())
            made[f"{label}/{i}.png"] = data.tobytes()
    return made
