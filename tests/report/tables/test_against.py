"""Ours beside theirs: verdicts, names, what a run departs in, and all formats with the same lines."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.records import reference
from bench.records.record import CellRecord
from bench.records.reference import Published, TableMetadata
from bench.records.results import PlannedCell, PlanOnDisk
from bench.report.tables import against_text
from bench.report.tables.against import PublishedComparison, Verdict, compare
from tests.records.test_record import record

ABOUT: dict[str, Any] = {
    "title": "Published",
    "source": {"paper": "P", "place": "table 1"},
    "corrections": [{"what": "W.", "why": "Y."}],
    "columns": {"method": {}, "acc": {"metric": "acc"}},
    "dataset": "D",
    "tolerance": {"because": "So.", "default": 0.03},
    "protocol": ["Other."],
}
Cells = dict[tuple[str, str], list[Any]]
"""(dataset, method) -> per seed: ACC, (ACC, low, high), a failed status, or None for no record."""


def published(texts: dict[str, str], **changes: Any) -> Published:
    about = TableMetadata.model_validate({**ABOUT, **changes})
    return Published("p", about, list(about.columns), [{"method": m, "acc": v} for m, v in texts.items()])


def against(cells: Cells, table: Published, *, synthetic: bool = False, **about: Any) -> PublishedComparison:
    planned, records = [], {}
    for (dataset, method), values in cells.items():
        for seed, value in enumerate(values):
            key = f"{dataset}|{method}|{seed}"
            planned.append(PlannedCell(key, dataset, method, seed, False, synthetic))
            records[key] = _record(dataset, method, seed, value, about)
    plan = PlanOnDisk("s", "T", ["nmi"], "own_cluster", 0.95, [], planned)
    return compare(plan, records.get, records.get, table)


def _record(dataset: str, method: str, seed: int, value: Any, about: dict[str, Any]) -> CellRecord | None:
    if value is None:
        return None
    common = {"dataset": dataset, "method": method, "seed": seed, "n_scored": 9, **about}
    if isinstance(value, str):
        return record(**common, status=value, error="why", metrics={}, intervals={})
    value, *interval = value if isinstance(value, tuple) else (value,)
    intervals = {"acc": tuple(interval)} if interval else {}
    return record(**common, metrics={"acc": value}, intervals=intervals)


def only(comparison: PublishedComparison) -> Any:
    (pair,) = comparison.pairs
    return pair


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict", "inside"),
    [
        (0.93, "0.90", Verdict.WITHIN, False),  # 0.93 - 0.90 is a little above 0.03 in binary
        (0.87, "0.90", Verdict.WITHIN, False),
        (0.931, "0.90", Verdict.DIFFERS, False),
        ((0.95, 0.89, 0.97), "0.90", Verdict.DIFFERS, True),
        ((0.95, 0.904, 0.97), "0.90", Verdict.DIFFERS, True),  # 0.90 may have been 0.9049
        ((0.95, 0.906, 0.97), "0.90", Verdict.DIFFERS, False),
        ((0.95, 0.904, 0.97), "0.900", Verdict.DIFFERS, False),
    ],
)
def test_within_or_different(ours: Any, theirs: str, verdict: Verdict, inside: bool):
    pair = only(against({("D", "A"): [ours, ours]}, published({"A": theirs})))
    assert (pair.verdict, pair.why) == (verdict, "")
    value = ours[0] if isinstance(ours, tuple) else ours
    assert pair.difference == pytest.approx(value - float(theirs))
    assert pair.inside is inside


@given(st.floats(0, 1), st.integers(0, 100), st.floats(0.001, 0.5))
def test_the_tolerance_alone_decides(ours: float, theirs: int, tolerance: float):
    table = published({"A": f"{theirs / 100:.2f}"}, tolerance={"because": "So.", "default": tolerance})
    pair = only(against({("D", "A"): [ours]}, table))
    apart = abs(ours - theirs / 100)
    if abs(apart - tolerance) > 1e-8:
        assert (pair.verdict is Verdict.WITHIN) == (apart < tolerance)


@pytest.mark.parametrize(
    ("cells", "verdict", "why"),
    [
        ({("E", "A"): [0.9]}, Verdict.MISSING, "dataset not in this run"),
        ({("D", "B"): [0.9]}, Verdict.MISSING, "method not in this run"),
        ({("D", "A"): [None, None]}, Verdict.MISSING, "0 of 2 seeds: 2 missing"),
        ({("D", "A"): ["timeout", "error"]}, Verdict.MISSING, "0 of 2 seeds: 1 error, 1 timeout"),
        ({("D", "A"): [0.9, "oom-gpu"]}, Verdict.INCOMPLETE, "1 of 2 seeds: 1 oom-gpu"),
        ({("D", "A"): [0.9, 0.9]}, Verdict.WITHIN, ""),
    ],
)
def test_what_is_missing_says_why(cells: Cells, verdict: Verdict, why: str):
    comparison = against(cells, published({"A": "0.90"}))
    pair = only(comparison)
    assert (pair.verdict, pair.why) == (verdict, why)
    assert (pair.ours is None) == (verdict is Verdict.MISSING)
    assert (verdict is Verdict.INCOMPLETE) == ("(0.900" in against_text.markdown([comparison]))


def test_a_metric_that_no_record_has():
    table = published({"A": "0.90"}, columns={"method": {}, "acc": {"metric": "pairs.ri"}})
    pair = only(against({("D", "A"): [0.9]}, table))
    assert (pair.verdict, pair.why) == (Verdict.MISSING, "not scored")


def test_generated_data_never_agree():
    """Equal to the last digit, and still no difference, no agreement, and a word about it in every format."""
    comparison = against({("D", "A"): [0.9, 0.9]}, published({"A": "0.90"}), synthetic=True)
    pair = only(comparison)
    assert (pair.verdict, pair.difference, pair.inside) == (Verdict.SYNTHETIC, None, False)
    assert "within" not in comparison.conclusion
    assert comparison.departures == ["D: generated images, on which published numbers cannot be reproduced."]
    texts = (against_text.markdown, against_text.latex, against_text.html, against_text.comma_separated)
    for render in texts:
        assert "not comparable: generated data" in render([comparison])
    assert against_text.to_json([comparison])[0]["verdicts"]["within tolerance"] == 0


def test_a_table_without_comparable_numbers_is_no_error():
    comparison = against({("D", "A"): [0.9]}, reference.read("004_table_1"))
    assert comparison.pairs == []
    assert comparison.conclusion == "None of its numbers is of a metric that is computed here."
    assert "always answers 1" in against_text.markdown([comparison])


# Names


@pytest.mark.parametrize("ours", ["Auto k-means", "auto-K-Means", "AUTO_KMEANS", "Auto-k-means"])
def test_case_and_punctuation_do_not_count(ours: str):
    table = published({"Auto-k-means": "0.90"})
    assert only(against({("d", ours): [0.9]}, table)).verdict is Verdict.WITHIN


def test_two_of_ours_for_one_of_theirs():
    cells: Cells = {("D", "a b"): [0.5], ("D", "A-B"): [0.9]}
    assert only(against(cells, published({"A-B": "0.90"}))).verdict is Verdict.WITHIN
    with pytest.raises(DataError, match=r"'A\.B' may be 'A-B' and 'a b'"):
        against(cells, published({"A.B": "0.90"}))


def test_trivial_baselines_are_nobodys_method():
    plan = PlanOnDisk(
        "s", "T", ["acc"], "own_cluster", 0.95, [], [PlannedCell("k", "D", "A", 0, True, False)]
    )
    get = {"k": record(metrics={"acc": 0.9})}.get
    comparison = compare(plan, get, get, published({"A": "0.90"}))
    assert only(comparison).why == "method not in this run"


def test_a_row_may_stand_for_another_dataset_and_a_column_for_one():
    cells: Cells = {
        ("Kaggle-5C", "Auto SC"): [0.93],
        ("Kaggle-5C, copepods missing", "Auto SC"): [0.92],
        ("Kaggle-Full", "DC SC"): [0.5],
    }
    found = against(cells, reference.read("002_table_3"))
    verdicts = {
        (p.published.dataset, p.published.row): p.verdict
        for p in found.pairs
        if p.published.metric == "acc" and p.ours
    }
    assert verdicts == {
        ("Kaggle-5C", "Auto-SC"): Verdict.WITHIN,
        ("Kaggle-5C, copepods missing", "Missing-Auto-SC"): Verdict.WITHIN,
        ("Kaggle-Full", "DC-SC"): Verdict.DIFFERS,
    }
    assert len(found.pairs) == 16


# Departures

SETTINGS = {"A *": {"encoder.adapter": "net", "encoder.epochs": 100, "encoder.size": [None, 64]}}


def params(adapter: str, **own: Any) -> dict[str, Any]:
    return {"encoder": {"adapter": adapter, "params": own}}


NO_EPOCHS = "encoder.epochs none (published: 100)"


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (params("net@3", epochs=100, size=None), ""),
        (params("net@3", epochs=100, size=64), ""),
        (
            params("net@3", epochs=5, size=32),
            "encoder.epochs 5 (published: 100), encoder.size 32 (published: 64)",
        ),
        (params("pixels@1"), f"encoder.adapter pixels (published: net), {NO_EPOCHS}"),
        ({"pair_model": 7}, f"encoder.adapter none (published: net), {NO_EPOCHS}"),
    ],
)
def test_settings_other_than_published_are_named_once(own: dict[str, Any], said: str):
    table = published({"A x": "0.90", "A-y": "0.90", "B": "0.90"}, settings=SETTINGS)
    cells: Cells = {("D", m): [0.9] for m in ("A x", "A y", "B")}
    comparison = against(cells, table, params=own)
    assert comparison.departures == ([f"A x, A y: {said}."] if said else [])
    assert ("agreement is not a reproduction" in comparison.conclusion) == bool(said)


def test_nested_parameters_and_numbers_of_images():
    table = published({"A": "0.90"}, images={"D": 10}, settings={"A": {"pair_model.encoder.epochs": 3}})
    inner = {"adapter": "twin@1", "params": {"encoder": {"adapter": "dino@1", "params": {"epochs": 4}}}}
    comparison = against({("D", "A"): [0.9]}, table, params={"pair_model": inner})
    assert comparison.departures == [
        "D: 9 images scored, published 10.",
        "A: pair_model.encoder.epochs 4 (published: 3).",
    ]


# Formats


def test_all_formats_have_the_same_lines():
    cells: Cells = {("D", "A"): [0.9, 0.91], ("D", "B"): [0.5, None]}
    comparison = against(cells, published({"A": "0.90", "B": "0.80", "C": "0.7"}))
    lines = list(csv.DictReader(io.StringIO(against_text.comma_separated([comparison]))))
    numbers = json.loads(json.dumps(against_text.to_json([comparison])))[0]["numbers"]
    verdicts = ["within tolerance", "ours incomplete", "ours missing"]
    assert [line["verdict"] for line in lines] == [n["verdict"] for n in numbers] == verdicts
    assert float(lines[0]["difference"]) == numbers[0]["difference"] == pytest.approx(0.005)
    assert (lines[2]["ours"], numbers[2]["ours"]) == ("", None)
    markdown, latex = against_text.markdown([comparison]), against_text.latex([comparison])
    assert len([x for x in markdown.splitlines() if x.startswith("|")]) == 2 + 3
    assert len(re.findall(r"^.*&.*\\\\$", latex, re.MULTILINE)) == 1 + 3
    for text in (markdown, latex):
        for said in (
            "within tolerance",
            "1 of 2 seeds: 1 missing",
            "method not in this run",
            "W. Y.",
            "Other.",
            "+0.005",
        ):
            assert said in text  # fmt: skip
        assert "0.90 " in text
    assert against_text.html([comparison]).count("<tr>") == 1 + 3
    assert latex.count(r"\begin{itemize}") == latex.count(r"\end{itemize}") == 5


def test_remarks_are_said_once():
    cells: Cells = {(d, m): [0.9] for d in ("D", "E") for m in ("A", "B")}
    cells["D", "C"] = [None]
    table = published({"A": "0.9", "B": "0.9", "C": "0.9"}, rows={"B": {"datasets": {"D": "E"}}})
    comparison = against(cells, table, uses_labels=True)
    assert comparison.remarks == ["sees labels: A on D; B on E"]


def test_names_are_escaped():
    name = "=A|<b>&_%$\x1b[31m"
    comparison = against({("D", name): [0.9]}, published({name: "0.90"}))
    markdown, latex = against_text.markdown([comparison]), against_text.latex([comparison])
    table_lines = [x for x in markdown.splitlines() if x.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", x)) for x in table_lines} == {9}
    assert "<b>" not in markdown + against_text.html([comparison])
    assert r"\&\_\%\$" in latex
    (line,) = csv.DictReader(io.StringIO(against_text.comma_separated([comparison])))
    assert line["method"].startswith("'=A|")
    for text in (markdown, latex, line["method"]):
        assert "\x1b" not in text


def test_the_terminal_shows_every_number():
    from rich.console import Console

    comparison = against({("D", "A"): [(0.95, 0.89, 0.97)] * 2}, published({"A": "0.90", "B": "0.80"}))
    console = Console(width=160, file=io.StringIO(), force_terminal=False)
    for part in against_text.terminal([comparison]):
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "differs, inside our interval" in text
    assert "0.950 ±0.060" in text
    assert "ours missing: method not in this run" in text
