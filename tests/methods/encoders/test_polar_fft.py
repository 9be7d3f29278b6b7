from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import map_coordinates

from tests.methods import adapter, make_run, prepared

BACKGROUND = 229


def encode(pixels, **parameters):
    return adapter("encoders", "polar_fft", **parameters).encode(prepared(pixels), None, make_run())


def smooth(count, size=64, channels=1, seed=0, dtype=np.uint8):
    """Gaussian bumps near the middle of a bright image: nothing at the border, no sharp edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    images = np.full((count, channels, size, size), BACKGROUND / 255)
    for image in images:
        for channel in image:
            for _ in range(5):
                cy, cx = size / 2 + rng.uniform(-size / 7, size / 7, 2)
                s = rng.uniform(size / 22, size / 13)
                channel -= rng.uniform(0.05, 0.15) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * s * s))
    return np.round(images * np.iinfo(dtype).max).astype(dtype)


def apart(a, b):
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(a, axis=1)


@settings(max_examples=15)
@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["object", "image"]),
    st.integers(5, 20),
    st.booleans(),
)
def test_quarter_turns_change_nothing(seed, turns, scale, size, normalise):
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 2, size, size), dtype=np.uint8)
    parameters = {"scale": scale, "normalise": normalise, "radii": 5, "angles": 32}
    turned = encode(np.rot90(pixels, turns, (2, 3)).copy(), **parameters)
    assert apart(encode(pixels, **parameters), turned).max() < 1e-4


def test_other_turns_change_little():
    pixels = smooth(12)
    turn = cv2.getRotationMatrix2D((31.5, 31.5), 37, 1)
    turned = np.stack(
        [
            cv2.warpAffine(p[0], turn, (64, 64), flags=cv2.INTER_CUBIC, borderValue=BACKGROUND)[None]
            for p in pixels
        ]
    )
    features, other = encode(pixels), encode(turned)
    moved = apart(features, other).max()
    between = min(apart(features, np.roll(features, s, axis=0)).min() for s in range(1, 12))
    assert moved < 0.05
    assert moved < between / 2


def test_turning_changes_plain_pixels_much():
    pixels = smooth(12)
    plain = adapter("encoders", "pixels", subtract_mean=True)
    a = plain.encode(prepared(pixels), None, make_run())
    b = plain.encode(prepared(np.rot90(pixels, 1, (2, 3)).copy()), None, make_run())
    assert apart(a, b).min() > 0.1


def test_shifts_change_little_and_sizes_little_in_object_units():
    # The sampled circles must lie within the image, or shifting cuts them.
    small = smooth(6, size=32, dtype=np.uint16)
    frame = np.full((6, 1, 96, 96), BACKGROUND * 257, np.uint16)
    a, b = frame.copy(), frame.copy()
    a[:, :, 32:64, 32:64] = small
    b[:, :, 25:57, 36:68] = small
    assert apart(encode(a), encode(b)).max() < 1e-3
    large = np.stack([cv2.resize(p[0], (64, 64), interpolation=cv2.INTER_CUBIC)[None] for p in small])
    c = frame.copy()
    c[:, :, 16:80, 16:80] = large
    assert apart(encode(a), encode(c)).max() < 0.05
    assert apart(encode(a, scale="image", reach=1.0), encode(c, scale="image", reach=1.0)).min() > 0.1


def test_follows_the_formula():
    pixels = smooth(2, channels=2, seed=3)
    radii, angles, frequencies = 4, 16, 5
    found = encode(pixels, radii=radii, angles=angles, frequencies=frequencies, scale="image", reach=0.9)
    expected = []
    for image in pixels / 255:
        border = np.ones(image.shape[1:], bool)
        border[1:-1, 1:-1] = False
        f = np.stack([abs(c - np.median(c[border])) for c in image])
        y, x = np.mgrid[:64, :64]
        weight = (f**2).mean(axis=0)
        cy, cx = (weight * y).sum() / weight.sum(), (weight * x).sum() / weight.sum()
        for channel in f:
            for i in range(radii):
                share = (i + 0.5) / radii
                r = share * 0.9 * 32
                t = 2 * np.pi * np.arange(angles) / angles
                ring = map_coordinates(channel, [cy + r * np.sin(t), cx + r * np.cos(t)], order=1)
                for m in range(frequencies):
                    size = abs((ring * np.exp(-1j * m * t)).mean())
                    expected.append(np.log1p(255 * np.sqrt(share) * size))
    np.testing.assert_allclose(found.ravel(), expected, atol=2e-4)


def test_batches_types_and_blank_images():
    pixels = smooth(5)
    np.testing.assert_array_equal(encode(pixels, batch=2), encode(pixels))
    np.testing.assert_allclose(encode(pixels.astype(np.uint16) * 257), encode(pixels), atol=1e-5)
    blank = encode(np.full((2, 3, 4, 4), 200, np.uint8), normalise=True)
    assert blank.shape == (2, 3 * 24 * 12)
    assert (blank == 0).all()
    assert encode(pixels).dtype == np.float32


def test_brightness_cancels_and_inversion_too():
    pixels = smooth(4)
    np.testing.assert_allclose(encode(pixels - 20), encode(pixels), atol=1e-5)
    np.testing.assert_allclose(encode(255 - pixels), encode(pixels), atol=1e-5)


def test_impossible_parameters():
    for wrong in ({"angles": 30}, {"frequencies": 34, "angles": 64}, {"reach": 0}):
        with pytest.raises(ValidationError):
            adapter("encoders", "polar_fft", **wrong)
