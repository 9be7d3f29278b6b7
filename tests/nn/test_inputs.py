import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.images import Prepared
from bench.interfaces import Run
from bench.nn.inputs import encode, resized, take, tensor, with_channels


def prepared(dtype: Any = np.uint8, n: int = 11) -> Prepared:
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top + 1, (20, 2, 8, 8)).astype(dtype)
    rows = np.arange(20, dtype=np.int64)[::-1][:n].copy()
    return Prepared(pixels, rows, [str(r) for r in rows])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_become_numbers_between_0_and_1(dtype: Any) -> None:
    ends = np.array([0, np.iinfo(dtype).max], dtype).reshape(1, 1, 1, 2)
    assert tensor(ends, "cpu").flatten().tolist() == [0.0, 1.0]
    images = prepared(dtype)
    x = tensor(take(images, np.array([3, 0])), "cpu")
    wanted = images.pixels[[16, 19]].astype(np.float64) / np.iinfo(dtype).max
    np.testing.assert_allclose(x.numpy(), wanted, atol=1e-7)


def test_channels_are_repeated_and_sizes_changed_only_where_they_must_be() -> None:
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(with_channels(x, 3), x.repeat(1, 3, 1, 1))
    assert with_channels(x.expand(-1, 2, -1, -1), 2).shape == (2, 2, 8, 8)
    assert resized(x, 8) is x
    assert resized(x, 4).shape == (2, 1, 4, 4)


@pytest.mark.parametrize("batch", [1, 4, 11, 100])
def test_encoding_goes_through_all_images_in_order(tmp_path: Path, batch: int) -> None:
    said: list[int] = []
    run = Run(0, 1, "cpu", "float32", logging.getLogger(), tmp_path, lambda done, *_: said.append(done))
    images = prepared()
    features = encode(images, run, lambda x: x.mean(dim=(2, 3)), batch)
    np.testing.assert_allclose(features, images.pixels[images.rows].mean(axis=(2, 3)) / 255, atol=1e-6)
    assert features.dtype == np.float32
    assert said[-1] == 11
