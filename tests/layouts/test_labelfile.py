from __future__ import annotations

import contextlib
import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.layouts.labelfile import match, read_labels


def write(folder, content, name="labels.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pair(folder, truth, pred):
    return match(read_labels(write(folder, truth, "truth.csv")), read_labels(write(folder, pred, "pred.csv")))


def groups(labels):
    """Return labels renamed by their first occurrence; -1 stays."""
    names = {-1: -1}
    return [names.setdefault(int(x), len(names) - 1) for x in labels]


# --- csv


@pytest.mark.parametrize(
    "content",
    [
        "id,label\nx,cat\ny,dog\nz,cat\n",
        "id,label\nx,cat\ny,dog\nz,cat",
        "id,label\r\nx,cat\r\ny,dog\r\nz,cat\r\n",
        "\ufeffid,label\nx,cat\ny,dog\nz,cat\n",
        "id,label\nx,cat\ny,dog\nz,cat\n\n  \n,\n",
        '"id","label"\n"x","cat"\n"y","dog"\n"z","cat"\n',
        "ID, Label\nx , cat\ny, dog\nz, cat\n",
        "label,split,id\ncat,test,x\ndog,test,y\ncat,train,z\n",
    ],
)
def test_ids_and_labels(tmp_path, content):
    file = read_labels(write(tmp_path, content))
    assert file.ids == ["x", "y", "z"]
    assert file.labels.tolist() == [0, 1, 0]
    assert not file.empty.any()


@pytest.mark.parametrize(
    "content",
    ["cat\ndog\ncat\n", "label\ncat\ndog\ncat\n\n\n", "\ufeffcat\r\ndog\r\ncat\r\n", '"cat"\ndog\n"cat"'],
)
def test_one_label_a_line(tmp_path, content):
    file = read_labels(write(tmp_path, content))
    assert file.ids is None
    assert file.labels.tolist() == [0, 1, 0]


def test_labels_are_names_not_numbers(tmp_path):
    assert read_labels(write(tmp_path, "1\n01\n1\n1.0\n")).labels.tolist() == [0, 1, 0, 0]


def test_empty_labels_are_unknown_in_truth_and_refused_in_a_prediction(tmp_path):
    known = "id,label\nx,-1\ny,5\nz,-1.0\n"
    truth, pred = pair(tmp_path, "id,label\nx,a\ny,\nz,-1\n", known)
    assert truth.tolist() == [0, -1, -1]
    assert pred.tolist() == [-1, 0, -1]
    with pytest.raises(
        DataError, match=r"pred\.csv:3: the predicted label is empty or a missing value \(1 in all\)"
    ):
        pair(tmp_path, known, "id,label\nx,a\ny,\nz,-1\n")


def test_an_empty_line_among_labels_is_an_empty_label(tmp_path):
    file = read_labels(write(tmp_path, "a\n\nb\n\n"))
    assert file.empty.tolist() == [False, True, False]
    assert file.labels.tolist() == [0, -1, 1]


def test_quoted_fields_may_hold_commas_and_line_breaks(tmp_path):
    file = read_labels(write(tmp_path, 'id,label\n"a,1","x\ny"\nb,z\nc\n'.replace("\nc\n", "\n")))
    assert file.ids == ["a,1", "b"]
    assert [file.where(i).rsplit(":", 1)[1] for i in range(2)] == ["2", "4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"labels\.csv: holds no labels"),
        ("\n\n", r"labels\.csv: holds no labels"),
        ("id,label\n", r"labels\.csv: holds no labels"),
        ("id,label\nx,a\ny\n", r"labels\.csv:3: expected 2 columns, found 1"),
        ("id,label\nx,a\n\ny,b\n", r"labels\.csv:3: expected 2 columns, found 0"),
        ("id,label\nx,a,b\n", r"labels\.csv:2: expected 2 columns, found 3"),
        ("a\nb,c\n", r"labels\.csv:2: expected 1 columns, found 2"),
        ("x,a\ny,b\n", r"labels\.csv:1: expected one column 'id' in the header, found x, a"),
        ("id,id,label\nx,y,a\n", r"labels\.csv:1: expected one column 'id'"),
        ("id,class\nx,a\n", r"labels\.csv:1: expected one column 'label'"),
        ("id\nx\n", r"labels\.csv:1: a column of ids needs a column `label`"),
        ('id,label\nx,a\ny,"b\nz,c\n', r"labels\.csv:3: not readable as CSV: unexpected end"),
        ('id,label\nx,"a"b\n', r"labels\.csv:2: not readable as CSV"),
        ("id,label\n,a\n", r"labels\.csv:2: the id is empty"),
        (b"id,label\nx,a\ny,\x81\n", r"labels\.csv:3: is not UTF-8 \(byte 0x81\), nor Windows-1252"),
        ("id,label\nx,å\ny,".encode() + b"\xe5\n", r"labels\.csv:3: is not UTF-8 .*, other lines are"),
        ("id,label\nx,none\ny,a\n", r"labels\.csv:2: is the label 'none' a class or a missing value \(1 in"),
        ("id,label\nx,0.25\ny,1\n", r"labels\.csv:2: the label 0\.25 is not a whole number"),
        ("species\ncat\ncat\ndog\n", r"labels\.csv:1: is 'species' a header\? .*call it `label`"),
        ("id,label\nx," + "a" * 200_000 + "\n", r"labels\.csv:2: not readable as CSV: field larger"),
    ],
)
def test_a_malformed_file_gives_one_sentence_with_file_and_line(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as e:
        read_labels(write(tmp_path, content))
    assert "\n" not in str(e.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0"), min_size=1),
            st.sampled_from(["", "-1", "-1.0"])
            | st.text().map(lambda text: "class " + text.replace("\0", "")),
        ),
        min_size=1,
    )
)
def test_any_table_survives_the_file(tmp_path, rows):
    rows = [(i.strip(), label.strip()) for i, label in rows if i.strip()] or [("x", "a")]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "label"), *rows])
    file = read_labels(write(tmp_path, text.getvalue().encode("utf-8", "replace")))
    clean = [[x.encode("utf-8", "replace").decode() for x in row] for row in rows]
    assert file.ids == [i for i, _ in clean]
    noise = [x in ("", "-1", "-1.0") for _, x in clean]
    expected = groups(-1 if n else hash(x) for n, (_, x) in zip(noise, clean, strict=True))
    assert groups(file.labels) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.binary(max_size=60), st.sampled_from(["csv", "npy", "parquet"]))
