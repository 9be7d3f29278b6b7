import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.images import Prepared
from bench.nn.augment import Geometry, IntensityChanges
from bench.nn.backbone import Architecture, build
from bench.nn.dino import Crops, DinoSettings, DinoTraining, Head, Schedules, collapsed, dino_loss
from bench.nn.schedules import Cosine, Linear
from bench.nn.training import Draw, Epochs, Steps, seeded, train
from tests.methods import make_run

SIDE, K = 16, 24


def images(n: int = 32) -> Prepared:
    """Four kinds of stripes, so that there is something to learn."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = [x / 2, y / 2, (x + y) / 3, x * 0]
    pixels = np.stack([128 + 100 * np.sin(waves[i % 4] + rng.uniform(0, 6)) for i in range(n)])
    pixels = np.clip(pixels + rng.normal(0, 5, pixels.shape), 0, 255).astype(np.uint8)[:, None]
    return Prepared(pixels, np.arange(n), [str(i) for i in range(n)])


def task(
    steps: int = 20, *, batch: int = 8, small: int = 2, accumulate: int = 1, **changes: Any
) -> DinoTraining:
    options = (("embed_dim", 24), ("depth", 2), ("num_heads", 2), ("patch_size", 4))
    a = Architecture("vit_tiny_patch16_224", pool="token", options=options)
    backbone = build(a, (1, SIDE, SIDE), 3, dynamic_img_size=True)
    schedules = Schedules(
        rate=Cosine(changes.pop("rate", 2e-3), 1e-5, 0.1),
        weight_decay=Cosine(0.04, 0.4),
        momentum=Cosine(0.9, 1.0),
        teacher_temperature=Linear(0.04, 0.07, 0.3),
        freeze_last=changes.pop("freeze_last", 0.0),
    )
    crops = Crops(
        SIDE,
        8,
        small,
        (0.4, 1.0),
        (0.05, 0.4),
        Geometry(degrees=180, flip=True),
        IntensityChanges(brightness=0.2),
    )
    snapshots = changes.pop("snapshots", None)
    settings = DinoSettings(crops, schedules, K, 32, 16, accumulate=accumulate, **changes)
    data = images()
    with seeded(3):
        return DinoTraining(
            data, backbone, settings, epochs=Epochs(len(data), batch, 3), steps=steps, snapshots=snapshots
        )


def draw(step: int = 0) -> Draw:
    return Draw(step, 0, 0, 1, np.random.default_rng(step), torch.Generator().manual_seed(step))


def outputs(views: int, b: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return (
        torch.randn(views * b, K, generator=g),
        torch.randn(2 * b, K, generator=g),
        torch.randn(K, generator=g),
    )


@pytest.mark.parametrize("views", [2, 3, 8])
def test_the_loss_is_that_of_the_paper_written_out(views: int) -> None:
    student, teacher, centre = outputs(views)
    s, t = student.double().reshape(views, 5, K), teacher.double().reshape(2, 5, K)
    total, terms = 0.0, 0
    for i, j in product(range(2), range(views)):
        if i == j:
            continue
        for image in range(5):
            p = np.exp(((t[i, image] - centre) / 0.05).numpy())
            q = np.exp((s[j, image] / 0.1).numpy())
            total -= float((p / p.sum() * np.log(q / q.sum())).sum())
            terms += 1
    found = dino_loss(student, teacher, views, temperature=0.1, teacher_temperature=0.05, centre=centre)
    assert float(found) == pytest.approx(total / terms, rel=1e-5)


@pytest.mark.parametrize("views", [2, 5])
def test_the_loss_is_that_of_lightly(views: int) -> None:
    lightly = pytest.importorskip("lightly.loss", reason="lightly is an extra of the tests")
    student, teacher, centre = outputs(views, seed=1)
    oracle = lightly.DINOLoss(output_dim=K, student_temp=0.1, center_momentum=0.9)
    for buffer in oracle.buffers():  # its centre stands in a module of its own
        buffer.copy_(centre.expand_as(buffer))
    wanted = oracle(list(teacher.chunk(2)), list(student.chunk(views)), teacher_temp=0.06)
    found = dino_loss(student, teacher, views, temperature=0.1, teacher_temperature=0.06, centre=centre)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_no_gradient_reaches_the_teacher() -> None:
    student, teacher, centre = (x.requires_grad_() for x in outputs(4))
    dino_loss(student, teacher, 4, temperature=0.1, teacher_temperature=0.04, centre=centre).backward()
    assert student.grad is not None
    assert teacher.grad is None
    assert centre.grad is None


def test_the_head_gives_cosines_with_prototypes_of_length_one() -> None:
    head = Head(6, 9, hidden=8, bottleneck=5)
    x = torch.randn(4, 6)
    wanted = F.normalize(head.layers(x)) @ F.normalize(head.prototypes).T
    torch.testing.assert_close(head(x), wanted)
    assert float(head(x).detach().abs().max()) <= 1 + 1e-6
    assert sum(p.numel() for p in head.parameters()) == (6 * 8 + 8) + (8 * 8 + 8) + (8 * 5 + 5) + 9 * 5


def test_the_teacher_is_the_exact_average_of_students_and_the_centre_of_its_outputs() -> None:
    t = task(steps=10)
    optimizer = t.optimizer()
    mean = {k: v.clone().double() for k, v in t.teacher.named_parameters()}
    centre = t.centre.clone().double()
    for step in range(10):
        t.before_step(step, optimizer)
        t.train()
        t.teacher.eval()
        batch = t.batch(draw(step))
        with torch.no_grad():
            out = t.teacher(batch[0]).double()
        t(batch, draw(step)).backward()
        optimizer.step()
        optimizer.zero_grad()
        t.after_step(step)
        m = 1 - (1 - 0.9) * (math.cos(math.pi * step / 9) + 1) / 2
        for name, p in t.student.named_parameters():
            mean[name] = m * mean[name] + (1 - m) * p.detach().double()
        centre = 0.9 * centre + 0.1 * out.mean(0)
    moved = [
        not torch.equal(p, q) for p, q in zip(t.teacher.parameters(), t.student.parameters(), strict=True)
    ]
    assert all(moved)
    for name, p in t.teacher.named_parameters():
        torch.testing.assert_close(p.double(), mean[name], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(t.centre.double(), centre, atol=1e-6, rtol=1e-5)


def test_views_are_large_and_small_and_stand_view_by_view() -> None:
    t = task(small=3)
    large, small = t.batch(draw())
    assert large.shape == (16, 1, SIDE, SIDE)
    assert small.shape == (24, 1, 8, 8)
    rows = Epochs(32, 8, 3).batch(0)
    means = images().pixels[rows].mean(axis=(1, 2, 3)) / 255
    both = large.mean(dim=(1, 2, 3)).reshape(2, 8).mean(0)
    assert np.corrcoef(both.numpy(), means)[0, 1] > 0.5


@pytest.mark.slow
def test_the_loss_falls_to_the_teachers_entropy_when_one_batch_is_fitted_again_and_again() -> None:
    t = task(steps=100)
    optimizer = t.optimizer()
    batch = t.batch(draw())
    t.centre.copy_(t.teacher(batch[0]).mean(0))
    losses = []
    for step in range(100):
        t.before_step(step, optimizer)
        loss = t(batch, draw())
        losses.append(float(loss.detach()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    least = t.watch()["teacher_entropy"] * math.log(K)
    assert losses[-1] - least < 0.2 * (losses[0] - least)


def test_prototypes_rest_at_first() -> None:
    t = task(steps=10, freeze_last=0.5)
    optimizer = t.optimizer()
    head: Any = t.student[1]
    before = head.prototypes.detach().clone()
    for step in range(10):
        t.before_step(step, optimizer)
        t(t.batch(draw(step)), draw(step)).backward()
        t.before_update(step)
        optimizer.step()
        optimizer.zero_grad()
        t.after_step(step)
        assert torch.equal(head.prototypes, before) == (step < 5)


def test_vectors_do_not_decay_and_rates_follow_the_schedule() -> None:
    t = task(steps=11)
    optimizer = t.optimizer()
    t.before_step(10, optimizer)
    decaying, others = optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (pytest.approx(0.4), 0.0)
    assert {p.ndim for p in others["params"]} == {1}
    assert decaying["lr"] == others["lr"] == pytest.approx(1e-5)


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_step_add_up_to_the_images_of_the_whole(tmp_path: Path, parts: int) -> None:
    whole, split = task(steps=4), task(steps=4, accumulate=parts)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    a = train(whole, Steps(4, 8), make_run(checkpoints=tmp_path / "a"))
    b = train(split, Steps(4, 8, accumulate=parts), make_run(checkpoints=tmp_path / "b"))
    assert a.losses == pytest.approx(b.losses, abs=0.15)  # other crops: each part draws its own
    seen = [
        split.batch(Draw(1, p, 0, 1, np.random.default_rng(), torch.Generator()))[0].shape[0]
        for p in range(parts)
    ]
    assert sum(seen) == 16


def test_snapshots_are_the_teacher_after_so_many_steps(tmp_path: Path) -> None:
    places = {tmp_path / "start": 0, tmp_path / "middle": 3, tmp_path / "end": 5, tmp_path / "never": 6}
    t = task(steps=5, snapshots=places)
    start = {k: v.clone() for k, v in t.teacher[0].state_dict().items()}
    t.keep_snapshots(0)
    train(t, Steps(5, 8), make_run(checkpoints=tmp_path))
    shorter = task(steps=5)
    train(shorter, Steps(3, 8), make_run(checkpoints=tmp_path))
    wanted = {"start": start, "middle": shorter.teacher[0].state_dict(), "end": t.teacher[0].state_dict()}
    for name, state in wanted.items():
        kept = load_file(tmp_path / name)
        assert kept.keys() == state.keys()
        assert all(torch.equal(kept[k], state[k]) for k in kept)
    assert not (tmp_path / "never").exists()


def watched(own: float, mean: float, spread: float) -> list[tuple[int, dict[str, float]]]:
    return [(i, {"teacher_entropy": own, "mean_entropy": mean, "spread": spread}) for i in range(30)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.9, 0.95, 0.0), "same output"),
        ((0.001, 0.002, 0.1), "one prototype"),
        ((0.9999, 0.9999, 0.05), "uniform"),
        ((0.4, 0.9, 0.1), None),
    ],
)
def test_each_way_to_collapse_is_told(values: tuple[float, float, float], said: str | None) -> None:
    found = collapsed(watched(*values))
    assert found is None if said is None else found is not None and said in found


@pytest.mark.slow
def test_without_centring_and_sharpening_the_collapse_is_seen(tmp_path: Path) -> None:
    t = task(steps=120, batch=32, small=0, centre_momentum=1.0)
    t._schedules = Schedules(  # a teacher as soft as can be, that follows at once
        Cosine(2e-2, 2e-2), Cosine(0.0, 0.0), Cosine(0.5, 0.5), Linear(5.0, 5.0)
    )
    curve = train(t, Steps(120, 32), make_run(checkpoints=tmp_path))
    assert collapsed(curve.watched) is not None
