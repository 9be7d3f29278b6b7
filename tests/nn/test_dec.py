from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import nn

from bench.errors import DataError
from bench.nn.autoencoders import Autoencoder
from bench.nn.dec import (
    Embedded,
    Refinement,
    RefinementSettings,
    Vectors,
    divergence,
    linear_autoencoder,
    soft_assignments,
    target_distribution,
)
from bench.nn.training import Draw, Epochs, Steps, train
from tests.methods import blobs, make_run, same_partition

DEFAULTS: dict[str, Any] = {"kl_weight": 0.1, "reconstruction_weight": 1.0, "update": 10, "tolerance": 0.0}
DEFAULTS |= {"n_init": 3, "optimizer": "adam", "rate": 1e-2, "momentum": 0.9, "seed": 0}


def refinement(features: np.ndarray, k: int = 3, batch: int = 16, **changes: Any) -> Refinement:
    embedded = Embedded(linear_autoencoder(features, 2, 0), k, 2, 1.0)
    epochs = Epochs(len(features), batch, 0)
    return Refinement(Vectors(features), embedded, epochs, RefinementSettings(**{**DEFAULTS, **changes}))


def draw(step: int) -> Draw:
    return Draw(step, 0, 0, 1, np.random.default_rng(step), torch.Generator().manual_seed(step))


@given(
    n=st.integers(1, 12),
    k=st.integers(1, 5),
    alpha=st.sampled_from([0.5, 1.0, 3.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_assignments_target_and_divergence_are_those_of_the_paper_written_out(n, k, alpha, seed) -> None:
    rng = np.random.default_rng(seed)
    z, centres = rng.normal(size=(n, 3)) * 2, rng.normal(size=(k, 3)) * 2
    q = np.array([[(1 + ((a - c) ** 2).sum() / alpha) ** (-(alpha + 1) / 2) for c in centres] for a in z])
    q /= q.sum(1, keepdims=True)
    found = soft_assignments(torch.from_numpy(z), torch.from_numpy(centres), alpha)
    np.testing.assert_allclose(found.numpy(), q, rtol=1e-9)
    p = np.zeros_like(q)
    for i in range(n):
        total = sum(q[i, j] ** 2 / q[:, j].sum() for j in range(k))
        for j in range(k):
            p[i, j] = q[i, j] ** 2 / q[:, j].sum() / total
    np.testing.assert_allclose(target_distribution(found).numpy(), p, rtol=1e-9)
    kl = sum(p[i, j] * np.log(p[i, j] / q[i, j]) for i in range(n) for j in range(k)) / n
    assert float(divergence(torch.from_numpy(p), found)) == pytest.approx(kl, rel=1e-6, abs=1e-12)


def test_far_codes_give_finite_gradients() -> None:
    codes = torch.tensor([[1e4, 0.0], [0.0, 0.0]], requires_grad=True)
    q = soft_assignments(codes, torch.zeros(2, 2), 1.0)
    divergence(target_distribution(q).detach(), q).backward()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


def test_a_cluster_that_no_code_reaches_stays_empty() -> None:
    q = soft_assignments(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2000.0]]), 100.0)
    assert q[:, 1].tolist() == [0, 0]
    assert target_distribution(q).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(("n", "d"), [(50, 6), (4, 9)])
def test_the_linear_autoencoder_is_that_of_principal_components(n: int, d: int) -> None:
    x = (np.random.default_rng(0).normal(size=(n, d)) * np.arange(1, d + 1) + 3).astype(np.float32)
    model = linear_autoencoder(x, 3, 0)
    codes = model.encode(torch.from_numpy(x)).detach()
    assert float(codes.square().mean()) == pytest.approx(1, rel=1e-4)
    again = (model.decoder(codes) * model.scale + model.offset).detach().numpy()
    pca = PCA(3, random_state=0).fit(x)
    np.testing.assert_allclose(again, pca.inverse_transform(pca.transform(x)), atol=1e-3)