def test_random_bytes_never_crash(tmp_path, content, suffix):
    with contextlib.suppress(DataError):
        read_labels(write(tmp_path, content, f"labels.{suffix}"))


# --- arrays and parquet


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16])
def test_integer_arrays(tmp_path, dtype):
    np.save(tmp_path / "labels.npy", np.array([3, 0, 3, -1]).astype(dtype))
    file = read_labels(tmp_path / "labels.npy")
    assert file.labels.tolist() == np.array([3, 0, 3, -1]).astype(dtype).tolist()
    assert file.ids is None


def test_text_arrays(tmp_path):
    np.save(tmp_path / "labels.npy", np.array(["b", "a", "b", "-1", ""]))
    file = read_labels(tmp_path / "labels.npy")
    assert file.labels.tolist() == [0, 1, 0, -1, -1]
    assert file.empty.tolist() == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0.5, 1.0]), r"row 1: the label 0\.5 is not a whole number"),
        (np.array([0.0, np.inf]), r"row 2: the label inf is not a whole number"),
        (np.array([True, False]), "must be integers or text, not bool"),
        (np.zeros((2, 2), int), r"found shape \(2, 2\)"),
        (np.array(5), r"found shape \(\)"),
        (np.array([2**64 - 1], np.uint64), "must fit 64-bit signed integers"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "labels.npy", array)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "labels.npy")


def test_pickles_archives_and_torn_arrays_are_refused(tmp_path):
    path = tmp_path / "labels.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a readable array"):
        read_labels(path)
    with path.open("wb") as f:
        np.savez(f, a=np.arange(3))
    with pytest.raises(DataError, match="an archive of arrays"):
        read_labels(path)
    np.save(path, np.arange(100))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="not a readable array"):
        read_labels(path)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.sampled_from(["npy", "parquet"]), st.data())
