from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.images import BadImage
from bench.layouts import parquetset
from bench.layouts.parquetindex import ParquetIndex, read_index
from bench.layouts.parquetset import ParquetSet

CLASSES = ["copepod", "fish", "squid"]


def jpeg(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (9 + seed % 5, 12), np.uint8)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def huggingface(names: object) -> dict[str, str]:
    return {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}


def write(
    path: Path,
    images: Sequence[Any],
    labels: pa.Array | Sequence[Any],
    *,
    metadata: Any = None,
    column: str = "image",
    **options: Any,
) -> Path:
    table = pa.table({column: pa.array(images), "label": labels})
    pq.write_table(table.replace_schema_metadata(metadata), path, **options)
    return path


def hf(path: Path, n: int, first: int = 0, **options: Any) -> Path:
    images = [{"bytes": jpeg(i), "path": f"{i}.jpg"} for i in range(first, first + n)]
    return write(
        path, images, [i % 3 for i in range(first, first + n)], metadata=huggingface(CLASSES), **options
    )


def opened(files: Sequence[Path], rows: Any = None) -> tuple[ParquetIndex, ParquetSet]:
    index = read_index(files)
    chosen = np.arange(len(index.ids)) if rows is None else np.array(rows)
    return index, ParquetSet(index, chosen, grey=True, fill=255)


