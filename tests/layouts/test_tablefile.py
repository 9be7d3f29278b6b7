import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.layouts.tablefile import read_table


def write(tmp_path: Path, data: bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_marks_change_nothing(tmp_path: Path, end: bytes, mark: bytes) -> None:
    table = read_table(write(tmp_path, mark + end.join([b"a,b", b"1,NA", b",x", b""])), ["a", "b"])
    assert table.columns == {"a": ["1", ""], "b": ["NA", "x"]}
    assert list(table.lines) == [2, 3]


def test_rows_of_another_length_are_left_out_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, b'a\tb\n"x\ny"\t2\n1\n\n3\t4\t5\n6\t7\n')
    table = read_table(path, delimiter="\t")
    assert table.columns == {"a": ["x\ny", "6"], "b": ["2", "7"]}
    assert list(table.lines) == [2, 7]
    assert list(table.ragged) == [
        f"{path}:4: has 1 fields, the header 2",
        f"{path}:6: has 3 fields, the header 2",
    ]
    assert table.where(1) == f"{path}:7"


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, b"a,b\n"))
    assert table.columns == {"a": [], "b": []}
    assert len(table) == 0


def test_gzipped_tables_are_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(b"a\n1\n"), "t.csv.gz")
    assert read_table(path).columns == {"a": ["1"]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\n1,2\n", "is empty"),
        (b"a,a\n", "'a' appears more than once"),
        (b"a,c\n", "has no column 'b'"),
        (b"a,b\n1,\x81\n", ":2: is not UTF-8"),
        (b"a,b\n1,\0\n", "zero bytes"),
        (b'a,b\n1,"2\n', "is not a valid table"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    ],
)
def test_what_is_no_table_ends_with_a_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_table(write(tmp_path, data), ["a", "b"])


def test_a_missing_file_and_a_folder_end_with_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read_table(path)


def test_size_is_limited_also_once_unpacked(tmp_path: Path) -> None:
    bomb = write(tmp_path, gzip.compress(b"a\n" + b"1" * 100_000), "t.csv.gz")
    with pytest.raises(DataError, match="larger than 1000 bytes"):
        read_table(bomb, max_bytes=1000)


@pytest.mark.parametrize("cut", [5, 15, 25])
def test_a_cut_gzip_ends_with_a_sentence(tmp_path: Path, cut: int) -> None:
    with pytest.raises(DataError, match=r"damaged|empty"):
        read_table(write(tmp_path, gzip.compress(b"a,b\n1,2\n" * 50)[:cut], "t.csv.gz"))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_table_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = write(tmp_path_factory.mktemp("t"), data)
    try:
        table = read_table(path)
    except DataError:
        return
    assert all(len(column) == len(table) for column in table.columns.values())