def test_damaged_files_never_crash(tmp_path, suffix, data):
    path = tmp_path / f"sound.{suffix}"
    if suffix == "npy":
        np.save(path, np.arange(4))
    else:
        pd.DataFrame({"id": ["x", "y"], "label": [0, 1]}).to_parquet(path)
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(content), len(content) // 2]))
    with contextlib.suppress(DataError):
        read_labels(write(tmp_path, bytes(content[:cut]), f"damaged.{suffix}"))


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        ([3, 0, 3], [3, 0, 3]),
        (["b", "a", "b"], [0, 1, 0]),
        (["b", None, "b"], [0, -1, 0]),
        ([3.0, None, -1.0], [0, -1, -1]),
        (pd.array([3, None, -1], "Int64"), [0, -1, -1]),
        (pd.Categorical(["b", "a", "b"]), [0, 1, 0]),
    ],
)
def test_parquet(tmp_path, labels, codes):
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"other": range(3), "id": ["x", "y", "z"], "label": labels}).to_parquet(path)
    file = read_labels(path)
    assert file.ids == ["x", "y", "z"]
    assert file.labels.tolist() == codes
    assert file.empty.tolist() == pd.isna(pd.Series(labels)).tolist()


def test_parquet_of_one_column(tmp_path):
    path = tmp_path / "labels.parquet"
    pd.DataFrame({"cluster": [3, 0, 3]}, index=["x", "y", "z"]).to_parquet(path)
    file = read_labels(path)
    assert file.ids is None
    assert file.labels.tolist() == [3, 0, 3]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"label": [0.5, 1.0]}, r"row 1: the label 0\.5 is not a whole number"),
        ({"label": [True, False]}, "must hold integers or text, not bool"),
        ({"label": [[1], [2]]}, "must hold integers or text, not list"),
        ({"name": ["x"], "label": [1]}, "expected one column 'id' in the header, found name, label"),
        ({"id": ["x", None], "label": [1, 2]}, "row 2: the id is empty"),
        ({"label": []}, "holds no labels"),
    ],
)
def test_other_parquet_files_are_refused(tmp_path, frame, message):
    path = tmp_path / "labels.parquet"
    pd.DataFrame(frame).to_parquet(path)
    with pytest.raises(DataError, match=message):
        read_labels(path)


def test_files_that_cannot_be_read(tmp_path):
    for suffix in ("csv", "npy", "parquet"):
        with pytest.raises(DataError, match=rf"none\.{suffix}: cannot be read: .*No such file"):
            read_labels(tmp_path / f"none.{suffix}")
    with pytest.raises(DataError, match=r"labels are read from \.csv, \.npy, \.parquet, not '\.txt'"):
        read_labels(tmp_path / "labels.txt")


# --- what the text means


@pytest.mark.parametrize("word", ["nan", "NA", "None", "<NA>", "#N/A", "null", ""])
def test_a_missing_value_written_as_text_is_missing(tmp_path, word):
    true = ["copepod"] * 4 + ["diatom"] * 4 + ["detritus"] * 4
    file = read_labels(
        write(tmp_path, "id,label\n" + "".join(f"{i},{x if i % 4 else word}\n" for i, x in enumerate(true)))
    )
    assert groups(file.labels) == [-1, 0, 0, 0, -1, 1, 1, 1, -1, 2, 2, 2]
    assert list(file.notes) == ([f"3 labels read {word!r}: taken as missing"] if word else [])
    with pytest.raises(
        DataError, match=r"labels\.csv:2: the predicted label is empty or a missing value \(3 in all"
    ):
        match(file, file)


def test_floats_are_the_whole_numbers_they_were(tmp_path):
    file = read_labels(write(tmp_path, "label\n3\n3.0\n4.00\n-1.000000000000000000e+00\n3.0e+00\n"))
    assert groups(file.labels) == [0, 0, 1, -1, 0]
    assert "the label '3.0' is taken as '3'" in file.notes
    assert groups(read_labels(write(tmp_path, "label;id\n3,0;x\n3;y\n-1,0;z\n")).labels) == [0, 0, -1]
    np.save(tmp_path / "labels.npy", np.array([2.0, np.nan, -1.0, 2.0]))
    assert groups(read_labels(tmp_path / "labels.npy").labels) == [0, -1, -1, 0]


