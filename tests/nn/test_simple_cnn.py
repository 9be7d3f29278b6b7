from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F  # noqa: N812

from bench.errors import DataError
from bench.nn.inputs import tensor
from bench.nn.simple_cnn import (
    Classifying,
    CnnSettings,
    EveryImage,
    SimpleCnn,
    View,
    Whole,
    class_probabilities,
    predict,
)
from bench.nn.training import Draw, Steps, train
from tests.methods import make_run, prepared


def as_published() -> nn.Module:
    """The network as the source writes it down."""
    return nn.Sequential(
        nn.Conv2d(1, 64, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(64, 128, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(128 * 64 * 64, 512),
        nn.ReLU(),
        nn.Linear(512, 1),
    )


def test_the_published_network_has_268_510_977_parameters() -> None:
    with torch.device("meta"):
        for network in (SimpleCnn(1, 1, 256), as_published()):
            assert sum(p.numel() for p in network.parameters()) == 268_510_977


def test_the_network_computes_what_its_layers_do_one_after_the_other() -> None:
    torch.manual_seed(0)
    network = SimpleCnn(2, 3, 16, width=4, hidden=5)
    layers = nn.Sequential(
        *(network.conv1, nn.ReLU(), nn.MaxPool2d(2, 2), network.conv2, nn.ReLU(), nn.MaxPool2d(2, 2)),
        *(nn.Flatten(), network.fc1, nn.ReLU(), network.fc2),
    )
    x = torch.randn(3, 2, 16, 16)
    torch.testing.assert_close(network(x), layers(x))
    first, second = network.maps(x)
    assert (first.shape, second.shape) == ((3, 4, 16, 16), (3, 8, 8, 8))
    torch.testing.assert_close(second, layers[:5](x))
    with pytest.raises(DataError, match="18 px cannot be halved twice"):
        SimpleCnn(1, 1, 18)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_clipping_is_that_of_pillow(dtype: type[Any]) -> None:
    top = np.iinfo(dtype).max
    pixels = np.linspace(0, min(top, 600), 64).astype(dtype).reshape(8, 8)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels)
    wanted = np.asarray(Image.open(file).convert("L")).astype(np.float32) / 255
    seen = View(8, grey=True, clip=255 / top)(tensor(pixels[None, None], "cpu"))
    np.testing.assert_allclose(seen[0, 0].numpy(), (wanted - 0.5) / 0.5, atol=1e-5)


@pytest.mark.parametrize(("channels", "grey", "seen"), [(1, True, 1), (5, True, 1), (5, False, 5)])
def test_channels_become_their_median_or_stay(channels: int, grey: bool, seen: int) -> None:
    x = torch.rand(2, channels, 12, 12)
    out = View(12, grey)(x)
    assert out.shape == (2, seen, 12, 12)
    wanted = x.numpy() if seen == channels else np.median(x.numpy(), axis=1, keepdims=True)
    np.testing.assert_allclose(out.numpy(), 2 * wanted - 1, atol=1e-6)


@pytest.mark.parametrize(("n", "batch"), [(10, 4), (12, 4), (3, 8), (1, 1)])
def test_every_image_is_seen_once_an_epoch(n: int, batch: int) -> None:
    epochs = EveryImage(n, batch, seed=0)
    for epoch in range(3):
        rows = [epochs.batch(epoch * epochs.per_epoch + i) for i in range(epochs.per_epoch)]
        assert sorted(np.concatenate(rows)) == list(range(n))
        assert max(map(len, rows)) <= batch


def task(n: int = 24, k: int = 2, **settings: Any) -> Classifying:
    """Images of which those of higher classes are brighter."""
    rng = np.random.default_rng(0)
    targets = np.arange(n) % k
    pixels = (rng.normal(80, 5, (n, 1, 8, 8)) + 60 * targets[:, None, None, None]).clip(0, 255)
    known = {"epochs": 6, "batch": 8, "rate": 0.01, "faithful": False, "augment": True, **settings}
    torch.manual_seed(0)
    network = SimpleCnn(1, 1 if k == 2 else k, 8, width=4, hidden=8)
    images = prepared(pixels.astype(np.uint8))
    return Classifying(Whole(images), targets, network, View(8, True), CnnSettings(**known), np.ones(k))


def draw(step: int = 0) -> Draw:
    return Draw(step, 0, 0, 1, np.random.default_rng(step), torch.Generator().manual_seed(step))


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 3])
def test_training_learns_two_classes_and_more(k: int, tmp_path: Any) -> None:
    learning = task(48, k, epochs=25, rate=0.003)
    curve = train(learning, Steps(learning.steps, 8), make_run(checkpoints=tmp_path))
    table = learning.table()
    assert table["accuracy"][-1] > 95
    assert table["loss"][-1] < 0.3 * table["loss"][0]
    assert len(table["loss"]) == 25
    assert table["loss"][0] == pytest.approx(np.mean(curve.losses[:6]), abs=1e-4)
    assert learning.only() is None
    assert [name for _, seen in curve.watched for name in seen] == ["accuracy"] * len(curve.watched)


