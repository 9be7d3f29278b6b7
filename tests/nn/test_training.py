import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.errors import DataError
from bench.interfaces import Run
from bench.nn.training import Curve, Draw, Epochs, Steps, Task, seeded, train

N, D = 48, 6


class Regression(Task):
    """A small network with dropout and an averaged copy: everything a restart could get wrong."""

    mean: Tensor

    def __init__(
        self, batch: int = 8, rate: float = 0.05, accumulate: int = 1, noise: float = 0.1, pause: float = 0
    ):
        super().__init__()
        rng = np.random.default_rng(1)
        self.x = torch.from_numpy(rng.normal(size=(N, D)).astype(np.float32))
        self.y = self.x @ torch.from_numpy(rng.normal(size=(D, 1)).astype(np.float32))
        self.net = nn.Sequential(nn.Linear(D, 16), nn.ReLU(), nn.Dropout(noise), nn.Linear(16, 1))
        self.register_buffer("mean", torch.zeros(16, D))
        self.epochs = Epochs(N, batch, 3)
        self.rate, self.accumulate, self.noise, self.pause = rate, accumulate, noise, pause

    def batch(self, draw: Draw) -> Any:
        time.sleep(self.pause)
        rows = self.epochs.batch(draw.step)
        rows = rows.reshape(self.accumulate, -1)[draw.part].reshape(draw.world, -1)[draw.rank]
        x = self.x[torch.from_numpy(rows)]
        x = x + self.noise * torch.randn(x.shape, generator=draw.generator)
        return x, self.y[torch.from_numpy(rows)]

    def forward(self, batch: Any, draw: Draw) -> Tensor:
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.net.parameters(), lr=self.rate)

    def after_step(self, step: int) -> None:
        first = self.net[0]
        assert isinstance(first, nn.Linear)
        self.mean.mul_(0.9).add_(first.weight.detach(), alpha=0.1)

    def watch(self) -> dict[str, float]:
        return {"norm": float(self.mean.norm())}


def run_in(folder: Path, **changes: Any) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"seed": 5, "threads": 1, "device": "cpu", "precision": "float32", **changes}
    return Run(log=logging.getLogger("test"), checkpoints=folder, report=lambda *_: None, **settings)


def trained(folder: Path, plan: Steps, **settings: Any) -> tuple[dict[str, Tensor], Curve, Run]:
    run = run_in(folder)
    with seeded(7):
        task = Regression(**settings)
    curve = train(task, plan, run)
    return task.state_dict(), curve, run


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_the_loss_falls_and_the_curve_and_speed_are_in_the_facts(tmp_path: Path) -> None:
    _, curve, run = trained(tmp_path, Steps(200, 8), noise=0.0)
    assert len(curve.losses) == 200
    assert np.mean(curve.losses[-10:]) < 0.2 * np.mean(curve.losses[:5])
    shown: Any = run.facts["curve"]
    assert shown["loss"][-1][0] == 200
    assert len(shown["loss"]) == 200
    assert [s for s, _ in shown["norm"]] == list(range(10, 201, 10))
    assert set(run.facts) == {"curve", "speed"}


def test_equal_seeds_give_equal_bits_and_other_seeds_others(tmp_path: Path) -> None:
    first, curve, _ = trained(tmp_path / "a", Steps(30, 8))
    torch.rand(7)
    second, again, _ = trained(tmp_path / "b", Steps(30, 8))
    assert equal(first, second)
    assert curve == again
    with seeded(7):
        task = Regression()
    train(task, Steps(30, 8), run_in(tmp_path / "c", seed=6))
    assert not equal(first, task.state_dict())


def test_training_leaves_the_random_state_and_threads_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    trained(tmp_path, Steps(3, 8))
    assert torch.equal(torch.rand(3), wanted)
    assert not torch.are_deterministic_algorithms_enabled()


def test_accumulated_parts_are_one_large_batch(tmp_path: Path) -> None:
    whole, _, _ = trained(tmp_path / "a", Steps(20, 8), noise=0.0)
    parts, _, _ = trained(tmp_path / "b", Steps(20, 8, accumulate=4), noise=0.0, accumulate=4)
    for name in whole:
        torch.testing.assert_close(whole[name], parts[name], rtol=1e-4, atol=1e-5)


