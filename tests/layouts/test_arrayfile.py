from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.layouts.arrayfile import (
    file_ending,
    h5_datasets,
    ids_as_text,
    load_npy,
    match_rows,
    read_csv,
    read_ids,
    read_table,
)

FILE = Path("x.npy")


class Trap:
    def __reduce__(self):
        return print, ("unpickled",)


def test_import_is_light():
    script = (
        "import sys, bench.layouts.arrayfile; sys.exit(bool({'numpy', 'pandas', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_file_ending(tmp_path):
    (tmp_path / "a.NPY").touch()
    assert file_ending(tmp_path / "a.NPY", (".csv", ".npy")) == ".npy"
    with pytest.raises(DataError, match=r"^ids: .*a\.NPY does not end in \.csv$"):
        file_ending(tmp_path / "a.NPY", (".csv",), "ids")
    with pytest.raises(DataError, match="does not exist"):
        file_ending(tmp_path / "b.npy", (".npy",))
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(DataError, match="does not exist"):
        file_ending(tmp_path / "folder.npy", (".npy",))


def test_npy_is_a_read_only_map(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    found = load_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, [[0, 1, 2], [3, 4, 5]])
    assert not found.flags.writeable
    assert isinstance(found.base, np.memmap)


def test_npy_that_is_none(tmp_path, capsys):
    np.save(tmp_path / "objects.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "zip.npz", a=np.zeros(3))
    (tmp_path / "zip.npz").rename(tmp_path / "zip.npy")
    (tmp_path / "badzip.npy").write_bytes(b"PK\x03\x04 and no more")
    np.save(tmp_path / "short.npy", np.zeros(999))
    whole = (tmp_path / "short.npy").read_bytes()
    (tmp_path / "short.npy").write_bytes(whole[:500])
    for name in ("objects", "zip", "badzip", "short"):
        with pytest.raises(DataError, match=rf"^ids: cannot read .*{name}\.npy"):
            load_npy(tmp_path / f"{name}.npy", "ids")
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_table(tmp_path, kind):
    file = tmp_path / f"t.{kind}"
    table = pd.DataFrame(
        {"x": [1.5, np.nan, 2], "id": ["007", "NA", "a"], "y": [True, False, True], "b": ["1", "02", "2"]}
    )
    table.to_csv(file, index=False) if kind == "csv" else table.to_parquet(file)
    found = read_table(file, ("id", "b"))
    assert list(found) == ["id", "b", "x", "y"]
    assert found["id"].tolist() == ["007", "NA", "a"]
    assert found["b"].tolist() == ["1", "02", "2"]
    np.testing.assert_array_equal(found["x"], [1.5, np.nan, 2])
    assert list(read_table(file, ["id"], ["y", "x"])) == ["id", "y", "x"]
    with pytest.raises(DataError, match="no column 'z'; it has"):
        read_table(file, ["id"], ["z"])
    with pytest.raises(DataError, match=r"'id' .* again"):
        read_table(file, ["id"], ["id", "x"])
    with pytest.raises(DataError, match=r"column 'id' .* is not numbers"):
        read_table(file, ["x"], ["id"])


def test_integer_ids_become_text(tmp_path):
    pd.DataFrame({"id": [7, 12], "x": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", ["id"])["id"].tolist() == ["7", "12"]


@pytest.mark.parametrize("content", [b"", b"id,x\na,1,2\n", b"id,x\na,1\nb,1,2\n", b"id,x\n\x81,1\n"])
def test_csv_that_is_none(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv"):
        read_csv(tmp_path / "t.csv")


def test_h5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/x"] = np.arange(3)
    with h5_datasets(tmp_path / "a.h5", "group/x", None) as (x, nothing):
        np.testing.assert_array_equal(x[()], [0, 1, 2])
        assert nothing is None
    assert not x  # closed
    for name in ("group", "y", ""):
        with pytest.raises(DataError, match=r"no dataset|cannot read"), h5_datasets(tmp_path / "a.h5", name):
            pass
    (tmp_path / "b.h5").write_bytes(b"text")
    with pytest.raises(DataError, match=r"cannot read .*b\.h5 as h5"), h5_datasets(tmp_path / "b.h5", "x"):
        pass


def test_h5_stays_in_its_file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "x")
        layout = h5py.VirtualLayout((3,), int)
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x", (3,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (3,), "u1", external=[(str(tmp_path / "other.h5"), 0, 3)])
        file["within"] = np.arange(3)
        file["soft"] = h5py.SoftLink("/within")
    for name in ("link", "virtual", "raw"):
        with pytest.raises(DataError, match="in another file"), h5_datasets(tmp_path / "a.h5", name):
            pass
    with h5_datasets(tmp_path / "a.h5", "soft") as (found,):
        assert found.shape == (3,)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (np.array([3, 12]), ["3", "12"]),
        (np.array([b"a", b"b"]), ["a", "b"]),
        (np.array([b"\xc3\xa9", b"\xff"], object), ["é", "\\xff"]),
        (np.array([["a"], ["b"]]), ["a", "b"]),
        (b"one", ["one"]),
    ],
)
def test_ids_as_text(ids, text):
    assert ids_as_text(ids) == text


def test_read_ids(tmp_path):
    names = ["007", "NA", "b c"]
    (tmp_path / "i.txt").write_text("\n".join(names) + "\n")
    pd.DataFrame({"name": names, "other": 1}).to_csv(tmp_path / "i.csv")
    np.save(tmp_path / "i.npy", np.array(names))
    np.save(tmp_path / "bytes.npy", np.array(names, "S"))
    assert read_ids(tmp_path / "i.txt") == names
    assert read_ids(tmp_path / "i.csv", "name") == names
    assert read_ids(tmp_path / "i.npy") == read_ids(tmp_path / "bytes.npy") == names
    with pytest.raises(DataError, match="no column 'id'"):
        read_ids(tmp_path / "i.csv")
    for name in ("latin.txt", "empty.csv", "empty.npy", "ids.json"):
        (tmp_path / name).write_bytes(b"\x81\n" if name == "latin.txt" else b"")
        with pytest.raises(DataError, match=rf"^(ids: )?.*{name}"):
            read_ids(tmp_path / name)


@given(st.lists(st.text(max_size=3), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_matches_any_selection(ids, random):
    wanted = random.sample(ids, random.randint(0, len(ids)))
    rows = match_rows(ids, wanted, len(ids), FILE, "features")
    assert [ids[row] for row in rows] == wanted


def test_match_without_ids():
    np.testing.assert_array_equal(match_rows(None, ["b", "a"], 2, FILE, "x"), [0, 1])
    with pytest.raises(DataError, match="3 rows for 2 images"):
        match_rows(None, ["b", "a"], 3, FILE, "x")


@pytest.mark.parametrize(
    ("ids", "count", "message"),
    [
        (["a", "b"], 3, "2 ids for 3 rows"),
        (["a", "b", "a"], 3, "'a' occurs more than once"),
        (["7", "a"], 2, "no features for 1 of 2 images, e.g. 'b'; its ids look like '7'"),
        ([], 0, "no features for 2 of 2 images, e.g. 'a', 'b'; it has no rows"),
    ],
)
def test_no_match(ids, count, message):
    with pytest.raises(DataError, match=message):
        match_rows(ids, ["a", "b"], count, FILE, "features")


def test_tables_of_windows_are_read_and_said(tmp_path):
    path = tmp_path / "features.csv"
    path.write_bytes("id;f0;f1\r\nStr\xf6m;0,5;3\r\nb;-1,25;4\r\n".encode("cp1252"))
    with pytest.warns(UserWarning, match="Windows-1252.*separated by semicolons; decimals follow a comma"):
        table = read_table(path, ["id"])
    assert table["id"].tolist() == ["Str\xf6m", "b"]
    assert table[["f0", "f1"]].to_numpy().tolist() == [[0.5, 3], [-1.25, 4]]
    path.write_text("id;f0\na;1,234\nb;2,500\n")
    with pytest.raises(DataError, match="may be a number with decimals or one of thousands"):
        read_table(path, ["id"])


def test_ids_that_were_floats_are_whole_numbers():
    assert ids_as_text(np.array([1.0, 20.0])) == ["1", "20"]
