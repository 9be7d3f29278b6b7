"""Copies planted among drawn and real images are found; images that only look alike are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from bench.datasets.synthetic.drawing.sprites import KINDS as SPRITES
from bench.datasets.synthetic.drawing.sprites import draw
from numpy.typing import NDArray

from bench.images import BadImage, ImageSet
from bench.imaging.decode import decode
from bench.imaging.duplicates import KINDS, CopyGroup, Duplicates, Link, find_duplicates, leaking

Image = NDArray[Any]


class InMemory(ImageSet):
    def __init__(self, images: Sequence[Image | None]) -> None:
        self.images = [image if image is None or image.ndim == 3 else image[..., None] for image in images]
        first = next((image for image in self.images if image is not None), np.zeros((1, 1, 1), np.uint8))
        self.channels, self.dtype = first.shape[2], first.dtype.type
        self.table = pd.DataFrame({"id": [f"i{k}" for k in range(len(images))], "label": None})

    def read(self, row: int) -> Image:
        image = self.images[row]
        if image is None:
            raise BadImage("is empty")
        return image


@pytest.fixture(scope="module")
def drawn() -> list[Image]:
    kinds = list(SPRITES)
    return [draw(kinds[i % len(kinds)], np.random.default_rng([5, i])) for i in range(150)]


@pytest.fixture(scope="module")
def real(samples: Path) -> list[Image]:
    paths = sorted((samples / "kaggle_plankton").rglob("*.jpg"))
    return [decode(path, grey=True)[..., 0] for path in paths[::6]]


def encoded(image: Image, quality: int) -> Image:
    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def shifted(image: Image, y: int, x: int) -> Image:
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = image.shape[1], image.shape[0]
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))


def any_turn(image: Image, i: int) -> Image:
    return np.rot90(image[:, ::-1] if i & 4 else image, i % 4)


COPIES: dict[str, Callable[[Image, int], Image]] = {
    "as it is": lambda image, i: image.copy(),
    "turned": lambda image, i: any_turn(image, 1 + i % 7),
    "re-encoded": lambda image, i: encoded(image, 60 + i % 36),
    "turned and re-encoded": lambda image, i: encoded(any_turn(image, i), 60 + (i // 8) % 36),
    "shifted": lambda image, i: shifted(image, *[(0, 1), (1, 0), (-1, 0), (0, -1), (1, 1), (-1, 1)][i % 6]),
    "without a line": lambda image, i: [image[1:], image[:-1], image[:, 1:], image[:-1, :-1]][i % 4],
}


def found_of(originals: Sequence[Image], copies: Sequence[Image], **options: Any) -> tuple[int, Duplicates]:
    """Plant copies behind the originals; return how many lie in one group with theirs."""
    found = find_duplicates(InMemory([*originals, *copies]), **options)
    together = {row: group.rows for group in found.groups for row in group.rows}
    n = len(originals)
    return sum(n + i in together.get(i, ()) for i in range(n)), found


def strangers(found: Duplicates, n: int) -> int:
    """Count the groups of images that are no copies of one another."""
    return sum(len({row % n for row in group.rows}) > 1 for group in found.groups)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("which", ["drawn", "real"])
def test_planted_copies_are_found(how: str, which: str, request: pytest.FixtureRequest):
    originals: list[Image] = request.getfixturevalue(which)
    copies = [COPIES[how](image, i) for i, image in enumerate(originals)]
    hits, found = found_of(originals, copies)
    least = {"as it is": 1.0, "turned": 1.0}.get(how, 0.99)
    assert hits >= least * len(originals)
    assert strangers(found, len(originals)) <= 2
    kinds = {link.kind for group in found.groups for link in group.links}
    if how == "as it is":
        assert kinds == {"identical"}
    if how == "turned":
        assert kinds <= {"rotated", "flipped"} or strangers(found, len(originals))


def test_images_that_are_no_copies_are_not_reported(drawn: list[Image], real: list[Image]):
    assert find_duplicates(InMemory([*drawn, *real])).groups == ()


@pytest.mark.slow
def test_few_of_all_real_images_are_taken_for_copies(samples: Path):
    paths = sorted((samples / "kaggle_plankton").rglob("*.jpg"))
    groups = find_duplicates(InMemory([decode(path, grey=True) for path in paths]), threads=2).groups
    assert sum(len(group.rows) for group in groups) <= 0.001 * len(paths)


@pytest.mark.parametrize("turn", range(8))
def test_links_say_how_to_match(turn: int, drawn: list[Image]):
    image = drawn[0]
    link = find_duplicates(InMemory([image, any_turn(image, turn)])).groups[0].links[0]
    assert (link.first, link.second, link.distance) == (0, 1, 0.0)
    assert link.kind == ("identical" if turn == 0 else "flipped" if turn & 4 else "rotated")
    back = any_turn(image, turn)
    back = back[:, ::-1] if link.turn.startswith("flip") else back
    degrees = link.turn.removeprefix("flip").strip() or "0"
    np.testing.assert_array_equal(np.rot90(back, int(degrees) // 90), image)


def test_a_group_may_be_connected_by_a_chain(drawn: list[Image]):
    image = drawn[3]
    images = [drawn[0], image, encoded(np.rot90(image), 80), image.copy(), image[:, ::-1], drawn[1]]
    (group,) = find_duplicates(InMemory(images)).groups
    assert group.rows == (1, 2, 3, 4)
    assert group.kind == "near"
    assert sorted(link.kind for link in group.links) == ["flipped", "identical", "near"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 3])
def test_order_and_threads_change_nothing(threads: int, drawn: list[Image]):
    images = [*drawn, *(COPIES["turned and re-encoded"](image, i) for i, image in enumerate(drawn))]
    expected = {group.rows for group in find_duplicates(InMemory(images)).groups}
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = find_duplicates(InMemory([images[k] for k in order]), threads=threads)
    assert {tuple(sorted(order[list(group.rows)].tolist())) for group in shuffled.groups} == expected


def test_more_images_only_add_to_groups(drawn: list[Image]):
    images = [*drawn[:40], *(encoded(image, 75) for image in drawn[:40])]
    before = find_duplicates(InMemory(images)).groups
    after = find_duplicates(InMemory([*images, *drawn[20:80]])).groups
    assert len(before) == 40
    for group in before:
        assert any(set(group.rows) <= set(larger.rows) for larger in after)


def test_images_without_contrast_match_only_if_identical():
    rng = np.random.default_rng(0)
    noise = [np.rint(rng.normal(200, 0.4, (30, 30))).astype(np.uint8) for _ in range(40)]
    grey = [np.full((30, 30), value, np.uint8) for value in (10, 11, 12, 12)]
    found = find_duplicates(InMemory([*noise, *grey, noise[3], np.rot90(noise[4])]))
    assert [(group.rows, group.kind) for group in found.groups] == [
        ((3, 44), "identical"),
        ((4, 45), "rotated"),
        ((42, 43), "identical"),
    ]


def test_nearly_empty_images_match_only_if_lossless():
    spot = np.full((30, 30), 100, np.uint8)
    spot[10:13, 10:14] += 5
    almost = spot.copy()
    almost[10, 10] -= 1
    assert find_duplicates(InMemory([spot, almost])).groups == ()
    (group,) = find_duplicates(InMemory([spot, spot[:, ::-1]])).groups
    assert group.kind == "flipped"
    strong, weaker = (np.where(spot > 100, spot + 60, spot).astype(np.uint8), spot + 1)
    altered = strong.copy()
    altered[10, 10] -= 1
    assert [g.rows for g in find_duplicates(InMemory([strong, altered, weaker])).groups] == [(0, 1)]


def test_the_noise_of_a_camera_matches_nothing():
    rng = np.random.default_rng(1)
    light = np.linspace(180, 230, 48)[:, None] + np.linspace(0, 20, 48)
    images = [np.rint(light + rng.normal(0, 3, light.shape)).astype(np.uint8) for _ in range(200)]
    assert find_duplicates(InMemory(images)).groups == ()


def test_sixteen_bits_and_several_channels(drawn: list[Image]):
    rng = np.random.default_rng(2)
    deep = []
    for i in range(30):
        planes = [cv2.resize(drawn[3 * i + k], (50, 60)) for k in range(3)]
        deep.append((100 + 12 * (255 - np.dstack(planes).astype(np.float64))).astype(np.uint16))
    copies = [
        any_turn(image, i) + rng.integers(0, 20, (1, 1, 3)).astype(np.uint16) for i, image in enumerate(deep)
    ]
    hits, found = found_of(deep, copies)
    assert hits == 30
    assert strangers(found, 30) == 0
    swapped = [image[:, :, [0, 2, 1]] for image in deep]  # the same mean of channels is not the same image
    assert found_of(deep, swapped)[0] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 200)])
def test_odd_sides(shape: tuple[int, int]):
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 255, shape).astype(np.uint8) for _ in range(4)]
    found = find_duplicates(InMemory([*images, images[2]]))
    assert any({2, 4} <= set(group.rows) for group in found.groups)


def test_bad_images_are_named_and_none_is_fine(drawn: list[Image]):
    found = find_duplicates(InMemory([None, drawn[0], drawn[1], None, drawn[0]]))
    assert found.unread == (0, 3)
    assert [group.rows for group in found.groups] == [(1, 4)]
    assert find_duplicates(InMemory([None, None])) == Duplicates(2, (), (0, 1))


def test_progress_reaches_the_end(drawn: list[Image]):
    told: list[tuple[int, int | None, str]] = []
    find_duplicates(InMemory([*drawn, encoded(drawn[0], 70)]), report=lambda *said: told.append(said))
    last = {text: (done, total) for done, total, text in told}
    assert last.keys() == {"images decoded", "images searched", "candidates compared"}
    assert all(done == total for done, total in last.values())


def test_leaks_are_scored_copies_of_fitted_images():
    def group(*rows: int) -> CopyGroup:
        links = (Link(rows[0], row, KINDS[0], "", (0, 0), 0.0) for row in rows[1:])
        return CopyGroup(rows, tuple(links))

    groups = [group(0, 5, 6), group(1, 2), group(7, 8), group(3, 9)]
    assert leaking(groups, fit=[0, 1, 2, 3], score=[5, 6, 7, 8, 3]) == [5, 6]
    assert leaking(groups, fit=[], score=range(10)) == []
