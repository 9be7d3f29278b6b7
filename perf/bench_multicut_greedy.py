"""Greedy multicut against bioimage-cpp, in one process: time, objective, memory.

    python perf/bench_multicut_greedy.py INSTANCES.npy|.npz... [--repeats 5] [--peer-repeats 1] [--float32]

Instances are files that `bench.multicut.io` reads. CPU seconds of this process, which runs one
thread; median of the repeats and their spread. Kernels are compiled before, and that time is said
apart. Validation and, for sparse graphs, the building of the graph are included on both sides;
`contract` is greedy additive edge contraction alone, `refine` that and Kernighan-Lin with joins.
The objective is computed by an independent function, in float64.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.multicut import greedy_dense, greedy_sparse
from bench.multicut.instance import DenseCosts, Instance, SparseCosts
from bench.multicut.io import read_instance


class Timing(NamedTuple):
    seconds: list[float]
    result: Any

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.4g} s ({min(self.seconds):.4g} to {max(self.seconds):.4g})"


def timed(repeats: int, call: Callable[[], Any]) -> Timing:
    seconds, result = [], None
    for _ in range(repeats):
        started = time.process_time()
        result = call()
        seconds.append(time.process_time() - started)
    return Timing(seconds, result)


def peer(instance: Instance, refine: bool) -> Any:
    from bioimage_cpp.graph import UndirectedGraph, multicut

    if isinstance(instance, DenseCosts):
        ends = np.stack(np.triu_indices(instance.n, 1), 1)
        cost = instance.matrix[ends[:, 0], ends[:, 1]]
    else:
        assert isinstance(instance, SparseCosts)
        ends, cost = np.stack([instance.i, instance.j], 1), instance.cost
    graph = UndirectedGraph.from_unique_edges(instance.n, ends.astype(np.uint64))
    objective = multicut.MulticutObjective(graph, cost.astype(np.float64))
    labels = multicut.GreedyAdditiveMulticut().optimize(objective)
    return multicut.KernighanLinMulticut().optimize(objective) if refine else labels


def ours(instance: Instance, refine: bool) -> Any:
    """Validate and solve, as a caller with arrays does."""
    if isinstance(instance, DenseCosts):
        return greedy_dense(instance.matrix, refine=refine)
    assert isinstance(instance, SparseCosts)
    return greedy_sparse(instance.n, instance.i, instance.j, instance.cost, refine=refine)


def part(instance: Instance, dtype: type) -> Instance:
    """Return a small instance of the same kind and type, to compile with."""
    if isinstance(instance, DenseCosts):
        return DenseCosts(np.array([[0, 1], [1, 0]], dtype))
    return SparseCosts(2, np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1, dtype))


def as_type(instance: Instance, dtype: type) -> Instance:
    if isinstance(instance, DenseCosts):
        return DenseCosts(instance.matrix.astype(dtype, copy=False))
    assert isinstance(instance, SparseCosts)
    return replace(instance, cost=instance.cost.astype(dtype, copy=False))


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peer-repeats", type=int, default=1, help="0: leave the peer out")
    parser.add_argument("--float32", action="store_true", help="our side gets float32 costs")
    args = parser.parse_args()
    for file in args.files:
        exact = read_instance(file)
        dtype = np.float32 if args.float32 else np.float64
        given = as_type(exact, dtype)
        compiling = timed(1, partial(ours, part(given, dtype), True))
        before = peak()
        print(
            f"{file.stem} {dtype.__name__}: compile or load {compiling}; peak {before:.2f} GB before",
            flush=True,
        )
        for refine in (False, True):
            compare(given, exact, refine, args.repeats, args.peer_repeats)


def compare(given: Instance, exact: Instance, refine: bool, repeats: int, peer_repeats: int) -> None:
    mine = timed(repeats, lambda: ours(given, refine))
    reached = exact.objective(mine.result)
    print(
        f"  {'refine' if refine else 'contract'}: {mine}, objective {reached:.6f}, peak {peak():.2f} GB",
        flush=True,
    )
    if peer_repeats:
        theirs = timed(peer_repeats, lambda: peer(exact, refine))
        mine = timed(repeats, lambda: ours(given, refine))  # once more, in case the machine's load changed
        gain = reached - exact.objective(theirs.result)
        ratio = theirs.median / mine.median
        print(f"    peer {theirs}, ours again {mine}: {ratio:.1f} x; ours - peer {gain:+.6f}", flush=True)


if __name__ == "__main__":
    main()
