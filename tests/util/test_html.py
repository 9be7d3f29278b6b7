from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from bench.util.html import Html, tag, text


class Reader(HTMLParser):
    """Collects what a browser would take for elements, attributes and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


nasty = st.text() | st.text("<>&\"'/=!-scriptSCRIPT \n\x00\u2028\u202e\ud800")


def seen(value: str) -> str:
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in value)


@given(nasty)
def test_any_text_stays_text(value: str) -> None:
    read = Reader(tag("p", value, title=value))
    assert read.elements == ["p"]
    assert read.text == seen(value)
    assert read.attributes == [("title", seen(value))]


def test_attributes_and_children() -> None:
    assert tag("a", "x", [1, None, Html("<b>")], class_="c", aria_label="l", hidden=True, id=None) == (
        '<a class="c" aria-label="l" hidden>x1<b></a>'
    )
    assert tag("img", alt="") == '<img alt="">'
    assert text("a\tb\x07\u202ec") == "a b\ufffd\ufffdc"