def test_it_starts_from_k_means_and_the_target_is_of_all_inputs() -> None:
    x, truth = blobs((20, 30, 14))
    task = refinement(x)
    task.before_step(0, task.optimizer())
    assert same_partition(task.labels.numpy(), truth)
    codes = task.embedded.network.encode(torch.from_numpy(x)).detach()
    means = torch.stack([codes[task.labels == j].mean(0) for j in range(3)])
    torch.testing.assert_close(task.embedded.centres.detach(), means, atol=1e-4, rtol=1e-4)
    q = soft_assignments(codes, means, 1.0)
    torch.testing.assert_close(task.target, target_distribution(q), atol=1e-4, rtol=1e-3)
    _, target = task.batch(draw(0)) or (None, None)
    torch.testing.assert_close(target, task.target[torch.from_numpy(Epochs(64, 16, 0).batch(0))])


def test_the_target_changes_at_looks_only() -> None:
    x, _ = blobs((20, 30, 14), distance=3)
    task = refinement(x)
    optimizer, targets = task.optimizer(), []
    for step in range(21):
        task.before_step(step, optimizer)
        task(task.batch(draw(step)), draw(step)).backward()
        optimizer.step()
        optimizer.zero_grad()
        targets.append(task.target.clone())
    changed = [i for i in range(1, 21) if not torch.equal(targets[i], targets[i - 1])]
    assert changed == [10, 20]


@pytest.mark.slow
def test_refinement_makes_assignments_firmer_and_keeps_separate_clusters(tmp_path: Path) -> None:
    x, truth = blobs((60, 60, 60), distance=7)
    firmness = []
    for steps in (1, 300):
        (tmp_path / str(steps)).mkdir()
        task = refinement(x, kl_weight=1.0, reconstruction_weight=0.1)
        train(task, Steps(steps, 16), make_run(checkpoints=tmp_path / str(steps)))
        with torch.no_grad():
            q = task.embedded.assignments(task.embedded.network.encode(torch.from_numpy(x)))
        firmness.append(float(q.amax(1).mean()))
        assert same_partition(q.argmax(1).numpy(), truth)
    assert firmness[1] > firmness[0] + 0.05


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_when_no_labels_change_nothing_moves_any_more(tmp_path: Path, optimizer) -> None:
    x, _ = blobs((20, 30, 14))
    task = refinement(x, tolerance=1e-3, optimizer=optimizer)
    at_stop: list[dict[str, torch.Tensor]] = []
    original = task.before_step

    def watching(step: int, optimizer: torch.optim.Optimizer) -> None:
        original(step, optimizer)
        if task.stopped and not at_stop:
            at_stop.append({k: v.clone() for k, v in task.state_dict().items()})

    task.before_step = watching  # type: ignore[method-assign]  # to look on
    curve = train(task, Steps(60, 16), make_run(checkpoints=tmp_path))
    assert at_stop
    assert all(torch.equal(v, task.state_dict()[k]) for k, v in at_stop[0].items())
    assert len(set(curve.losses[-30:])) == 1
    assert curve.watched[-1][1] == {"changed": 0.0, "clusters_used": 3}


def test_statistics_of_normalisations_stay_as_they_are() -> None:
    x, _ = blobs((20, 30, 14))
    task = refinement(x)
    task.embedded.network = Autoencoder(
        nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 2)), nn.Linear(2, 5), torch.zeros(5), 1.0
    )
    before = {k: v.clone() for k, v in task.named_buffers() if "running" in k}
    task.before_step(0, task.optimizer())
    task.train()
    task(task.batch(draw(0)), draw(0))
    assert len(before) == 2
    assert all(torch.equal(v, dict(task.named_buffers())[k]) for k, v in before.items())


def test_without_reconstruction_the_decoder_rests() -> None:
    x, _ = blobs((20, 30, 14), distance=3)
    task = refinement(x, reconstruction_weight=0.0)
    before = [p.clone() for p in task.embedded.network.decoder.parameters()]
    optimizer = task.optimizer()
    task.before_step(0, optimizer)
    inputs, target = task.batch(draw(0)) or (torch.empty(0), torch.empty(0))
    q = task.embedded.assignments(task.embedded.network.encode(inputs)).detach()
    loss = task((inputs, target), draw(0))
    torch.testing.assert_close(loss.detach(), 0.1 * divergence(target, q))
    loss.backward()
    optimizer.step()
    after = list(task.embedded.network.decoder.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_codes_that_are_not_finite_are_told() -> None:
    x, _ = blobs((20, 30, 14))
    task = refinement(x)
    torch.nn.init.constant_(task.embedded.network.encoder.weight, torch.nan)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="codes are not finite; a lower learning rate"):
        task.before_step(0, task.optimizer())
