from __future__ import annotations

import base64
import hashlib
import json
import re

from hypothesis import given

from bench.report.site.html import asset, data, page, table
from bench.util.html import tag
from tests.util.test_html import Reader, nasty, seen


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


def test_the_first_cell_of_a_row_names_it() -> None:
    assert '<th scope="row">n</th><td>1</td>' in table(["h", "i"], [["n", 1]], "c")
