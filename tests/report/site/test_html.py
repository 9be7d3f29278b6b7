from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from bench.report.site.html import Html, asset, data, page, table, tag, text


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


@given(nasty)
def test_any_json_is_read_back_and_ends_no_block(value: str) -> None:
    block = data("x", {"v": [value]})
    inner = block.removeprefix('<script type="application/json" id="x">').removesuffix("</script>")
    assert "<" not in inner
    assert json.loads(inner) == {"v": [seen(value)]}


@given(nasty)
def test_a_page_can_be_written_whatever_its_title(value: str) -> None:
    whole = page(value, [value, tag("i", value)], scripts=["site.js"]).decode("utf-8")
    assert Reader(whole).elements.count("script") == 1
    assert whole.count("\n</html>") + whole.endswith("</html>\n") == 1


def test_the_policy_allows_the_styles_and_scripts_of_the_page_alone() -> None:
    whole = page("t", "b", scripts=["site.js", "map.js"]).decode()
    policy = dict(Reader(whole).attributes)["content"] or ""
    policy = next(v for k, v in Reader(whole).attributes if v and "default-src" in v and k == "content") or ""
    inside = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", whole, re.DOTALL)
    assert inside == [asset("site.css"), asset("site.js"), asset("map.js")]
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(i.encode()).digest()).decode()}'" for i in inside}
    assert set(re.findall(r"'sha256-[^']+'", policy)) == digests
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_attributes_and_children() -> None:
    assert tag("a", "x", [1, None, Html("<b>")], class_="c", aria_label="l", hidden=True, id=None) == (
        '<a class="c" aria-label="l" hidden>x1<b></a>'
    )
    assert tag("img", alt="") == '<img alt="">'
    assert text("a\tb\x07\u202ec") == "a b\ufffd\ufffdc"
    assert '<th scope="row">n</th><td>1</td>' in table(["h", "i"], [["n", 1]], "c")