def test_numbered_classes_paths_and_row_groups(tmp_path: Path):
    files = [
        hf(tmp_path / "train-00000-of-00002.parquet", 25, row_group_size=4),
        hf(tmp_path / "train-00001-of-00002.parquet", 6, 25),
        hf(tmp_path / "more.parquet", 3, 31),
    ]
    index, images = opened(files)
    assert index.has_paths
    assert list(images.table["id"]) == [str(i) for i in range(34)]
    assert list(images.table["label"]) == [CLASSES[i % 3] for i in range(34)]
    assert list(images.table["split"][:31]) == ["train"] * 31
    assert images.table["split"][31:].isna().all()
    for row in np.random.default_rng(0).permutation(34):
        expected = cv2.imdecode(np.frombuffer(jpeg(int(row)), np.uint8), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(images.read(int(row))[..., 0], expected)
    assert images.where(26) == f"{files[1]}: row 1"
    assert images.where(24) == f"{files[0]}: row 24"


def test_some_rows_of_the_index(tmp_path: Path):
    rows = [1, 2, 9, 10, 17]
    index, images = opened([hf(tmp_path / "a.parquet", 18, row_group_size=5)], rows)
    assert list(images.table["id"]) == [index.ids[r] for r in rows]
    assert "split" not in images.table
    for i, r in enumerate(rows):
        expected = cv2.imdecode(np.frombuffer(jpeg(r), np.uint8), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(images.read(i)[..., 0], expected)


@pytest.mark.parametrize("column", ["image", "image_bytes", "img", "bytes"])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_and_labels_as_text(tmp_path: Path, column: str, kind: pa.DataType):
    images = pa.array([jpeg(i) for i in range(3)], kind)
    index, found = opened([write(tmp_path / "a.parquet", images, ["x", "", None], column=column)])
    assert not index.has_paths
    assert index.ids == ["a:0", "a:1", "a:2"]
    assert index.labels == ["x", None, None]
    assert found.read(2).shape == (11, 12, 1)


@pytest.mark.parametrize(
    ("labels", "metadata", "expected"),
    [
        (pa.array(["b", "a", "b"]).dictionary_encode(), None, ["b", "a", "b"]),
        (pa.array(["b", "a", None], pa.large_string()), huggingface(CLASSES), ["b", "a", None]),
        (pa.array([2, -1, None], pa.int8()), huggingface(CLASSES), ["squid", None, None]),
        (pa.array([2, 0, 70], pa.uint64()), None, ["2", "0", "70"]),
        (pa.array([2, 0, 1]), {"huggingface": "{}"}, ["2", "0", "1"]),
    ],
)
def test_kinds_of_labels(tmp_path: Path, labels: Any, metadata: Any, expected: list[str | None]):
    path = write(tmp_path / "a.parquet", [jpeg(i) for i in range(3)], labels, metadata=metadata)
    assert read_index([path]).labels == expected


@pytest.mark.parametrize(
    "paths", [["1.jpg", None, "3.jpg"], ["1.jpg", "d/1.png", "3.jpg"], ["1.jpg", "", "3.jpg"]]
)
def test_paths_that_are_missing_or_repeat_give_no_ids(tmp_path: Path, paths: list[str | None]):
    images = [{"bytes": jpeg(i), "path": p} for i, p in enumerate(paths)]
    index = read_index([write(tmp_path / "a.parquet", images, [0, 1, 2])])
    assert not index.has_paths
    assert index.ids == ["a:0", "a:1", "a:2"]


def test_a_path_is_a_name_and_is_never_opened(tmp_path: Path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(0))
    images = [{"bytes": None, "path": str(secret)}, {"bytes": jpeg(1), "path": "..\\..\\x.jpg"}, None]
    _, found = opened([write(tmp_path / "a.parquet", images, [0, 1, 2])])
    for row in (0, 2):
        with pytest.raises(BadImage, match=rf"a\.parquet: row {row}: holds no image"):
            found.read(row)
    assert found.read(1).size


def test_identical_images_are_found_across_files(tmp_path: Path):
    one = write(tmp_path / "a.parquet", [jpeg(0), jpeg(1), b"", jpeg(0)], [0, 1, 2, 1], row_group_size=2)
    two = write(tmp_path / "b.parquet", [b"", jpeg(1), None], [0, 1, 2])
    assert opened([one, two])[1].identical() == [[0, 3], [1, 5]]


def test_threads_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, images = opened([hf(tmp_path / "a.parquet", 60, row_group_size=7)])
    expected = [images.read(row) for row in range(60)]
    _, images = opened([tmp_path / "a.parquet"])
    monkeypatch.setattr(parquetset, "_CACHED_BYTES", 3000)  # so that threads drop what others need
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for got, want in zip(pool.map(images.read, range(60)), expected, strict=True):
                np.testing.assert_array_equal(got, want)


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noise = np.random.default_rng(0)
    path = write(tmp_path / "a.parquet", [noise.bytes(1000) for _ in range(90)], [0] * 90, row_group_size=10)
    _, images = opened([path])
    monkeypatch.setattr(parquetset, "_CACHED_BYTES", 25_000)
    held = []
    for row in range(90):
        images._bytes(row)
        held.append(sum(v.nbytes for v in images._cache.values() if not isinstance(v, BadImage)))
    assert max(held) < 25_000
    assert len(images._cache) == 2
    monkeypatch.setattr(parquetset, "MAX_GROUP_BYTES", 5_000)
    with pytest.raises(BadImage, match=r"row 0: row group 0 is larger than 5000 bytes"):
        opened([path])[1].read(0)


def test_a_damaged_row_group_makes_its_own_images_bad(tmp_path: Path):
    path = tmp_path / "a.parquet"
    hf(path, 12, row_group_size=4, use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1)
    at = next(
        column.column(i).data_page_offset
        for i in range(column.num_columns)
        if column.column(i).path_in_schema == "image.bytes"
    )
    data = bytearray(path.read_bytes())
    data[at : at + 40] = bytes(40)
    path.write_bytes(bytes(data))
    _, images = opened([path])
    bad = [row for row, image in enumerate(images.read_many(range(12))) if isinstance(image, BadImage)]
    assert bad == [4, 5, 6, 7]
    with pytest.raises(
        BadImage, match=r"a\.parquet: row 5: row group 1: is not a parquet file, or is damaged"
    ):
        images.read(5)
    assert images.identical() == []


def test_a_file_that_vanishes_or_shrinks_makes_images_bad(tmp_path: Path):
    path = hf(tmp_path / "a.parquet", 6)
    _, images = opened([path])
    hf(path, 4)
    with pytest.raises(BadImage, match="row group 0 has 4 images, not 6"):
        images.read(5)
    _, images = opened([path])
    path.unlink()
    with pytest.raises(BadImage, match="there is no such file"):
        images.read(0)


def broken(tmp_path: Path) -> dict[str, tuple[Any, str]]:
    one = [jpeg(0)]
    return {
        "no image": (
            pa.table({"picture": one, "label": [0]}),
            "has no column 'image' or 'image_bytes'.*'picture'",
        ),
        "no label": (pa.table({"image": one, "x": [0]}), "has no column 'label'"),
        "paths only": (
            pa.table({"image": ["a.jpg"], "label": [0]}),
            "'image' is of type string; expected the bytes",
        ),
        "struct": (
            pa.table({"image": [{"path": "a"}], "label": [0]}),
            "'image' is of type struct<.*; expected the bytes",
        ),
        "float": (pa.table({"image": one, "label": [0.5]}), "row 0 has the label 0.5"),
        "list": (pa.table({"image": one, "label": [[0]]}), "'label' is of type list"),
        "beyond": (
            pa.table({"image": one, "label": [3]}).replace_schema_metadata(huggingface(CLASSES)),
            "row 0 has the label 3; the file names 3 classes",
        ),
        "negative": (
            pa.table({"image": one, "label": [-2]}).replace_schema_metadata(huggingface(CLASSES)),
            "row 0 has the label -2",
        ),
        "names": (
            pa.table({"image": one, "label": [0]}).replace_schema_metadata(huggingface("abc")),
            "names of the classes in its metadata are not a list",
        ),
        "json": (
            pa.table({"image": one, "label": [0]}).replace_schema_metadata({"huggingface": "{"}),
            "is not a parquet file, or is damaged",
        ),
        "long": (
            pa.table({"image": one, "label": ["x" * (65 << 20)]}),
            "has labels or paths too long for names",
        ),
    }


@pytest.mark.parametrize(
    ("labels", "expected", "note"),
    [
        (["a", "nan", "NA", ""], ["a", None, None, None], "1 labels read 'nan': taken as missing"),
        ([3.0, None, -1.0, 4.0], ["3", None, None, "4"], ""),
        (["3", "3.0", "4", None], ["3", "3", "4", None], "the label '3.0' is taken as '3'"),
    ],
)
def test_labels_follow_the_rules_of_tables(tmp_path: Path, labels: list[str], expected: list[str], note: str):
    pq.write_table(pa.table({"image": [b"x"] * 4, "label": labels}), tmp_path / "a.parquet")
    found = read_index([tmp_path / "a.parquet"])
    assert found.labels == expected
    assert (f"a.parquet: {note}" in found.notes) is bool(note)


@pytest.mark.slow
@pytest.mark.parametrize("what", broken(Path()))
def test_files_of_another_kind_are_refused_by_name(tmp_path: Path, what: str):
    table, message = broken(tmp_path)[what]
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"a\.parquet: .*{message}"):
        read_index([tmp_path / "a.parquet"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a parquet file, or is damaged"),
        (b"PAR1", "is not a parquet file"),
        (b"image,label\r\n1,2\r\n" * 9, "is not a parquet file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.parquet: {message}"):
        read_index([tmp_path / "a.parquet"])


def test_a_pipe_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="there is no such file"):
        read_index([tmp_path / "a.parquet"])


def test_an_empty_file_has_no_rows_and_equal_names_are_refused(tmp_path: Path):
    empty = pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.string())})
    pq.write_table(empty, tmp_path / "a.parquet")
    assert read_index([tmp_path / "a.parquet"]).ids == []
    (tmp_path / "b").mkdir()
    files = [write(p, [jpeg(0)], [0]) for p in (tmp_path / "x.parquet", tmp_path / "b/x.parquet")]
    with pytest.raises(DataError, match="two files hold the row 'x:0'"):
        read_index(files)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=5),
    cut=st.integers(0, 60),
)
def test_damaged_files_are_errors_or_read(
    changes: Sequence[tuple[int, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
):
    path = hf(tmp_path_factory.mktemp("fuzz") / "a.parquet", 6, row_group_size=3)
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data[: len(data) - max(0, cut - 40)])
    try:
        _, images = opened([path])
    except DataError as e:
        assert "a.parquet" in str(e)  # noqa: PT017  # either way is right
        return
    for image in images.read_many(range(len(images.table))):
        assert "a.parquet" in str(image) if isinstance(image, BadImage) else image.shape[2] == 1
