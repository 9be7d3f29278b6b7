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
        for metric, value in row.items():
            assert METRICS[metric].low <= float(value) <= METRICS[metric].high


def test_the_rows_of_the_paper_are_there() -> None:
    text = reference.markdown("002_table_4")
    assert text.startswith("## As published (002_table_4)")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    assert ["Auto-SC", "0.93", "0.93", "0.81"] in rows
    assert len(rows) == 2 + 10
