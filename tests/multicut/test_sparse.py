from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from bench.errors import DataError
from bench.multicut import gaec_sparse, greedy_dense, greedy_sparse, objective_dense, objective_sparse
from bench.multicut.sparse import adjacency, contract
from tests.multicut import greedy_oracles as slow

seeds = st.integers(0, 10**6)
kinds = st.sampled_from(slow.KINDS)
Edges = tuple[np.ndarray, np.ndarray, np.ndarray]


def edges_of(costs: np.ndarray) -> Edges:
    i, j = np.triu_indices(len(costs), 1)
    return i.astype(np.int32), j.astype(np.int32), costs[i, j]


def thinned(costs: np.ndarray, seed: int, share: float = 0.4) -> np.ndarray:
    keep = np.triu(np.random.default_rng(seed).random(costs.shape) < share, 1)
    return costs * (keep | keep.T)


def planted_graph(n: int, seed: int) -> Edges:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n // 10, n)
    i, j = rng.integers(0, n, 8 * n), rng.integers(0, n, 8 * n)
    members = np.argsort(truth, kind="stable")
    near = members[(np.argsort(members)[:, None] + np.arange(1, 6)) % n].ravel()
    i, j = np.append(i, np.repeat(np.arange(n), 5)), np.append(j, near)
    return i, j, rng.normal(np.where(truth[i] == truth[j], 1.0, -1.0), 1.2)


@pytest.mark.parametrize("kind", slow.KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 16, 30])
def test_contraction_agrees_with_the_definition_also_on_ties(kind: str, n: int) -> None:
    for seed in range(8):
        costs = slow.random_costs(n, seed, kind)
        costs = thinned(costs, seed) if seed % 2 else costs
        i, j, cost = edges_of(costs)
        order = np.random.default_rng(seed).permutation(i.size)  # of the edges, which must not matter
        found = greedy_sparse(n, j[order], i[order], cost[order], refine=False)
        assert found.tolist() == slow.contract(costs).tolist()


@settings(max_examples=100)
@given(st.integers(1, 40), seeds, kinds)
def test_dense_and_sparse_contract_alike_on_a_complete_graph(n: int, seed: int, kind: str) -> None:
    costs = slow.random_costs(n, seed, kind)
    sparse = greedy_sparse(n, *edges_of(costs), refine=False)
    assert sparse.tolist() == greedy_dense(costs, refine=False).tolist()


@pytest.mark.parametrize("n", [8, 14, 20, 30, 40])
def test_dense_and_sparse_break_ties_alike_when_they_refine(n: int) -> None:
    """Sums of small integers are exact; of rounded gains the two may take different ones."""
    for seed in range(40):
        costs = slow.random_costs(n, seed, "tied")
        assert greedy_sparse(n, *edges_of(costs)).tolist() == greedy_dense(costs).tolist()


@pytest.mark.parametrize("longest", [0, 1, 3, 10, 40])
def test_hubs_change_the_time_only(longest: int) -> None:
    for seed in range(5):
        i, j, cost = planted_graph(400, seed)
        graph = [adjacency(400, i.astype(np.int32), j.astype(np.int32), cost) for _ in range(2)]
        assert (contract(*graph[0], longest) == contract(*graph[1], 10**9)).all()


