from __future__ import annotations

import warnings

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from bench.errors import DataError
from tests.methods import adapter, blobs, make_run, same_partition, to_cluster

# The first use of fast_hdbscan compiles for half a minute.
ENGINES = (pytest.param("fast_hdbscan", marks=pytest.mark.slow), "hdbscan", "sklearn")
pytestmark = pytest.mark.filterwarnings("ignore:.*force_all_finite:FutureWarning")


def run_on(features, **parameters):
    run = make_run()
    chosen = {"min_samples": 5, "min_cluster_size": 20, "engine": "sklearn", **parameters}
    return adapter("clusterers", "hdbscan", **chosen).cluster(to_cluster(features), run), run.facts


def overlapping(seed=2, n=1500):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 12, size=(8, 2))
    return (centres[rng.integers(8, size=n)] + rng.normal(size=(n, 2))).astype(np.float32)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_where_clusters_overlap(engine):
    # One more or one fewer neighbour gives another clustering here: so the convention is tested.
    features = overlapping()
    exact = HDBSCAN(min_cluster_size=20, min_samples=6, copy=True).fit(features).labels_
    found, facts = run_on(features, engine=engine)
    assert adjusted_rand_score(exact, found) > 0.99
    other = HDBSCAN(min_cluster_size=20, min_samples=5, copy=True).fit(features).labels_
    assert adjusted_rand_score(exact, other) < 0.95
    assert facts["engine"] == engine
    assert facts["approximate_tree"] is False
    assert facts["min_samples_counts_the_image_itself"] is False
    assert facts["noise_share"] == pytest.approx((found < 0).mean())


@pytest.mark.parametrize("engine", ENGINES)
def test_finds_clusters_and_noise_in_any_order(engine):
    features, truth = blobs((60, 50, 40), dims=3)
    features = np.concatenate([features, [[500, 500, 500], [-500, 0, 0]]]).astype(np.float32)
    truth = np.concatenate([truth, [-1, -1]])
    found, facts = run_on(features, engine=engine)
    assert (found[-2:] == -1).all()
    core = found >= 0
    assert core.mean() > 0.7
    assert same_partition(found[core], truth[core])
    assert facts["clusters"] == 3
    order = np.random.default_rng(0).permutation(len(truth))
    assert same_partition(run_on(features[order], engine=engine)[0], found[order])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "features", [np.ones((12, 2)), np.repeat(np.eye(2), 10, axis=0), np.arange(12.0)[:, None]]
)
def test_copies_and_one_dimension(engine, features):
    found, _ = run_on(features, engine=engine, min_samples=2, min_cluster_size=3)
    assert found.shape == (len(features),)
    assert found.min() >= -1
    if len(features) == 20:
        assert same_partition(found, np.repeat([0, 1], 10))


def test_cluster_size_as_a_fraction():
    features, _ = blobs((60, 50, 40), dims=3)
    assert run_on(features, min_cluster_size=0.1)[1]["min_cluster_size"] == 15
    assert run_on(features, min_cluster_size=0.001)[1]["min_cluster_size"] == 2
    same = run_on(features, min_cluster_size=0.1)[0]
    np.testing.assert_array_equal(same, run_on(features, min_cluster_size=15)[0])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_images(n):
    if n > 1:
        with pytest.raises(DataError, match=f"there are {n}"):
            run_on(np.zeros((n, 2)), min_samples=10, min_cluster_size=0.5)
    with pytest.raises(DataError, match=rf"20 is more than the {n} images"):
        run_on(np.zeros((n, 2)))


def test_approximation_is_only_for_the_engine_that_has_it():
    for engine in ("fast_hdbscan", "sklearn"):
        with pytest.raises(ValidationError, match="approximate"):
            adapter("clusterers", "hdbscan", engine=engine, approximate_tree=True)
    assert run_on(overlapping(n=200), engine="hdbscan", approximate_tree=True)[1]["approximate_tree"] is True


def test_warns_of_many_dimensions():
    features = np.random.default_rng(0).normal(size=(60, 51))
    with pytest.warns(UserWarning, match="51 dimensions"):
        run_on(features)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run_on(features[:, :50])
