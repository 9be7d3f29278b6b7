"""Tables small enough to compute by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.names import METRICS, VERSION
from bench.records.record import CellRecord
from bench.records.results import PlannedCell, PlanOnDisk
from bench.report.tables.leaderboard import Board, Leaderboard, Row, build
from tests.records.test_record import record

T_95_1, T_95_2 = 12.706204736432095, 4.302652729911275
"""97.5 % points of Student's t with one and two degrees of freedom, from a printed table."""

Cells = dict[str, list[Any]]
"""Method -> per seed: the value of every metric, (value, low, high), a failed status, or None: no record."""


def board(
    cells: Cells, metrics: tuple[str, ...] = ("acc",), *, trivial: Cells | None = None, **changes: Any
) -> Board:
    return leaderboard(cells, metrics, trivial=trivial, **changes).boards[0]


def leaderboard(
    cells: Cells, metrics: tuple[str, ...] = ("acc",), *, trivial: Cells | None = None, level: float = 0.95,
    synthetic: bool = False, dataset: str = "D", **changes: Any,
) -> Leaderboard:  # fmt: skip
    planned, records = [], {}
    for is_trivial, group in ((False, cells), (True, trivial or {})):
        for method, values in group.items():
            for seed, value in enumerate(values):
                key = f"{method}{seed}"
                planned.append(PlannedCell(key, dataset, method, seed, is_trivial, synthetic))
                records[key] = _record(method, seed, value, changes)
    plan = PlanOnDisk("s", "T", list(metrics), "own_cluster", level, [], planned)
    return build(plan, records.get)


def _record(method: str, seed: int, value: Any, changes: dict[str, Any]) -> CellRecord | None:
    if value is None:
        return None
    about = {"method": method, "seed": seed, "classes": 3, "clusters": 4, "n_scored": 9, **changes}
    if isinstance(value, str):
        return record(**about, status=value, error="why", metrics={}, intervals={})
    value, *interval = value if isinstance(value, tuple) else (value,)
    return record(
        **about,
        metrics=dict.fromkeys(METRICS, value),
        intervals=dict.fromkeys(METRICS, tuple(interval)) if interval else {},
    )


def row(one: Board, method: str) -> Row:
    return next(r for r in one.rows if r.method == method)


def test_a_mean_with_its_t_interval():
    number = row(board({"A": [0.4, 0.5, 0.6]}), "A").numbers["acc"]
    half = T_95_2 * 0.1 / math.sqrt(3)
    assert number.mean == pytest.approx(0.5)
    assert number.low == pytest.approx(0.5 - half)
    assert number.high == pytest.approx(0.5 + half)
    assert number.half_width == pytest.approx(half)


def test_seeds_and_images_join_with_a_quantile_between_gauss_and_student():
    z, seeds = 1.959963984540054, 0.01**2  # s² / n = 2 · 0.01² / 2
    number = row(board({"A": [(0.49, 0.46, 0.50), (0.51, 0.48, 0.52)]}), "A").numbers["acc"]
    for end, sign, arm in ((number.low, -1, 0.03), (number.high, 1, 0.01)):
        total = seeds + (arm / z) ** 2
        q = z + (T_95_1 - z) * seeds / total  # exponent 2 - 1 / (n - 1) = 1
        assert end == pytest.approx(0.5 + sign * q * math.sqrt(total))
    assert number.half_width == pytest.approx(max(0.5 - number.low, number.high - 0.5))
    arms = (0.02**2 + (0.03 / z) ** 2) ** 0.5
    number = row(board({"A": [(v, v - 0.03, v + 0.03) for v in (0.4, 0.4, 0.46)]}), "A").numbers["acc"]
    share = 0.02**2 / arms**2  # s = 0.06 / sqrt(3), so s / sqrt(n) = 0.02
    assert number.half_width == pytest.approx((z + (T_95_2 - z) * share**1.5) * arms)


