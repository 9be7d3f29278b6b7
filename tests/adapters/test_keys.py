"""Keys depend on values, never on their spelling or location."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bench.adapters.keys import digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_mappings_is_irrelevant(value: dict[str, Any]):
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


def test_names_that_are_not_utf_8_have_keys():
    assert digest(["\udcff"]) != digest(["\udcfe"])


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(value[k]) for k in sorted(value)}
    return [_sorted(v) for v in value] if isinstance(value, list) else value
