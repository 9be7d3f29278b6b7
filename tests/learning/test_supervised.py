from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from bench.errors import DataError
from bench.learning.supervised import balanced, by_class, judged, labelled, overlap
from bench.metrics.classification import ClassScoring
from tests.methods import prepared

PIXELS = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
CLASSES = ("a", "b", "c")


def images(labels, classes=CLASSES):
    return prepared(PIXELS[: len(labels)], classes=classes, labels=np.array(labels))


def test_only_labelled_images_and_classes_that_occur():
    found = labelled(images([2, -1, 0, 2, -1, 0]), "x")
    assert found.classes == ["a", "c"]
    assert found.targets.tolist() == [1, 0, 1, 0]
    assert list(found.images.ids) == ["i0", "i2", "i3", "i5"]
    assert found.images.batch(0, 4).ravel().tolist() == [0, 2, 3, 5]
    assert found.images.labels is None


@pytest.mark.parametrize(("labels", "said"), [([1] * 4, "all of 'b'"), ([-1] * 4, "none with a label")])
def test_one_class_is_too_few(labels, said):
    with pytest.raises(DataError, match=f"x: .*at least 2 classes.*{said}"):
        labelled(images(labels), "x")


def test_balanced_weights_are_scikit_learns():
    targets = np.array([0, 0, 0, 1, 2, 2])
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(balanced(targets, 3), wanted)
    assert balanced(targets, 3)[targets].mean() == pytest.approx(1)


def test_probabilities_go_to_the_classes_of_their_names():
    p = np.array([[0.25, 0.75]])
    assert by_class(p, ["a", "c"], CLASSES, "x").tolist() == [[0.25, 0, 0.75]]
    with pytest.raises(DataError, match="'z' is not among the 3 classes"):
        by_class(p, ["a", "z"], CLASSES, "x")


def judge(truth, pred, p=None):
    return judged(images(truth), np.array(pred), p, ClassScoring(20, 0.95), np.random.default_rng(0))


def test_a_collapse_is_told_and_only_where_there_are_classes_to_tell():
    found, facts = judge([0, 1, 1, 1, -1], [1, 1, 1, 1, 0])
    assert facts["collapsed"] == "collapsed: all 4 images are predicted as 'b' (balanced accuracy 0.5)"
    assert found.recalls == {0: 0.0, 1: 1.0}
    assert found.values["accuracy"] == 0.75
    assert judge([1, 1, 1], [1, 1, 1])[1]["collapsed"] is None
    assert judge([0, 1, 1], [0, 1, 1])[1]["collapsed"] is None


def test_the_curve_is_of_the_second_of_two_classes():
    p = np.array([[0.9, 0, 0.1], [0.2, 0, 0.8], [0.6, 0, 0.4]], np.float32)
    _, facts = judge([0, 2, 2], [0, 2, 0], p)
    assert facts["precision_recall"] == {
        "class": "c",
        "recall": [0.5, 1.0, 1.0],
        "precision": [1.0, 1.0, 0.666667],
        "threshold": [0.8, 0.4, 0.1],
    }
    assert "precision_recall" not in judge([0, 1, 2], [0, 1, 2], p)[1]
    assert "precision_recall" not in judge([0, 2, 2], [0, 2, 0])[1]


def test_images_fitted_on_and_scored_are_counted_and_warned_of():
    scored = images([0, 1, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert overlap(np.array([4, 5]), scored) == {"images": 2, "scored": 0}
    with pytest.warns(UserWarning, match="2 of the 4 scored images were fitted on"):
        assert overlap(np.array([2, 3, 5]), scored) == {"images": 3, "scored": 2}
    with pytest.warns(UserWarning, match="4 of the 4"):
        assert overlap(None, scored) == {"images": 4, "scored": 4}