def test_one_seed_or_equal_seeds_leave_the_images_doubt():
    for values in ([(0.5, 0.4, 0.7)], [(0.5, 0.4, 0.7)] * 3):
        number = row(board({"A": values}), "A").numbers["acc"]
        assert number.low == pytest.approx(0.4)
        assert number.high == pytest.approx(0.7)
    assert row(board({"A": [0.5]}), "A").numbers["acc"].half_width == 0


def test_the_level_counts():
    wide = row(board({"A": [0.5, 0.51]}, level=0.99), "A").numbers["acc"].half_width
    assert wide > row(board({"A": [0.5, 0.51]}, level=0.9), "A").numbers["acc"].half_width


@pytest.mark.parametrize(("metric", "value"), [("acc", 0.99), ("acc", 0.01), ("ari", -0.49), ("vi", 0.01)])
def test_intervals_stay_in_the_metrics_range(metric: str, value: float):
    number = row(board({"A": [value, value + 0.005]}, (metric,)), "A").numbers[metric]
    assert METRICS[metric].low <= number.low <= number.mean <= number.high <= METRICS[metric].high


def test_ranks_count_methods_whose_whole_interval_is_better():
    # intervals: A 0.85..0.95, B 0.80..0.90 (touches A), C 0.70..0.82 (touches B, below A), D 0.1..0.2
    cells: Cells = {
        "D": [(0.15, 0.10, 0.20)],
        "C": [(0.75, 0.70, 0.82)],
        "A": [(0.9, 0.85, 0.95)],
        "B": [(0.85, 0.80, 0.90)],
    }
    found = board(cells)
    assert [(r.method, r.rank) for r in found.rows] == [("A", 1), ("B", 1), ("C", 2), ("D", 4)]
    assert [r.method for r in found.rows if r.numbers["acc"].best] == ["A"]


def test_where_less_is_better_everything_turns_round():
    cells: Cells = {"A": [(0.9, 0.85, 0.95)], "B": [(0.5, 0.4, 0.6)], "C": [(0.55, 0.5, 0.6)]}
    found = board(cells, ("vi",), trivial={"T": [0.7]})
    assert [(r.method, r.rank) for r in found.rows] == [("B", 1), ("C", 1), ("T", None), ("A", 3)]
    assert row(found, "B").numbers["vi"].best
    assert [r.method for r in found.rows if r.numbers["vi"].trivial] == ["A"]


def test_equal_methods_are_tied_and_both_best():
    found = board({"A": [0.5, 0.5], "B": [0.5, 0.5], "C": [0.4, 0.4]})
    assert [(r.rank, r.numbers["acc"].best) for r in found.rows] == [(1, True), (1, True), (3, False)]


@pytest.mark.parametrize("hole", ["timeout", None])
def test_an_incomplete_row_has_no_rank_and_is_never_best(hole: str | None):
    found = board({"A": [0.9, hole, 0.9], "B": [0.5, 0.5, 0.5], "C": [hole, hole, hole]})
    a, c = row(found, "A"), row(found, "C")
    assert (a.rank, a.complete, a.numbers["acc"].best) == (None, False, False)
    assert a.numbers["acc"].mean == pytest.approx(0.9)
    assert (row(found, "B").rank, row(found, "B").numbers["acc"].best) == (1, True)
    assert a.remarks()[0] == f"2 of 3 seeds: 1 {hole or 'missing'}"
    assert (c.numbers, c.rank, c.seconds) == ({}, None, None)
    assert found.rows[-1] is c


def test_what_does_not_beat_a_trivial_baseline_is_marked():
    trivial: Cells = {"T": [0.5], "U": [0.3]}
    found = board({"A": [0.6], "B": [0.5], "C": [0.4]}, trivial=trivial)
    marks = {r.method: r.numbers["acc"].trivial for r in found.rows}
    assert marks == {"A": False, "B": True, "C": True, "T": False, "U": False}
    assert {r.method: r.rank for r in found.rows} == {"A": 1, "B": 2, "C": 3, "T": None, "U": None}


