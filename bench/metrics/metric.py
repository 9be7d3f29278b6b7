"""What a metric is: one object with its name, range and meaning, and the function that computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bench.errors import DataError

Takes = Literal["tables", "pairs", "predictions", "features", "groups", "labels"]
"""What the function of a metric is called with; see `Metric.measure`."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    A shipped one is a public object of a file in `bench/metrics/builtin/`. A user's own is the only public
    one of a Python file, which a suite names (`metrics: [acc, ./fmi.py]`), or an entry point in the group
    `cutjoin.metrics` whose name is that of the metric.
    """

    name: str
    """Lower-case letters, digits and underscores; the key in records."""
    title: str
    """Column header."""
    definition: str
    """One sentence, with the source."""
    measure: Callable[[Any], Any] | None = field(default=None, repr=False)
    """Computes it. What it is called with and returns depends on `takes`; it must not change its argument.

    ============= ============================================= ============================================
    takes         called with                                   returns
    ============= ============================================= ============================================
    `tables`      `bench.metrics.tables.Tables`                 float, shape (tables,)
    `pairs`       `bench.metrics.pairs.PairCounts`              numerator and denominator, each (tables,);
                                                                0 / 0 is 1, and undefined on a part of pairs
    `predictions` `bench.metrics.predictions.Predictions`       float, shape (rows,); None: undefined
    `features`    `bench.metrics.label_free.LabelledFeatures`   a number; None: undefined
    `groups`      `bench.metrics.label_free.GroupedLabels`      a number
    `labels`      int64, shape (n,): clusters, -1 is noise      a number
    ============= ============================================= ============================================

    None: a metric that is not installed, known only by its description.
    """
    takes: Takes = "tables"
    """What `measure` is called with."""
    unit: str = ""
    """E.g. "bits"; empty for numbers without one."""
    low: float = 0.0
    """The least possible value; -inf if there is none."""
    high: float = 1.0
    """The largest possible value; inf if there is none."""
    higher_is_better: bool = True
    """Which way tables rank."""
    chance: float | None = None
    """Value that nonsense has on average, whatever the sizes of clusters; None: it depends on them."""
    version: int = 1
    """Raise it when the metric would give another number for the same labels."""
    order: int = 1000
    """Position in tables of all metrics; equal ones by name."""

    def __call__(self, argument: Any) -> Any:
        """Compute it. Raises `DataError` if it is known only by its description."""
        if self.measure is None:
            raise DataError(f"the metric {self.name!r} is not installed")
        return self.measure(argument)

    @property
    def chance_adjusted(self) -> bool:
        """Whether nonsense scores about 0, whatever the number of clusters."""
        return self.chance == 0

    @property
    def columns(self) -> str:
        """The columns that tables can show of it, as a sentence for people."""
        return {
            "tables": "NAME; SUBSET-SUBSET.NAME of a dataset with `subsets`",
            "pairs": "NAME; SUBSET-SUBSET.NAME of a dataset with `subsets`; pairs.NAME of a pair model",
            "predictions": "NAME, of classifiers only",
            "features": "clusters.NAME, classes.NAME, and `clusters reduced.NAME` after a reducer, "
            "with `label_free: true`",
            "groups": "GROUP.NAME for each column of a dataset's `groups`",
            "labels": "clusters.NAME, with `label_free: true`",
        }[self.takes].replace("NAME", self.name)

    @property
    def column(self) -> str:
        """Name of the first column that it fills, e.g. `acc` or `clusters.silhouette`."""
        prefix = {"features": "clusters.", "labels": "clusters.", "groups": "GROUP."}
        return prefix.get(self.takes, "") + self.name

    def problem(self) -> str | None:
        """Say what is wrong with the object itself, as one sentence; None if nothing is."""
        name: object = self.name
        if not isinstance(name, str) or not name.isascii() or not name.isidentifier() or name != name.lower():
            return f"`name` must be of lower-case letters, digits and underscores, not {name!r}"
        for what in ("title", "definition"):
            text: object = getattr(self, what)
            if not isinstance(text, str) or not text.strip():
                return f"`{what}` must be a text that is not empty, not {text!r}"
        if not callable(self.measure):
            return f"`measure` must be a function, not {self.measure!r}"
        if self.takes not in get_args(Takes):
            return f"`takes` must be one of {', '.join(get_args(Takes))}, not {self.takes!r}"
        ends: list[object] = [self.low, self.high]
        if any(isinstance(e, bool) or not isinstance(e, (int, float)) for e in ends) or not (
            self.low < self.high
        ):
            return f"`low` must be a number below `high`, not {self.low!r} and {self.high!r}"
        version: object = self.version
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            return f"`version` must be a whole number of at least 1, not {version!r}"
        return None

    def described(self) -> dict[str, Any]:
        """Return its description for tables, as JSON; an infinite end of the range is None."""
        about = {
            k: getattr(self, k) for k in ("name", "title", "definition", "takes", "unit", "higher_is_better")
        }
        ends = {k: getattr(self, k) for k in ("low", "high")}
        return {**about, **{k: float(v) if math.isfinite(v) else None for k, v in ends.items()}}


def from_description(about: Mapping[str, Any]) -> Metric:
    """Return the metric that `Metric.described` describes, without its function."""
    low, high = about.get("low"), about.get("high")
    return Metric(
        name=str(about["name"]),
        title=str(about.get("title", about["name"])),
        definition=str(about.get("definition", "")),
        unit=str(about.get("unit", "")),
        low=-math.inf if low is None else low,
        high=math.inf if high is None else high,
        higher_is_better=bool(about.get("higher_is_better", True)),
    )


def unknown(name: str) -> Metric:
    """Return a placeholder for a metric of which only the name is known: any number, higher is better."""
    return Metric(name, name, "Not installed here.", low=-math.inf, high=math.inf)
