import numpy as np
import pytest
import torch
from torch import Tensor

from bench.nn.augment import Geometry, IntensityChanges, blur, geometry, intensity


def images(b: int = 16, c: int = 3, side: int = 32) -> Tensor:
    """Smooth random images, so that bilinear sampling can be compared."""
    coarse = torch.rand(b, c, 4, 4, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_without_changes_images_stay_as_they_are(channels: int) -> None:
    x = images(c=channels)
    torch.testing.assert_close(geometry(x, Geometry(), chance()), x, atol=1e-5, rtol=0)
    assert torch.equal(intensity(x, IntensityChanges(), chance()), x)
    changed = Geometry(area=(0.2, 0.5), degrees=180, flip=True, shift=0.2, probability=0)
    torch.testing.assert_close(geometry(x, changed, chance()), x, atol=1e-5, rtol=0)


def test_quarter_turns_and_mirrors_are_those_of_the_grid() -> None:
    x = images(b=64)
    turned = geometry(x, Geometry(quarters=True, flip=True), chance())
    seen = set()
    for before, after in zip(x, turned, strict=True):
        ways = [torch.rot90(m, k, (1, 2)) for m in (before, before.flip(2)) for k in range(4)]
        errors = [float((w - after).abs().max()) for w in ways]
        assert min(errors) < 1e-4
        seen.add(int(np.argmin(errors)))
    assert seen == set(range(8))


def test_any_rotation_about_the_centre_keeps_a_disc() -> None:
    y, x = np.mgrid[-16:16, -16:16] + 0.5
    disc = torch.from_numpy(np.clip(10 - np.hypot(x, y), 0, 1)).float().expand(8, 1, 32, 32)
    turned = geometry(disc, Geometry(degrees=180), chance())
    assert float((turned - disc).abs().mean()) < 0.01


@pytest.mark.parametrize("side", [16, 32, 48])
def test_crops_show_the_wanted_share_of_a_ramp(side: int) -> None:
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    crops = geometry(ramp, Geometry(area=(0.25, 0.25)), chance(), side)
    assert crops.shape == (200, 1, side, side)
    widths = crops[:, 0, 0, -1] - crops[:, 0, 0, 0]
    wanted = 0.5 * (1 - 1 / side) * 64 / 63
    torch.testing.assert_close(widths, torch.full((200,), wanted), atol=0.02, rtol=0)
    middles = crops.mean(dim=(1, 2, 3))
    assert float(middles.min()) < 0.3
    assert float(middles.max()) > 0.7


def test_small_views_of_large_images_do_not_alias() -> None:
    board = (torch.arange(128)[:, None] + torch.arange(128)).remainder(2).float()  # grey from afar
    views = geometry(board.expand(16, 1, 128, 128), Geometry(area=(0.4, 1.0), degrees=180), chance(), 16)
    assert views.shape == (16, 1, 16, 16)
    torch.testing.assert_close(views, torch.full_like(views, 0.5), atol=0.02, rtol=0)
    near = geometry(images(side=32), Geometry(area=(0.25, 0.5)), chance(), 16)  # 1 pixel for 1: as it is
    coarse = geometry(images(side=64), Geometry(area=(0.25, 0.5)), chance(), 16)
    torch.testing.assert_close(near, coarse, atol=0.05, rtol=0)


def test_equal_seeds_give_equal_images_and_others_others() -> None:
    g = Geometry(area=(0.3, 1), degrees=90, flip=True)
    i = IntensityChanges(brightness=0.4, contrast=0.4, gamma=0.3, blur=(0.1, 2), noise=0.05, per_channel=True)
    first = intensity(geometry(images(), g, chance(3)), i, chance(4))
    assert torch.equal(first, intensity(geometry(images(), g, chance(3)), i, chance(4)))
    assert not torch.equal(first, intensity(geometry(images(), g, chance(5)), i, chance(4)))
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1


def test_brightness_is_one_factor_per_image_or_per_channel() -> None:
    x = images() * 0.4 + 0.1
    shared = intensity(x, IntensityChanges(brightness=0.5), chance()) / x
    assert float(shared.std(dim=(1, 2, 3)).max()) < 1e-5
    assert float(shared.mean(dim=(1, 2, 3)).std()) > 0.1
    single = (intensity(x, IntensityChanges(brightness=0.5, per_channel=True), chance()) / x).mean(dim=(2, 3))
    assert float(single.std(dim=1).mean()) > 0.1


def test_gamma_keeps_black_and_white_and_contrast_the_mean() -> None:
    ends = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).expand(8, 1, 2, 2)
    torch.testing.assert_close(
        intensity(ends, IntensityChanges(gamma=1.0), chance()), ends, atol=2e-3, rtol=0
    )
    x = images() * 0.2 + 0.4
    flat = intensity(x, IntensityChanges(contrast=0.5), chance())
    torch.testing.assert_close(flat.mean(dim=(1, 2, 3)), x.mean(dim=(1, 2, 3)), atol=1e-5, rtol=0)


def test_a_blur_is_the_gaussian_of_its_deviation() -> None:
    from scipy.ndimage import gaussian_filter

    x = images(b=3, c=2)
    blurred = blur(x, (1.5, 1.5), 1.0, chance())
    for before, after in zip(x.numpy().reshape(6, 32, 32), blurred.numpy().reshape(6, 32, 32), strict=True):
        wanted = gaussian_filter(before, 1.5, mode="nearest", radius=5)
        np.testing.assert_allclose(after, wanted, atol=1e-4)
    assert torch.equal(blur(x, (1.5, 1.5), 0.0, chance()), x)


def test_the_share_of_changed_images_is_the_probability() -> None:
    x = images(b=400, c=1, side=8)
    moved = geometry(x, Geometry(shift=0.3, probability=0.25), chance())
    share = float(((moved - x).abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean())
    assert 0.17 < share < 0.33
    lit = intensity(x * 0.5, IntensityChanges(brightness=0.5, probability=0.25), chance())
    assert 0.17 < float(((lit - x * 0.5).abs().amax(dim=(1, 2, 3)) > 1e-6).float().mean()) < 0.33
