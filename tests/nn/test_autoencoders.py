from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.errors import DataError
from bench.nn.augment import Geometry
from bench.nn.autoencoders import (
    Autoencoder,
    Decoder,
    Images,
    Reconstruction,
    channel_means,
    input_shape,
    plain_encoder,
    published_count,
    reconstruction_loss,
    rotation_encoder,
)
from bench.nn.training import Draw, Epochs, Steps, seeded, train
from tests.methods import make_run, prepared


def network(kind: str = "rotation", side: int = 16, channels: int = 1, width: int = 2) -> Autoencoder:
    with seeded(4):
        encoder = (
            rotation_encoder(channels, width, slope=0.3, pool="max")
            if kind == "rotation"
            else plain_encoder(channels, width, slope=0.3)
        )
        decoder = Decoder(8 * width, channels, side, width, slope=0.3, upsampling="stride")
    return Autoencoder(encoder, decoder, torch.full((channels, 1, 1), 0.5), 0.5)


def blots(n: int = 16, side: int = 16) -> np.ndarray:
    """Dark bars and spots at random places and angles."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    pixels = np.full((n, 1, side, side), 230, np.uint8)
    for i, angle in enumerate(rng.uniform(0, np.pi, n)):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        pixels[i, 0][(abs(along) < (7 if i % 2 else 3)) & (abs(across) < (2 if i % 2 else 3))] = 40
    return pixels


@pytest.mark.parametrize("upsampling", ["stride", "nearest"])
@pytest.mark.parametrize("pool", ["max", "mean"])
def test_the_published_number_of_parameters(upsampling, pool) -> None:
    with torch.device("meta"):
        encoder = rotation_encoder(3, 64, slope=0.3, pool=pool)
        decoder = Decoder(512, 3, 64, 64, slope=0.3, upsampling=upsampling)
        codes = encoder(torch.empty(2, 3, 64, 64))
        assert codes.shape == (2, 512)
        assert decoder(codes).shape == (2, 3, 64, 64)
    assert published_count(encoder) + published_count(decoder) == 45_801_795
    own = [p.numel() for model in (encoder, decoder) for p in model.parameters()]
    assert sum(own) == 45_801_795 - 5_888
    convolutions = sum(p.numel() for name, p in encoder.named_parameters() if p.ndim > 1)
    assert convolutions == 15_632_064


def test_the_twin_has_the_same_decoder_and_as_many_weights_in_between() -> None:
    with torch.device("meta"):
        p4, plain = rotation_encoder(3, 64, slope=0.3, pool="max"), plain_encoder(3, 64, slope=0.3)
        assert plain(torch.empty(2, 3, 64, 64)).shape == (2, 512)
    weights = [[p.numel() for p in e.parameters() if p.ndim > 1] for e in (p4, plain)]
    assert weights[0][1:4] == weights[1][1:4]
    assert weights[0][4] == 2 * weights[1][4]
    assert published_count(plain) == 10_915_200 + 4 * (128 + 256 + 512 + 1024 + 512)


def test_stages_have_the_sizes_of_the_table() -> None:
    sides: list[int] = []
    model = network(side=64)
    for module in (*model.encoder, *model.decoder.stages):  # type: ignore[misc]  # both are sequences
        if isinstance(module, nn.LeakyReLU):
            module.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    model.decoder(model.encoder(torch.zeros(1, 1, 64, 64)))
    assert sides == [64, 32, 16, 8, 4, 4, 8, 16, 32, 64]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "min_over_rotations"])
def test_codes_stay_the_same_under_rotation_after_training_too(tmp_path: Path, loss) -> None:
    codes = {}
    for kind in ("rotation", "plain"):
        model, images = network(kind), prepared(blots())
        task = Reconstruction(
            Images(images, 16, Geometry(degrees=90, shift=0.1)), model, Epochs(16, 8, 0), loss=loss, rate=1e-2
        )
        (tmp_path / kind).mkdir()
        curve = train(task, Steps(40, 8), make_run(checkpoints=tmp_path / kind))
        assert np.mean(curve.losses[-5:]) < 0.7 * np.mean(curve.losses[:5])
        model.eval()
        x = torch.from_numpy(blots()).float() / 255
        with torch.no_grad():
            codes[kind] = [model.encode(x.rot90(r, (2, 3))) for r in range(4)]
        assert codes[kind][0].std(0).max() > 0.01  # it does tell images apart
    assert max(float((c - codes["rotation"][0]).abs().max()) for c in codes["rotation"]) < 1e-5
    assert float((codes["plain"][1] - codes["plain"][0]).abs().max()) > 0.01


def images_of(seed: int, b: int = 3) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(b, 2, 6, 6, generator=g), torch.rand(b, 2, 6, 6, generator=g)


@given(seed=st.integers(0, 99), quarters=st.lists(st.integers(0, 3), min_size=3, max_size=3))
@settings(max_examples=20)
def test_the_least_error_is_that_of_the_best_rotation_of_every_image(seed, quarters) -> None:
    found, wanted = images_of(seed)
    pairs = zip(found.numpy(), wanted.numpy(), strict=True)
    least = [min(np.square(f - np.rot90(w, r, (1, 2))).mean() for r in range(4)) for f, w in pairs]
    loss = reconstruction_loss(found, wanted, "min_over_rotations")
    assert float(loss) == pytest.approx(np.mean(least), rel=1e-5)
    assert loss <= reconstruction_loss(found, wanted, "mse")
    turned = torch.stack([w.rot90(r, (1, 2)) for w, r in zip(wanted, quarters, strict=True)])
    torch.testing.assert_close(reconstruction_loss(found, turned, "min_over_rotations"), loss)
    assert float(reconstruction_loss(wanted, turned, "min_over_rotations")) == 0


def test_plain_error_is_the_mean_over_all_values() -> None:
    found, wanted = images_of(0)
    assert float(reconstruction_loss(found, wanted, "mse")) == pytest.approx(
        float(np.square(found.numpy() - wanted.numpy()).mean())
    )


def test_repeated_pixels_are_those_of_torch() -> None:
    decoder = Decoder(4, 1, 16, 1, slope=0.3, upsampling="nearest")
    (twice, *_) = [m for m in decoder.stages if type(m).__name__ == "_Twice"]
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(twice(x), nn.functional.interpolate(x, scale_factor=2, mode="nearest"))


def test_grey_becomes_colour_and_pixels_reach_from_minus_one_to_one() -> None:
    model = network(channels=3)
    x = model.prepared(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 16, 16))
    assert x.shape == (2, 3, 16, 16)
    assert x.flatten(1).unique(dim=1).flatten().tolist() == [-1, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_channel_means_are_those_of_the_pixels(dtype) -> None:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (300, 2, 3, 5)).astype(dtype)
    found = channel_means(prepared(pixels)).numpy()
    np.testing.assert_allclose(found[:, 0, 0], pixels.mean((0, 2, 3)) / np.iinfo(dtype).max, rtol=1e-6)


def test_all_images_come_in_order_and_some_by_position() -> None:
    images = Images(prepared(blots()), 32, None)
    whole = torch.cat(list(images.all(torch.device("cpu"))))
    assert whole.shape == (16, 1, 32, 32)
    some = images.some(np.array([5, 2]), torch.device("cpu"), torch.Generator())
    torch.testing.assert_close(some, whole[[5, 2]])


def test_images_to_train_on_are_changed_as_asked() -> None:
    images = Images(prepared(blots()), 16, Geometry(quarters=True))
    rows = np.arange(16)
    one, again, other = (
        images.some(rows, torch.device("cpu"), torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    whole = next(images.all(torch.device("cpu")))
    distances = torch.stack([(one - whole.rot90(r, (2, 3))).abs().amax((1, 2, 3)) for r in range(4)])
    assert float(distances.amin(0).max()) < 1e-4
    assert len(distances.argmin(0).unique()) > 1


def test_processes_share_the_images_of_a_step() -> None:
    images = Images(prepared(blots()), 16, None)
    task = Reconstruction(images, network(), Epochs(16, 8, 0), loss="mse", rate=1e-3)
    draws = [Draw(1, 0, rank, 2, np.random.default_rng(), torch.Generator()) for rank in (0, 1)]
    whole = images.some(Epochs(16, 8, 0).batch(1), torch.device("cpu"), torch.Generator())
    torch.testing.assert_close(torch.cat([task.batch(d) for d in draws]), whole)


@pytest.mark.parametrize(
    ("shape", "channels", "side", "wanted"),
    [
        ((1, 64, 64), "rgb", None, (3, 64)),
        ((6, 40, 40), "native", 32, (6, 32)),
        ((3, 16, 16), "native", None, (3, 16)),
    ],
)
def test_what_an_autoencoder_sees(shape, channels, side, wanted) -> None:
    assert input_shape(shape, channels, side) == wanted


@pytest.mark.parametrize(
    ("shape", "side", "said"),
    [
        ((1, 64, 48), None, "64 x 48 px are not square"),
        ((6, 64, 64), None, "1 or 3 channels, these have 6; use native"),
        ((1, 40, 40), None, "40 px does not halve four times; use a multiple of 16"),
        ((1, 64, 64), 50, "50 px does not halve"),
    ],
)
def test_what_it_cannot_see_is_said(shape, side, said) -> None:
    with pytest.raises(DataError, match=said):
        input_shape(shape, "rgb", side)