def test_unproven_is_judged_by_the_interval_of_the_adjusted_metric():
    trivial: Cells = {"T": [0.5]}
    found = board({"A": [(0.6, 0.51, 0.7)], "B": [(0.6, 0.49, 0.7)]}, trivial=trivial)
    assert {r.method: r.unproven for r in found.rows} == {"A": False, "B": True, "T": False}
    assert row(found, "B").remarks() == ["not better than trivial"]


def test_a_classifier_is_judged_by_balanced_accuracy():
    """Right nine times in ten where nine in ten are of one class is not proven, whatever AMI says."""
    names = ("balanced_accuracy",)
    rows = {"sharp": (0.9, 0.8, 1.0), "blunt": (0.6, 0.45, 0.75), "majority": (0.5, 0.5, 0.5)}
    planned = [PlannedCell(m, "D", m, 0, m == "majority", False) for m in rows]
    records = {
        m: record(
            method=m,
            metrics={"balanced_accuracy": mean, "ami": 0.0},
            intervals={"balanced_accuracy": (low, high), "ami": (0.0, 0.0)},
        )
        for m, (mean, low, high) in rows.items()
    }
    plan = PlanOnDisk("s", "T", list(names), "own_cluster", 0.95, [], planned)
    found = build(plan, records.get).boards[0]
    assert {r.method: r.unproven for r in found.rows} == {"sharp": False, "blunt": True, "majority": False}


def test_a_number_that_nothing_tells_the_doubt_of_has_no_interval():
    found = board({"A": [0.5], "B": [(0.5, 0.4, 0.6)], "C": [0.5, 0.5]})
    assert {r.method: r.numbers["acc"].unsure for r in found.rows} == {"A": True, "B": False, "C": False}


def test_remarks():
    found = board({"A": [0.9]}, uses_labels=True, coverage=0.75)
    assert row(found, "A").remarks() == ["sees labels", "scored 75.0% of the images"]
    degenerate = board({"A": [0.9, 0.8]}, status="degenerate", error="all in one")
    assert row(degenerate, "A").remarks() == ["degenerate in 2 of 2"]
    assert row(degenerate, "A").complete


def test_the_heading_counts_all_images_though_a_method_may_drop_some():
    planned = [PlannedCell(m, "D", m, 0, False, False) for m in "AB"]
    records = {
        "A": record(method="A", n_scored=5, classes=2, metrics=dict.fromkeys(METRICS, 0.5)),
        "B": record(method="B", n_scored=9, classes=3, metrics=dict.fromkeys(METRICS, 0.5)),
    }
    one = build(PlanOnDisk("s", "T", ["acc"], "drop", 0.95, [], planned), records.get).boards[0]
    assert (one.images, one.classes) == (9, 3)


def test_boards_and_columns_can_be_chosen():
    planned = [PlannedCell(d, d, "A", 0, False, False) for d in "XYZ"]
    records = {d: record(method="A", dataset=d, metrics=dict.fromkeys(METRICS, 0.5)) for d in "XYZ"}
    plan = PlanOnDisk("s", "T", ["acc", "f1"], "drop", 0.95, [], planned)
    assert [b.dataset for b in build(plan, records.get).boards] == ["X", "Y", "Z"]
    chosen = build(plan, records.get, ["nmi"], ["Y"])
    assert [(b.dataset, b.metrics) for b in chosen.boards] == [("Y", ["nmi"])]


def test_best_and_second_are_marked_among_complete_methods_only():
    found = board(
        {"A": [0.7, 0.7], "B": [0.9, "crash"], "C": [0.8, 0.8], "D": [0.8, 0.8]}, trivial={"T": [0.95]}
    )
    marks = {r.method: (r.numbers["acc"].best, r.numbers["acc"].second) for r in found.rows}
    assert marks == {
        "A": (False, True), "B": (False, False), "C": (True, False), "D": (True, False), "T": (False, False),
    }  # fmt: skip


