"""The GPUs of this machine, and their allocation to stages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from bench.errors import DataError

_ROUNDING = 1e-6


class Gpus:
    """Allocates GPUs, whole or in shares; without any GPU, every stage may start."""

    def __init__(self, names: Sequence[str]) -> None:
        self._free = dict.fromkeys(names, 1.0)

    def free(self, count: int, share: float) -> tuple[str, ...] | None:
        """Return `count` different GPUs with at least `share` free, most free first; None if too few have.

        Raises `DataError` if the machine has fewer than `count` GPUs.
        """
        if not self._free:
            return ()
        if count > len(self._free):
            raise DataError(
                f"limits: {count} processes need {count} GPUs, there are {len(self._free)}; lower processes"
            )
        found = [n for n in sorted(self._free, key=lambda n: -self._free[n]) if self._fits(n, share)][:count]
        return tuple(found) if len(found) == count else None

    def take(self, count: int, share: float) -> tuple[str, ...] | None:
        """Allocate the GPUs that `free` returns."""
        found = self.free(count, share)
        for name in found or ():
            self._free[name] -= share
        return found

    def give_back(self, names: Sequence[str], share: float) -> None:
        """Release what `take` returned."""
        for name in names:
            self._free[name] += share

    def _fits(self, name: str, share: float) -> bool:
        return self._free[name] >= share - _ROUNDING


def visible_gpus(device: str) -> tuple[str, ...]:
    """Return the GPUs available to a run on `device`, as CUDA_VISIBLE_DEVICES names them.

    Empty for a device other than a CUDA GPU, and without a driver. GPUs hidden by CUDA_VISIBLE_DEVICES, e.g.
    by a batch system, stay hidden. Raises `DataError` for `cuda:7` if there are fewer.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cuda"):
        return ()
    names = _listed() if (listed := os.environ.get("CUDA_VISIBLE_DEVICES")) is None else _named(listed)
    if not names or not index:
        return names
    if not index.isdecimal() or int(index) >= len(names):
        raise DataError(f"--device {device}: this machine has {len(names)} visible GPUs, counted from cuda:0")
    return (names[int(index)],)


def _listed() -> tuple[str, ...]:
    """Query the driver; initializing CUDA would make it unsafe to fork this process."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    n = sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    return tuple(map(str, range(n)))


def _named(listed: str) -> tuple[str, ...]:
    names = [name.strip() for name in listed.split(",")]
    if "-1" in names:  # CUDA ignores the rest
        names = names[: names.index("-1")]
    known = _listed()
    return tuple(dict.fromkeys(n for n in names if n)) if known else ()
