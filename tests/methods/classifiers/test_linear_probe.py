from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4)).astype(np.uint8)
LABELS = (PIXELS.reshape(60, -1)[:, :3].argmax(axis=1)).astype(np.int64)


def probe(**params):
    return adapter("classifiers", "linear_probe", encoder=adapter("encoders", "pixels"), **params)


def features(pixels):
    return adapter("encoders", "pixels").encode(prepared(pixels), None, make_run())


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("class_weights", ["balanced", "none"])
@pytest.mark.parametrize("c", [0.1, 1.0])
def test_probabilities_are_scikit_learns(tmp_path: Path, k: int, class_weights: str, c: float) -> None:
    labels = np.minimum(LABELS, k - 1)
    found, run = probe(C=c, class_weights=class_weights), make_run()
    classes = ("a", "b", "c")[:k]
    found.fit(prepared(PIXELS[:40], classes=classes, labels=labels[:40]), tmp_path, run)
    weight = "balanced" if class_weights == "balanced" else None
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=c, class_weight=weight, max_iter=1000))
    oracle.fit(features(PIXELS[:40]).astype(np.float64), labels[:40])
    p = found.predict(prepared(PIXELS[40:], classes=classes), tmp_path, run)
    np.testing.assert_allclose(p, oracle.predict_proba(features(PIXELS[40:]).astype(np.float64)), atol=1e-5)
    assert run.facts["converged"] is True
    assert run.facts["feature_dimension"] == 16
    assert run.facts["fit_accuracy"] == pytest.approx(oracle.score(features(PIXELS[:40]), labels[:40]))
    assert not [f for f in tmp_path.rglob("*") if f.suffix in (".pkl", ".pickle", ".joblib")]


def test_constant_features_and_too_few_iterations(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:, :, 3] = 7
    run = make_run()
    found = probe(max_iter=1)
    with pytest.warns(UserWarning, match="(?i)converge"):
        found.fit(prepared(pixels, classes=("a", "b", "c"), labels=LABELS), tmp_path, run)
    assert run.facts["converged"] is False
    assert np.isfinite(found.predict(prepared(pixels, classes=("a", "b", "c")), tmp_path, run)).all()


def test_images_without_a_label_and_classes_without_images_do_not_count(tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[labels == 1] = -1
    found, run = probe(), make_run()
    found.fit(prepared(PIXELS, classes=("a", "b", "c"), labels=labels), tmp_path, run)
    assert run.facts["images"] == (labels >= 0).sum()
    p = found.predict(prepared(PIXELS, classes=("c", "b", "a")), tmp_path, run)
    assert (p[:, 1] == 0).all()
    assert (p.argmax(axis=1) == 2 - labels)[labels >= 0].mean() > 0.9
    with pytest.raises(DataError, match=r"linear_probe: .* at least 2 classes"):
        found.fit(prepared(PIXELS, classes=("a",), labels=0 * labels), tmp_path, run)


def test_an_encoder_with_random_weights_is_the_same_when_it_predicts(tmp_path: Path) -> None:
    encoder = adapter("encoders", "timm", model="test_resnet", weights="random")
    found = adapter("classifiers", "linear_probe", encoder=encoder)
    assert found.depends_on_seed()
    assert not probe().depends_on_seed()
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    pixels = (
        (rng.normal(60, 9, (20, 1, 32, 32)) + 90 * labels[:, None, None, None]).clip(0, 255).astype(np.uint8)
    )
    found.fit(prepared(pixels, classes=("a", "b"), labels=labels), tmp_path, make_run(seed=3))
    p = found.predict(prepared(pixels, classes=("a", "b")), tmp_path, make_run(seed=4))
    assert (p.argmax(axis=1) == labels).all()
