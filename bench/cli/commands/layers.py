"""`bench describe encoder NAME --layers CxHxW`: the network that an encoder builds, layer by layer."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.adapters import registry
from bench.cli.options.files import DescribeOptions
from bench.cli.settings import configured
from bench.errors import UsageError
from bench.interfaces import HasNetwork, Run

if TYPE_CHECKING:
    from torch import nn


def show_layers(options: DescribeOptions) -> None:
    """Print the layers of an encoder's network for images of a shape, with sizes and parameters.

    Raises `UsageError` for an invalid shape or an adapter without a network, and `DataError` for images that
    the network does not take.
    """
    from bench.nn.overview import layers

    shape = _shape(options.layers or "")
    network = _network(options.kind, options.name, shape, options.settings or ())
    found = layers(network, shape)
    total = sum(layer.parameters for layer in found)
    if options.json:
        print(json.dumps({"layers": [dataclasses.asdict(layer) for layer in found], "parameters": total}))
        return
    from tabulate import tabulate

    count = [f"{x.parameters:,}" if x.parameters else "" for x in found]
    size = [" x ".join(map(str, x.output)) for x in found]
    rows = [(x.part, x.kind, x.kernel, s, n) for x, s, n in zip(found, size, count, strict=True)]
    header = ("part", "layer", "kernel", "output", "parameters")
    align = ("left", "left", "left", "left", "right")
    print(tabulate(rows, header, tablefmt="simple", colalign=align, disable_numparse=True))
    print(f"\n{total:,} parameters, the running statistics of normalisations included")


def _shape(text: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if found is None or any(int(n) > 4096 for n in found.groups()):
        raise UsageError(f"--layers {text}: expected channels, height and width, at most 4096, e.g. 3x64x64")
    channels, height, width = map(int, found.groups())
    return channels, height, width


def _network(kind: str, name: str, shape: tuple[int, int, int], settings: Sequence[str]) -> nn.Module:
    if kind != "encoder":
        raise UsageError(f"--layers: only encoders have networks to show (got {kind})")
    cls = registry.load("encoder", name)
    if not issubclass(cls, HasNetwork):
        raise UsageError(f"encoder {name!r} has no network to show")
    encoder = configured(cls, settings)
    assert isinstance(encoder, HasNetwork)
    return encoder.network(shape, None, Run.detached())
