from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.errors import DataError
from bench.multicut.instance import DenseCosts, SparseCosts
from bench.multicut.io import hint_of_probabilities, read_instance
from tests.multicut import greedy_oracles as slow


def test_a_matrix_comes_back(tmp_path: Path) -> None:
    costs = slow.random_costs(6, 0).astype(np.float32)
    np.save(tmp_path / "a.npy", costs)
    read = read_instance(tmp_path / "a.npy")
    assert read.n == 6
    assert isinstance(read, DenseCosts)
    assert (read.matrix == costs).all()


def test_edges_come_back_with_the_number_of_nodes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", i=[0, 1], j=[1, 2], cost=[1.0, -1.0])
    np.savez(tmp_path / "b.npz", i=[0, 1], j=[1, 2], cost=[1.0, -1.0], n=5)
    a, b = read_instance(tmp_path / "a.npz"), read_instance(tmp_path / "b.npz")
    assert (a.n, b.n) == (3, 5)
    assert isinstance(b, SparseCosts)
    assert b.greedy().tolist() == [0, 0, 1, 2, 3]


def test_edges_of_another_type_or_name_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", i=[0.0, 1.0], j=[1.0, 2.0], cost=[1.0, -1.0])
    np.savez(tmp_path / "b.npz", u=[0, 1], v=[1, 2], w=[1.0, -1.0])
    with pytest.raises(DataError, match=r"a\.npz: i must be integers, .* holds float64; convert"):
        read_instance(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"b\.npz: .* 'i'; found u, v, w, expected i, j and cost"):
        read_instance(tmp_path / "b.npz")


def test_costs_that_may_be_probabilities_are_told() -> None:
    def hint(*costs: float) -> str | None:
        return hint_of_probabilities(SparseCosts(3, [0, 1], [1, 2], costs))

    assert "--probabilities" in (hint(0.2, 0.9) or "")
    assert hint(0.2, -0.1) is None
    assert hint(0.2, 1.5) is None
    assert hint(0.0, 0.0) is None
    dense = np.full((8, 8), 0.2)
    assert hint_of_probabilities(DenseCosts(dense)) is not None
    assert hint_of_probabilities(DenseCosts(np.zeros((1, 1)))) is None
    np.fill_diagonal(dense, -9)
    assert hint_of_probabilities(DenseCosts(dense)) is not None


def test_organoid_affinities_become_costs(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["affinities"] = np.array([[7, 0.9, 0.2], [0.7, 0, 0.1], [0.2, 0.1, 0]], np.float32)
        file["labels"] = np.zeros(3)
    read = read_instance(tmp_path / "a.h5")
    assert isinstance(read, DenseCosts)
    assert read.matrix[0, 1] == pytest.approx(np.log(4), rel=1e-5)
    assert (np.diag(read.matrix) == 0).all()
    assert read.greedy().tolist() == [0, 0, 1]
    shifted = read_instance(tmp_path / "a.h5", prior=0.09)
    assert isinstance(shifted, DenseCosts)
    assert shifted.matrix[0, 1] == pytest.approx(np.log(4) + np.log(0.09 / 0.91), rel=1e-5)


def test_bad_files_are_refused_in_one_sentence_with_their_name(tmp_path: Path) -> None:
    np.save(tmp_path / "asymmetric.npy", np.array([[0, 1.0], [2.0, 0]]))
    np.save(tmp_path / "objects.npy", np.array([{}, {}], object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("1 2 3")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npz").write_text("1 2 3")
    (tmp_path / "text.h5").write_text("1 2 3")
    (tmp_path / "costs.csv").write_text("1,2")
    np.save(tmp_path / "whole.npy", np.zeros((50, 50)))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:1000])
    np.savez(tmp_path / "nameless.npz", i=[0], j=[1])
    np.savez(tmp_path / "outside.npz", i=[0], j=[9], cost=[1.0], n=5)
    np.savez(tmp_path / "edgeless.npz", i=np.empty(0, int), j=np.empty(0, int), cost=np.empty(0))
    np.savez(tmp_path / "floats.npz", i=[0.0], j=[1.0], cost=[1.0], n=2)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["labels"] = np.zeros(3)
    with h5py.File(tmp_path / "oblong.h5", "w") as file:
        file["affinities"] = np.zeros((3, 2))
    sentences = {
        "asymmetric.npy": "not symmetric",
        "objects.npy": "damaged",
        "text.npy": "damaged",
        "empty.npy": "damaged",
        "torn.npy": "damaged",
        "text.npz": "damaged",
        "text.h5": "damaged",
        "costs.csv": "cannot read .csv",
        "missing.npy": "no such file",
        "nameless.npz": "no array 'cost'",
        "outside.npz": "node 9",
        "edgeless.npz": "no edges",
        "floats.npz": "must be integers",
        "other.h5": "no array 'affinities'; found labels",
        "oblong.h5": "not a square matrix",
    }
    for name, sentence in sentences.items():
        with pytest.raises(DataError, match=sentence) as caught:
            read_instance(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
