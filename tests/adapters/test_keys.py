"""Keys depend on values, never on how or where they were written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic_core import PydanticUndefined

from bench.adapters.keys import digest, inputs_of
from bench.adapters.registry import KINDS, load, names
from bench.interfaces import Adapter, Clusterer, Encoder, InputFile, Reducer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Plain(Encoder):
    """Has parameters of all kinds."""

    use: ClassVar[str] = "plain"

    rate: float = 1.0
    names: tuple[str, ...] = ("a", "b")
    chosen: frozenset[str] = frozenset({"x", "y", "z"})
    maps: dict[str, int] = Field(default={"one": 1, "two": 2})
    file: InputFile | None = None
    folder: Path | None = None


class Shrink(Reducer):
    """A nested adapter."""

    dims: int = 2


class Grouper(Clusterer):
    """Holds another adapter."""

    k: int = 3


def key(adapter: Adapter, content: Any = None, **kwargs: Any) -> str:
    return digest(inputs_of(adapter, content or (lambda p: p.read_text()), **kwargs))


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_mappings_means_nothing(value: dict[str, Any]):
    assert digest(value) == digest(dict(reversed(value.items())))


@given(VALUES, VALUES)
def test_different_values_have_different_keys(a: Any, b: Any):
    assert (digest(a) == digest(b)) == (repr(_sorted(a)) == repr(_sorted(b)))


def test_a_key_is_the_same_in_every_process():
    value = {"b": [1, 2.5, None, True], "a": "é"}
    code = f"from bench.adapters.keys import digest; print(digest({value!r}))"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == digest(value)
    assert len(digest(value)) == 32


def test_names_that_are_no_utf_8_have_keys():
    assert digest(["\udcff"]) != digest(["\udcfe"])


def test_defaults_count_as_if_written_out():
    assert key(Plain()) == key(Plain(rate=1, names=("a", "b"), chosen=frozenset({"z", "y", "x"})))
    assert key(Plain()) == key(Plain(maps={"two": 2, "one": 1}))


@pytest.mark.parametrize(
    "change",
    [{"rate": 1.5}, {"names": ("b", "a")}, {"chosen": frozenset({"x"})}, {"maps": {"one": 2, "two": 1}}],
)
def test_every_parameter_counts(change: dict[str, Any]):
    assert key(Plain()) != key(Plain(**change))


def test_a_file_counts_by_content_and_ending_but_not_by_place(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    paths = {n: tmp_path / n for n in ("a.csv", "b.csv", "deep/c.csv", "a.txt")}
    for name, path in paths.items():
        path.write_text("other" if name == "b.csv" else "same")
    keys = {name: key(Plain(file=path)) for name, path in paths.items()}
    assert keys["a.csv"] == keys["deep/c.csv"]
    assert len({keys["a.csv"], keys["b.csv"], keys["a.txt"], key(Plain())}) == 4


def test_a_plain_path_counts_as_written(tmp_path: Path):
    assert key(Plain(folder=tmp_path / "a")) != key(Plain(folder=tmp_path / "b"))


def test_nested_adapters_count_unless_left_out():
    two, three = (Grouper(reduce=Shrink(dims=d)) for d in (2, 3))
    assert key(two) != key(three)
    assert key(two) != key(Grouper())
    assert key(two, leave_out=("reduce",)) == key(three, leave_out=("reduce",))


def test_the_version_counts(monkeypatch: pytest.MonkeyPatch):
    before = key(Plain())
    monkeypatch.setattr(Plain, "version", 2)
    assert key(Plain()) != before


def test_a_value_without_canonical_form_is_refused():
    class Odd(Encoder):
        """Holds what no suite file can."""

        value: complex = 1j

    with pytest.raises(TypeError, match="canonical"):
        key(Odd())


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(value[k]) for k in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in names(k)])
def test_every_parameter_of_every_adapter_counts(kind: str, name: str):
    cls = load(kind, name)
    values = {n: f.get_default() for n, f in cls.model_fields.items()}
    values = {n: None if v is PydanticUndefined else v for n, v in values.items()}
    plain = key(cls.model_construct(None, **values))
    for parameter in values:
        other = cls.model_construct(None, **{**values, parameter: "another value"})
        assert key(other) != plain, parameter