def test_a_name_above_whole_numbers_is_a_header(tmp_path):
    file = read_labels(write(tmp_path, "cluster\n0\n0\n1\n"))
    assert file.labels.tolist() == [0, 0, 1]
    assert file.lines == [2, 3, 4]
    assert file.notes == ["the first line, 'cluster', is taken as a header"]


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_files_of_windows_are_read_and_said(tmp_path, separator, encoding):
    rows = [("id", "label"), ("Ström 1", "Ruderfußkrebs"), ("Ström 2", "µ-Alge")]
    file = read_labels(write(tmp_path, "".join(separator.join(r) + "\r\n" for r in rows).encode(encoding)))
    assert file.ids == ["Ström 1", "Ström 2"]
    assert file.labels.tolist() == [0, 1]
    assert len(file.notes) == 1 + (encoding != "utf-8")
    assert "columns are separated by" in file.notes[-1]


def test_labels_that_differ_little_are_named(tmp_path):
    file = read_labels(write(tmp_path, "label\nCopepod\ncopepod\n01\n1\n"))
    assert file.labels.tolist() == [0, 1, 2, 3]
    assert [note.split(": ")[1] for note in file.notes] == ["'Copepod', 'copepod'", "'01', '1'"]


def test_an_array_whose_shape_is_no_number_is_refused(tmp_path):
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (True,), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    with pytest.raises(DataError, match="not a readable array"):
        read_labels(write(tmp_path, data, "labels.npy"))


# --- matching


def test_labels_are_matched_by_id_in_the_order_of_truth(tmp_path):
    truth, pred = pair(tmp_path, "id,label\nx,a\ny,b\nz,b\n", "id,label\nz,9\nx,7\ny,8\n")
    assert truth.tolist() == [0, 1, 1]
    assert pred.tolist() == [1, 2, 0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.permutations(range(8)))
def test_the_order_of_a_prediction_with_ids_means_nothing(tmp_path, order):
    rows = [f"image {i},{i % 3 - 1}\n" for i in range(8)]
    _, pred = pair(tmp_path, "id,label\n" + "".join(rows), "id,label\n" + "".join(rows[i] for i in order))
    assert groups(pred) == groups(i % 3 - 1 for i in range(8))


def test_labels_without_ids_are_matched_by_position(tmp_path):
    np.save(tmp_path / "pred.npy", np.array([5, -1, 5]))
    truth = read_labels(write(tmp_path, "a\n-1\nb\n"))
    t, p = match(truth, read_labels(tmp_path / "pred.npy"))
    assert (t.tolist(), p.tolist()) == ([0, -1, 1], [5, -1, 5])


@pytest.mark.parametrize(
    ("truth", "pred", "message"),
    [
        ("a\nb\n", "a\n", r"truth\.csv has 2 labels, .*pred\.csv has 1; without ids"),
        ("a\nb\n", "id,label\nx,a\ny,b\n", r"pred\.csv has ids, .*truth\.csv has none"),
        ("id,label\nx,a\n", "a\n", r"truth\.csv has ids, .*pred\.csv has none"),
        (
            "id,label\nx,a\ny,b\nz,c\n",
            "id,label\nx,a\nw,b\nv,b\nx,a\n",
            r"pred\.csv holds 1 id more than once \('x'\); .*pred\.csv lacks 2 ids of .*truth\.csv "
            r"\('y', 'z'\); .*pred\.csv has 2 ids unknown to truth \('w', 'v'\)",
        ),
        (
            "id,label\nx,a\nx,b\n",
            "id,label\nx,a\n",
            r"^ids do not match: \S*truth\.csv holds 1 id more than once \('x'\)$",
        ),
        (
            "id,label\n" + "".join(f"{i},a\n" for i in range(9)),
            "id,label\n0,a\n",
            r"^ids do not match: \S*pred\.csv lacks 8 ids of \S*truth\.csv \('1', '2', '3', \.\.\.\)$",
        ),
    ],
)
def test_files_that_do_not_match_are_refused_with_counts_and_names(tmp_path, truth, pred, message):
    with pytest.raises(DataError, match=message):
        pair(tmp_path, truth, pred)
