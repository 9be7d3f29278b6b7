"""What pydantic found wrong, as sentences with place, value and hint."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from bench.util.validation import show, validated


class Inner(BaseModel):
    """A block of a block."""

    model_config = ConfigDict(extra="forbid")
    level: float = Field(0.5, gt=0, lt=1)


class Outer(BaseModel):
    """A block."""

    model_config = ConfigDict(extra="forbid")
    name: str
    size: Annotated[int, Field(ge=4)] = 4
    shape: Literal["pad", "stretch"] = "pad"
    k: int | Literal["classes"] = "classes"
    inner: Inner = Inner()
    many: list[Inner] = []


def wrong(**value: Any) -> dict[Any, str]:
    made, found = validated(Outer, {"name": "x", **value}, {})
    assert made is None
    return dict(found)


def test_what_is_right():
    made, found = validated(Outer, {"name": "x", "inner": {"level": 0.1}}, {})
    assert (made.inner.level, found) == (0.1, [])


@pytest.mark.parametrize(
    ("value", "where", "sentence"),
    [
        ({"size": 2}, ("size",), "input should be greater than or equal to 4 (got 2)"),
        ({"shape": "pd"}, ("shape",), "input should be 'pad' or 'stretch' (got 'pd'); did you mean 'pad'?"),
        ({"siz": 5}, ("siz",), "unknown parameter (got 5); did you mean 'size'?"),
        ({"inner": {"lvel": 5}}, ("inner", "lvel"), "unknown parameter (got 5); did you mean 'level'?"),
        (
            {"many": [{}, {"lvel": 1}]},
            ("many", 1, "lvel"),
            "unknown parameter (got 1); did you mean 'level'?",
        ),
        ({"inner": {"level": 1}}, ("inner", "level"), "input should be less than 1 (got 1)"),
        ({"name": None}, ("name",), "input should be a valid string (got None)"),
    ],
)
def test_one_sentence(value: dict[str, Any], where: tuple[Any, ...], sentence: str):
    assert wrong(**value) == {where: sentence}


def test_members_of_a_union_make_one_sentence():
    (found,) = wrong(k="clases").items()
    assert found[0] == ("k",)
    assert found[1].count("got") == 1
    assert "integer" in found[1]
    assert found[1].endswith("did you mean 'classes'?")


def test_a_missing_field_is_named():
    assert dict(validated(Outer, {}, {})[1]) == {("name",): "required, but missing"}


def test_everything_at_once():
    assert set(wrong(size=1, shape=3, extra=1, inner={"level": 7})) == {
        ("size",), ("shape",), ("extra",), ("inner", "level")
    }  # fmt: skip


def test_long_values_are_cut():
    assert len(show("x" * 500)) == 80
    assert show("x" * 500).endswith("...")
    assert show([1]) == "[1]"
