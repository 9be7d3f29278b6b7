import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score

from bench.errors import DataError
from bench.nn.augment import Geometry
from bench.nn.backbone import Architecture
from bench.nn.convnets import build
from bench.nn.deepcluster import (
    Clustering,
    DeepClusterSettings,
    DeepClusterTraining,
    Members,
    assign,
    normalised,
    repaired,
    zoomed,
)
from bench.nn.training import Draw, Epochs, Steps, seeded, train
from tests.methods import blobs, make_run, same_partition
from tests.nn.test_dino import SIDE, images

N, BATCH = 32, 8


def task(steps: int = 12, k: int = 4, **changes: Any) -> DeepClusterTraining:
    backbone, features = build(Architecture("conv5", "native", "none"), (1, SIDE, SIDE), 3, width=2)
    known: dict[str, Any] = {"clustering": Clustering(k), "rate": 0.05, "momentum": 0.9, "seed": 3, **changes}
    with seeded(3):
        settings, epochs = DeepClusterSettings(**known), Epochs(N, BATCH, 3)
        return DeepClusterTraining(images(N), backbone, features, settings, epochs=epochs, steps=steps)


def draw(step: int = 0) -> Draw:
    return Draw(step, 0, 0, 1, np.random.default_rng(step), torch.Generator().manual_seed(step))


def features(n: int = 60, d: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5).astype(np.float32)


def distances(x: np.ndarray) -> np.ndarray:
    """Distances stay the same however components are turned or mirrored."""
    return np.asarray(np.linalg.norm(x[:, None] - x[None], axis=2))


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize(("n", "dims"), [(60, 3), (60, 8), (60, 500), (5, 3)])
def test_components_are_those_of_scikit_learn(n: int, dims: int, whiten: bool) -> None:
    x = features(n)
    found = normalised(x, Clustering(2, dims, whiten, l2=False))
    oracle = PCA(min(dims, n - 1, 8), whiten=whiten).fit_transform(x.astype(np.float64))
    scale = np.sqrt(n / (n - 1)) if whiten else 1.0  # it divides by n - 1
    assert found.shape == oracle.shape
    np.testing.assert_allclose(distances(found), scale * distances(oracle), rtol=1e-3, atol=1e-3)


def test_lengths_are_1_and_components_without_variance_vanish() -> None:
    x = features()
    np.testing.assert_allclose(np.linalg.norm(normalised(x, Clustering(2)), axis=1), 1, rtol=1e-5)
    doubled = np.concatenate([x, x, np.ones_like(x)], axis=1)
    assert normalised(doubled, Clustering(2)).shape == (60, 8)
    same = normalised(np.full((9, 4), 3.7, np.float32), Clustering(2))
    np.testing.assert_array_equal(same, np.zeros((9, 1)))
    assert normalised(x, Clustering(2, None, l2=False)) is x


