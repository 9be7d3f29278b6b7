"""Contact sheets show every class, its count, and images of it that are the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.imaging import contact
from bench.imaging.contact import UNKNOWN, ImageGroup, coloured, groups, measured, sheets, spread

SIZE, LEFT, STEP = 20, 240, 24


class Flat(ImageSet):
    """Images of one value each: that of `values` in all channels, or in one where it is a pair."""

    def __init__(
        self,
        values: Sequence[int | None],
        labels: Sequence[str | None],
        channels: int = 1,
        dtype: Any = np.uint8,
        **columns: Any,
    ) -> None:
        self.table = pd.DataFrame({"id": [str(i) for i in range(len(values))], "label": labels, **columns})
        self.channels, self.dtype, self.values = channels, dtype, values
        self.opened: list[int] = []

    def read(self, row: int) -> NDArray[Any]:
        self.opened.append(row)
        value = self.values[row]
        if value is None:
            raise BadImage("bad")
        return np.full((SIZE, SIZE, self.channels), value, self.dtype)


def cells(page: NDArray[np.uint8], lines: int) -> list[list[int]]:
    """Return the red value in the middle of every cell."""
    height = 40  # the least height of a line: two lines of text fit
    first = page.shape[0] - lines * height
    found = []
    for i in range(lines):
        y = first + i * height + SIZE // 2
        found.append([int(page[y, x, 0]) for x in range(LEFT + SIZE // 2, page.shape[1], STEP)])
    return found


@given(n=st.integers(1, 300), count=st.integers(1, 40))
def test_spread_is_even_and_in_order(n: int, count: int):
    chosen = spread(range(n), count)
    assert len(chosen) == min(n, count)
    assert chosen == sorted(set(chosen))
    steps = np.diff([chosen[0] - n / count / 2, *chosen, chosen[-1] + n / count / 2])
    if n > count:
        assert all(n // count <= d <= -(-n // count) for d in np.diff(chosen))
        assert 0 <= chosen[0] <= n / count
        assert steps.min() >= 0
    assert set(chosen) <= set(range(n))


def test_groups_by_label_then_by_group_then_one():
    images = Flat([0] * 5, ["b", "a10", None, "a2", "b"], run=[2, 1, 2, 10, 1])
    assert groups(images, None) == (
        "label",
        [ImageGroup("a2", [3]), ImageGroup("a10", [1]), ImageGroup("b", [0, 4]), ImageGroup(UNKNOWN, [2])],
    )
    assert groups(images, "run")[1] == [
        ImageGroup("1", [1, 4]),
        ImageGroup("2", [0, 2]),
        ImageGroup("10", [3]),
    ]
    without = Flat([0] * 2, [None, None], run=["x", "y"])
    assert groups(without, None) == ("", [ImageGroup("all images", range(2))])
    without.group = "run"
    assert [g.name for g in groups(without, None)[1]] == ["x", "y"]
    with pytest.raises(DataError, match="did you mean 'run'"):
        groups(images, "runs")


def test_every_class_has_its_line_and_its_images():
    labels = ["a", "b", "a", "b", "a"]
    images = Flat([10, 60, 20, None, 30], labels)
    (page,) = sheets(images, groups(images, None)[1], "Title", 2, SIZE)
    a, b = cells(page, 2)
    assert a[:2] == [10, 30]  # evenly spread over 10, 20, 30
    assert b[0] == 60
    assert b[1] > 180  # crossed out, in red
    assert (np.array([a[2:], b[2:]]) == page[-1, 0, 0]).all()
    assert (page[:, :LEFT].min(axis=2) < 100).sum() > 50  # something is written


def test_sheets_are_the_same_every_time_and_depend_on_what_is_written():
    images = Flat(list(range(50)), ["a"] * 25 + ["b"] * 25)
    found = groups(images, None)[1]
    first, again = (np.stack(list(sheets(images, found, "T", 4, SIZE))) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    renamed = [ImageGroup("c", found[0].rows), found[1]]
    longer = [ImageGroup("a", [*found[0].rows, 49]), found[1]]
    for changed in (renamed, longer):
        (page,) = sheets(images, changed, "T", 4, SIZE)
        assert (page[:, :LEFT] != first[0][:, :LEFT]).any()


def test_many_classes_are_split_over_pages_without_loss():
    n = 121
    images = Flat([i + 1 for i in range(n)], [f"class_with_a_long_name_{i:03d}" for i in range(n)])
    pages = list(sheets(images, groups(images, None)[1], "T", 3, SIZE))
    assert len(pages) == 4
    shown = [row[0] for page, lines in zip(pages, (40, 40, 40, 1), strict=True) for row in cells(page, lines)]
    assert shown == [i + 1 for i in range(n)]


def test_a_large_group_takes_several_lines():
    images = Flat(list(range(30)), ["a"] * 30)
    (page,) = sheets(images, groups(images, None)[1], "T", 30, SIZE)
    assert [v for line in cells(page, 3) for v in line if v != page[-1, -1, 0]] == list(range(30))


def test_too_many_pages_are_refused_before_any_image_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contact, "MAX_PAGES", 2)
    images = Flat([0] * 81, [str(i) for i in range(81)])
    with pytest.raises(DataError, match="81 groups make 3 pages"):
        list(sheets(images, groups(images, None)[1], "T", 1, SIZE))
    assert not images.opened


def test_grey_and_rgb_of_8_bits_are_shown_as_stored():
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        image = rng.integers(0, 256, (5, 6, channels), np.uint8)
        look = measured(Flat([1], ["a"], channels), [0])
        np.testing.assert_array_equal(coloured(image, look), np.broadcast_to(image, (5, 6, 3)))


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 8, 11])
def test_16_bits_are_scaled_by_what_is_there(channels: int):
    images = Flat([1000, 1100, 1200], ["a"] * 3, channels, np.uint16)
    look = measured(images, [0, 1, 2])
    assert look.limits.shape == (channels, 2)
    assert np.allclose(look.limits, [1000, 1200], atol=5)
    assert look.legend.count(" to ") == channels + 1
    dark, bright = (coloured(images.read(i), look) for i in (0, 2))
    assert dark.max() <= 3
    assert bright.max() >= 150
    assert coloured(np.full((2, 2, channels), 65535, np.uint16), look).shape == (2, 2, 3)


def test_each_channel_has_its_colour():
    images = Flat([0, 200], ["a"] * 2, 6)
    look = measured(images, [0, 1])
    seen = set()
    for channel in range(6):
        image = np.zeros((1, 1, 6), np.uint8)
        image[..., channel] = 200
        seen.add(tuple(coloured(image, look)[0, 0]))
    assert len(seen) == 6
    for name in ("1 blue", "2 green", "3 red", "4 cyan", "5 magenta", "6 yellow"):
        assert name in look.legend


def test_channels_on_one_spot_keep_their_colours():
    images = Flat([0, 100], ["a"] * 2, 6)
    look = measured(images, [0, 1])
    everything = np.full((1, 1, 6), 100, np.uint8)
    most = everything.copy()
    most[..., 0] = 0
    assert (coloured(most, look) < coloured(everything, look)).any()
    assert coloured(everything, look).max() == 255


def test_sets_without_a_usable_image_are_drawn_all_the_same():
    images = Flat([None, None], ["a", "b"], 5, np.uint16)
    (page,) = sheets(images, groups(images, None)[1], "T", 3, SIZE)
    assert all(line[0] > 150 for line in cells(page, 2))


@pytest.mark.parametrize(
    "name", ["x" * 300, "a b " * 100, "Ünïcode ✓ 漢字", " ", "line\nbreak\ttab", "_" * 200]
)
def test_any_name_can_be_written(name: str):
    images = Flat([5], [name])
    (page,) = sheets(images, groups(images, None)[1], name, 1, SIZE)
    assert cells(page, 1)[0][0] == 5
