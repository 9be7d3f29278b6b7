"""A network as a table: what passes through it, and the counts that its source published."""

from __future__ import annotations

import json

import pytest

from bench.cli.commands.layers import show_layers
from bench.cli.options.files import DescribeOptions
from bench.errors import CutjoinError


def shown(capsys: pytest.CaptureFixture[str], name: str, shape: str, *settings: str):
    show_layers(DescribeOptions(kind="encoder", name=name, layers=shape, settings=list(settings), json=True))
    found = json.loads(capsys.readouterr().out)
    return found["layers"], found["parameters"]


@pytest.mark.slow
def test_table_1_of_the_plankton_framework(capsys: pytest.CaptureFixture[str]) -> None:
    layers, parameters = shown(capsys, "rotation_autoencoder", "3x64x64")
    assert parameters == 45_801_795
    grouped = [x["output"] for x in layers if x["kind"] == "GroupConv"]
    assert grouped == [[256, 64, 64], [512, 32, 32], [1024, 16, 16], [2048, 8, 8], [2048, 4, 4]]
    assert [x["output"] for x in layers if x["kind"] in ("GroupPool", "Mean")] == [[512, 4, 4], [512]]
    assert [x["output"] for x in layers if x["kind"] == "Linear"] == [[32768]]
    assert [x["output"][0] for x in layers if x["kind"] == "ConvTranspose2d"] == [512, 512, 256, 128, 64, 3]


def test_the_patch_network(capsys: pytest.CaptureFixture[str]) -> None:
    layers, parameters = shown(capsys, "patch_context", "3x400x400")
    assert parameters == 14_036
    assert [x["output"][1] for x in layers if x["kind"] == "Conv2d"] == [66, 32, 15]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dino", ("width=24", "depth=2", "heads=2", "patch=8", "arch=vit_tiny_patch16_224")),
        ("deepcluster", ("arch=conv5", "width=8")),
        ("timm", ("model=test_resnet", "weights=random")),
    ],
)
def test_every_parameter_is_counted_once(
    capsys: pytest.CaptureFixture[str], name: str, settings: tuple[str, ...]
) -> None:
    from bench.cli.commands.layers import _network
    from bench.nn.autoencoders import published_count

    _, parameters = shown(capsys, name, "3x32x32", *settings)
    assert parameters == published_count(_network("encoder", name, (3, 32, 32), settings))


@pytest.mark.parametrize(
    ("kind", "name", "shape", "said"),
    [
        ("encoder", "pixels", "3x64x64", "no network"),
        ("encoder", "rotation_autoencoder", "3x64", "channels, height and width"),
        ("encoder", "rotation_autoencoder", "3x64x99999", "at most 4096"),
        ("encoder", "rotation_autoencoder", "3x64x60", "not square"),
        ("clusterer", "kmeans", "3x64x64", "only encoders"),
    ],
)
def test_what_has_no_layers(kind: str, name: str, shape: str, said: str) -> None:
    with pytest.raises(CutjoinError, match=said):
        show_layers(DescribeOptions(kind=kind, name=name, layers=shape))
