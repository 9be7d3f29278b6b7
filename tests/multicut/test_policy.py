"""Which solver runs, and for how long."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.multicut.policy import AUTO_NODES, AUTO_SECONDS, SOLVERS, policy


def test_auto_is_exact_for_a_minute_up_to_300_nodes_and_greedy_beyond() -> None:
    small, large = policy(300), policy(301)
    assert (small.greedy, small.backend, small.time_limit) == (False, "auto", 60.0)
    assert large.greedy
    assert (AUTO_NODES, AUTO_SECONDS) == (300, 60.0)


def test_a_solver_that_is_named_runs_at_any_size_without_a_limit() -> None:
    assert policy(10, "greedy").greedy
    for solver, backend in (("exact", "auto"), ("highs", "highs"), ("gurobi", "gurobi")):
        chosen = policy(10_000, solver)
        assert (chosen.greedy, chosen.backend, chosen.time_limit) == (False, backend, math.inf)


@pytest.mark.parametrize("limit", [3.0, math.inf])
def test_a_time_limit_that_is_given_counts(limit: float) -> None:
    assert policy(10, "auto", time_limit=limit).time_limit == limit
    assert policy(10, "exact", time_limit=limit).time_limit == limit
    assert policy(301, "auto", time_limit=limit).greedy


def test_calls_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="is not one of auto, greedy, exact, gurobi, highs"):
        policy(10, "exakt")
    with pytest.raises(UsageError, match="proves nothing"):
        policy(10, "greedy", certificate=True)
    with pytest.raises(UsageError, match="proves nothing"):
        policy(301, "auto", certificate=True)
    with pytest.raises(UsageError, match="cannot be stopped half-way"):
        policy(10, "greedy", time_limit=1.0)


def test_the_policy_loads_nothing_heavy() -> None:
    code = "import sys, bench.multicut.policy; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_and_docstrings_agree_with_the_policy() -> None:
    root = Path(__file__).parents[2]
    for file in ("bench/cli/options/files.py", "bench/multicut/solving.py", "methods/clusterers/multicut.py"):
        assert f"up to {AUTO_NODES}" in (root / file).read_text()
    assert f"{AUTO_SECONDS:g} s" in (root / "bench/cli/options/files.py").read_text()
    assert set(SOLVERS) >= {"auto", "greedy", "exact"}
