import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.nn.autoencoders import published_count
from bench.nn.patch_context import (
    POSITIONS,
    Form,
    Positions,
    Siamese,
    confusion,
    form,
    pairs,
    patches,
    settle,
)
from bench.nn.training import Draw, Epochs, Steps, seeded, train
from tests.methods import make_run, prepared


def network(merge: Any = "add", patch: int = 31, channels: int = 3, **options: Any) -> Siamese:
    with seeded(0):
        made = Siamese(Form(channels, 3 * patch, patch), merge=merge, **options)
        for module in made.modules():  # as after a training: no statistic or factor is 0 or 1
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                for values in (module.running_mean, module.running_var, module.weight, module.bias):
                    assert values is not None
                    torch.nn.init.uniform_(values, 0.2, 1.5)
    return made


@pytest.mark.parametrize(
    ("patch_size", "parameters", "features"), [(None, 14_036, 100), (100, 13_012, 36), (103, 13_460, 64)]
)
def test_the_published_count(patch_size: int | None, parameters: int, features: int) -> None:
    made = Siamese(form((3, 400, 400), 3, None, patch_size))
    assert published_count(made) == parameters
    assert made.width == features


def test_the_published_rows() -> None:
    made = Siamese(form((3, 400, 400), 3, None, None))
    rows = [published_count(layer) for layer in (*made.branch, *made.head) if published_count(layer)]
    assert rows == [12, 1792, 256, 9232, 64, 580, 16, 1616, 64, 272, 64, 68]
    assert sum(b.numel() for name, b in made.named_buffers() if "running" in name) == 238
    shapes, x = [], torch.zeros(1, 3, 133, 133)
    for layer in (*made.branch.eval(), *made.pool):
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert [s for i, s in enumerate(shapes) if i == 0 or s != shapes[i - 1]] == [
        (3, 133, 133),
        (64, 66, 66),
        (16, 32, 32),
        (4, 15, 15),
        (4, 5, 5),
        (100,),
    ]


def test_add_cannot_tell_its_inputs_apart_and_others_can() -> None:
    g = torch.Generator().manual_seed(1)
    a, b = torch.rand(2, 5, 3, 31, 31, generator=g)
    for merge in ("add", "concat", "sub"):
        made = network(merge).eval()
        one, other = made(a, b), made(b, a)
        assert one.shape == (5, 4)
        assert torch.equal(one, other) == (merge == "add")
        if merge != "add":
            assert (one - other).abs().max() > 1e-3
    sub = network("sub").eval()
    assert torch.equal(sub(a, a), sub(b, b))


def test_both_patches_pass_one_branch() -> None:
    made = network("concat").eval()
    a, b = torch.rand(2, 3, 3, 31, 31, generator=torch.Generator().manual_seed(1))
    apart = made.head(made.pool(torch.cat([made.branch(a), made.branch(b)], dim=1)))
    torch.testing.assert_close(made(a, b), apart)


