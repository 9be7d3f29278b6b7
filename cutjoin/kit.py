"""What authors of adapters may build on: networks, their training, and reading images from disk.

These are the parts that the shipped adapters share. Their names and meanings change only with a major
version. They load when they are first used; those for networks need torch.

Training
    `train(task, Steps(...), run)` runs a `Task` with the precision, device and processes of a `Run`, saves
    checkpoints and continues from them to the bit, and returns the loss curve. `Epochs` draws batches.
Networks
    `Backbone` is a vision transformer or convolutional network for images of any size; `SelfTrained` an
    encoder that trains one. `encode` runs a network over images in batches.
Weights
    `read_tensors`, `write_tensors` and `load_strictly` keep weights as safetensors, never as pickles.
Images on disk
    `decode` reads one image file and refuses what is truncated; `FileSet` is a set of image files,
    `ChannelSet` one of a file per channel, `ParquetSet` one in tables. `list_images` lists the images below a
    folder, and `within` refuses paths that leave it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.imaging.decode import decode
    from bench.layouts.channelset import ChannelSet
    from bench.layouts.fileset import FileSet
    from bench.layouts.folders import list_images, within
    from bench.layouts.parquetset import ParquetSet
    from bench.nn.backbone import Backbone
    from bench.nn.inputs import encode
    from bench.nn.selftrained import SelfTrained
    from bench.nn.training import Curve, Draw, Epochs, Steps, Task, train
    from bench.nn.weights import load_strictly, read_tensors, write_tensors

__all__ = [
    "Backbone",
    "ChannelSet",
    "Curve",
    "Draw",
    "Epochs",
    "FileSet",
    "ParquetSet",
    "SelfTrained",
    "Steps",
    "Task",
    "decode",
    "encode",
    "list_images",
    "load_strictly",
    "read_tensors",
    "train",
    "within",
    "write_tensors",
]

_HOMES = {
    "bench.imaging.decode": ("decode",),
    "bench.layouts.channelset": ("ChannelSet",),
    "bench.layouts.fileset": ("FileSet",),
    "bench.layouts.folders": ("list_images", "within"),
    "bench.layouts.parquetset": ("ParquetSet",),
    "bench.nn.backbone": ("Backbone",),
    "bench.nn.inputs": ("encode",),
    "bench.nn.selftrained": ("SelfTrained",),
    "bench.nn.training": ("Curve", "Draw", "Epochs", "Steps", "Task", "train"),
    "bench.nn.weights": ("load_strictly", "read_tensors", "write_tensors"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOME[name]), name)
