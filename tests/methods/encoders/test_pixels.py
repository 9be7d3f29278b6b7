from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

rng = np.random.default_rng(0)
BYTES = rng.integers(0, 256, (7, 2, 12, 12), dtype=np.uint8)


def encode(pixels=BYTES, **parameters):
    return adapter("encoders", "pixels", **parameters).encode(prepared(pixels), None, make_run())


def test_plain_pixels_are_scaled_by_the_type():
    np.testing.assert_array_equal(encode(), (BYTES.reshape(7, -1) / np.float32(255)).astype(np.float32))
    wide = BYTES.astype(np.uint16) * 257
    np.testing.assert_allclose(encode(wide), encode(), rtol=1e-6)


@settings(max_examples=20)
@given(st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(1, 9))
def test_blocks_are_averaged_whatever_the_batch(side, batch):
    block = 12 // side
    expected = np.empty((7, 2, side, side))
    for i in range(side):
        for j in range(side):
            part = BYTES[:, :, i * block : (i + 1) * block, j * block : (j + 1) * block]
            expected[:, :, i, j] = part.mean(axis=(2, 3)) / 255
    np.testing.assert_allclose(encode(side=side, batch=batch), expected.reshape(7, -1), atol=1e-6)


def test_options():
    np.testing.assert_allclose(encode(subtract_mean=True).mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(encode(normalise=True), axis=1), 1, rtol=1e-6)
    blank = encode(np.full((2, 1, 4, 4), 9, np.uint8), subtract_mean=True, normalise=True)
    assert np.isfinite(blank).all()
    assert encode().dtype == np.float32


def test_selection_and_progress():
    images = prepared(BYTES)
    chosen = type(images)(images.pixels, np.array([5, 2]), ["a", "b"])
    seen: list[tuple[int, int | None]] = []
    run = make_run(report=lambda done, total, _text: seen.append((done, total)))
    found = adapter("encoders", "pixels", batch=1).encode(chosen, None, run)
    np.testing.assert_array_equal(found, encode()[[5, 2]])
    assert seen == [(1, 2), (2, 2)]


def test_side_must_divide():
    with pytest.raises(DataError, match=r"5.*12"):
        encode(side=5)
