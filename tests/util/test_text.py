from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.util.text import one_line, plural, printable, suggest


@given(st.text())
def test_what_is_printable_stays_and_nothing_else_is_left(text: str) -> None:
    for mark in (" ", "\ufffd"):
        shown = printable(text, mark)
        assert len(shown) == len(text)
        assert all(c.isprintable() or c == mark for c in shown)
        assert [s for c, s in zip(text, shown, strict=True) if c.isprintable()] == [
            c for c in text if c.isprintable()
        ]


def test_control_characters_and_white_space() -> None:
    assert printable("a\x1b[31m\tb") == "a [31m b"
    assert printable("a\x1b\tb", "\ufffd") == "a\ufffd b"
    assert one_line(" a\n\x07 b\u202e ") == "a b"


def test_counts() -> None:
    assert [plural(n, "image") for n in (0, 1, 2, 1000)] == [
        "0 images",
        "1 image",
        "2 images",
        "1,000 images",
    ]


def test_the_nearest_name_or_all() -> None:
    assert suggest("kmean", ["kmeans", "ward"]) == "did you mean 'kmeans'?"
    assert suggest("x", ["kmeans", "ward"]) == "known: kmeans, ward"
    assert suggest("x", []) == "there are none"
