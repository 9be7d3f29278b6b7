from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import DataError
from bench.layouts.runtables import Findings, groups_by_pattern, groups_by_table, read_labels


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_groups_by_pattern():
    findings = Findings()
    paths = {"a": "bag1/day03/a", "b": "bag2/day-1/b", "c": "ocean/c", "d": "bag3/day/d"}
    groups = groups_by_pattern(r"bag(?P<bag>\d+)/day(?P<day>-?\d+)?", paths, findings)
    assert groups == {"bag": {"a": "1", "b": "2", "d": "3"}, "day": {"a": 3, "b": -1, "d": None}}
    assert findings.first == {"runs that run_pattern does not match": ["ocean/c"]}


def test_a_day_must_be_a_number_and_a_path_short():
    with pytest.raises(DataError, match=r"x/y: by run_pattern .*: day is 'y', not a whole number"):
        groups_by_pattern(r"x/(?P<day>\w+)", {"y": "x/y"}, Findings())
    with pytest.raises(DataError, match="more than 300 characters"):
        groups_by_pattern(r"(?P<bag>a+)+$", {"y": "a" * 301}, Findings())


def test_groups_by_table(tmp_path: Path):
    path = written(tmp_path / "m.csv", "day,run,bag,site,\n3,a,1,north,\n,b, 2 ,,\n5,gone,1,x,\n")
    findings = Findings()
    groups = groups_by_table(path, ["a", "b", "c"], {"id"}, findings)
    assert groups == {
        "day": {"a": 3, "b": None},
        "bag": {"a": "1", "b": "2"},
        "site": {"a": "north", "b": None},
    }
    assert findings.first == {
        "runs of the mapping that are not there": ["gone"],
        "runs that the mapping lacks": ["c"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("bag,day\n1,2\n", r"m\.csv:1: has no column 'run'"),
        ("run,bag\na,1\na,2\n", r"m\.csv:3: the run 'a' was there before, .*m\.csv:2"),
        ("run,bag\na,1\nb\n", r"m\.csv:3: has 1 fields, the header 2"),
        ("run,day\na,1.5\n", r"m\.csv:2: day is '1.5', not a whole number"),
        ("run,day\na,99999999999\n", r"m\.csv:2: day is '99999999999'"),
        ("run,id\na,1\n", r"m\.csv:1: the column 'id' is one of every table"),
        ("run,bag\na,\0\n", "holds zero bytes"),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        groups_by_table(written(tmp_path / "m.csv", text), ["a", "b"], {"id"}, Findings())


@pytest.mark.parametrize(
    ("text", "by", "expected"),
    [
        ("run,image_id,class\nr,ab-1,Junk\nr,AB-2, Cell \n", "image_id", {"AB-1": "Junk", "AB-2": "Cell"}),
        ("id,label\nr/1,x\nr/2,\n", "id", {"r/1": "x"}),
        ("label,particle,run\nx,1,r\ny,2,q\n", "id", {"r/1": "x", "q/2": "y"}),
    ],
)
def test_every_form_of_labels(tmp_path: Path, text: str, by: str, expected: dict[str, str]):
    findings = Findings()
    assert read_labels(written(tmp_path / "l.csv", text), findings) == (by, expected)
    assert not findings.counts


def test_labels_that_contradict_each_other_count_as_none(tmp_path: Path):
    findings = Findings()
    path = written(tmp_path / "l.csv", "id,label\na,x\nb,x\na,y\nb,x\nc\na,x\n")
    assert read_labels(path, findings) == ("id", {"b": "x"})
    assert findings.first == {
        "labels in damaged lines": ["l.csv:6: has 1 fields, the header 2"],
        "labels that contradict an earlier one": ["l.csv:4: a 'y'"],
    }


@pytest.mark.parametrize("header", ["image_id,name", "label", "particle,label", "run,label"])
def test_labels_without_the_needed_columns_are_refused(tmp_path: Path, header: str):
    with pytest.raises(DataError, match=r"l\.csv:1: needs a column label or class"):
        read_labels(written(tmp_path / "l.csv", f"{header}\n"), Findings())


def test_labels_and_groups_follow_the_rules_of_tables(tmp_path: Path):
    path = tmp_path / "labels.csv"
    path.write_bytes(
        "run;particle;class\r\na;1.0;3\r\na;2.0;3.0\r\na;3;NaN\r\na;4;Fu\xdf\r\n".encode("cp1252")
    )
    findings = Findings()
    assert read_labels(path, findings) == ("id", {"a/1": "3", "a/2": "3", "a/4": "Fuß"})
    assert set(findings.counts) == {
        "tables with a note: columns are separated by semicolons",
        "tables with a note: the text is read as Windows-1252, for it is not UTF-8",
        "tables with a note: 1 labels read 'NaN': taken as missing",
        "tables with a note: the label '3.0' is taken as '3'",
    }
    path.write_text("run,day,bag\na,3.0,NA\n")
    assert groups_by_table(path, ["a"], [], Findings()) == {"day": {"a": 3}, "bag": {"a": None}}
    path.write_text("id,label\na/1,none\n")
    with pytest.raises(DataError, match=r"labels\.csv:2: is the label 'none' a class or a missing value"):
        read_labels(path, Findings())
