"""YAML 1.2 as plain values with lines; what is not YAML is one clear sentence."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.util import yamlfile
from bench.util.yamlfile import FileError, get, override, read

TEXT = st.text(st.characters(max_codepoint=0xD7FF, exclude_characters="\0"), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda x: (
        st.lists(x, max_size=4) | st.dictionaries(st.text("abcxyz ", min_size=1, max_size=5), x, max_size=4)
    ),
    max_leaves=12,
)


def tree(tmp_path: Path, text: str | bytes) -> yamlfile.Tree:
    file = tmp_path / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1E5", 1e5), (".5", 0.5), ("1_000", 1000), ("0o14", 12), ("0x1f", 31), ("012", 12),
        ("on", "on"), ("no", "no"), ("yes", "yes"), ("off", "off"), ("true", True), ("False", False),
        ("null", None), ("~", None), ("", None), ("'1'", "1"), ("1:30", "1:30"), ("[a, 1]", ["a", 1]),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: Any):
    found = tree(tmp_path, f"a: {text}\n").value["a"]
    assert found == value
    assert type(found) is type(value)


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_another_writer_wrote_comes_back_as_plain_types(tmp_path: Path, value: Any):
    text = json.dumps({"a": value}, ensure_ascii=True)  # JSON is YAML
    found = tree(tmp_path, text).value["a"]
    assert found == value
    assert _types(found) == _types(value)


def test_lines(tmp_path: Path):
    t = tree(tmp_path, "a: 1\nb:\n  - x\n  - k: v\n    l: [p,\n      q]\n# c\nc: {d: 5}\n")
    wanted = {
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 3,
        ("b", 1): 4,
        ("b", 1, "k"): 4,
        ("b", 1, "l"): 5,
        ("c", "d"): 8,
    }
    assert {where: t.line(where) for where in wanted} == wanted
    assert t.line(("b", 1, "l", 1)) == 6
    assert t.line(("c", "absent", "deep")) == 8  # the nearest thing around it
    assert t.line(("absent",)) == 1


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)
WRONG: dict[str, tuple[str | bytes, str]] = {
    "not YAML": ("a: 1\nb: [1, 2\nc: 3\n", r":(3|4): not valid YAML"),
    "a tab": ("a:\n\t- b\n", ":2: not valid YAML"),
    "a repeated key": ("a: 1\nb: 2\na: 3\n", ':3: not valid YAML: found duplicate key "a"'),
    "two documents": ("a: 1\n---\nb: 1\n", "not valid YAML"),
    "an unknown alias": ("a: *b\n", "not valid YAML"),
    "not UTF-8": (b"a: \xff\xfe\n", ":1: not UTF-8 text"),
    "an alias bomb": (ALIASES, "more than 400000 values"),
    "lists too deep": ("a: " + "[" * 60 + "]" * 60, "deep"),
    "lists far too deep": ("a: " + "[" * 20_000 + "]" * 20_000, "deep"),
    "half a surrogate pair": ('b: 1\na: ["\\ud800"]\n', ":2: .* not text"),
    "a null character": ('a: "\\0"\n', "not text"),
    "a null character in a key": ('"\\0": 1\n', "not text"),
    "a control character": ("a: \x01\n", "not valid YAML"),
    "an endless number": ("a: " + "9" * 5000, "not valid YAML"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, what: str):
    text, message = WRONG[what]
    with pytest.raises(FileError, match=message) as e:
        tree(tmp_path, text)
    assert str(e.value).startswith(f"{tmp_path / 'x.yaml'}:")


def test_a_file_too_large_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    monkeypatch.setattr(yamlfile, "MAX_BYTES", 10)
    with pytest.raises(FileError, match="larger than 10 bytes"):
        tree(tmp_path, "a: 12345678\n")


@pytest.mark.slow
@given(st.binary(max_size=60) | st.text("abc:-[]{}&*!|>%@`'\"#,?<\n \t0.~", max_size=60).map(str.encode))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_at_all_end_in_anything_but_a_file_error(tmp_path: Path, data: bytes):
    with contextlib.suppress(FileError):
        tree(tmp_path, data)


def test_problems_are_sorted_and_said_once(tmp_path: Path):
    p = yamlfile.Problem(tmp_path, 9, "b")
    q = yamlfile.Problem(tmp_path, 2, "a")
    assert str(FileError([p, q, p])).splitlines() == [str(q), str(p)]


BASE = """\
seeds: [0, 1]
limits: {wall_s: 5, threads: 1}
datasets:
  - {name: A, size: 1}
  - {name: B, size: 2}
p:
  seeds: [7]
  limits: {wall_s: 9}
  datasets: {B: {size: 3, root: x}}
  title: new
"""


def test_a_change_is_laid_over_mappings_and_named_entries(tmp_path: Path):
    t = tree(tmp_path, BASE)
    override(t, (), ("p",))
    assert t.value["seeds"] == [7]
    assert t.value["limits"] == {"wall_s": 9, "threads": 1}
    assert t.value["datasets"] == [{"name": "A", "size": 1}, {"name": "B", "size": 3, "root": "x"}]
    assert t.value["title"] == "new"
    assert (t.line(("seeds", 0)), t.line(("datasets", 1, "size")), t.line(("datasets", 0, "size"))) == (
        7,
        9,
        4,
    )
    assert get(t, ("datasets", 1, "root")) == "x"
    assert get(t, ("datasets", 5, "root")) is None


def test_null_leaves_an_entry_out_and_the_others_keep_their_lines(tmp_path: Path):
    t = tree(tmp_path, BASE.replace("{B: {size: 3, root: x}}", "{A: null, B: {size: 3}}"))
    lines = [t.line(("datasets", 1)), t.line(("datasets", 1, "name"))]
    override(t, (), ("p",))
    assert t.value["datasets"] == [{"name": "B", "size": 3}]
    assert [t.line(("datasets", 0)), t.line(("datasets", 0, "name"))] == lines
    assert t.line(("datasets", 0, "size")) == 9
    assert t.left_out == {"A"}


def test_all_entries_that_a_change_does_not_find_are_named(tmp_path: Path):
    t = tree(tmp_path, BASE.replace("{B: {size: 3, root: x}}", "{Bb: {}, 5: {}}"))
    with pytest.raises(FileError) as e:
        override(t, (), ("p",))
    assert [p.line for p in e.value.problems] == [9, 9]
    assert "no entry is named 'Bb'; did you mean 'B'?" in str(e.value)


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _types(v) for k, v in value.items()}
    return [_types(v) for v in value] if isinstance(value, list) else type(value)
