import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.nn.augment import Geometry, IntensityChanges
from bench.nn.backbone import Architecture
from bench.nn.convnets import build
from bench.nn.schedules import Cosine
from bench.nn.simclr import SimClrSettings, SimClrTraining, collapsed, nt_xent, spread
from bench.nn.training import Draw, Epochs, Steps, seeded, train
from tests.methods import make_run
from tests.nn.test_dino import SIDE, images


def views(b: int = 6, d: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(b, d, generator=g), torch.randn(b, d, generator=g)


def task(steps: int = 20, batch: int = 8, **changes: Any) -> SimClrTraining:
    data = images()
    backbone, features = build(Architecture("conv5", "native", "none"), (1, SIDE, SIDE), 3, width=2)
    known: dict[str, Any] = {
        "view": Geometry((0.5, 1.0), degrees=180, flip=True),
        "intensity": IntensityChanges(brightness=0.2),
        "rate": Cosine(5e-3, 0.0, 0.1),
        "weight_decay": 0.01,
        "temperature": 0.5,
        "outputs": 8,
        **changes,
    }
    with seeded(3):
        epochs = Epochs(len(data), batch, 3)
        return SimClrTraining(data, backbone, features, SimClrSettings(**known), epochs=epochs, steps=steps)


def draw(step: int = 0) -> Draw:
    return Draw(step, 0, 0, 1, np.random.default_rng(step), torch.Generator().manual_seed(step))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("b", [1, 2, 7])
def test_the_loss_is_that_of_the_paper_written_out(b: int, temperature: float) -> None:
    first, second = views(b)
    z = [v / np.linalg.norm(v) for v in torch.stack([first, second], 1).reshape(2 * b, -1).double().numpy()]

    def one(i: int, j: int) -> float:  # equation 1; here 2k and 2k + 1 are partners
        s = [math.exp(float(z[i] @ z[m]) / temperature) for m in range(2 * b)]
        return -math.log(s[j] / sum(s[m] for m in range(2 * b) if m != i))

    wanted = sum(one(2 * k, 2 * k + 1) + one(2 * k + 1, 2 * k) for k in range(b)) / (2 * b)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(wanted, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_the_loss_is_that_of_lightly(temperature: float) -> None:
    lightly = pytest.importorskip("lightly.loss", reason="lightly is an extra of the tests")
    first, second = views(16, 12, seed=1)
    wanted = lightly.NTXentLoss(temperature=temperature)(first, second)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(float(wanted), rel=1e-5)


@settings(max_examples=25)
@given(b=st.integers(2, 9), seed=st.integers(0, 99), factor=st.floats(0.01, 100))
def test_the_loss_knows_neither_lengths_nor_order_nor_which_view_is_first(
    b: int, seed: int, factor: float
) -> None:
    first, second = views(b, seed=seed)
    order = torch.randperm(b, generator=torch.Generator().manual_seed(seed))
    found = nt_xent(first, second, 0.5)
    torch.testing.assert_close(nt_xent(second, first, 0.5), found)
    torch.testing.assert_close(nt_xent(first[order], second[order], 0.5), found)
    torch.testing.assert_close(nt_xent(first * factor, second, 0.5), found, rtol=1e-4, atol=1e-5)


def test_alike_images_cost_the_log_of_the_others() -> None:
    same = torch.ones(5, 3)
    assert float(nt_xent(same, same, 0.1)) == pytest.approx(math.log(9), rel=1e-6)


def test_the_spread_is_0_for_one_direction_and_1_for_all() -> None:
    assert float(spread(torch.ones(4, 3) * torch.arange(1, 5)[:, None])) < 1e-3
    axes = torch.cat([torch.eye(3), -torch.eye(3)])
    assert float(spread(axes)) == pytest.approx(1)
    assert float(spread(torch.eye(2))) == pytest.approx(math.sqrt(0.5))  # at right angles


def test_a_batch_holds_two_views_of_each_image_partners_half_a_batch_apart() -> None:
    t = task(view=Geometry(), intensity=IntensityChanges())
    x = t.batch(draw())
    assert x.shape == (16, 1, SIDE, SIDE)
    torch.testing.assert_close(x[:8], x[8:])  # nothing is changed: partners are equal
    wanted = images().pixels[Epochs(32, 8, 3).batch(0)] / 255
    np.testing.assert_allclose(x[:8].numpy(), wanted, atol=1e-5)
    changed = task().batch(draw())
    assert (changed[:8] - changed[8:]).abs().mean(dim=(1, 2, 3)).min() > 0.01


@pytest.mark.slow
def test_the_loss_falls_and_the_spread_is_watched(tmp_path: Path) -> None:
    curve = train(task(60, batch=32), Steps(60, 32), make_run(checkpoints=tmp_path))
    assert np.mean(curve.losses[-10:]) < np.mean(curve.losses[:10]) - 0.2
    assert set(curve.watched[-1][1]) == {"feature_spread", "spread"}
    assert collapsed(curve.watched) is None


def test_features_and_projections_are_watched_apart() -> None:
    t = task()
    x = t.batch(draw())
    t(x, draw())
    h = t.backbone(x).detach()
    wanted = {"feature_spread": spread(h).item(), "spread": spread(t.head(h).detach()).item()}
    assert t.watch() == pytest.approx(wanted, abs=1e-5)


def test_images_all_alike_are_a_collapse_and_told(tmp_path: Path) -> None:
    t = task(20, view=Geometry(), intensity=IntensityChanges())
    t._images.pixels[:] = 7
    curve = train(t, Steps(20, 8), make_run(checkpoints=tmp_path))
    assert curve.losses[-1] == pytest.approx(math.log(15), abs=1e-3)
    assert "nearly the same projections" in str(collapsed(curve.watched))


@pytest.mark.parametrize(
    ("features", "projections", "said"),
    [(0.5, 0.9, None), (0.5, 0.001, "projections"), (0.001, 0.9, "features"), (0.5, math.nan, "projections")],
)
def test_each_way_to_collapse_is_told(features: float, projections: float, said: str | None) -> None:
    early = [(i, {"feature_spread": 0.5, "spread": 0.5}) for i in range(27)]
    late = [(i, {"feature_spread": features, "spread": projections}) for i in range(27, 30)]
    found = collapsed(early + late)
    assert found is None if said is None else found is not None and said in found
    assert collapsed([]) is None


def test_vectors_do_not_decay_and_the_rate_follows_the_schedule() -> None:
    t = task(steps=11)
    optimizer = t.optimizer()
    t.before_step(10, optimizer)
    decaying, others = optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in others["params"]} == {1}
    assert decaying["lr"] == others["lr"] == pytest.approx(0.0)
    assert len(decaying["params"]) + len(others["params"]) == len(list(t.parameters()))
    t.before_step(2, optimizer)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(5e-3)
