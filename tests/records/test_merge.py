"""Merging: any order gives the same bytes, nothing is lost, conflicts are reported."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.records.merge import merge_suite, suites_in
from bench.records.record import Newer, read
from bench.records.results import Results
from bench.report.tables.leaderboard import build
from bench.util.durable import seal
from tests.regression.made import Made, write_run

CELLS = st.builds(
    Made,
    method=st.sampled_from("mn"),
    seed=st.integers(0, 1),
    status=st.sampled_from(["ok", "timeout", "blocked"]),
    scores=st.sampled_from([{"ami": 0.5}, {"ami": 0.75}]),
    seconds=st.sampled_from([1.0, 2.0]),
    started=st.sampled_from(["2026-01-01T", "2026-01-02T"]),
    version=st.sampled_from("12"),
    host=st.sampled_from(["x", "y"]),
)
MACHINES = st.lists(st.lists(CELLS, max_size=4, unique_by=lambda c: c.key), min_size=2, max_size=4)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def written(base: Path, machines: list[list[Made]]) -> list[Path]:
    folders = []
    for i, cells in enumerate(machines):
        folders.append(write_run(base / str(i) / "made", cells))
        (folders[-1] / "logs").mkdir()
        (folders[-1] / "logs" / "stage.log").write_text(f"log {i}")
    return folders


@pytest.mark.slow
@settings(max_examples=25)
@given(MACHINES, st.randoms(use_true_random=False))
def test_order_and_grouping_never_matter(machines: list[list[Made]], random: object):
    with TemporaryDirectory() as name:
        base = Path(name)
        folders = written(base, machines)
        merge_suite(folders, base / "at-once" / "made")
        expected = tree(base / "at-once" / "made")
        shuffled = list(folders)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        for folder in [*shuffled, shuffled[0]]:  # one by one, the first twice
            merge_suite([folder], base / "one-by-one" / "made")
        assert tree(base / "one-by-one" / "made") == expected
        merge_suite(shuffled[:1], base / "left" / "made")
        merge_suite(shuffled[1:], base / "right" / "made")
        merge_suite([base / "right" / "made", base / "left" / "made"], base / "halves" / "made")
        assert tree(base / "halves" / "made") == expected
        merge_suite([base / "left" / "made"], base / "at-once" / "made")
        assert tree(base / "at-once" / "made") == expected


@pytest.mark.slow
@settings(max_examples=25)
@given(MACHINES)
def test_every_essence_is_kept_once_and_each_conflict_reported(machines: list[list[Made]]):
    with TemporaryDirectory() as name:
        folders = written(Path(name), machines)
        out = merge_suite(folders, Path(name) / "all" / "made")
        target = Path(name) / "all" / "made"
        kept = [read(p) for p in [*target.glob("records/*.json"), *target.glob("conflicts/*/*.json")]]
        expected = {repr(c.record().essence()) for cells in machines for c in cells}
        assert sorted(repr(r.essence()) for r in kept) == sorted(expected)
        keys = [r.key for r in kept]
        several = {key for key in keys if keys.count(key) > 1}
        assert sum("records of" in c.reason for c in out.conflicts) == len(several)
        assert out.records == len({r.key for r in kept})
        assert not out.problems


def test_sources_are_not_touched(tmp_path: Path):
    folders = written(tmp_path / "s", [[Made("m")], [Made("m", status="error"), Made("n")]])
    before = tree(tmp_path / "s")
    merge_suite(folders, tmp_path / "all" / "made")
    assert tree(tmp_path / "s") == before


def test_of_equal_records_the_first_to_start_is_kept(tmp_path: Path):
    early, late = Made(seconds=5.0, started="2026-01-01T"), Made(seconds=1.0, started="2026-01-02T", host="z")
    for order in permutations(written(tmp_path / "s", [[late], [early]])):
        out = merge_suite(order, tmp_path / order[0].parent.name / "made")
        assert out.conflicts == []
        assert (
            read(tmp_path / order[0].parent.name / "made" / "records" / f"{early.key}.json") == early.record()
        )


def test_a_conflict_names_both_provenances(tmp_path: Path):
    one = Made(host="left", commit="1" * 40, scores={"ami": 0.5})
    other = Made(host="right", commit="2" * 40, scores={"ami": 0.25}, started="2026-02-01T")
    target = tmp_path / "all" / "made"
    (conflict,) = merge_suite(written(tmp_path, [[other], [one]]), target).conflicts
    assert [p.split(",")[0] for p in conflict.provenances] == [
        "ok (ami 0.5000): left",
        "ok (ami 0.2500): right",
    ]
    assert "111111111111" in conflict.provenances[0]
    assert "numpy 2.0" in conflict.provenances[0]
    assert read(target / "records" / f"{one.key}.json") == one.record()
    (beside,) = target.glob("conflicts/*/*.json")
    assert read(beside) == other.record()


def test_scores_take_precedence_over_a_failure(tmp_path: Path):
    failed = Made(status="oom-host", started="2025-01-01T")
    merge_suite(written(tmp_path, [[failed], [Made()]]), tmp_path / "all" / "made")
    assert read(tmp_path / "all" / "made" / "records" / f"{failed.key}.json").status == "ok"


def test_a_table_of_merged_results_equals_that_of_one_run(tmp_path: Path):
    """Two machines that each have one of two datasets; cells blocked on one ran on the other."""
    a = [Made(dataset="a"), Made(dataset="b", version="blocked", status="blocked")]
    b = [Made(dataset="a", version="blocked", status="blocked"), Made(dataset="b")]
    target = tmp_path / "all" / "made"
    assert merge_suite(written(tmp_path, [a, b]), target).conflicts == []
    results = Results(target.parent, "made")
    board = build(results.read_plan(), results.get)
    assert [(x.dataset, x.rows[0].scored, x.rows[0].planned) for x in board.boards] in (
        [("a", 1, 1), ("b", 1, 1)],
        [("b", 1, 1), ("a", 1, 1)],
    )


def test_two_versions_of_one_cell_are_reported_and_one_is_in_the_table(tmp_path: Path):
    target = tmp_path / "all" / "made"
    (conflict,) = merge_suite(written(tmp_path, [[Made()], [Made(version="2")]]), target).conflicts
    assert conflict.reason.startswith("code, data or parameters differ")
    assert len(Results(target.parent, "made").read_plan().cells) == 1
    assert len(list((target / "records").iterdir())) == 2


def test_damaged_and_newer_records_are_reported_and_not_copied(tmp_path: Path):
    (source,) = written(tmp_path, [[Made("m"), Made("n"), Made("o")]])
    torn, newer = (source / "records" / f"{Made(m).key}.json" for m in "mn")
    torn.write_bytes(torn.read_bytes()[:-9])
    newer.write_bytes(seal({**Made("n").record().model_dump(mode="json"), "schema_version": 99}))
    out = merge_suite([source], tmp_path / "all" / "made")
    assert len(out.problems) == 2
    assert "update cutjoin" in "".join(out.problems)
    assert [p.stem for p in (tmp_path / "all" / "made" / "records").iterdir()] == [Made("o").key]


def test_a_damaged_record_of_the_target_is_quarantined(tmp_path: Path):
    target = write_run(tmp_path / "all" / "made", [Made()])
    path = target / "records" / f"{Made().key}.json"
    path.write_bytes(path.read_bytes()[:-9])
    merge_suite(written(tmp_path, [[Made()]]), target)
    assert read(path) == Made().record()
    assert len(list((target / "quarantine").iterdir())) == 1


def test_newer_records_of_the_target_are_never_overwritten(tmp_path: Path):
    target = write_run(tmp_path / "all" / "made", [Made()])
    path = target / "records" / f"{Made().key}.json"
    path.write_bytes(seal({**Made().record().model_dump(mode="json"), "schema_version": 99}))
    before = tree(target)
    with pytest.raises(Newer, match="schema 99"):
        merge_suite(written(tmp_path, [[Made()]]), target)
    assert tree(target) == before


def test_plans_that_differ_are_reported(tmp_path: Path):
    a = write_run(tmp_path / "a", [Made("m"), Made("n")])
    b = write_run(tmp_path / "b", [replace(Made("o"))], metrics=["vi"])
    out = merge_suite([a, b], tmp_path / "all" / "made")
    assert out.notes == ["plans differ in `metrics`; using that of the plan with most cells"]
    assert Results(tmp_path / "all", "made").read_plan().metrics == ["ami", "acc"]


def test_users_metrics_keep_their_descriptions(tmp_path: Path):
    own = {"name": "own", "title": "Own", "low": 0.0, "high": None, "higher_is_better": False}
    a = write_run(tmp_path / "a", [Made("m"), Made("n")], metrics=["ami", "own"], extra=[own])
    b = write_run(tmp_path / "b", [Made("o")], metrics=["ami", "own"])
    merge_suite([a, b], tmp_path / "all" / "made")
    (metric,) = Results(tmp_path / "all", "made").read_plan().declared.values()
    assert (metric.title, metric.high, metric.higher_is_better) == ("Own", float("inf"), False)


def test_where_suites_are_found(tmp_path: Path):
    made = write_run(tmp_path / "r" / "made", [Made()])
    assert suites_in(tmp_path / "r") == suites_in(made) == [made]
    with pytest.raises(DataError, match="no such folder"):
        suites_in(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no results here"):
        suites_in(tmp_path / "empty")
