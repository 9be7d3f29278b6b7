"""Pairs of methods: the right test, corrected, and no verdict on too little."""

from __future__ import annotations

import csv
import io
import itertools

import numpy as np
import pytest
from scipy import stats

from bench.metrics.names import METRICS
from bench.records.results import PlannedCell, PlanOnDisk
from bench.report.tables.comparison import block, comma_separated, compare, to_json
from bench.report.tables.leaderboard import Leaderboard, build
from bench.report.tables.ranks import Ranking, critical_difference, friedman, rank_over_datasets
from tests.records.test_record import record
from tests.report.tables.test_leaderboard import leaderboard

VALUES = {
    "A": [0.90, 0.91, 0.92, 0.89], "B": [0.60, 0.62, 0.59, 0.61], "C": [0.61, 0.60, 0.62, 0.60],
}  # fmt: skip


def over_datasets(table: list[list[float]], metric: str = "acc") -> Leaderboard:
    """Return a board from means of shape (datasets, methods), one seed each."""
    planned, records = [], {}
    for d, row in enumerate(table):
        for m, value in enumerate(row):
            key = f"{d} {m}"
            planned.append(PlannedCell(key, f"D{d}", f"M{m}", 0, False, True))
            records[key] = record(dataset=f"D{d}", method=f"M{m}", metrics=dict.fromkeys(METRICS, value))
    return build(PlanOnDisk("s", "T", [metric], "drop", 0.95, [], planned), records.get)


def test_pairs_on_one_dataset_are_tested_over_seeds_with_holm() -> None:
    (found,) = compare(leaderboard(VALUES, trivial={"T": [0.1] * 4}))
    expected = {
        frozenset(pair): stats.ttest_rel(VALUES[pair[0]], VALUES[pair[1]]).pvalue
        for pair in itertools.combinations(VALUES, 2)
    }
    assert {frozenset((p.better, p.worse)): p.p for p in found.pairs} == pytest.approx(expected)
    ordered = sorted(expected.values())
    holm = [min(1, 3 * ordered[0]), min(1, max(3 * ordered[0], 2 * ordered[1]))]
    assert [p.adjusted for p in found.pairs[:2]] == pytest.approx(holm)
    assert {(p.better, p.worse) for p in found.pairs[:2]} == {("A", "B"), ("A", "C")}
    assert [found.verdict(p) for p in found.pairs] == ["better", "better", "no difference shown"]


def test_where_less_is_better_the_smaller_one_is() -> None:
    (found,) = compare(leaderboard(VALUES, ("vi",)))
    assert all(p.worse == "A" and p.difference < 0 for p in found.pairs[:2])


@pytest.mark.parametrize("values", [[0.1, 0.2], [0.5, 0.5, 0.5], [0.5, "crash", 0.6]])
def test_too_little_to_test_is_no_verdict(values: list[object]) -> None:
    (found,) = compare(leaderboard({"A": values, "B": [0.1] * len(values)}))
    assert found.tested == 0
    assert [found.verdict(p) for p in found.pairs] == ["cannot be tested"]
    assert block(found).rows[0][-1].text == "cannot be tested"


def test_over_six_datasets_by_signed_ranks() -> None:
    rng = np.random.default_rng(0)
    table = rng.uniform(0.2, 0.3, (8, 3)) + np.array([0.3, 0.0, 0.01])
    *single, over = compare(over_datasets(table.tolist()))
    assert all(c.tested == 0 for c in single)
    assert over.dataset is None
    expected = stats.wilcoxon(table[:, 0], table[:, 1]).pvalue
    assert next(p.p for p in over.pairs if {p.better, p.worse} == {"M0", "M1"}) == pytest.approx(expected)
    assert len(compare(over_datasets(table[:5].tolist()))) == 5


def test_false_claims_are_rare_under_the_null() -> None:
    """Five equal methods, five seeds: any pair is called different in at most 5 % of the experiments."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        cells = {f"M{i}": rng.normal(0.5, 0.05, 5).tolist() for i in range(5)}
        (found,) = compare(leaderboard(cells))
        wrong += any(found.verdict(p) == "better" for p in found.pairs)
    assert wrong / 300 < 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


def test_csv_and_json_have_every_pair() -> None:
    found = compare(leaderboard({f"=M{i}": [i / 10, i / 11, i / 9] for i in range(9)}))
    rows = list(csv.DictReader(io.StringIO(comma_separated(found))))
    assert len(rows) == 36 == len(to_json(found[0])["pairs"])
    assert rows[0]["better"].startswith("'=")
    shown = block(found[0])
    assert len(shown.rows) == 30
    differ = sum(found[0].verdict(pair) == "better" for pair in found[0].pairs[30:])
    assert f"6 more pairs, of which {differ} differ" in shown.notes[-1]


# Ranks over datasets


def test_critical_differences_are_those_of_demsars_table() -> None:
    published = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
    for k, q in published.items():
        assert critical_difference(k, 14, 0.95) == pytest.approx(q * (k * (k + 1) / 84) ** 0.5, abs=6e-4)


DEMSAR = [  # table 6: AUC of C4.5, +m, +cf, +m+cf on 14 data sets
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
]  # fmt: skip


def test_the_worked_example_of_demsar() -> None:
    found = rank_over_datasets(over_datasets(DEMSAR), "acc")
    assert isinstance(found, Ranking)
    ranks = dict(zip(found.methods, found.ranks, strict=True))
    assert [round(ranks[f"M{i}"], 3) for i in range(4)] == [3.143, 2.0, 2.893, 1.964]
    assert found.difference == pytest.approx(1.25, abs=0.005)
    assert found.p < 0.05  # F = 3.69 against a critical 2.85
    assert found.groups() == [(0, 3)]  # Nemenyi's test finds no difference here, as the paper says


def test_friedman_is_that_of_iman_and_davenport() -> None:
    table = np.array([stats.rankdata(row) for row in np.random.default_rng(0).normal(size=(9, 5))])
    chi_square = stats.friedmanchisquare(*table.T).statistic
    f = 8 * chi_square / (9 * 4 - chi_square)
    assert friedman(table.tolist()) == pytest.approx(stats.f.sf(f, 4, 32))
    assert friedman([[2.0, 2.0, 2.0]] * 4) == 1.0
    assert friedman([[1.0, 2.0, 3.0]] * 4) == 0.0


def test_ranks_need_datasets_and_methods_and_complete_ones() -> None:
    assert "not 2" in str(rank_over_datasets(over_datasets(DEMSAR[:2]), "acc"))
    assert "only 2 methods" in str(rank_over_datasets(over_datasets([[0.1, 0.2]] * 4), "acc"))


def test_without_a_significant_friedman_test_all_are_one_group() -> None:
    found = rank_over_datasets(over_datasets([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.2, 0.3, 0.1]]), "acc")
    assert isinstance(found, Ranking)
    assert (found.p, found.groups()) == (1.0, [(0, 2)])
