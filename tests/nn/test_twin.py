"""The twin's training: its published schedule, alone and in two processes that must not part."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import DataError
from bench.nn.backbone import Architecture, build
from bench.nn.training import Draw, Steps, train
from bench.nn.twin import BalancedPairs, TwinNetwork, TwinSettings, TwinTraining
from tests.methods import make_run
from tests.methods.pair_models.test_twin import images

EPOCH, PATIENCE = 100, 20


def task(batch: int = 8, accumulate: int = 1) -> TwinTraining:
    data = images()
    assert data.labels is not None
    torch.manual_seed(0)
    backbone = build(Architecture("test_resnet", channels="rgb", normalise="none"), data.shape, 0)
    network = TwinNetwork(backbone, "optimal", 8, None)
    settings = TwinSettings(60, batch, 0.01, 0.01, "plateau", 0.0)
    return TwinTraining(data, BalancedPairs(data.labels, list(data.classes)), network, settings, accumulate)


def rates(losses: list[float]) -> list[float]:
    """Return the rate of each epoch after the first, given the mean loss of the one before."""
    twin = task()
    optimizer = twin.optimizer()
    found = []
    for epoch, loss in enumerate(losses, 1):
        twin.plateau[3], twin.plateau[4] = loss * EPOCH, EPOCH
        twin.before_step(epoch * EPOCH, optimizer)
        found.append(float(optimizer.param_groups[0]["lr"]))
    return found


def test_the_rate_is_halved_when_the_loss_has_not_improved_for_longer_than_the_patience() -> None:
    flat = rates([1.0] * (2 * PATIENCE + 4))  # the first sets the best, then PATIENCE + 1 bad ones halve
    assert flat == [0.01] * (PATIENCE + 1) + [0.005] * (PATIENCE + 1) + [0.0025] * 2
    reference = torch.optim.SGD([torch.zeros(1)], lr=0.01)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(reference, factor=0.5, patience=PATIENCE)
    losses = list(np.random.default_rng(0).uniform(0.9, 1.1, 120))
    expected = []
    for loss in losses:
        plateau.step(loss)
        expected.append(reference.param_groups[0]["lr"])
    assert rates(losses) == pytest.approx(expected)
    assert expected[-1] < 0.005


def test_pairs_that_do_not_divide_into_balanced_parts_are_refused() -> None:
    draw = Draw(0, 0, 0, 2, np.random.default_rng(0), torch.Generator())
    with pytest.raises(DataError, match=r"6 pairs do not divide .* for 2 processes; make it a multiple of 4"):
        task(6).batch(draw)
    _, same = task(8).batch(draw)
    assert same.tolist() == [1, 0, 1, 0]


DISTRIBUTED = """
import os, sys
from tests.nn.test_twin import trained
trained(sys.argv[1], os.environ["RANK"])
"""


def trained(folder: str, rank: str) -> None:
    """Train one of the processes, with an epoch of two steps and no patience, and save where it ended."""
    import bench.nn.twin as module

    settings: Any = module
    settings._EPOCH, settings._PATIENCE = 2, 0
    place = Path(folder) / rank
    place.mkdir()
    twin = task()
    train(twin, Steps(60, 16), make_run(0, checkpoints=place))
    torch.save(twin.state_dict(), Path(folder) / f"{rank}.pt")


@pytest.mark.slow
def test_two_processes_keep_one_rate_and_one_network(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(DISTRIBUTED)
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, *launcher, str(script), str(tmp_path)]
    subprocess.run(command, check=True, timeout=300, env=environment)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in "01")
    assert first["plateau"][0] < 0.1
    torch.testing.assert_close(first["plateau"][:3], second["plateau"][:3], rtol=0, atol=0)
    for name, value in first.items():
        if name.startswith("network.") and "running" not in name:
            torch.testing.assert_close(value, second[name], rtol=0, atol=0)
