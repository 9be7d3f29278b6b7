"""`bench multicut` on files, good and bad."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import DataError, UsageError

KEYS = {"objective", "lower_bound", "upper_bound", "gap", "status", "clusters", "seconds", "solver"}


def _costs(n: int = 20, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    c = np.triu(rng.normal(size=(n, n)) + 2.0 * (np.arange(n)[:, None] // 5 == np.arange(n) // 5), 1)
    return c + c.T


def _run(*words: str) -> Any:
    result = CliRunner().invoke(app, ["multicut", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("solver", ["greedy", "exact", "highs", "auto"])
def test_json_has_the_promised_keys_and_a_bound_that_holds(tmp_path: Path, solver: str) -> None:
    np.save(tmp_path / "c.npy", _costs())
    found = _run(str(tmp_path / "c.npy"), "--solver", solver)
    assert set(found) >= KEYS
    assert found["lower_bound"] == found["objective"] <= found["upper_bound"] + 1e-6
    assert found["status"] == ("greedy" if solver == "greedy" else "optimal")


def test_all_layouts_of_one_instance_agree(tmp_path: Path) -> None:
    costs = _costs()
    p = 1 / (1 + np.exp(-costs))
    i, j = np.triu_indices(len(costs), 1)
    np.save(tmp_path / "c.npy", costs)
    np.save(tmp_path / "p.npy", p)
    np.savez(tmp_path / "c.npz", i=i, j=j, cost=costs[i, j])
    np.savez(tmp_path / "p.npz", i=i, j=j, cost=p[i, j])
    with h5py.File(tmp_path / "p.h5", "w") as f:
        f["affinities"] = p.astype(np.float32)
    answers = [
        _run(str(tmp_path / name), "--solver", "exact", *more)
        for name, more in (
            ("c.npy", []),
            ("p.npy", ["--probabilities"]),
            ("c.npz", []),
            ("p.npz", ["--probabilities"]),
            ("p.h5", []),
        )
    ]
    for answer in answers:
        assert answer["objective"] == pytest.approx(answers[0]["objective"], rel=1e-4)
        assert answer["clusters"] == answers[0]["clusters"]


def test_labels_and_certificate_are_written_and_the_certificate_verifies(tmp_path: Path) -> None:
    costs = _costs()
    np.save(tmp_path / "c.npy", costs)
    words = ["--solver", "exact", "--out", str(tmp_path / "l.npy"), "--certificate", str(tmp_path / "p.npz")]
    found = _run(str(tmp_path / "c.npy"), *words)
    labels = np.load(tmp_path / "l.npy")
    same = np.triu(labels[:, None] == labels[None, :], 1)
    assert costs[same].sum() == pytest.approx(found["objective"])
    proven = _run("verify", str(tmp_path / "c.npy"), str(tmp_path / "p.npz"))
    assert proven["verified"] is True
    assert proven["upper_bound"] >= found["objective"] - 1e-6


def test_a_certificate_of_another_instance_is_refused(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        np.save(tmp_path / f"{name}.npy", _costs(seed=seed))
    _run(str(tmp_path / "a.npy"), "--solver", "exact", "--certificate", str(tmp_path / "p.npz"))
    with pytest.raises(DataError):
        _run("verify", str(tmp_path / "b.npy"), str(tmp_path / "p.npz"))
    with pytest.raises(DataError, match="not a certificate"):
        _run("verify", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_sweep_solves_once_per_threshold(tmp_path: Path, suffix: str) -> None:
    costs = _costs()
    p = 1 / (1 + np.exp(-costs))
    i, j = np.triu_indices(len(p), 1)
    np.save(tmp_path / "p.npy", p)
    np.savez(tmp_path / "p.npz", i=i, j=j, cost=p[i, j])
    words = [str(tmp_path / f"p.{suffix}"), "--probabilities", "--solver", "exact"]
    rows = _run(*words, "--thresholds", "0.05,0.5, 0.9", "--out", str(tmp_path / "l.npy"))
    assert [row["threshold"] for row in rows] == [0.05, 0.5, 0.9]
    assert rows[1]["objective"] == pytest.approx(_run(*words)["objective"])
    labels = np.load(tmp_path / "l.npy")
    assert labels.shape == (3, 20)
    for row, found in zip(rows, labels, strict=True):
        same = found[i] == found[j]
        shifted = costs[i, j] - np.log(row["threshold"] / (1 - row["threshold"]))
        assert row["objective"] == pytest.approx(shifted[same].sum(), rel=1e-5)
        assert row["clusters"] == found.max() + 1
        assert set(row) >= KEYS
        assert row["status"] == "optimal"
    assert rows[0]["clusters"] < rows[1]["clusters"] < rows[2]["clusters"]


def test_a_sweep_is_printed_as_a_table(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", _costs())
    words = ["multicut", str(tmp_path / "c.npy"), "--thresholds", "0.3,0.5", "--solver", "greedy"]
    lines = CliRunner().invoke(app, words, catch_exceptions=False).stdout.splitlines()
    assert lines[0].split() == ["threshold", "clusters", "objective", "gap", "status", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == ["0.3", "0.5"]


def _asymmetric() -> Any:
    costs = _costs()
    costs[0, 1] += 1
    return costs


def _with(value: float) -> Any:
    costs = _costs()
    costs[2, 3] = costs[3, 2] = value
    return costs


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 4)), "square"),
        (_asymmetric(), "symmetr"),
        (_with(np.nan), "nan"),
        (_with(np.inf), "inf"),
        (np.zeros((0, 0)), "empty|no "),
        (np.array([["a", "b"], ["c", "d"]]), "number|<U1"),
    ],
)
def test_bad_matrices_are_refused_in_one_sentence(tmp_path: Path, array: Any, reason: str) -> None:
    np.save(tmp_path / "c.npy", array)
    with pytest.raises(DataError, match=f"(?i){reason}") as e:
        _run(str(tmp_path / "c.npy"))
    assert "\n" not in str(e.value)


def test_symmetrise_averages(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", _asymmetric())
    assert _run(str(tmp_path / "c.npy"), "--symmetrise")["nodes"] == 20


def test_an_edge_to_a_missing_node_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", i=[0, 1], j=[1, 9], cost=[1.0, -1.0], n=3)
    with pytest.raises(DataError, match="9"):
        _run(str(tmp_path / "c.npz"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--solver", "exakt"], "did you mean 'exact'"),
        (["--solver", "greedy", "--certificate", "x.npz"], "proves nothing"),
        (["--solver", "greedy", "--time-limit", "1"], "cannot be stopped"),
        (["--prior", "0.1"], "prior"),
        (["--thresholds", "0.1;0.2"], "not numbers separated by commas"),
        (["--thresholds", "0.5,1"], "between 0 and 1"),
        (["--thresholds", "0.5,nan"], "between 0 and 1"),
        (["--thresholds", "0.5", "--solver", "exact", "--certificate", "x.npz"], "leave --thresholds out"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, words: list[str], reason: str) -> None:
    np.save(tmp_path / "c.npy", _costs())
    with pytest.raises((UsageError, DataError), match=reason):
        _run(str(tmp_path / "c.npy"), *words)
