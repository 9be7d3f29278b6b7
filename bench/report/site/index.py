"""The first page: the leaderboards of all suites, to be sorted and filtered."""

from __future__ import annotations

from collections.abc import Sequence

from bench.metrics.metric import unknown
from bench.metrics.names import SHIPPED
from bench.report.site import marks
from bench.report.site.html import page, scrolling
from bench.report.site.suite import SiteSuite
from bench.report.tables.leaderboard import Board, Row
from bench.report.tables.render import heading, notes
from bench.util.html import Html, tag

_MANY_DATASETS = 3


def index_page(suites: Sequence[SiteSuite]) -> bytes:
    """Return the page."""
    title = suites[0].title if len(suites) == 1 else "Leaderboards"
    several = sum(len(s.board.boards) for s in suites) >= _MANY_DATASETS
    body = [
        _filter(),
        _contents(suites) if several else None,
        [_suite(i, s, len(suites) > 1) for i, s in enumerate(suites)],
    ]
    body.append(_metrics(suites))
    return page(title, body, scripts=["site.js"])


def _filter() -> Html:
    return tag(
        "form",
        tag(
            "label",
            "Filter methods and datasets ",
            tag("input", type="search", id="filter", autocomplete="off"),
        ),
        tag("label", tag("input", type="checkbox", id="trivial", checked=True), " trivial baselines"),
        tag("p", id="shown", role="status"),
        class_="filter",
        role="search",
        hidden=True,  # until the script that does it runs
    )


def _contents(suites: Sequence[SiteSuite]) -> Html:
    links = [
        tag("li", tag("a", heading(board), href=f"#{_anchor(i, j)}"))
        for i, suite in enumerate(suites)
        for j, board in enumerate(suite.board.boards)
    ]
    return tag("nav", tag("ul", links), aria_label="Datasets")


def _suite(number: int, suite: SiteSuite, titled: bool) -> Html:
    leaderboards = suite.board.boards
    boards = [_board(suite, board, _anchor(number, j), titled) for j, board in enumerate(leaderboards)]
    text = notes(suite.board, leaderboards[0].metrics[0]) if leaderboards else "The suite has no cells."
    head = tag("h2", suite.title) if titled else None
    return tag("section", head, boards, tag("p", text, class_="note"))


def _board(suite: SiteSuite, board: Board, anchor: str, titled: bool) -> Html:
    name = heading(board)
    wide = len(board.metrics) + 5
    rows = [_row(suite, board, row) for row in board.rows]
    table = tag(
        "table",
        tag("caption", f"Leaderboard of {name}", class_="away"),
        tag("thead", tag("tr", _header(board))),
        tag("tbody", rows),
        tag("tfoot", tag("tr", tag("td", "No row matches the filter.", colspan=wide)), hidden=True),
        class_="board",
    )
    badge = tag("span", "synthetic data", class_="badge warn") if board.synthetic else None
    title = tag("h3" if titled else "h2", name.removesuffix(" · synthetic"), " ", badge)
    return tag("section", title, scrolling(table, f"Leaderboard of {name}"), id=anchor)


def _header(board: Board) -> list[Html]:
    heads = [
        ("method", "text", None),
        ("rank", "up", "1 + the number of methods whose whole interval is better"),
    ]
    for name in board.metrics:
        metric = board.metric(name)
        unit = f" [{metric.unit}]" if metric.unit else ""
        heads.append(
            (f"{metric.title}{unit}", "down" if metric.higher_is_better else "up", metric.definition)
        )
    heads += [("clusters", "up", None), ("seconds", "up", "all stages of a cell, mean over seeds")]
    heads.append(("remarks", "none", None))
    return [tag("th", h, scope="col", data_sort=kind, title=text) for h, kind, text in heads]


def _row(suite: SiteSuite, board: Board, row: Row) -> Html:
    link = tag("a", row.method, href=suite.page(board, row))
    cells = [_cell(str(row.rank) if row.rank else "", row.rank)]
    for name in board.metrics:
        value = row.numbers.get(name)
        cells.append(_cell(marks.number(value, row), value.mean if value else None))
    cells.append(_cell(f"{row.clusters:.4g}" if row.clusters is not None else "", row.clusters))
    cells.append(_cell(f"{row.seconds:.1f}" if row.seconds is not None else "", row.seconds))
    name = tag("th", tag("em", link) if row.trivial else link, scope="row", data_value=row.method)
    text = tag("td", "; ".join(row.remarks()), class_="said")
    return tag("tr", name, cells, text, class_="trivial" if row.trivial else None, data_of=board.dataset)


def _cell(shown: Html | str, value: float | None) -> Html:
    return tag("td", shown, data_value="" if value is None else repr(float(value)))


def _metrics(suites: Sequence[SiteSuite]) -> Html:
    names = dict.fromkeys(m for s in suites for b in s.board.boards for m in b.metrics)
    declared = {name: m for s in suites for name, m in s.board.declared.items()}
    bases = dict.fromkeys(n.rpartition(".")[2] for n in names)
    known = [SHIPPED.get(base) or declared.get(base) or unknown(base) for base in bases]
    pairs = [tag("div", tag("dt", m.title), tag("dd", m.definition)) for m in known]
    return tag("details", tag("summary", "What the metrics mean"), tag("dl", pairs))


def _anchor(suite: int, board: int) -> str:
    return f"board-{suite}-{board}"
