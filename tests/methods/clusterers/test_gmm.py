from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tests.methods import adapter, blobs, make_run, same_partition, to_cluster


def run_on(features, **parameters):
    run = make_run()
    return adapter("clusterers", "gmm", **parameters).cluster(to_cluster(features), run), run.facts


def test_full_follows_slanted_clusters_where_diagonal_cannot():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(600, 2)) * [6, 0.3]
    truth = np.repeat([0, 1], 300)
    features = (base + truth[:, None] * [0, 8]) @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert adjusted_rand_score(truth, run_on(features, k=2)[0]) > 0.95
    assert adjusted_rand_score(truth, run_on(features, k=2, covariance="diag")[0]) < 0.5


def test_many_dimensions_are_projected():
    features, truth = blobs((100, 80, 60), dims=200)
    found, facts = run_on(features, k=3)
    assert facts["pca_dimensions"] == 50
    assert same_partition(found, truth)
    assert "pca_dimensions" not in run_on(features, k=3, pca=None, covariance="diag")[1]
    assert run_on(features[:30], k=3)[1]["pca_dimensions"] == 30


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_scale_does_not_matter(scale):
    features = np.random.default_rng(0).normal(size=(300, 5))
    assert same_partition(run_on(features, k=5)[0], run_on(features * scale, k=5)[0])


def test_says_whether_it_converged():
    features = np.random.default_rng(0).normal(size=(300, 5))
    with pytest.warns(UserWarning, match="converge"):
        _, facts = run_on(features, k=5, max_iter=1)
    assert facts["converged"] is False
    assert run_on(features, k=5)[1]["converged"] is True
