"""The search by low frequencies, against brute force over all pairs and turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.imaging.lowfrequency import CROPS, WAVES, Views, contrast, cosines, near_pairs, turned, views

SIDES = st.integers(1, 40)


def picture(height: int, width: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)


@given(SIDES, st.integers(1, 30))
def test_cosines_are_the_integrals_over_pixels(side: int, waves: int):
    x = (np.arange(side * 400) + 0.5) / (side * 400)
    u = np.arange(waves)[:, None]
    curves = np.where(u == 0, 1, np.sqrt(2)) * np.cos(np.pi * u * x)
    expected = curves.reshape(waves, side, -1).sum(axis=2) / x.size
    np.testing.assert_allclose(cosines(side, waves), expected, atol=1e-4)


@given(SIDES, SIDES, st.integers(0, 99))
def test_coefficients_never_differ_more_than_pixels(height: int, width: int, seed: int):
    a, b = picture(height, width, seed), picture(height, width, seed + 1)
    difference = views(a)[0, 0] - views(b)[0, 0]
    assert np.linalg.norm(difference) <= np.sqrt(np.square(a - b).mean()) * (1 + 1e-4) + 1e-3


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 99))
def test_views_are_those_of_the_cropped_image(height: int, width: int, seed: int):
    image = picture(height, width, seed)
    found = views(image)
    for y, crop_y in enumerate(CROPS):
        for x, crop_x in enumerate(CROPS):
            rows, columns = (slice(max(c, 0), min(c, 0) or None) for c in (crop_y, crop_x))
            np.testing.assert_allclose(found[y, x], views(image[rows, columns])[0, 0], atol=0.01)


@pytest.mark.parametrize("turn", range(8))
def test_turns_swap_coefficients_and_change_signs(turn: int):
    image = picture(17, 30, 3)
    plain = views(image)[0, 0]
    signs = (-1.0) ** np.arange(WAVES)
    expected = plain.T if turn & 4 else plain
    expected = expected * (signs[:, None] if turn & 1 else 1) * (signs if turn & 2 else 1)
    np.testing.assert_allclose(views(turned(image, turn))[0, 0], expected, atol=0.01)


def test_a_gradient_of_light_is_hardly_any_contrast():
    y, x = np.mgrid[0:50, 0:60].astype(np.float32)
    light = 2 * y + x
    assert contrast(views(light)[0, 0]) < 0.15 * light.std()
    assert contrast(views(picture(8, 8, 1))[0, 0]) > 40
    assert contrast(np.full((3, 1, 1), 7, np.float32).repeat(2, 1).repeat(2, 2)).tolist() == [7, 7, 7]


def some_views(rng: np.random.Generator, base: NDArray[np.float32], n: int) -> Views:
    """Return turned and disturbed versions of a few pictures, square and not."""
    waves, sides = [], []
    for _ in range(n):
        turn = int(rng.integers(8))
        square = bool(rng.integers(2))
        image = base[rng.integers(len(base))]
        image = turned(image if square else image[:-6], turn)
        waves.append(views(image + rng.normal(0, 1.5, image.shape).astype(np.float32))[0, 0])
        sides.append(image.shape)
    reach = rng.uniform(0, 3, n).astype(np.float32)
    return Views(rng.permutation(n).astype(np.int64), np.array(sides), np.array(waves), reach)


def apart_when_turned(a: NDArray[np.float32], b: NDArray[np.float32], turn: int) -> float:
    signs = (-1.0) ** np.arange(WAVES)
    other = b.T if turn & 4 else b
    return float(np.linalg.norm(a - other * (signs[:, None] if turn & 1 else 1) * (signs if turn & 2 else 1)))


def brute_force(a: Views, b: Views, *, once: bool) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for i in range(len(a.rows)):
        for j in range(len(b.rows)):
            if a.rows[i] == b.rows[j] or (once and a.rows[i] > b.rows[j]):
                continue
            for turn in range(8):
                sides = b.sides[j][::-1] if turn & 4 else b.sides[j]
                if tuple(sides) != tuple(a.sides[i]):
                    continue
                apart = apart_when_turned(a.waves[i], b.waves[j], turn)
                pair = int(a.rows[i]), int(b.rows[j])
                if apart <= min(a.reach[i], b.reach[j]) and apart < found.get(pair, np.inf):
                    found[pair] = apart
    return found


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([1, 2]))
def test_the_search_finds_what_brute_force_finds(seed: int, once: bool, threads: int):
    rng = np.random.default_rng(seed)
    base = rng.uniform(0, 255, (3, 20, 20)).astype(np.float32)
    a = some_views(rng, base, 40)
    b = a if once else some_views(rng, base, 30)
    told: list[tuple[int, int]] = []
    pairs = near_pairs(a, b, threads=threads, report=lambda done, total: told.append((done, total)))
    found = dict(
        zip(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True), pairs.distance, strict=True)
    )
    assert len(found) == len(pairs.first)
    expected = brute_force(a, b, once=once)
    assert 0 < len(expected) < 400
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[p] for p in expected], list(expected.values()), rtol=1e-3, atol=1e-3)
    for first, second, turn, distance in zip(
        pairs.first, pairs.second, pairs.turn.tolist(), pairs.distance, strict=True
    ):
        one, other = a.waves[a.rows == first][0], b.waves[b.rows == second][0]
        np.testing.assert_allclose(apart_when_turned(one, other, turn), distance, rtol=1e-3, atol=1e-3)
    assert told[-1] == (40, 40)


def test_many_pairs_of_one_image_are_all_returned():
    waves = np.repeat(views(picture(9, 9, 0))[0, 0][None], 300, axis=0)
    same = Views(np.arange(300), np.full((300, 2), 9), waves, np.ones(300, np.float32))
    pairs = near_pairs(same, same, threads=1, report=lambda done, total: None)
    assert len(pairs.first) == 300 * 299 // 2
    assert (pairs.first < pairs.second).all()
    assert not pairs.turn.any()
    none = Views(same.rows[:0], same.sides[:0], same.waves[:0], same.reach[:0])
    assert not len(near_pairs(none, none, threads=1, report=lambda done, total: None).first)
