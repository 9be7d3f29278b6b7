from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.metrics.score import score
from bench.metrics.subsets import PAIR_METRICS, score_pairs, score_subsets

labels = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(-1, 3), st.sampled_from([None, "a", "b", "c"])),
    min_size=2,
    max_size=14,
)


def counted(same: list[bool], joined: list[bool]) -> dict[str, float]:
    """Metrics by listing the pairs: the slow way."""
    jj = sum(s and j for s, j in zip(same, joined, strict=True))
    jc = sum(s and not j for s, j in zip(same, joined, strict=True))
    cj = sum(j and not s for s, j in zip(same, joined, strict=True))
    cc = len(same) - jj - jc - cj
    parts = {
        "ri": (jj + cc, len(same)),
        "precision_cuts": (cc, cc + jc),
        "recall_cuts": (cc, cc + cj),
        "precision_joins": (jj, jj + cj),
        "recall_joins": (jj, jj + jc),
        "f1_cuts": (2 * cc, 2 * cc + jc + cj),
        "f1_joins": (2 * jj, 2 * jj + jc + cj),
    }
    return {name: a / b for name, (a, b) in parts.items() if b}


@given(labels, st.sampled_from(["own_cluster", "drop"]))
def test_pairs_between_subsets_agree_with_listing_them(rows, noise) -> None:
    truth, pred = (np.array([r[i] for r in rows], np.int64) for i in (0, 1))
    groups = [r[2] for r in rows]
    found = score_subsets(truth, pred, groups, noise=noise)
    kept = [i for i in range(len(rows)) if truth[i] >= 0 and (noise == "own_cluster" or pred[i] >= 0)]
    for a, b in combinations("abc", 2):
        pairs = [(i, j) for i in kept for j in kept if groups[i] == a and groups[j] == b]
        same = [bool(truth[i] == truth[j]) for i, j in pairs]
        joined = [bool(pred[i] == pred[j] >= 0) for i, j in pairs]
        assert found.get(f"{a}-{b}", {}) == pytest.approx(counted(same, joined))


@given(labels, st.sampled_from(["own_cluster", "drop"]))
def test_within_a_subset_all_metrics_are_those_of_its_images_alone(rows, noise) -> None:
    truth, pred = (np.array([r[i] for r in rows], np.int64) for i in (0, 1))
    groups = np.array([r[2] or "" for r in rows])
    found = score_subsets(truth, pred, [r[2] for r in rows], noise=noise)
    for a in "abc":
        inside = groups == a
        scorable = inside & (truth >= 0) & ((pred >= 0) | (noise == "own_cluster"))
        if scorable.sum() < 2:
            assert f"{a}-{a}" not in found
        else:
            wanted = score(truth[inside], pred[inside], noise=noise, replicates=0).values
            assert found[f"{a}-{a}"] == pytest.approx(wanted)


def probabilities(n: int, seed: int) -> NDArray[np.float32]:
    p = np.random.default_rng(seed).choice([0.0, 0.2, 0.5, 0.7, 1.0], (n, n)).astype(np.float32)
    p = np.triu(p, 1)
    return p + p.T + np.eye(n, dtype=np.float32)


@given(labels, st.integers(0, 99))
def test_decisions_before_clustering_agree_with_listing_the_pairs(rows, seed) -> None:
    truth = np.array([r[0] for r in rows], np.int64)
    groups = [r[2] for r in rows]
    p = probabilities(len(rows), seed)
    found = score_pairs(truth, p, groups)
    known = [i for i in range(len(rows)) if truth[i] >= 0]
    for name in ["all", *(f"{a}-{b}" for a in "abc" for b in "abc" if a <= b)]:
        inside = [
            (i, j)
            for i, j in combinations(known, 2)
            if name == "all" or sorted((groups[i] or "", groups[j] or "")) == name.split("-")
        ]
        same = [bool(truth[i] == truth[j]) for i, j in inside]
        joined = [bool(p[i, j] >= 0.5) for i, j in inside]
        assert found.get(name, {}) == pytest.approx(counted(same, joined))


def test_a_partition_scores_the_same_before_and_after_clustering() -> None:
    rng = np.random.default_rng(0)
    truth, pred = rng.integers(0, 4, 60), rng.integers(0, 5, 60)
    p = (pred[:, None] == pred).astype(np.float32)
    after = score(truth, pred, replicates=0).values
    assert score_pairs(truth, p)["all"] == pytest.approx({m: after[m] for m in PAIR_METRICS})


def test_subsets_that_share_no_class_have_no_recall_of_joins() -> None:
    found = score_subsets(
        np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), ["seen", "seen", "unseen", "unseen"], noise="drop"
    )
    assert list(found) == ["seen-seen", "seen-unseen", "unseen-unseen"]
    assert "recall_joins" not in found["seen-unseen"]
    assert found["seen-unseen"]["precision_joins"] == 0
    assert found["seen-unseen"]["ri"] == 0.5
