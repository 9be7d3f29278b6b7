"""How numbers and rows show what a reader must know before believing them; as in the other tables."""

from __future__ import annotations

from bench.report.tables.leaderboard import Board, Number, Row
from bench.util.html import Html, join, tag


def number(value: Number | None, row: Row) -> Html:
    """Return a mean with its interval: bold is best, underlined second; ° and parentheses as in the notes."""
    if value is None:
        return Html("—")
    shown: list[Html | str] = [f"{value.mean:z.3f}"]
    if not value.unsure:
        shown.append(tag("small", f" ±{value.half_width:.3f}"))
    if not row.complete:
        shown = ["(", *shown, ")"]
    inner = join(shown)
    if value.best or value.second:
        inner = tag("strong" if value.best else "u", inner)
    return join(
        [inner, tag("abbr", "°", title="not better than the best trivial baseline")]
        if value.trivial
        else inner
    )


def badges(board: Board, row: Row) -> Html:
    """Return what is wrong or special with a row, as words."""
    kinds = [("synthetic data", "warn")] if board.synthetic else []
    kinds += [("trivial baseline", "plain")] if row.trivial else []
    kinds += [(text, "plain" if text == "sees labels" else "warn") for text in row.remarks()]
    return tag("p", [tag("span", text, class_=f"badge {kind}") for text, kind in kinds], class_="badges")
