"""Join probabilities of all pairs against loops over ordered pairs, in one process, one thread.

    python perf/bench_pairs.py [--n 1000] [--repeats 3] [--fusion optimal simplified concat]

Peers, all with the same head, both directions averaged at the end:
- `batches`: features stay in memory; batches of ordered pairs are indexed, joined and put through the
  head. Large batches, the strongest loop that builds pair features.
- `loader B`: a Dataset of ordered pairs, one pair an item, and a DataLoader with batches of B and no
  workers, as the organoid reference code does at 64 in training and 128 in validation.

CPU seconds of this process, median and spread; wall seconds beside them. Each peer runs once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.nn.pairs import WIDTHS, Fusion, all_pairs_probabilities, pair_features, pair_width

D = 384


class Head(NamedTuple):
    """A two-layer head and the fusion it was made for."""

    first: torch.nn.Linear
    second: torch.nn.Linear
    fusion: Fusion

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        hidden = self.first(pair_features(a, b, self.fusion))
        return torch.sigmoid(self.second(torch.relu(hidden))).squeeze(1)

    def all_pairs(self, x: Tensor) -> Tensor:
        return all_pairs_probabilities(x, self.first, self.second, self.fusion)


def random_head(fusion: Fusion) -> Head:
    first = torch.nn.Linear(pair_width(fusion, D), D)
    return Head(first, torch.nn.Linear(D, 1), fusion)


class OrderedPairs(Dataset[tuple[Tensor, Tensor]]):
    """All n^2 ordered pairs, one an item."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x) ** 2

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        a, b = divmod(item, len(self.x))
        return self.x[a], self.x[b]


def loader(x: Tensor, head: Head, batch: int) -> Tensor:
    parts = [head(a, b) for a, b in DataLoader(OrderedPairs(x), batch_size=batch, num_workers=0)]
    return _both_directions(torch.cat(parts), len(x))


def batches(x: Tensor, head: Head, batch: int) -> Tensor:
    n = len(x)
    items = torch.split(torch.arange(n * n), batch)
    parts = [head(x[k // n], x[k % n]) for k in items]
    return _both_directions(torch.cat(parts), n)


def _both_directions(p: Tensor, n: int) -> Tensor:
    p = p.view(n, n)
    return ((p + p.T) / 2).fill_diagonal_(1)


class AllPairs:
    """Seconds for all pairs of 400 images; a sixth of the pairs of 1000."""

    params: ClassVar[list[str]] = ["concat", "optimal"]
    param_names: ClassVar[list[str]] = ["fusion"]

    def setup(self, fusion: Fusion) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.x, self.head = torch.randn(400, D), random_head(fusion)
        self.head.all_pairs(self.x[:2])  # compiles

    def time_all_pairs(self, fusion: Fusion) -> None:
        self.head.all_pairs(self.x)


class Timing(NamedTuple):
    cpu: list[float]
    wall: list[float]
    result: Tensor

    def __str__(self) -> str:
        cpu = f"{statistics.median(self.cpu):.3g} s ({min(self.cpu):.3g} to {max(self.cpu):.3g})"
        return f"{cpu}, wall {statistics.median(self.wall):.3g} s"


def timed(repeats: int, call: Callable[[], Tensor]) -> Timing:
    cpu, wall, result = [], [], torch.empty(0)
    for _ in range(repeats):
        started = time.process_time(), time.perf_counter()
        result = call()
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return Timing(cpu, wall, result)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fusion", nargs="+", choices=list(WIDTHS), default=list(WIDTHS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(args.n, D)
    for fusion in args.fusion:
        head = random_head(fusion)
        head.all_pairs(x[:2])  # compiles
        ours = timed(args.repeats, partial(head.all_pairs, x))
        print(f"{fusion}, n = {args.n}, d = hidden = {D}: ours {ours}", flush=True)
        peers = {f"batches of {size}": partial(batches, x, head, size) for size in (1024, 16384)}
        peers |= {f"loader {size}": partial(loader, x, head, size) for size in (64, 128)}
        for name, peer in peers.items():
            with torch.inference_mode():
                theirs = timed(1, peer)
            ratio = theirs.cpu[0] / statistics.median(ours.cpu)
            apart = (theirs.result - ours.result).abs().max()
            print(f"  {name}: {theirs}: {ratio:.1f} x; apart at most {apart:.1e}", flush=True)


if __name__ == "__main__":
    main()