def test_hubs_change_the_time_only_on_a_neighbour_graph() -> None:
    rng = np.random.default_rng(0)
    n, classes = 20_000, 2000
    centre = rng.random((classes, 3)) * classes ** (1 / 3) * 3
    truth = rng.integers(0, classes, n)
    place = centre[truth] + 0.6 * rng.normal(size=(n, 3))
    near = NearestNeighbors(n_neighbors=11).fit(place).kneighbors(place, return_distance=False)[:, 1:]
    key = np.unique(np.sort(np.stack([np.repeat(np.arange(n), 10), near.ravel()], 1), 1), axis=0)
    i, j = key.T.astype(np.int32)
    p = np.where(truth[i] == truth[j], rng.beta(3.6, 1, i.size), rng.beta(1, 3.6, i.size))
    cost = np.log(p / (1 - p))
    graph = [adjacency(n, i, j, cost) for _ in range(2)]
    assert (contract(*graph[0], 20) == contract(*graph[1], 10**9)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hubs_have_the_same_objective_on_ties(dtype: type) -> None:
    i, j, cost = planted_graph(2000, 0)
    cost = cost.astype(dtype)
    graph = [adjacency(2000, i.astype(np.int32), j.astype(np.int32), cost) for _ in range(2)]
    few, many = (
        objective_sparse(i, j, cost, contract(*g, longest))
        for g, longest in zip(graph, (10, 10**9), strict=True)
    )
    assert few == pytest.approx(many, rel=1e-6)


def test_a_star_is_joined_without_a_scan_of_its_centre_per_leaf() -> None:
    n = 30_000
    leaves = np.arange(1, n)
    cost = np.random.default_rng(0).random(n - 1)
    labels = greedy_sparse(n, np.zeros(n - 1, int), leaves, np.where(leaves % 2, cost, -cost))
    assert (labels[1::2] == 0).all()
    assert labels.max() == (leaves % 2 == 0).sum()


def half_edges_read(n: int, i: np.ndarray, j: np.ndarray, cost: np.ndarray) -> int:
    counts = np.zeros(len(gaec_sparse.COUNTS), np.int64)
    contract(*adjacency(n, i.astype(np.int32), j.astype(np.int32), cost), counts=counts)
    return int(counts[gaec_sparse.READ])


def test_a_cluster_that_grows_node_by_node_reads_few_half_edges() -> None:
    """Each node of a chain brings five enemies of its own. Scanned at every merge: 10^7 half-edges."""
    chain = np.arange(2000)
    i, j = np.append(chain[:-1], np.repeat(chain, 5)), np.append(chain[1:], 2000 + np.arange(10_000))
    cost = np.append(10 - chain[:-1] / 2000, np.full(10_000, -1.0))
    assert half_edges_read(12_000, i, j, cost) < 20 * i.size


def test_a_node_that_never_merges_is_not_read_whenever_its_neighbours_do() -> None:
    """Node 0 joins the leaves one by one, and node 1 repels each of them: 1.6 10^7 if read each time."""
    leaves = np.arange(2, 4002)
    i, j = np.repeat([0, 1], leaves.size), np.append(leaves, leaves)
    cost = np.append(np.random.default_rng(0).random(leaves.size), np.full(leaves.size, -2.0))
    assert half_edges_read(4002, i, j, cost) < 20 * i.size


@settings(max_examples=100)
@given(st.integers(1, 14), seeds, kinds)
def test_refined_clusters_cannot_be_improved_by_a_move_or_a_join(n: int, seed: int, kind: str) -> None:
    costs = thinned(slow.random_costs(n, seed, kind), seed)
    labels = greedy_sparse(n, *edges_of(costs))
    assert slow.best_local_gain(costs, labels) < 1e-8
    if n <= 7:
        assert objective_dense(costs, labels) <= slow.optimum(costs) + 1e-9


@pytest.mark.slow
def test_refining_gains_and_keeps_clusters_connected() -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    i, j, cost = planted_graph(2000, 1)
    i, j, cost = i[i != j], j[i != j], cost[i != j]
    plain, refined = greedy_sparse(2000, i, j, cost, refine=False), greedy_sparse(2000, i, j, cost)
    assert objective_sparse(i, j, cost, refined) > objective_sparse(i, j, cost, plain)
    ends = coo_array((np.append(cost, cost), (np.append(i, j), refined[np.append(j, i)]))).toarray()
    own = np.take_along_axis(ends, refined[:, None], 1)
    assert own.min() > -1e-8
    assert (ends - own).max() < 1e-8
    inside = refined[i] == refined[j]
    parts, _ = connected_components(coo_array((np.ones(inside.sum()), (i[inside], j[inside])), (2000, 2000)))
    assert parts == refined.max() + 1


@settings(max_examples=30)
@given(seeds)
def test_the_order_of_nodes_edges_and_ends_changes_nothing_but_names(seed: int) -> None:
    n = 60
    costs = thinned(slow.random_costs(n, seed, "planted"), seed)
    i, j, cost = edges_of(costs)
    rng = np.random.default_rng(seed)
    name, order = rng.permutation(n), rng.permutation(cost.size)
    labels = greedy_sparse(n, i, j, cost)
    renamed = greedy_sparse(n, name[j][order], name[i][order], cost[order])[name]
    assert ((labels[:, None] == labels) == (renamed[:, None] == renamed)).all()


def test_parallel_edges_add_up_and_loops_count_for_nothing() -> None:
    assert greedy_sparse(2, [0, 1, 0], [1, 0, 1], [3.0, -2.0, -2.0]).tolist() == [0, 1]
    assert greedy_sparse(2, [0, 1, 0], [1, 0, 1], [3.0, -2.0, -0.5]).tolist() == [0, 0]
    assert greedy_sparse(2, [0, 0, 1], [0, 1, 1], [9.0, -1.0, 9.0]).tolist() == [0, 1]
    assert objective_sparse(np.array([0, 0]), np.array([0, 1]), np.array([9.0, 2.0]), np.array([0, 0])) == 2


def test_nodes_without_edges_stay_alone_and_the_input_stays() -> None:
    i, j, cost = np.array([3]), np.array([1]), np.array([1.0])
    for array in (i, j, cost):
        array.flags.writeable = False
    assert greedy_sparse(5, i, j, cost).tolist() == [0, 1, 2, 1, 3]
    assert greedy_sparse(3, [], [], []).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("n", "i", "j", "cost", "sentence"),
    [
        (0, [], [], [], "between 1 and"),
        (3, [0, 1], [1], [1.0, 2.0], "three arrays of one length"),
        (3, [0, 3], [1, 1], [1.0, 2.0], r"edge 1 ends at node 3 \(i\), but the nodes are 0 to 2"),
        (3, [0, 1], [1, -1], [1.0, 2.0], r"edge 1 ends at node -1 \(j\)"),
        (3, [0.0, 1.0], [1, 2], [1.0, 2.0], "must be integers"),
        (3, [0, 1], [1, 2], [1.0, np.nan], "cost of edge 1 is nan"),
        (3, [0, 1], [1, 2], [-np.inf, 1.0], "cost of edge 0 is -inf"),
    ],
)
def test_bad_edges_are_refused_in_one_sentence(
    n: int, i: list[float], j: list[float], cost: list[float], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        greedy_sparse(n, i, j, cost)