@settings(max_examples=60)
@given(n=st.integers(1, 40), data=st.data())
def test_no_cluster_stays_empty_and_none_but_the_split_ones_change(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    used = data.draw(st.integers(1, k))
    labels = np.array(data.draw(st.lists(st.integers(0, used - 1), min_size=n, max_size=n)), np.int64)
    x = np.random.default_rng(n).integers(0, 2, (n, 2)).astype(np.float32)  # many points coincide
    found, empty = repaired(labels, x, k)
    assert np.bincount(found, minlength=k).min() >= 1
    assert empty == k - np.unique(labels).size
    changed = found != labels
    assert not np.isin(found[changed], labels).any()  # only into clusters that had been empty
    if not empty:
        np.testing.assert_array_equal(found, labels)


def test_the_largest_cluster_is_cut_between_its_two_heaps() -> None:
    x, truth = blobs((6, 20, 20), dims=3)
    labels = np.where(truth == 0, 2, 0)  # both large heaps in one cluster, none in cluster 1
    found, empty = repaired(labels, x, 3)
    assert empty == 1
    assert same_partition(found, truth)


def test_k_means_finds_blobs_the_same_way_each_time() -> None:
    x, truth = blobs((30, 20, 25))
    found, empty = assign(x, 3, 20, seed=1)
    assert same_partition(found, truth)
    assert empty == 0
    np.testing.assert_array_equal(found, assign(x, 3, 20, seed=1)[0])


def test_k_means_in_batches_serves_large_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.nn.deepcluster._FEW", 10)
    x, truth = blobs((40, 40), distance=50)
    found, _ = assign(x, 2, 20, seed=0)
    assert same_partition(found, truth)


def test_images_all_alike_still_fill_all_clusters() -> None:
    labels, empty = assign(np.zeros((7, 1), np.float32), 7, 20, seed=0)
    assert sorted(labels) == list(range(7))
    assert empty == 6


def test_clusters_are_drawn_alike_whatever_their_size() -> None:
    labels = np.repeat([2, 0, 1], [90, 9, 1])
    rows = Members(labels).draw(6000, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(labels[rows]) / 6000, 1 / 3, atol=0.03)
    assert set(rows) == set(range(100))


def test_zoom_scales_about_the_middle_and_0_changes_nothing() -> None:
    x = torch.zeros(200, 1, 33, 33)
    x[:, :, 12:21, 12:21] = 1
    area = zoomed(x, 0.2, torch.Generator().manual_seed(0)).sum(dim=(1, 2, 3)) / 81
    assert 1 / 1.2**2 - 0.1 < float(area.min()) < 0.85
    assert 1.2 < float(area.max()) < 1 / 0.8**2 + 0.1
    middle = zoomed(x, 0.2, torch.Generator().manual_seed(0)).mean(0)[0]
    np.testing.assert_allclose(middle.argmax() // 33, 16, atol=4)
    torch.testing.assert_close(zoomed(x, 0.0, torch.Generator()), x, atol=1e-5, rtol=0)


def test_batches_are_images_with_their_pseudo_labels() -> None:
    for uniform in (True, False):
        t = task(uniform=uniform)
        t.before_step(0, t.optimizer())
        x, target = t.batch(draw())
        known = torch.from_numpy(images(N).pixels / 255).float()
        rows = (x[:, None] - known[None]).abs().flatten(2).mean(2).argmin(1)
        assert torch.equal(target, t.labels[rows])
        if not uniform:
            np.testing.assert_array_equal(rows.numpy(), Epochs(N, BATCH, 3).batch(0))


def test_images_are_drawn_by_the_pseudo_labels_of_their_epoch() -> None:
    t = task()
    drawn = []
    for step in (0, 4):
        t.before_step(step, t.optimizer())
        wanted = t.labels[Members(t.labels.numpy()).draw(BATCH, np.random.default_rng(step))]
        assert torch.equal(t.batch(draw(step))[1], wanted)
        drawn.append(t.labels.clone())
        torch.manual_seed(0)
        for p in t.backbone.parameters():
            torch.nn.init.normal_(p.data)
    assert not same_partition(drawn[0].numpy(), drawn[1].numpy())


def test_an_epoch_begins_with_new_labels_a_new_head_and_no_momentum_of_the_old() -> None:
    t = task()
    optimizer = t.optimizer()
    for step in range(5):
        before = t.head.weight.detach().clone(), int(t.assigned)
        t.before_step(step, optimizer)
        fresh = t.head.weight.detach().clone()
        assert torch.equal(fresh, before[0]) == (step not in (0, 4))
        assert int(t.assigned) == step // 4
        assert (t.head.weight in optimizer.state) == (step in (1, 2, 3))
        assert (next(t.backbone.parameters()) in optimizer.state) == (step > 0)
        t.before_step(step, optimizer)  # once more changes nothing
        assert torch.equal(t.head.weight, fresh)
        t.train()
        t(t.batch(draw(step)), draw(step)).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert 0.005 < float(fresh.std()) < 0.02
    assert not torch.equal(t.head.weight, fresh)  # and it learns


def test_pseudo_labels_follow_from_features_of_images_as_they_are() -> None:
    t = task(view=Geometry(degrees=180), zoom=0.2)
    t.before_step(0, t.optimizer())
    assert t.backbone.training is False
    x = torch.from_numpy(images(N).pixels / 255).float()
    with torch.no_grad():
        np.testing.assert_allclose(t.features(), t.backbone(x).numpy(), atol=1e-5)
    assert same_partition(t.labels.numpy(), task_labels(t))


def task_labels(t: DeepClusterTraining) -> np.ndarray:
    seed = int(np.random.default_rng([3, 0]).integers(2**31))
    return assign(normalised(t.features(), Clustering(4)), 4, 20, seed)[0]


def test_the_nmi_of_successive_assignments_is_in_the_history(tmp_path: Path) -> None:
    t = task(steps=12)
    seen = []
    original = t._new_head

    def look(epoch: int, optimizer: torch.optim.Optimizer) -> None:
        seen.append(t.labels.clone().numpy())
        original(epoch, optimizer)

    t._new_head = look  # type: ignore[method-assign]  # to see each assignment
    train(t, Steps(12, BATCH), make_run(checkpoints=tmp_path))
    facts: Any = t.reassignments()
    wanted = [normalized_mutual_info_score(a, b) for a, b in itertools.pairwise(seen)]
    assert [e for e, _ in facts["nmi"]] == [2, 3]  # the first assignment has none before it
    np.testing.assert_allclose([v for _, v in facts["nmi"]], wanted, atol=1e-5)
    assert [e for e, _ in facts["repaired"]] == [1, 2, 3]
    np.testing.assert_allclose(
        [v for _, v in facts["largest_share"]], [np.bincount(s).max() / N for s in seen], atol=1e-5
    )


def test_one_set_of_pseudo_labels_is_learned(tmp_path: Path) -> None:
    t = task(steps=60, uniform=False)
    t._epochs = Epochs(N, N, 3)  # an epoch is a step: the same network would relabel at each
    t.before_step(0, t.optimizer())
    t.assigned.fill_(10**6)  # no further reassignment
    curve = train(t, Steps(60, N), make_run(checkpoints=tmp_path))
    assert curve.losses[0] == pytest.approx(np.log(4), abs=0.1)
    assert curve.losses[-1] < 0.5


def test_more_clusters_than_images_and_features_that_diverged_are_told() -> None:
    with pytest.raises(DataError, match=f"k: 33 clusters, but only {N} images to train on"):
        task(k=33)
    t = task(k=N)
    t.before_step(0, t.optimizer())
    assert len(t.labels.unique()) == N
    with torch.no_grad():
        next(t.backbone.parameters()).fill_(torch.nan)
    with pytest.raises(DataError, match="features are not finite at epoch 2"):
        t.before_step(4, t.optimizer())
