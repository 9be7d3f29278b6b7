"""Markup that cannot be broken by names from data: text is escaped unless it was made here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from bench.util.text import printable

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
    return Html(escape(printable(value, "\ufffd")))
