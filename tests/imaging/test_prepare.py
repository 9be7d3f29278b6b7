from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.imaging import prepare as module
from bench.imaging.prepare import class_indices, load, prepare
from bench.imaging.resize import to_square
from bench.interfaces import PADDING, Dataset, Run


class InMemory(ImageSet):
    def __init__(
        self, images: Sequence[NDArray[Any] | None], labels: Sequence[str | None], **facts: Any
    ) -> None:
        self.images = images
        ids = [f"i{k}" for k in range(len(images))]
        self.table = pd.DataFrame({"id": ids, "label": pd.array(labels, dtype="str"), "bag": range(len(ids))})
        self.channels = 3
        for name, value in facts.items():
            setattr(self, name, value)

    def read(self, row: int) -> NDArray[Any]:
        image = self.images[row]
        if image is None:
            raise BadImage(f"i{row}: is empty")
        return image


class Square(Dataset):
    pass


def make_run(tmp_path: Path, threads: int = 1, report: Callable[..., None] = lambda *_: None) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("test"), tmp_path, report)


def some_images(n: int, bad: Sequence[int] = (), dtype: Any = np.uint8) -> list[NDArray[Any] | None]:
    rng = np.random.default_rng(1)
    top = np.iinfo(dtype).max + 1
    sizes = rng.integers(3, 40, (n, 2))
    return [None if i in bad else rng.integers(0, top, (h, w, 3), dtype) for i, (h, w) in enumerate(sizes)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", ["pad", "stretch"])
def test_every_image_lies_in_its_row(tmp_path: Path, dtype: Any, shape: Literal["pad", "stretch"]):
    images = some_images(50, dtype=dtype)
    labels = ["b", "a", None, "c", "a"] * 10
    prepare(
        InMemory(images, labels, dtype=dtype, fill=7),
        Square(size=16, shape=shape),
        tmp_path,
        make_run(tmp_path),
    )
    read = load(tmp_path, labels=True)
    assert read.pixels.dtype == dtype
    assert read.pixels.shape == (50, 3, 16, 16)
    for i, image in enumerate(images):
        assert image is not None
        np.testing.assert_array_equal(read.pixels[i].transpose(1, 2, 0), to_square(image, 16, shape, 7))
    assert read.classes == ["a", "b", "c"]
    assert read.labels is not None
    assert [None if k < 0 else read.classes[k] for k in read.labels] == labels
    assert list(read.ids) == [f"i{k}" for k in range(50)]
    table = pd.read_parquet(tmp_path / "table.parquet")
    assert table["bag"].tolist() == list(range(50))
    described = json.loads((tmp_path / "set.json").read_text())
    assert bool(described["notes"].pop(PADDING, "")) == (shape == "pad")  # of noise, whose borders are not 7
    assert described == {"classes": ["a", "b", "c"], "n": 50, "n_labelled": 40, "bad_images": [], "notes": {}}


@pytest.mark.parametrize(
    "bad", [[0], [199], [0, 1, 2, 3], [5, 40, 41, 150, 199], list(range(199)), list(range(150))]
)
@pytest.mark.parametrize("chunk_bytes", [1, 64 << 20])
def test_bad_images_are_listed_and_the_rest_moves_up(
    tmp_path: Path, bad: list[int], chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
    images = some_images(200, bad)
    labels = [f"only{i}" if i in bad else "x" for i in range(200)]
    prepare(InMemory(images, labels), Square(size=8), tmp_path, make_run(tmp_path, 2))
    good = [i for i in range(200) if i not in bad]
    read = load(tmp_path, labels=True)
    assert list(read.ids) == [f"i{k}" for k in good]
    for place, i in enumerate(good):
        image = images[i]
        assert image is not None
        np.testing.assert_array_equal(read.pixels[place].transpose(1, 2, 0), to_square(image, 8))
    described = json.loads((tmp_path / "set.json").read_text())
    assert described["bad_images"] == [{"where": f"i{i}", "what": "is empty"} for i in bad]
    assert described["classes"] == ["x"]
    assert described["n"] == described["n_labelled"] == len(good)
    lost = sorted(f"only{i}" for i in bad)
    expected = {"classes all of whose images were left out": {"count": len(bad), "first": lost[:10]}}
    assert described["notes"].pop(PADDING).startswith("100% of the ")
    assert described["notes"] == (expected if bad else {})


def test_files_do_not_depend_on_threads_or_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = InMemory(some_images(300, bad=[3, 77]), ["a", "b", "c"] * 100, notes={"found": [1, 2]})
    written = []
    for threads, chunk_bytes in [(1, 64 << 20), (4, 64 << 20), (3, 1)]:
        monkeypatch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
        folder = tmp_path / f"{threads}-{chunk_bytes}"
        folder.mkdir()
        prepare(images, Square(size=8), folder, make_run(tmp_path, threads))
        written.append({f.name: f.read_bytes() for f in folder.iterdir()})
    assert written[0] == written[1] == written[2]
    assert set(written[0]) == {"images.npy", "table.parquet", "set.json"}


def test_a_bad_image_can_end_the_stage(tmp_path: Path):
    images = InMemory(some_images(9, bad=[4, 6]), ["a"] * 9)
    with pytest.raises(DataError, match="i4: is empty; on_bad_image: skip would leave it out") as e:
        prepare(images, Square(on_bad_image="refuse"), tmp_path, make_run(tmp_path))
    assert not isinstance(e.value, BadImage)


def test_no_usable_image_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="none of the 3 images can be used; the first: i0: is empty"):
        prepare(InMemory([None] * 3, ["a"] * 3), Square(), tmp_path, make_run(tmp_path))
    with pytest.raises(DataError, match="holds no images"):
        prepare(InMemory([], []), Square(), tmp_path, make_run(tmp_path))


def test_images_of_another_depth_or_channel_count_are_bad_not_clipped(tmp_path: Path):
    images: list[NDArray[Any]] = [
        np.full((5, 5, 3), 9, np.uint8),
        np.full((5, 5, 3), 999, np.uint16),
        np.full((5, 5, 1), 9, np.uint8),
    ]
    prepare(InMemory(images, ["a"] * 3), Square(size=4), tmp_path, make_run(tmp_path))
    assert json.loads((tmp_path / "set.json").read_text())["bad_images"] == [
        {"where": "i1", "what": "has 3 channels of uint16, the set 3 of uint8"},
        {"where": "i2", "what": "has 1 channels of uint8, the set 3 of uint8"},
    ]


def test_ids_that_repeat_are_refused(tmp_path: Path):
    images = InMemory(some_images(3), ["a"] * 3)
    images.table["id"] = ["x", "y", "x"]
    with pytest.raises(DataError, match="the first is 'x'"):
        prepare(images, Square(), tmp_path, make_run(tmp_path))


def test_an_error_that_is_not_about_one_image_passes_through(tmp_path: Path):
    images = InMemory([np.zeros((0, 5, 5))], ["a"])
    images.read = lambda row: (_ for _ in ()).throw(OSError("disk on fire"))  # type: ignore[method-assign]
    with pytest.raises(OSError, match="disk on fire"):
        prepare(images, Square(), tmp_path, make_run(tmp_path))


def test_progress_reaches_the_total(tmp_path: Path):
    seen: list[tuple[int, int]] = []
    run = make_run(tmp_path, report=lambda done, total, _: seen.append((done, total)))
    prepare(InMemory(some_images(100), ["a"] * 100), Square(size=8), tmp_path, run)
    assert seen == [(32, 100), (64, 100), (96, 100), (100, 100)]


def on_plates(n: int, plates: Sequence[Any], **facts: Any) -> InMemory:
    """Images whose size is kept, of one plate after the other."""
    images = [np.random.default_rng(i).integers(0, 60, (8, 6, 3), np.uint8) for i in range(n)]
    found = InMemory(images, ["a"] * n, group="plate", **facts)
    found.table["plate"] = [plates[i % len(plates)] for i in range(n)]
    return found


@pytest.mark.parametrize("normalise", ["per_set", "per_group"])
def test_normalised_sets_say_by_what(tmp_path: Path, normalise: Literal["per_set", "per_group"]):
    images = on_plates(12, ["P2", "P10"], fill=9)
    images.images = [None if i == 4 else image for i, image in enumerate(images.images)]
    dataset = Square(size=8, normalise=normalise, percentiles=(5, 90))
    prepare(images, dataset, tmp_path, make_run(tmp_path, 2))
    read = load(tmp_path, labels=False).pixels
    described = json.loads((tmp_path / "set.json").read_text())["normalised"]
    assert described["group"] == ("plate" if normalise == "per_group" else "")
    good = [i for i in range(12) if i != 4]
    groups = {"P2": [i for i in good if i % 2 == 0], "P10": [i for i in good if i % 2]}
    if normalise == "per_set":
        groups = {"": good}
    assert described["limits"].keys() == groups.keys()
    for name, rows in groups.items():
        chosen = np.stack([np.asarray(images.images[i]) for i in rows])
        for c, (low, high) in enumerate(described["limits"][name]):
            np.testing.assert_allclose((low, high), np.percentile(chosen[..., c], (5, 90)))
            for i, image in zip(rows, chosen, strict=True):
                scaled = np.clip((image[..., c] - low) / (high - low) * 255, 0, 255)
                square = read[good.index(i), c]
                assert np.abs(square[:, 1:7] - scaled).max() <= 0.5
                assert (square[:, [0, 7]] == 9).all()


def test_sets_that_are_not_normalised_do_not_mention_it(tmp_path: Path):
    prepare(on_plates(4, ["P"]), Square(size=8), tmp_path, make_run(tmp_path))
    assert "normalised" not in json.loads((tmp_path / "set.json").read_text())


def test_groups_are_needed_for_normalising_by_group(tmp_path: Path):
    dataset = Square(normalise="per_group")
    nothing = tmp_path / "empty"
    nothing.mkdir()
    with pytest.raises(DataError, match="does not divide its images into groups; use normalise: per_set"):
        prepare(InMemory(some_images(3), ["a"] * 3), dataset, nothing, make_run(tmp_path))
    images = on_plates(6, ["P1", None])
    with pytest.raises(DataError, match=r"3 of 6 images have no 'plate' .* the first is i1; complete"):
        prepare(images, dataset, nothing, make_run(tmp_path))
    assert not list(nothing.iterdir())
    prepare(images, Square(size=8, normalise="per_set"), nothing, make_run(tmp_path))


def test_a_group_without_a_usable_image_is_left_out(tmp_path: Path):
    images = on_plates(4, [1, 2])
    images.images = [None if i % 2 else image for i, image in enumerate(images.images)]
    prepare(images, Square(size=8, normalise="per_group"), tmp_path, make_run(tmp_path))
    assert list(json.loads((tmp_path / "set.json").read_text())["normalised"]["limits"]) == ["1"]


@pytest.mark.parametrize("percentiles", [(50, 50), (99.9, 0.1), (-1, 50), (0, 101), (float("nan"), 50)])
def test_percentiles_rise(percentiles: tuple[float, float]):
    with pytest.raises(ValidationError):
        Square(percentiles=percentiles)


class Strips(InMemory):
    """Images of which neighbours share one array; how much of it is asked for at a time is noted."""

    asked: list[range]

    def read_many(self, rows: range) -> Iterator[NDArray[Any] | BadImage]:
        self.asked.append(rows)
        yield from super().read_many(rows)


def test_neighbours_are_read_together(tmp_path: Path):
    images = Strips(some_images(3000, bad=[7]), ["a"] * 3000, asked=[])
    prepare(images, Square(size=8), tmp_path, make_run(tmp_path))
    assert [i for rows in images.asked for i in rows] == list(range(3000))
    assert min(len(rows) for rows in images.asked[:-1]) >= 256


def test_an_image_without_pixels_is_bad(tmp_path: Path):
    images: list[NDArray[Any] | None] = [np.zeros((0, 5, 3), np.uint8), *some_images(1)]
    prepare(InMemory(images, ["a"] * 2), Square(size=8), tmp_path, make_run(tmp_path))
    bad = json.loads((tmp_path / "set.json").read_text())["bad_images"]
    assert bad == [{"where": "i0", "what": "has no pixels"}]


_PREPARE_PARTICLES = """
import logging, resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from bench.images import ImageSet
from bench.interfaces import Dataset, Run
from bench.imaging.prepare import prepare

class Particles(ImageSet):
    channels = 1
    group = "run"

    def __init__(self, n):
        self.table = pd.DataFrame({"id": pd.RangeIndex(n).astype(str), "label": pd.array([None] * n, "str")})
        self.table["run"] = np.arange(n) % 40
        self.collage = np.random.default_rng(0).integers(0, 256, (1024, 1280, 1), np.uint8)

    def read(self, row):
        y, x = row * 37 % 980, row * 101 % 1230
        return self.collage[y : y + 25 + row % 20, x : x + 44 - row % 20]

folder = Path(sys.argv[1])
images = Particles(int(sys.argv[2]))
images.table.to_parquet(folder / "table.parquet")
run = Run(0, 2, "cpu", "float32", logging.getLogger(), folder, lambda *_: None)
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepare(images, Dataset(size=64, normalise=sys.argv[3]), folder, run)
unit = 1 if sys.platform == "darwin" else 1024
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * unit)
"""


@pytest.mark.slow
@pytest.mark.parametrize("normalise", ["none", "per_group"])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, normalise: str):
    n = 100_000
    command = [sys.executable, "-c", _PREPARE_PARTICLES, str(tmp_path), str(n), normalise]
    more = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    table_bytes = 300 * n  # it is copied while it is written
    assert (tmp_path / "images.npy").stat().st_size > 400_000_000
    assert more < module._CHUNK_BYTES + table_bytes


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    labels = ["b", None, "a", "b", "c"] * 4
    prepare(InMemory(some_images(20), labels), Square(size=8), tmp_path, make_run(tmp_path))
    return tmp_path


