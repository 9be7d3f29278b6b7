import itertools

import pytest
import torch

from bench.errors import DataError
from bench.nn.backbone import Architecture
from bench.nn.convnets import ConvNet, build


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("width", [4, 64])
def test_conv5_has_the_filters_it_says(width: int) -> None:
    filters = [3, *(width * g for g in (1, 2, 4, 8, 8))]
    wanted = sum(9 * a * b + 2 * b for a, b in itertools.pairwise(filters))
    with torch.device("meta"):
        assert count(ConvNet(width, 3)) == wanted
    if width == 64:
        assert filters[1:] == [64, 128, 256, 512, 512]


@pytest.mark.parametrize(
    ("name", "features", "parameters"),
    [
        # the papers' networks have a classifier of 1000 classes, which is taken off here
        ("resnet18", 512, 11_689_512 - 513 * 1000),
        ("resnet50", 2048, 25_557_032 - 2049 * 1000),
        ("vgg16_bn", 4096, 138_365_992 - 4097 * 1000),
        # convolutions and normalisations as above; hidden layers on a 2 x 2 grid of 512 maps
        ("vgg16", 4096, 14_723_136 + (4 * 512 * 4096 + 4096) + (4096 * 4096 + 4096)),
    ],
)
def test_published_networks_have_their_published_sizes(name: str, features: int, parameters: int) -> None:
    with torch.device("meta"):
        backbone, width = build(Architecture(name, normalise="none"), (1, 64, 64), 0)
    assert (width, count(backbone)) == (features, parameters)


@pytest.mark.parametrize(
    ("name", "channels", "how", "side"),
    [
        ("conv5", 1, "rgb", 16),
        ("conv5", 6, "native", 17),
        ("test_resnet", 3, "rgb", 32),
        ("test_resnet", 2, "native", 32),
    ],
)
def test_networks_take_images_and_follow_from_the_seed(name: str, channels: int, how: str, side: int) -> None:
    a = Architecture(name, how, "imagenet")  # type: ignore[arg-type]  # parametrised
    width = 4 if name == "conv5" else None
    (one, features), (two, _), (other, _) = (
        build(a, (channels, side, side), s, width=width) for s in (0, 0, 1)
    )
    x = torch.rand(3, channels, side, side)
    with torch.no_grad():
        found, again, differs = (net.eval()(net.fitted(x)) for net in (one, two, other))
    assert found.shape == (3, features)
    assert torch.equal(found, again)
    assert not torch.allclose(found, differs)


def test_conv5_ends_in_the_mean_of_its_maps_and_drops_features_in_training_only() -> None:
    net = ConvNet(2, 1, dropout=0.5)
    maps = net.eval().forward_features(torch.rand(2, 1, 32, 48))
    assert maps.shape == (2, 16, 2, 3)
    torch.testing.assert_close(net.forward_head(maps), maps.mean(dim=(2, 3)))
    torch.manual_seed(0)
    dropped = net.train().forward_head(torch.ones(64, 16, 2, 3))
    assert 0.4 < float((dropped == 0).float().mean()) < 0.6


@pytest.mark.slow
def test_what_does_not_fit_is_said() -> None:
    wrong = [
        (Architecture("conv5"), (1, 15, 15), None, "conv5 needs at least 16 px, not 15"),
        (Architecture("vgg16"), (1, 31, 31), None, "vgg16 needs at least 32 px"),
        (Architecture("vgg16_bn"), (1, 16, 16), None, "image_size: vgg16_bn of timm .* does not take 16 px"),
        (Architecture("conv5"), (4, 32, 32), None, "rgb needs images of 1 or 3 channels, these have 4"),
        (Architecture("resnet18"), (1, 32, 32), 8, "width: it is the knob of arch conv5"),
        (Architecture("resnet19"), (1, 32, 32), None, "has no 'resnet19'; near: "),
    ]
    for a, shape, width, said in wrong:
        with pytest.raises(DataError, match=said), torch.device("cpu" if a.model == "vgg16_bn" else "meta"):
            build(a, shape, 0, width=width)
