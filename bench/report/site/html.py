"""Pages that open from disk: their head, styles and scripts, tables that scroll, and data for scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from bench.interfaces import Json
from bench.util.html import Child, Html, tag
from bench.util.text import printable

GENERATOR = "cutjoin"


def data(name: str, value: Json) -> Html:
    """Return a block of JSON for scripts; texts are as `text` shows them, and none can end the block."""
    body = json.dumps(_all_seen(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{name}">{body}</script>')


def table(header: Iterable[Child], rows: Iterable[Iterable[Child]], caption: str, class_: str = "") -> Html:
    """Return a table that scrolls sideways in its own frame; the first cell of a row names it."""
    head = tag("tr", [tag("th", h, scope="col") for h in header])
    body = []
    for first, *rest in rows:
        body.append(tag("tr", tag("th", first, scope="row"), [tag("td", cell) for cell in rest]))
    inner = tag(
        "table",
        tag("caption", caption) if caption else None,
        tag("thead", head),
        tag("tbody", body),
        class_=class_ or None,
    )
    return scrolling(inner, caption or "Table")


def scrolling(inner: Html, label: str) -> Html:
    """Return a frame that the keyboard can scroll too."""
    return tag("div", inner, class_="scroll", role="region", aria_label=label, tabindex=0)


def page(title: str, body: Child, *, scripts: Iterable[str], home: str | None = None) -> bytes:
    """Return a whole page. Styles and scripts are within it, and a policy allows those alone.

    Parameters
    ----------
    scripts : names of files in `static/`, run in this order at the end.
    home : link to the first page, if this is another one.
    """
    style = asset("site.css")
    code = [asset(name) for name in scripts]
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src {' '.join(_quoted(code))}; "
        "img-src 'self' file: data:; base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        Html(f"<style>{style}</style>"),
    ]
    top = tag(
        "header",
        tag("a", "Skip to content", class_="skip", href="#main"),
        tag("a", "← All leaderboards", href=home) if home else tag("span", "cutjoin"),
        tag("button", "Dark", id="theme", type="button", aria_pressed="false", hidden=True),
    )
    inside = [
        top,
        tag("main", tag("h1", title), body, id="main"),
        [Html(f"<script>{c}</script>") for c in code],
    ]
    whole = tag("html", tag("head", head), tag("body", inside), lang="en")
    return f"<!doctype html>\n{whole}\n".encode()


def asset(name: str) -> str:
    """Return a file of `static/`."""
    return files("bench.report.site").joinpath("static", name).read_text(encoding="utf-8")


def _all_seen(value: Json) -> Json:
    if isinstance(value, str):
        return printable(value, "\ufffd")
    if isinstance(value, Mapping):
        return {printable(k, "\ufffd"): _all_seen(v) for k, v in value.items()}
    return [_all_seen(v) for v in value] if isinstance(value, Sequence) else value


def _quoted(code: Iterable[str]) -> list[str]:
    return [f"'{_hash(c)}'" for c in code] or ["'none'"]


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