def test_rows_choose_images_ids_and_labels_together(prepared: Path):
    everything = load(prepared, labels=True)
    rows = np.array([7, 2, 19], np.int64)
    some = load(prepared, rows, labels=True)
    assert len(some) == 3
    assert list(some.ids) == ["i7", "i2", "i19"]
    np.testing.assert_array_equal(some.batch(0, 3), everything.batch(0, 20)[rows])
    assert some.labels is not None
    assert everything.labels is not None
    np.testing.assert_array_equal(some.labels, everything.labels[rows])
    assert some.classes == everything.classes
    assert load(prepared, np.array([], np.int64), labels=True).batch(0, 5).shape == (0, 3, 8, 8)


def test_labels_stay_away_unless_asked_for(prepared: Path):
    assert load(prepared, labels=False).labels is None


def test_pixels_cannot_be_changed(prepared: Path):
    with pytest.raises(ValueError, match="read-only"):
        load(prepared, labels=False).pixels[0] = 0


@pytest.mark.parametrize("row", [-1, 20])
def test_rows_outside_the_set_are_refused(prepared: Path, row: int):
    with pytest.raises(DataError, match=f"rows 0 to {row}|rows {row} to 0"):
        load(prepared, np.array([0, row]), labels=False)


def test_pickled_pixels_are_refused(prepared: Path):
    np.save(prepared / "images.npy", np.array([{}] * 20, object), allow_pickle=True)
    with pytest.raises(ValueError):
        load(prepared, labels=False)


def test_class_indices_mark_missing_labels_and_refuse_unknown_ones():
    table = pd.DataFrame({"label": ["b", None, "a", float("nan"), "b"]})
    np.testing.assert_array_equal(class_indices(table, ["a", "b"]), [1, -1, 0, -1, 1])
    assert class_indices(table, ["a", "b"]).dtype == np.int64
    with pytest.raises(DataError, match="label 'b' is not among the 1 classes"):
        class_indices(table, ["a"])
