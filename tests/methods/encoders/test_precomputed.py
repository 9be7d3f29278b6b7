from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(6, 3)).astype(np.float32)
ORDER = np.array([4, 2, 5, 0, 1, 3])  # the row of the file for image i is where ORDER == i
IMAGES = prepared(np.zeros((6, 1, 4, 4), np.uint8))
IDS = [f"i{i}" for i in ORDER]


def encode(**parameters):
    run = make_run()
    return adapter("encoders", "precomputed", **parameters).encode(IMAGES, None, run), run.facts


def write(folder, kind):
    """Write the features in another order than the images, and an image that is not wanted."""
    rows = np.concatenate([FEATURES[ORDER], np.full((1, 3), 9, np.float32)])
    ids = [*IDS, "other"]
    file = folder / f"f.{kind}"
    if kind == "npy":
        np.save(file, rows)
        (folder / "ids.txt").write_text("\n".join(ids) + "\n")
        return {"file": file, "ids": folder / "ids.txt"}
    if kind == "h5":
        with h5py.File(file, "w") as h5:
            h5["deep/x"] = rows
            h5["names"] = ids
        return {"file": file, "dataset": "deep/x", "ids_dataset": "names"}
    table = pd.DataFrame(rows, columns=["a", "b", "c"])
    table.insert(1, "name", ids)
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file)
    return {"file": file, "id_column": "name"}


@pytest.mark.parametrize("kind", ["npy", "h5", "csv", "parquet"])
def test_matches_by_id(tmp_path, kind):
    found, facts = encode(**write(tmp_path, kind))
    np.testing.assert_allclose(found, FEATURES, rtol=1e-6)
    assert found.dtype == np.float32
    assert facts == {"matched_by": "id", "rows_in_file": 7}


@pytest.mark.parametrize("kind", ["csv", "npy"])
def test_ids_in_other_files(tmp_path, kind):
    file = write(tmp_path, "npy")["file"]
    ids = tmp_path / f"names.{kind}"
    names = [*IDS, "other"]
    pd.DataFrame({"id": names}).to_csv(ids) if kind == "csv" else np.save(ids, np.array(names))
    np.testing.assert_array_equal(encode(file=file, ids=ids)[0], FEATURES)


def test_ids_that_look_like_numbers_stay_text(tmp_path):
    images = type(IMAGES)(IMAGES.pixels, np.arange(2), ["007", "7"])
    (tmp_path / "f.csv").write_text("id,x\n7,1\n007,2\n")
    found = adapter("encoders", "precomputed", file=tmp_path / "f.csv").encode(images, None, make_run())
    np.testing.assert_array_equal(found, [[2], [1]])


def test_same_order_without_ids(tmp_path):
    np.save(tmp_path / "f.npy", FEATURES)
    found, facts = encode(file=tmp_path / "f.npy")
    np.testing.assert_array_equal(found, FEATURES)
    assert facts["matched_by"] == "order"
    np.save(tmp_path / "f.npy", FEATURES[:5])
    with pytest.raises(DataError, match="5 rows for 6 images"):
        encode(file=tmp_path / "f.npy")


def test_only_named_columns(tmp_path):
    parameters = write(tmp_path, "csv")
    np.testing.assert_allclose(encode(**parameters, columns=("c", "a"))[0], FEATURES[:, [2, 0]], rtol=1e-6)
    with pytest.raises(DataError, match="'z'"):
        encode(**parameters, columns=("z",))


def test_missing_images_are_counted_and_named(tmp_path):
    np.save(tmp_path / "f.npy", FEATURES)
    (tmp_path / "ids.txt").write_text("i0\ni1\ni2\ni3\nx\ny\n")
    with pytest.raises(DataError, match=r"2 of 6 images, e.g. 'i4', 'i5'"):
        encode(file=tmp_path / "f.npy", ids=tmp_path / "ids.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i0\ni0\ni2\ni3\ni4\ni5", "'i0' occurs more than once"),
        ("i0\ni1", "2 ids for 6 rows"),
    ],
)
def test_bad_ids(tmp_path, text, message):
    np.save(tmp_path / "f.npy", FEATURES)
    (tmp_path / "ids.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        encode(file=tmp_path / "f.npy", ids=tmp_path / "ids.txt")


def test_bad_values(tmp_path):
    broken = FEATURES.copy()
    broken[3, 1] = np.nan
    np.save(tmp_path / "f.npy", broken)
    with pytest.raises(DataError, match=r"1 images, e.g. 'i3'"):
        encode(file=tmp_path / "f.npy")
    np.save(tmp_path / "f.npy", np.full((6, 2), 1e300))
    with pytest.raises(DataError, match="6 images"):
        encode(file=tmp_path / "f.npy")
    np.save(tmp_path / "f.npy", np.zeros(6))
    with pytest.raises(DataError, match=r"\(6,\)"):
        encode(file=tmp_path / "f.npy")
    (tmp_path / "f.csv").write_text("id,x,kind\ni0,1,a\n")
    with pytest.raises(DataError, match="'kind'"):
        encode(file=tmp_path / "f.csv")


def test_files_that_cannot_be_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("unpickled",)

    np.save(tmp_path / "pickle.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    for name in ("x.npy", "x.csv", "x.parquet", "x.h5"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "x.txt").touch()
    for name in ("pickle.npy", "x.npy", "x.csv", "x.parquet", "x.h5", "x.txt", "absent.npy"):
        with pytest.raises(DataError, match=name):
            encode(file=tmp_path / name)
    with pytest.raises(DataError, match="no dataset 'features'"):
        encode(**{**write(tmp_path, "h5"), "dataset": "features"})
