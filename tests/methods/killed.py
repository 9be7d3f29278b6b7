"""Killing a training on the way with SIGKILL, as a system short of memory does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_CHECKPOINTS_ALL_THE_TIME = """
import functools
from bench.nn import training
training.Steps = functools.partial(training.Steps, checkpoint_s=0.0)
"""


def kill(script: str, *arguments: str, checkpoints: Path) -> None:
    """Run a script that trains, and kill it as soon as it has written a checkpoint.

    Fails if it ends before.
    """
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CHECKPOINTS_ALL_THE_TIME + script, *arguments]
    process = subprocess.Popen(command, cwd=root, env=env)
    while not list(checkpoints.glob("*.pt")):
        assert process.poll() is None, "it ended without a checkpoint"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