def test_the_published_losses_are_those_of_a_constant_one() -> None:
    """407 negatives of 2,293 images, batches of 32, the last one of 21 with 1 to 7 negatives (table 1)."""
    found = set()
    for last in range(1, 8):
        truth = np.ones(2293)
        truth[: 407 - last] = 0
        truth[2293 - last :] = 0
        losses = [
            F.binary_cross_entropy(torch.ones(len(part)), torch.from_numpy(part).float()).item()
            for part in np.split(truth, range(32, 2293, 32))
        ]
        assert len(losses) == 72
        found.add(round(float(np.mean(losses)), 4))
    assert found >= {17.6877, 17.7104, 17.7331, 17.7559, 17.7786, 17.8241}


def test_faithful_losses_are_cut_off_at_100_and_leave_no_gradient() -> None:
    sure = task(n=8, faithful=True, augment=False)
    with torch.no_grad():
        sure.network.fc2.bias.fill_(1000.0)
    loss = sure(sure.batch(draw()), draw())
    assert loss.item() == pytest.approx(50)
    loss.backward()
    assert all((p.grad == 0).all() for p in sure.network.parameters() if p.grad is not None)
    proper = task(n=8, augment=False)
    with torch.no_grad():
        proper.network.fc2.bias.fill_(1000.0)
    loss = proper(proper.batch(draw()), draw())
    assert loss.item() == pytest.approx(500, rel=0.01)
    loss.backward()
    assert proper.network.fc2.bias.grad is not None
    assert proper.network.fc2.bias.grad.abs().item() == pytest.approx(0.5)


@pytest.mark.parametrize("k", [2, 3])
def test_weights_of_classes_weigh_the_losses_of_their_images(k: int) -> None:
    some = task(n=6, k=k, batch=6, augment=False)
    weights = torch.arange(1.0, k + 1)
    x, target = some.batch(draw())
    with torch.no_grad():
        p = class_probabilities(some.network(x))
    wanted = (-p[range(6), target].log() * weights[target]).mean()
    some.weights.copy_(weights)
    torch.testing.assert_close(some((x, target), draw()).detach(), wanted)


def test_a_collapse_in_the_last_epoch_is_seen() -> None:
    some = task(epochs=2)
    some.predicted.copy_(torch.tensor([[0, 24], [10, 14]]))
    assert some.only() is None
    some.predicted.copy_(torch.tensor([[10, 14], [0, 24]]))
    assert some.only() == 1


def test_parts_of_an_image_vote_by_their_mean() -> None:
    class Parts:
        image = np.array([0, 0, 0, 1, 2, 2])

        def pixels(self, positions: Any) -> Any:
            return np.random.default_rng(0).integers(0, 255, (6, 1, 8, 8)).astype(np.uint8)[positions]

    torch.manual_seed(1)
    network = SimpleCnn(1, 3, 8, width=2, hidden=4)
    view, parts = View(8, True), Parts()
    found = predict(network, view, parts, make_run())
    with torch.no_grad():
        each = class_probabilities(network(view(tensor(parts.pixels(np.arange(6)), "cpu")))).numpy()
    wanted = [each[:3].mean(axis=0), each[3], each[4:].mean(axis=0)]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
