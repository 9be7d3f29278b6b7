"""The kinds of figures: what each shows, and the module that draws it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from bench.records.record import CellRecord
    from bench.report.figures.style import Drawing, Options
    from bench.report.tables.leaderboard import Leaderboard
    from bench.stages.cell import Cell

KINDS = {
    "attention": "what the heads of a vision transformer look at, before and after training",
    "similarity": "similarities of all pairs of images, ordered by class, over the training",
    "map": "features in the plane, coloured by label, cluster and other columns",
    "montage": "images of each cluster",
    "frequencies": "clusters by day and bag, and the animation over the days",
    "reliability": "how far join probabilities can be taken at their word",
    "clusters": "images grouped by cluster, wrong joins and cuts marked",
    "curves": "losses of the trainings",
    "precision_recall": "precision against recall of a classifier of two classes",
    "feature_maps": "what the convolutions of simple_cnn and seg_cnn see",
}
"""Those of one cell."""
OF_SUITES = {"critical_difference": "mean ranks of the methods over the datasets, and which differ"}
"""Those of all datasets of a suite together."""


class Kind(Protocol):
    """What the module of a kind offers."""

    def unfit(self, record: CellRecord) -> str | None:
        """Say why there can be no such figure of a cell; None if there can. Looks at the record only."""

    def draw(self, cell: Cell, options: Options) -> Drawing:
        """Draw the figure. Raises `DataError` if the data does not allow it."""


class KindOfSuite(Protocol):
    """What the module of a kind offers that needs no cell."""

    def draw(self, board: Leaderboard, metric: str) -> Drawing:
        """Draw the figure. Raises `DataError` if the records do not allow it."""


def kind(name: str) -> Kind:
    """Return the module of a kind."""
    return cast(Kind, importlib.import_module(f"bench.report.figures.{name}"))


def kind_of_suite(name: str) -> KindOfSuite:
    """Return the module of a kind in `OF_SUITES`."""
    return cast(KindOfSuite, importlib.import_module(f"bench.report.figures.{name}"))