def test_a_run_may_ask_for_more_checkpoints_than_the_method(tmp_path: Path) -> None:
    with seeded(7):
        train(Regression(), Steps(30, 8), run_in(tmp_path, checkpoint_s=0.0))
    assert sorted(p.name[:15] for p in tmp_path.glob("*.pt")) == ["step-0000000010", "step-0000000020"]


SCRIPT = """
import sys
from pathlib import Path
import torch
from tests.nn.test_training import Steps, trained
state, curve, _ = trained(Path(sys.argv[1]), Steps(60, 8, checkpoint_s=0.0), pause=float(sys.argv[2]))
torch.save([state, curve.losses, [list(w) for w in curve.watched]], sys.argv[3])
"""


def start(
    *arguments: str, env: dict[str, str] | None = None, launcher: tuple[str, ...] = ("-c", SCRIPT)
) -> Any:
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", **(env or {})}
    return subprocess.Popen([sys.executable, *launcher, *arguments], cwd=root, env=env)


def test_killed_again_and_again_it_ends_with_the_bits_of_an_undisturbed_run(tmp_path: Path) -> None:
    state, curve, _ = trained(tmp_path / "whole", Steps(60, 8, checkpoint_s=0.0))
    out, folder = tmp_path / "out.pt", tmp_path / "killed"
    folder.mkdir()
    for kills in range(2):
        process = start(str(folder), "0.05", str(out))
        before = set(folder.iterdir())
        while not {p for p in folder.iterdir() if p.suffix == ".pt"} - before:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists(), kills
    assert start(str(folder), "0", str(out)).wait() == 0
    found, losses, watched = torch.load(out, weights_only=True)
    assert equal(state, found)
    assert losses == curve.losses
    assert watched == [list(w) for w in curve.watched]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    state, curve, _ = trained(tmp_path / "whole", Steps(40, 8))
    trained(tmp_path / "cut", Steps(35, 8, checkpoint_s=0.0))  # leaves those of steps 20 and 30
    last = sorted((tmp_path / "cut").glob("*.pt"))[-1]
    assert last.name.startswith("step-0000000030.")
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 1
    last.write_bytes(data)
    again, more, _ = trained(tmp_path / "cut", Steps(40, 8))
    assert equal(state, again)
    assert curve == more


def test_a_loss_that_is_not_finite_ends_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"loss is (nan|inf) at step \d+ of 50; a lower learning rate"):
        trained(tmp_path, Steps(50, 8), rate=1e30)


def test_a_batch_larger_than_the_set_is_refused() -> None:
    with pytest.raises(DataError, match="64 images per batch, but only 48"):
        Epochs(48, 64, 0)


def test_every_epoch_has_every_image_once_in_another_order() -> None:
    epochs = Epochs(10, 5, 1)
    rounds = [np.concatenate([epochs.batch(2 * e), epochs.batch(2 * e + 1)]) for e in range(3)]
    assert all(sorted(r) == list(range(10)) for r in rounds)
    assert len({tuple(r) for r in rounds}) == 3
    assert np.array_equal(epochs.batch(1), Epochs(10, 5, 1).batch(1))


def test_a_curve_is_thinned_to_means_that_cover_every_step() -> None:
    curve = Curve([float(i) for i in range(1000)], [(i, {"x": float(i)}) for i in range(1, 1001)])
    shown: Any = curve.to_json(points=100)
    assert [s for s, _ in shown["loss"]] == list(range(10, 1001, 10))
    assert shown["loss"][0] == [10, 4.5]
    assert len(shown["x"]) == 100
    assert shown["x"][-1] == [1000, 1000.0]


DISTRIBUTED = """
import os, sys
from pathlib import Path
import torch
from tests.nn.test_training import Steps, trained
state, curve, _ = trained(Path(sys.argv[1]) / os.environ["RANK"], Steps(20, 8), noise=0.0)
torch.save([state, curve.losses], Path(sys.argv[1]) / f"{os.environ['RANK']}.pt")
"""


@pytest.mark.slow
def test_two_processes_under_torchrun_train_as_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(DISTRIBUTED)
    launcher = (
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--master-port=0",
        "--standalone",
        str(script),
    )
    assert start(str(tmp_path), launcher=launcher).wait(timeout=300) == 0
    whole, curve, _ = trained(tmp_path / "one", Steps(20, 8), noise=0.0)
    for rank in "01":
        state, losses = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert losses == pytest.approx(curve.losses, rel=1e-4)
        for name in whole:
            torch.testing.assert_close(state[name], whole[name], rtol=1e-4, atol=1e-5)
