"""Markup that cannot be broken by names from data: text is escaped unless it was made here."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TypeAlias

from bench.interfaces import Json

GENERATOR = "cutjoin"
_VOID = frozenset({"img", "input", "meta", "link", "br"})

Attribute: TypeAlias = str | int | float | bool | None


class Html(str):
    """Markup, to be written as it is."""

    __slots__ = ()


Child: TypeAlias = str | int | Iterable["Child"] | None


def tag(element: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Return an element; `class_` is class, `aria_sort` aria-sort; None and False leave attributes out."""
    words = [element]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        words.append(written if value is True else f'{written}="{text(str(value))}"')
    start = f"<{' '.join(words)}>"
    return Html(start if element in _VOID else f"{start}{join(children)}</{element}>")


def join(children: Child) -> Html:
    """Return the markup of nested children: `Html` as it is, all else as text."""
    if children is None:
        return Html("")
    if isinstance(children, Html):
        return children
    if isinstance(children, (str, int)):
        return text(str(children))
    return Html("".join(join(c) for c in children))


def text(value: str) -> Html:
    """Return text on one line; what cannot be seen, such as controls and marks that turn the reading
    direction, shows as a replacement character."""
    return Html(escape(_seen(value)))


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


def _seen(value: str) -> str:
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in value)


def _all_seen(value: Json) -> Json:
    if isinstance(value, str):
        return _seen(value)
    if isinstance(value, Mapping):
        return {_seen(k): _all_seen(v) for k, v in value.items()}
    return [_all_seen(v) for v in value] if isinstance(value, Sequence) else value


def _quoted(code: Iterable[str]) -> list[str]:
    return [f"'{_hash(c)}'" for c in code] or ["'none'"]


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
