"""The page of one method on one dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.errors import DataError
from bench.metrics.names import METRICS
from bench.records.record import CellRecord
from bench.records.results import PlannedCell
from bench.records.store import Store
from bench.report.drawing import columns
from bench.report.drawing.style import percent
from bench.report.site import confusion, embedding, marks, pictures, provenance
from bench.report.site.curves import curves
from bench.report.site.embedding import MapSource
from bench.report.site.html import page, table
from bench.report.site.map import Placed, placed
from bench.report.site.map import markup as map_markup
from bench.report.site.matrix import markup as matrix_markup
from bench.report.site.shared import Shared
from bench.report.site.suite import SiteSuite
from bench.report.tables.leaderboard import Board, Row
from bench.report.tables.render import heading
from bench.stages.finished import FinishedCell
from bench.util.html import Child, Html, join, tag
from bench.util.text import plural

_TO_DECIDE = ("cluster", "predict")
_TO_SEE = ("prepare", *_TO_DECIDE)
_MOST_DOTS = 100_000
"""On the maps of one page, all seeds together: 0.8 MB."""


@dataclass
class MethodPage:
    """Draws one page. What cannot be shown is named on the page, and listed in `not_shown`."""

    suite: SiteSuite
    board: Board
    row: Row
    store: Store
    shared: Shared
    not_shown: list[str] = field(default_factory=list)

    def draw(self) -> bytes:
        """Write the pictures and return the page."""
        cells = self.suite.of(self.board, self.row)
        records = [r for c in cells if (r := self.suite.records[c.key]) is not None]
        scored = [r for r in records if not r.status.failed]
        sections: list[tuple[str, Child]] = []
        if scored:
            titles = {name: m.title for name, m in {**self.board.declared, **METRICS}.items()}
            sections.append(
                (
                    "Scores",
                    [
                        self._means(),
                        tag(
                            "details",
                            tag("summary", "All metrics, by seed"),
                            provenance.scores(scored, titles),
                        ),
                    ],
                )
            )
            sections += self._pictures(scored)
        drawn = curves(scored or records)
        if drawn:
            text = "Losses are means over consecutive steps."
            sections.append(("Curves", [tag("p", text, class_="note"), tag("div", drawn, class_="panels")]))
        if records:
            sections.append(("Configuration", provenance.configuration(records[0])))
        sections.append(("Cells", [self._cell(c) for c in cells]))
        links = [tag("li", tag("a", name, href=f"#on-{name.lower()}")) for name, _ in sections]
        body: list[Child] = [
            tag("p", heading(self.board), f" · {self.suite.title}", class_="sub"),
            marks.badges(self.board, self.row),
            tag("nav", tag("ul", links), aria_label="On this page"),
        ]
        body += [
            tag("section", tag("h2", name), inside, id=f"on-{name.lower()}") for name, inside in sections
        ]
        return page(self.row.method, body, scripts=["site.js", "map.js"], home="../index.html")

    def _means(self) -> Html:
        of = self.row
        rows = [[self.board.metric(m).title, marks.number(of.numbers.get(m), of)] for m in self.board.metrics]
        rank = f"Rank {of.rank}. " if of.rank else ""
        text = (
            f"{rank}Means over {of.scored} of {plural(of.planned, 'seed')}, ± the longer arm of the interval."
        )
        return join([tag("p", text, class_="note"), table(["metric", "mean"], rows, "")])

    def _pictures(self, scored: Sequence[CellRecord]) -> list[tuple[str, Child]]:
        cells = [FinishedCell(record, self.store) for record in scored]
        cell = cells[0]
        found: list[tuple[str, Child]] = []
        seed = tag("p", f"Of seed {cell.record.seed}.", class_="note") if self.row.planned > 1 else None
        sources = [s for c in cells if (s := embedding.source(c, self.shared.projection)) is not None]
        if len(sources) == len(cells):
            found.append(("Map", self._map(cells, sources)))
        groups = "Predictions" if cell.predicted else "Clusters"
        found.append((groups, [seed, self._or_why(groups, cell, _TO_SEE, lambda: self._montage(cell))]))
        made = self._or_why("Confusion", cell, _TO_SEE, lambda: self._confusion(cell))
        found.append(("Confusion", [seed, made]))
        whats = [w for w, k in (("features", "encode"), ("join probabilities", "pair")) if cell.stages(k)]
        for what, stage in zip(whats, ("encode" if w == "features" else "pair" for w in whats), strict=True):
            name = "Similarity" if len(whats) == 1 else f"Similarity-of-{what.partition(' ')[0]}"
            draw = self._similarity(cell, what)
            found.append((name, [seed, self._or_why(name, cell, (*_TO_SEE, stage), draw)]))
        return found

    def _map(self, cells: Sequence[FinishedCell], sources: Sequence[MapSource]) -> Child:
        """Return the map of the seeds that can be shown, and why others cannot."""
        drawn = {"own": "reduce", "features": "encode", "join probabilities": "pair"}[sources[0].what]
        needed = (*_TO_SEE, drawn)
        most = max(1, _MOST_DOTS // max(1, min(cells[0].record.n_scored, self.shared.max_points)))
        seeds: list[Placed] = []
        gone: list[Html] = []
        for cell, source in zip(cells[:most], sources, strict=False):
            try:
                seeds.append(placed(cell, source, self.shared))
            except DataError as e:
                gone.append(self._without("Map", self._gone(cell, needed) or str(e), cell))
        if not seeds:
            return gone
        caption = sources[0].caption
        made = self._or_why("Map", seeds[0].cell, needed, lambda: map_markup(seeds, caption, self.shared))
        rest = plural(len(cells) - most, "more seed")
        left = tag("p", f"{rest} would make this page too large.", class_="note")
        return [made, gone, left if len(cells) > most else None]

    def _or_why(self, name: str, cell: FinishedCell, needed: Sequence[str], make: Callable[[], Html]) -> Html:
        """Return what `make` draws, or a sentence on why it cannot."""
        why = self._gone(cell, needed)
        if why is None:
            try:
                return make()
            except DataError as e:
                why = self._gone(cell, needed) or str(e)  # torn files are found out when they are read
        return self._without(name, why, cell)

    def _without(self, name: str, why: str, cell: FinishedCell) -> Html:
        """Say why something is not shown."""
        text = f"seed {cell.record.seed}: {why}"
        self.not_shown.append(f"{self.board.dataset} · {self.row.method}: {name.lower()}: {text}")
        return tag("p", f"Not shown: {text}", class_="note gone")

    def _gone(self, cell: FinishedCell, needed: Sequence[str]) -> str | None:
        gone = [s.stage for s in cell.record.stages if s.stage in needed and not self.store.holds(s.key)]
        if not gone:
            return None
        again = self.suite.again(cell.record.key)
        left = f"what {' and '.join(dict.fromkeys(gone))} left"
        return f"{left} is no longer in the store; `{again}` makes it again"

    def _montage(self, cell: FinishedCell) -> Html:
        found = columns.clusters(cell)
        folder = self.suite.page(self.board, self.row).removesuffix(".html")
        figures = []
        for i, drawn in enumerate(pictures.clusters(cell, found)):
            name = f"{folder}/{i:02d}.jpg"
            self.shared.folder.write(name, drawn.file)
            main = f", {percent(drawn.share)} {drawn.main}" if drawn.main else ""
            text = f"{drawn.name}: {plural(drawn.size, 'image')}{main}"
            image = tag(
                "img",
                src=f"../{name}",
                alt=f"{plural(drawn.shown, 'image')} of {drawn.name}",
                width=drawn.width,
                height=drawn.height,
                loading="lazy",
            )
            figures.append(tag("figure", image, tag("figcaption", text)))
        hidden = len(found.groups) - len(pictures.shown_clusters(found))
        note = f" Not shown: {plural(hidden, 'smaller group')}." if hidden else ""
        what = "predicted class" if cell.predicted else "cluster"
        head = f"Up to 16 images of each {what}, evenly spread over it, and its most frequent class.{note}"
        return tag("div", tag("p", head, class_="note"), tag("div", figures, class_="montage"))

    def _confusion(self, cell: FinishedCell) -> Html:
        found = confusion.confusion(cell.truth, cell.clusters, cell.classes, predicted=cell.predicted)
        return confusion.markup(found) if found else tag("p", "No image has a class.", class_="note")

    def _similarity(self, cell: FinishedCell, what: str) -> Callable[[], Html]:
        def make() -> Html:
            by_class = bool((cell.truth >= 0).any())
            name, found = self.shared.similarity(cell, what, by_class=by_class)
            return matrix_markup(found, f"../{name}", cell.classes, by_class=by_class)

        return make

    def _cell(self, planned: PlannedCell) -> Html:
        record, command = self.suite.records[planned.key], self.suite.again(planned.key)
        if record is not None:
            return provenance.cell(record, command)
        text = [f"Seed {planned.seed} has not run. ", tag("code", command), " runs it."]
        return tag("p", text, class_="note")
