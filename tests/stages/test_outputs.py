from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from bench.stages.outputs import are_constant, as_features


def test_features_whose_squares_overflow_are_refused():
    features = np.ones((4, 3))
    assert as_features(features * 1e18, 4, "x").dtype == np.float32
    features[2, 1] = -1e30
    with pytest.raises(
        DataError, match=r"^x returned features beyond 1e\+18, .* for 1 of 4 images, e\.g\. 2; scale"
    ):
        as_features(features, 4, "x")
    features[2, 1] = 1e300  # infinite once it is float32
    with pytest.raises(DataError, match="beyond"):
        as_features(features, 4, "x")


def test_features_are_constant_up_to_rounding():
    features = np.full((5, 2), 1000.0, np.float32)
    assert are_constant(features)
    features[3, 1] = np.nextafter(np.float32(1000), np.float32(2000))
    assert are_constant(features)
    features[3, 1] = 1000.1
    assert not are_constant(features)
    assert are_constant(np.zeros((2, 1), np.float32))
    assert not are_constant(np.zeros((1, 1), np.float32))
