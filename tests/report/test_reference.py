"""The papers' tables as data: present, readable, printed below ours."""

from __future__ import annotations

import csv

import pytest

from bench.metrics.names import METRICS
from bench.report import reference


@pytest.mark.parametrize("name", sorted(reference.tables()))
def test_a_table_has_methods_and_metrics_with_values_in_their_range(name: str) -> None:
    with reference.tables()[name].open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert rows
    for row in rows:
        assert row.pop("method")
        row.pop("dataset", None)
        for metric, value in row.items():
            assert METRICS[metric].low <= float(value) <= METRICS[metric].high


def test_the_rows_of_the_paper_are_there() -> None:
    text = reference.markdown("002_table_4")
    assert text.startswith("## As published (002_table_4)")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert ["Auto-SC", "0.93", "0.93", "0.81"] in rows
    assert len(rows) == 2 + 10


def test_the_organoid_tables_columns_are_those_their_numbers_prove() -> None:
    """F1 is the harmonic mean, VI the sum of its parts; the source's header is shifted."""
    with reference.tables()["001_clustering"].open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 12
    for row in rows:
        v = {name: float(value) for name, value in row.items() if name not in ("dataset", "method")}
        for what in ("cuts", "joins"):
            p, r = v[f"precision_{what}"], v[f"recall_{what}"]
            assert v[f"f1_{what}"] == pytest.approx(2 * p * r / (p + r), abs=0.0011), row
        assert v["vi"] == pytest.approx(v["vi_false_cuts"] + v["vi_false_joins"], abs=0.0151), row
