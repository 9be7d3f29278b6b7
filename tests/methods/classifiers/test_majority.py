from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

PIXELS = np.zeros((6, 1, 4, 4), np.uint8)


def images(labels, classes=("a", "b", "c")):
    return prepared(PIXELS, classes=classes, labels=None if labels is None else np.array(labels))


def test_majority_by_name(tmp_path):
    majority, run = adapter("classifiers", "majority"), make_run()
    majority.fit(images([1, 2, 2, 2, 0, -1]), tmp_path, run)
    assert run.facts == {"majority": "c", "share": 0.6}
    np.testing.assert_array_equal(majority.predict(images(None), tmp_path, run), np.full(6, 2))
    np.testing.assert_array_equal(majority.predict(images(None, ("c", "d")), tmp_path, run), np.zeros(6))
    with pytest.raises(DataError, match="'c'"):
        majority.predict(images(None, ("a", "b")), tmp_path, run)


def test_ties_go_to_the_first_and_unlabelled_images_do_not_count(tmp_path):
    majority, run = adapter("classifiers", "majority"), make_run()
    majority.fit(images([-1, -1, -1, 2, 1, -1]), tmp_path, run)
    assert run.facts["majority"] == "b"


@pytest.mark.parametrize("labels", [None, [-1] * 6])
def test_no_labels(tmp_path, labels):
    with pytest.raises(DataError, match="label"):
        adapter("classifiers", "majority").fit(images(labels), tmp_path, make_run())
