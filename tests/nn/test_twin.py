"""The training of twin networks, where its parts can be looked at alone."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from bench.nn.twin import Twin


def judge(rank: int, folder: str) -> None:
    """One process of two, with its own losses: alone the first would halve its rate, the second would not."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    task = Twin.__new__(Twin)
    torch.nn.Module.__init__(task)
    state = [1.0, 0.7, 20.0, 70.0 - 0.02 * rank, 100.0]
    task.register_buffer("plateau", torch.tensor(state, dtype=torch.float64))
    task._judge()
    Path(folder, str(rank)).write_text(repr(task.plateau.tolist()))
    dist.destroy_process_group()


def test_processes_come_to_one_learning_rate(tmp_path: Path) -> None:
    start_processes(judge, (str(tmp_path),), nprocs=2, start_method="fork")
    first, second = (Path(tmp_path, str(rank)).read_text() for rank in (0, 1))
    assert first == second