def sliced(image: np.ndarray, place: tuple[int, int], patch: int) -> np.ndarray:
    """Cut one patch by the words of the definition, pixel by pixel."""
    c, h, w = image.shape
    found = np.empty((c, patch, patch), image.dtype)
    for i in range(patch):
        for j in range(patch):
            row = place[0] * (h // 3) + (h // 3 - patch) // 2 + i
            column = place[1] * (w // 3) + (w // 3 - patch) // 2 + j
            found[:, i, j] = image[:, row, column]
    return found


@settings(max_examples=30)
@given(st.integers(3, 20), st.integers(3, 20), st.integers(1, 3), st.data())
def test_patches_are_slices(h: int, w: int, c: int, data: st.DataObject) -> None:
    patch = data.draw(st.integers(1, min(h, w) // 3))
    places = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    x = np.random.default_rng(0).random((len(places), c, h, w), np.float32)
    cells = patches(torch.from_numpy(x), patch).numpy()
    middle, neighbour = pairs(torch.from_numpy(x), torch.tensor(places), patch)
    where = {"up": (0, 1), "down": (2, 1), "left": (1, 0), "right": (1, 2)}
    for i, place in enumerate(places):
        for row in range(3):
            for column in range(3):
                np.testing.assert_array_equal(cells[i, row, column], sliced(x[i], (row, column), patch))
        np.testing.assert_array_equal(middle[i].numpy(), sliced(x[i], (1, 1), patch))
        np.testing.assert_array_equal(neighbour[i].numpy(), sliced(x[i], where[POSITIONS[place]], patch))


def test_of_400_px_one_is_left_over_and_of_399_none() -> None:
    x = torch.arange(400 * 400).reshape(1, 1, 400, 400)
    large, exact = patches(x, 133), patches(x[:, :, :399, :399], 133)
    assert large.shape == (1, 3, 3, 1, 133, 133)
    assert torch.equal(large, exact)
    assert int(large[0, 2, 2, 0, -1, -1]) == 398 * 400 + 398
    assert large.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()  # nothing is copied


def test_what_is_too_small_is_said() -> None:
    assert form((3, 93, 93), 3, None, None) == Form(3, 93, 31)
    for wrong, said in (
        (((3, 92, 92), 3, None, None), "3 x 3 grid of 92 px images: patches of 30 px .* needs 31; .* 93"),
        (((3, 2, 2), 3, None, None), "patches of 0 px"),
        (((3, 400, 400), 3, 64, None), "64 px images"),
        (((3, 400, 400), 3, None, 134), "134 px, but .* 400 px images has cells of 133 px; .* to 402"),
        (((3, 400, 400), 3, None, 30), "patch_size: patches of 30 px"),
    ):
        with pytest.raises(DataError, match=said):
            form(*wrong)


def ramps(n: int, side: int = 93) -> np.ndarray:
    """Return images whose first channel brightens downwards, the second to the right, from anywhere."""
    rng = np.random.default_rng(0)
    slopes = np.indices((side, side)) * (90 / side)
    light = rng.uniform(0, 165, (n, 2))[:, :, None, None] + slopes
    return np.asarray(light.astype(np.uint8))


def learnt(merge: Any, steps: int) -> tuple[float, np.ndarray]:
    """Train on ramps; return the last accuracy in training, and the answers for other images."""
    images = prepared(ramps(80))
    made = Siamese(Form(2, 93, 31), width=4, merge=merge, dropout=0.0)
    rows = np.arange(64)
    task = Positions(images, rows, made, epochs=Epochs(4 * 64, 32, 0), rate=0.1, momentum=0.9)
    run = make_run()
    train(task, Steps(steps, 32), run)
    curve: Any = run.facts["curve"]
    return curve["accuracy"][-1][1], confusion(made, images, np.arange(64, 80))


@pytest.mark.slow
def test_order_is_learnt_where_only_order_tells_but_not_after_add() -> None:
    with seeded(0):
        seen, counts = learnt("sub", 60)
        assert counts.sum(axis=1).tolist() == [16] * 4
        assert counts.trace() / counts.sum() > 0.9
        assert seen > 0.9
        seen, counts = learnt("add", 60)
    assert seen < 0.75
    assert counts.trace() / counts.sum() < 0.75


@pytest.mark.slow
def test_statistics_are_those_of_the_network_without_dropout() -> None:
    with seeded(0):
        images, rows = prepared(ramps(20)), np.arange(20)
        made = Siamese(Form(2, 93, 31), width=4, dropout=0.5)
        target = torch.arange(4).repeat(20)
        x = made.fitted(torch.from_numpy(images.pixels).float() / 255).repeat_interleave(4, 0)
        seen = pairs(x, target, 31)
        for _ in range(200):
            made.train()(*seen)  # the statistics of a training, of values with dropout
        sharp = made.eval()
        for module in sharp.modules():
            module.train(isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d))
        with torch.no_grad():
            wanted = copy.deepcopy(sharp)(*seen)
            before = made.eval()(*seen)
            weights = copy.deepcopy(list(made.parameters()))
            settle(made, images, rows, seed=0, batch=80)
            after = made(*seen)
    assert (before - wanted).abs().max() > 0.1
    torch.testing.assert_close(after, wanted, atol=0.05, rtol=0)  # running variances are over n - 1
    assert all(torch.equal(a, b) for a, b in zip(weights, made.parameters(), strict=True))


def test_every_pair_is_seen_once_an_epoch_and_only_of_chosen_images() -> None:
    images = prepared(np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(93, 2).repeat(93, 3))
    rows = np.array([1, 3, 4])
    task = Positions(images, rows, network(channels=1), epochs=Epochs(12, 6, 5), rate=0.1, momentum=0.9)
    seen = []
    for step in range(2):
        draw = Draw(step, 0, 0, 1, np.random.default_rng(0), torch.Generator())
        middle, neighbour, target = task.batch(draw)
        assert torch.equal(middle, neighbour)
        seen += [(round(255 * float(m.mean())), int(t)) for m, t in zip(middle[:, 0], target, strict=True)]
    assert sorted(seen) == [(row, place) for row in rows for place in range(4)]
