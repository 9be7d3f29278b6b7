"""Weights of networks as files: read without running code, loaded strictly, written as safetensors."""

from __future__ import annotations

import hashlib
import io
import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from bench.errors import DataError
from bench.util.durable import write_whole

_WRAPPINGS = ("state_dict", "model", "teacher")
_PREFIXES = ("module.", "_orig_mod.", "backbone.")
"""Of DistributedDataParallel, of torch.compile and of DINO's wrapper."""


def read_tensors(path: Path, what: str) -> Mapping[str, Tensor]:
    """Read tensors by name from safetensors or a torch file, out of the wrappings of common checkpoints.

    `what` is the parameter that names the file, for messages.

    Raises
    ------
    DataError : not there, cut off, or something else than tensors (a pickle is never run).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{what}: {path} does not exist") from None
    except OSError as error:
        raise DataError(f"{what}: cannot read {path}: {error.strerror}") from error
    try:
        if path.suffix == ".safetensors":
            return _without_prefixes(load(data))
        with torch.serialization.safe_globals([Namespace]):  # the settings beside many a checkpoint
            state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes may mean anything to an unpickler
        raise DataError(f"{what}: cannot read {path} as tensors only: {_why(error)}") from error
    for wrapping in _WRAPPINGS:
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"{what}: {path} holds no dict of tensors; save model.state_dict()")
    return _without_prefixes(state)


def _without_prefixes(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return tensors by the names of the network, without what wrappers of it put before them all."""
    while prefix := next((p for p in _PREFIXES if state and all(k.startswith(p) for k in state)), None):
        state = {k.removeprefix(prefix): v for k, v in state.items()}
    return state


def load_strictly(model: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load tensors by name, but for the classification head that a timm model without one has not.

    `what` names the source, for messages. Raises `DataError` if a tensor is missing, unknown or of
    another shape: weights of another architecture.
    """
    head = getattr(model, "pretrained_cfg", {}).get("classifier") or ()
    heads = tuple(f"{h}." for h in ([head] if isinstance(head, str) else head))
    state = {k: v for k, v in state.items() if not (heads and k.startswith(heads))}
    own = model.state_dict()
    wrong = [
        f"{k} is {tuple(state[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    wrong += [f"{k} is missing" for k in own if k not in state]
    wrong += [f"{k} is unknown" for k in state if k not in own]
    if wrong:
        starts = {k.partition(".")[0] + "." for k in state}
        common = starts.pop() if len(starts) == 1 else ""
        foreign = common and not any(name.startswith(common) for name in own)
        named = f"; the names of the file begin with {common!r}" if foreign else ""
        raise DataError(
            f"{what} does not fit {type(model).__name__}: {len(wrong)} tensors differ, "
            f"e.g. {'; '.join(wrong[:3])}; check the architecture, image size and "
            f"channels{named}"
        )
    model.load_state_dict(state)


def write_tensors(path: Path, model: nn.Module) -> None:
    """Write all parameters and buffers of a network as safetensors, whole or not at all."""
    state = {k: v.detach().cpu().contiguous().clone() for k, v in model.state_dict().items()}
    write_whole(path, save(state))


def fingerprint(model: Any) -> str:
    """Return the SHA-256 of all names and values, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _why(error: Exception) -> str:
    """Say what is wrong with a file; torch's own words advise to run what is in it."""
    if isinstance(error, SafetensorError):
        return str(error)[:200]
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    if found:
        return f"it holds {found[1]}, which is never run; save model.state_dict() alone"
    return f"it is cut off, damaged or no file of torch.save ({type(error).__name__})"
