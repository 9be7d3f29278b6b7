from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.images import Prepared
from tests.methods import adapter, make_run

KINDS = ["npy", "h5", "long", "square"]


def images(ids):
    return Prepared(np.zeros((len(ids), 1, 4, 4), np.uint8), np.arange(len(ids)), list(ids))


def join(wanted, /, **parameters):
    run = make_run()
    model = adapter("pair_models", "precomputed", **parameters)
    return model.join_probabilities(images(wanted), None, run), run.facts


def write(folder, kind, matrix, ids):
    """Write a matrix whose rows and columns have these ids; return the parameters that read it."""
    file = folder / f"p.{kind if kind in ('npy', 'h5') else 'csv'}"
    if kind == "npy":
        np.save(file, matrix)
        np.save(folder / "ids.npy", np.array(ids))
        return {"file": file, "ids": folder / "ids.npy"}
    if kind == "h5":
        with h5py.File(file, "w") as h5:
            h5["affinities"] = matrix
            h5["file_ids"] = ids
        return {"file": file, "ids_dataset": "file_ids"}
    if kind == "square":
        pd.DataFrame(matrix, index=ids, columns=ids).to_csv(file)
        return {"file": file}
    with file.open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["id_a", "note", "id_b", "probability"])
        for i, a in enumerate(ids):
            lines.writerows([a, "x", b, matrix[i, j]] for j, b in enumerate(ids))
    return {"file": file}


def random_matrix(n, seed=0):
    p = np.random.default_rng(seed).random((n, n), np.float32)
    p = np.maximum(p, p.T)
    np.fill_diagonal(p, 1)
    return p


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(n=st.integers(1, 12), others=st.integers(1, 4), seed=st.integers(0, 999), whole=st.booleans())
def test_comes_back_equal(kind, n, others, seed, whole):
    rng = np.random.default_rng(seed)
    full = random_matrix(n + others, seed)
    names = [str(i) if whole else f"i {i},é" for i in range(n + others)]
    order = rng.permutation(n + others)
    with tempfile.TemporaryDirectory() as folder:
        parameters = write(Path(folder), kind, full[np.ix_(order, order)], [names[i] for i in order])
        found, facts = join(names[:n], **parameters)
    np.testing.assert_array_equal(found, full[:n, :n])
    assert found.dtype == np.float32
    assert facts == {"matched_by": "id"}


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_reads_block_by_block(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("bench.methods.pair_models.precomputed._BLOCK", 200)  # three rows
    monkeypatch.setattr("bench.methods.pair_models.precomputed._TILE", 7)
    rng = np.random.default_rng(0)
    directed = rng.random((60, 60), np.float32)
    names = [f"i{i}" for i in range(60)]
    rows = rng.permutation(60)[:40]
    found, _ = join([names[row] for row in rows], **write(tmp_path, kind, directed, names))
    expected = directed[np.ix_(rows, rows)]
    expected = (expected + expected.T) * np.float32(0.5)
    np.fill_diagonal(expected, 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("directions", "combine"), [("mean", lambda a, b: (a + b) / 2), ("min", np.minimum)])
def test_both_directions(tmp_path, kind, directions, combine):
    directed = np.random.default_rng(1).random((6, 6), np.float32)
    parameters = write(tmp_path, kind, directed, list("abcdef"))
    expected = combine(directed, directed.T)
    np.fill_diagonal(expected, 1)
    found, _ = join("abcdef", directions=directions, **parameters)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, found.T)


def test_organoid_file(tmp_path):
    """float32 affinities with diagonal 0, and ids that are integers."""
    p = random_matrix(5)
    with h5py.File(tmp_path / "test.h5", "w") as h5:
        h5["affinities"] = p * ~np.eye(5, dtype=bool)
        h5["file_ids"] = np.array([10, 2, 33, 4, 5])
    found, _ = join(["33", "10", "5"], file=tmp_path / "test.h5", ids_dataset="file_ids")
    np.testing.assert_array_equal(found, p[np.ix_([2, 0, 4], [2, 0, 4])])


@pytest.mark.parametrize("kind", ["npy", "h5"])
def test_order_without_ids(tmp_path, kind):
    p = random_matrix(4)
    file = write(tmp_path, kind, p, list("abcd"))["file"]
    found, facts = join("wxyz", file=file)
    np.testing.assert_array_equal(found, p)
    assert facts == {"matched_by": "order"}
    with pytest.raises(DataError, match="4 rows for 3 images"):
        join("abc", file=file)


def test_ids_beside_an_h5_file(tmp_path):
    p = random_matrix(3)
    file = write(tmp_path, "h5", p, list("abc"))["file"]
    (tmp_path / "ids.txt").write_text("x\ny\nz\n")
    np.testing.assert_array_equal(join("zx", file=file, ids=tmp_path / "ids.txt")[0], p[::-2, ::-2])
    found, _ = join("zx", file=file, ids=tmp_path / "ids.txt", ids_dataset="file_ids")
    np.testing.assert_array_equal(found, p[::-2, ::-2])
    with pytest.raises(DataError, match="leave `ids` out"):
        join("abc", **write(tmp_path, "long", p, list("abc")), ids=tmp_path / "ids.txt")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, ">f8"])
def test_other_types(tmp_path, dtype):
    p = (random_matrix(4) > 0.6).astype(dtype)
    np.testing.assert_array_equal(join("abcd", **write(tmp_path, "npy", p, list("abcd")))[0], p)


