"""Checkpoints of a training: written whole, verified when read; the last two are kept."""

from __future__ import annotations

import io
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import torch
import xxhash

from bench.util.durable import write_whole

_NAME = re.compile(r"step-(\d{10})\.([0-9a-f]{32})\.pt")


class Checkpoints:
    """The checkpoints in one folder. A damaged one is passed over for the one before it."""

    def __init__(self, folder: Path, log: logging.Logger) -> None:
        self._folder, self._log = folder, log

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write tensors, numbers and texts; then remove all but this and the one before."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        write_whole(self._folder / f"step-{step:010d}.{xxhash.xxh3_128_hexdigest(data)}.pt", data)
        for _, path, _ in self._found()[2:]:
            path.unlink(missing_ok=True)

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """Return the last intact checkpoint and its step; None if there is none."""
        for step, path, checksum in self._found():
            try:
                data = path.read_bytes()
                if xxhash.xxh3_128_hexdigest(data) == checksum:
                    return step, torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
                self._log.warning("checkpoint %s is damaged; going on from an earlier one", path.name)
            except (OSError, RuntimeError, pickle.UnpicklingError) as e:
                self._log.warning("checkpoint %s cannot be read: %s", path.name, e)
        return None

    def _found(self) -> list[tuple[int, Path, str]]:
        """Return step, file and checksum of each, the last step first."""
        matches = [(p, _NAME.fullmatch(p.name)) for p in self._folder.glob("step-*.pt")]
        return sorted(((int(m[1]), p, m[2]) for p, m in matches if m), reverse=True)