def test_a_column_that_only_some_seeds_or_methods_have():
    planned = [PlannedCell(f"{m}{s}", "D", m, s, False, False) for m in "ABC" for s in (0, 1)]
    records = {
        c.key: record(method=c.method, seed=c.seed, metrics=dict.fromkeys(METRICS, 0.5 + c.seed / 10))
        for c in planned
    }
    records["A0"] = records["A0"].model_copy(update={"parts": {"pairs": {"f1_joins": 0.9}}})
    for key in ("B0", "B1"):
        records[key] = records[key].model_copy(update={"parts": {"pairs": {"f1_joins": 0.2}}})
    found = build(PlanOnDisk("s", "T", ["pairs.f1_joins"], "drop", 0.95, [], planned), records.get).boards[0]
    a, b, c = (row(found, m) for m in "ABC")
    assert (a.numbers["pairs.f1_joins"].seeds, a.rank, a.numbers["pairs.f1_joins"].best) == (1, None, False)
    assert (b.numbers["pairs.f1_joins"].seeds, b.rank, b.numbers["pairs.f1_joins"].best) == (2, 1, True)
    assert "pairs.f1_joins" not in c.numbers
    assert a.values["pairs.f1_joins"] == {0: 0.9}
    assert [r.method for r in found.rows] == ["A", "B", "C"]


def test_scores_of_another_version_of_the_metrics_are_left_out():
    found = leaderboard({"A": [0.5, 0.6]}, metrics_version=VERSION - 1)
    one = row(found.boards[0], "A")
    assert (one.scored, one.numbers, found.outdated) == (0, {}, 2)
    assert one.remarks() == ["0 of 2 seeds: 2 outdated"]
    now = leaderboard({"A": [0.5, 0.6]}, metrics_version=VERSION)
    assert (now.outdated, row(now.boards[0], "A").scored) == (0, 2)


def test_rows_can_be_chosen_and_sorted():
    planned = [PlannedCell(m, "D", m, 0, m == "T", False) for m in ("B1", "B2", "A", "T")]
    scores = {"B1": (0.1, 0.9), "B2": (0.3, 0.2), "A": (0.2, 0.1), "T": (0.0, 0.0)}
    records = {
        m: record(method=m, metrics={**dict.fromkeys(METRICS, 0.5), "acc": a, "vi": v})
        for m, (a, v) in scores.items()
    }
    plan = PlanOnDisk("s", "T", ["acc"], "drop", 0.95, [], planned)

    def order(**wish: Any) -> list[str]:
        return [r.method for r in build(plan, records.get, **wish).boards[0].rows]

    assert order() == ["B2", "A", "B1", "T"]
    assert order(methods=["B*"]) == ["B2", "B1", "T"]
    assert order(sort="suite") == ["B1", "B2", "A", "T"]
    assert order(sort="vi") == ["T", "A", "B2", "B1"]
    found = build(plan, records.get, sort="vi")
    assert found.ranked_by == "vi"
    assert {r.method: r.rank for r in found.boards[0].rows} == {"T": None, "A": 1, "B2": 2, "B1": 3}


@given(st.lists(st.lists(st.floats(0, 1), min_size=2, max_size=2), min_size=1, max_size=6))
def test_properties_of_ranks(values: list[list[float]]):
    found = board({f"M{i}": v for i, v in enumerate(values)}).rows
    ranks = [r.rank for r in found]
    assert ranks[0] == 1
    assert all(rank is not None and rank <= i + 1 for i, rank in enumerate(ranks))
    means = [r.numbers["acc"].mean for r in found]
    assert means == sorted(means, reverse=True)
    assert [r.numbers["acc"].best for r in found] == [m == means[0] for m in means]