def test_square_table_with_columns_in_another_order(tmp_path):
    p = random_matrix(4)
    pd.DataFrame(p, list("abcd"), list("abcd"))[list("cadb")].to_csv(tmp_path / "p.csv")
    np.testing.assert_array_equal(join("dba", file=tmp_path / "p.csv")[0], p[np.ix_([3, 1, 0], [3, 1, 0])])


def test_one_direction_and_other_columns(tmp_path):
    (tmp_path / "p.csv").write_text("p,to,from\n0.5,007,7\n0.25,NA,7\n1,007,NA\n0.5,7,007\n0.5,007,7\n")
    found, _ = join(["7", "007", "NA"], file=tmp_path / "p.csv", id_a="from", id_b="to", probability="p")
    np.testing.assert_array_equal(found, [[1, 0.5, 0.25], [0.5, 1, 1], [0.25, 1, 1]])


@pytest.mark.parametrize("kind", KINDS)
def test_ids_that_look_like_numbers_or_gaps_stay_text(tmp_path, kind):
    p = random_matrix(4)
    parameters = write(tmp_path, kind, p, ["7", "007", "NA", "7.0"])
    np.testing.assert_array_equal(join(["NA", "007", "7"], **parameters)[0], p[2::-1, 2::-1])
    parameters = write(tmp_path, kind, p, ["7", "007", "7.0", "+7"])
    np.testing.assert_array_equal(join(["7.0", "007", "7"], **parameters)[0], p[2::-1, 2::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_missing_images(tmp_path, kind):
    parameters = write(tmp_path, kind, random_matrix(3), list("abc"))
    with pytest.raises(DataError, match=r"2 of 4 images, e.g. 'x', 'y'; its ids look like 'a'"):
        join("axby", **parameters)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a,b,0.5", "no pairs for 1 of 3 images, e.g. 'c'"),
        ("a,b,0.5\nc,z,0.5", "no probability for 2 of 3 pairs, e.g. 'a' and 'c', 'b' and 'c'$"),
        ("a,b,0.5\nb,c,0.5\nc,a,1.5", "1.5 for 'c' and 'a'"),
        ("a,b,0.5\nb,c,0.5\nc,a,", "nan for 'c' and 'a'"),
        ("a,b,0.5\nb,c,0.5\nc,a,high", "'probability' .* not numbers"),
        ("a,b,0.5\nb,c,0.5\nc,a,0\na,b,0.75", "0.5 and 0.75 for 'a' and 'b', in this direction"),
        ("a,b,0.5,1\nb,c,0.5,1\nc,a,0.5,1", "more values than its header"),
        ("", "no pairs for 3 of 3|not numbers"),
    ],
)
def test_bad_pairs(tmp_path, lines, message):
    (tmp_path / "p.csv").write_text(f"id_a,id_b,probability\n{lines}\n")
    with pytest.raises(DataError, match=message):
        join("abc", file=tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\na,1,0\nb,0,high\n", "text among"),
        ("id,a,b\na,1,0\nb,0\n", None),
        ("id,a,b\na,1\nb,0\n", "neither the columns 'id_a', 'id_b', 'probability'"),
        ("id,a,b\na,1,\nb,0,1\n", "nan for 'a' and 'b'"),
        ("first,second,p\na,b,1\n", "neither the columns .*'first', 'second', 'p'"),
        ("id,a,c\na,1,0\nb,0,1\n", "no column for 1 of 2 images, e.g. 'b'"),
        ("id,a,b\na,1,0\nc,0,1\n", "no row for 1 of 2 images, e.g. 'b'"),
        ("id,a,a\na,1,0\nb,0,1\n", "'a' occurs more than once"),
        ("id,a,b\n", "cannot read"),
        ("", "cannot read"),
    ],
)
def test_bad_square_table(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    if message is None:  # the diagonal may be left out
        np.testing.assert_array_equal(join("ab", file=tmp_path / "p.csv")[0], np.eye(2))
        return
    with pytest.raises(DataError, match=message):
        join("ab", file=tmp_path / "p.csv")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e-12, 1 + 1e-12])
def test_bad_values_are_named(tmp_path, kind, value):
    p = random_matrix(4).astype(float)
    p[2, 1] = value
    parameters = write(tmp_path, kind, p, list("abcd"))
    with pytest.raises(DataError, match="for 'c' and 'b'; join probabilities are numbers from 0 to 1"):
        join("dcb", **parameters)
    np.testing.assert_array_equal(join("ab", **parameters)[0][0, 1], np.float32(p[0, 1]))  # passed over


@pytest.mark.parametrize("kind", KINDS)
def test_diagonal_is_passed_over(tmp_path, kind):
    p = random_matrix(4)
    np.fill_diagonal(p, np.nan)
    assert (np.diag(join("abcd", **write(tmp_path, kind, p, list("abcd")))[0]) == 1).all()


def test_files_that_cannot_be_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("unpickled",)

    np.save(tmp_path / "pickle.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "wide.npy", np.zeros((1, 2)))
    np.save(tmp_path / "text.npy", np.array([["a"]]))
    with h5py.File(tmp_path / "nothing.h5", "w") as h5:
        h5["affinities"] = h5py.Empty("f4")
    for name in ("x.npy", "x.csv", "x.h5", "x.txt"):
        (tmp_path / name).touch()
    names = ("x.npy", "x.csv", "x.h5", "x.txt", "pickle.npy", "wide.npy", "text.npy", "nothing.h5", "no.npy")
    for name in names:
        with pytest.raises(DataError, match=name):
            join("a", file=tmp_path / name)
    with pytest.raises(DataError, match="no dataset 'p'"):
        join("a", file=tmp_path / "nothing.h5", dataset="p")
