from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bench.errors import DataError
from tests.methods import adapter, make_run
from tests.methods.encoders.trained import fitted, noise, whole_and_killed

TINY: dict[str, Any] = {"arch": "conv5", "width": 2, "k": 5, "batch": 8, "epochs": 4}


@pytest.mark.parametrize(
    ("channels", "dtype", "changes", "run"),
    [
        (1, np.uint8, {"uniform": False}, {}),
        (3, np.uint16, {"pca": None, "normalise": "imagenet"}, {}),
        (6, np.uint8, {"channels": "native", "pca": 3, "whiten": False, "l2": False}, {}),
        (1, np.uint8, {"dropout": 0.5, "quarters": True, "zoom": 0}, {"precision": "bfloat16"}),
    ],
)
def test_grey_colour_and_many_channels_train_and_encode(
    tmp_path: Path, channels: int, dtype: type, changes: dict[str, Any], run: dict[str, Any]
) -> None:
    features, facts = fitted(
        tmp_path, "deepcluster", {**TINY, **changes}, noise(channels=channels, dtype=dtype), **run
    )
    turns: Any = facts["reassignments"]
    assert features.shape == (24, 16)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert facts["steps"] == 12
    assert [epoch for epoch, _ in turns["nmi"]] == [2, 3, 4]
    assert all(0 <= nmi <= 1 for _, nmi in turns["nmi"])
    assert [epoch for epoch, _ in turns["largest_share"]] == [1, 2, 3, 4]


def test_the_seed_decides(tmp_path: Path) -> None:
    a, one = fitted(tmp_path / "a", "deepcluster", TINY, noise())
    b, again = fitted(tmp_path / "b", "deepcluster", TINY, noise())
    c, _ = fitted(tmp_path / "c", "deepcluster", TINY, noise(), seed=1)
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)


def test_no_epochs_mean_random_weights(tmp_path: Path) -> None:
    features, facts = fitted(tmp_path, "deepcluster", {**TINY, "epochs": 0}, noise())
    assert facts["steps"] == 0
    assert "reassignments" not in facts
    fresh = adapter("encoders", "deepcluster", **TINY).network((1, 16, 16), None, make_run())
    assert sum(p.numel() for p in fresh.parameters()) == facts["parameters"]
    assert np.isfinite(features).all()


def test_the_defaults_are_those_published() -> None:
    """As in the public code of AILARON's plankton framework; momentum is 0.09 there, 0.05 in the paper."""
    known = adapter("encoders", "deepcluster")
    assert (known.arch, known.k, known.epochs, known.batch) == ("vgg16", 200, 35, 32)
    assert (known.rate, known.momentum, known.pca, known.iterations) == (0.005, 0.09, 256, 20)
    assert (known.degrees, known.shift, known.zoom, known.flip) == (90, 0.1, 0.2, True)


def test_images_all_alike_and_not_square_ones_train(tmp_path: Path) -> None:
    alike, facts = fitted(tmp_path / "a", "deepcluster", TINY, noise() * 0 + 7)
    turns: Any = facts["reassignments"]
    assert np.isfinite(alike).all()
    assert turns["repaired"][0] == [1, 4.0]  # one heap, split into five
    stretched, _ = fitted(tmp_path / "b", "deepcluster", TINY, noise(height=20, width=28))
    assert stretched.shape == (24, 16)


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"k": 25}, 1, "k: 25 clusters, but only 24 images to train on; lower k"),
        ({"batch": 32}, 1, "32 images per batch, but only 24"),
        ({"arch": "resnet19", "width": None}, 1, "has no 'resnet19'"),
        ({"arch": "vgg16", "width": None}, 1, "vgg16 needs at least 32 px"),
        ({}, 6, "channels: rgb needs images of 1 or 3 channels, these have 6"),
        ({"rate": 1e30}, 1, "(loss is (nan|inf) at step|features are not finite at epoch)"),
    ]
    for i, (changes, channels, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), "deepcluster", {**TINY, **changes}, noise(channels=channels))
    for bad in ({"k": 1}, {"momentum": 1}, {"zoom": 1}, {"pca": 0}):
        with pytest.raises(ValidationError):
            adapter("encoders", "deepcluster", **bad)


def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole, killed = whole_and_killed(tmp_path, "deepcluster", {**TINY, "epochs": 30, "momentum": 0.9})
    assert whole == killed
