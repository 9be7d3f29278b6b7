"""Two runs: what is called worse, what is within noise, what is not compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import DataError
from bench.regression.compare import compare
from bench.regression.finding import REGRESSION, Report
from bench.regression.reading import find_run, read_run
from bench.regression.render import markdown, terminal
from bench.regression.scores import differing
from tests.regression.made import Made, seeds, write_run

RATIOS = {"time": 1.5, "memory": 1.2, "GPU memory": 1.2}


def compared(tmp_path: Path, before: list[Made], after: list[Made], **words: Any) -> Report:
    a = write_run(tmp_path / "a" / "made", before)
    b = write_run(tmp_path / "b" / "made", after, **words)
    return compare(read_run(a), read_run(b), RATIOS)


def verdicts(report: Report) -> set[tuple[str, str, str]]:
    return {(f.verdict, f.what, f.method) for f in report.findings}


def later(cells: list[Made], **changes: Any) -> list[Made]:
    return [replace(c, started="2026-01-02T00:00:00.000+00:00", **changes) for c in cells]


def test_equal_runs_differ_in_nothing(tmp_path: Path):
    cells = [*seeds(Made("m")), *seeds(Made("n"))]
    report = compared(tmp_path, cells, later(cells))
    assert (report.findings, report.code, report.notes) == ([], 0, [])
    assert report.compared == {"scores": 4, "time": 3, "memory": 3}


def test_a_drop_in_all_seeds_is_worse_and_a_rise_better(tmp_path: Path):
    before = [*seeds(Made("down"), scores=_ami(0.5)), *seeds(Made("up"), scores=_ami(0.5))]
    after = [*seeds(Made("down"), scores=_ami(0.4)), *seeds(Made("up"), scores=_ami(0.6))]
    report = compared(tmp_path, before, later(after))
    assert verdicts(report) == {("worse", "AMI", "down"), ("better", "AMI", "up")}
    assert report.code == REGRESSION
    assert report.findings[0].verdict == "worse"
    assert report.findings[0].change == "-0.1000"


def test_a_drop_inside_the_interval_is_within_noise(tmp_path: Path):
    report = compared(tmp_path, seeds(Made()), later(seeds(Made(), scores={"ami": 0.49, "acc": 0.6})))
    assert verdicts(report) == {("within noise", "AMI", "m")}
    assert report.code == 0


def test_a_collapse_of_every_seed_is_worse_though_the_seeds_scatter(tmp_path: Path):
    """Three seeds that scatter so prove nothing at the level that many changed scores ask for."""
    before = [c for m in "abcdefgh" for c in seeds(Made(m), scores=lambda s: {"ami": 0.6 + 0.15 * s})]
    after = [c for m in "abcdefgh" for c in seeds(Made(m), scores=lambda s: {"ami": 0.3 - 0.13 * s})]
    report = compared(tmp_path, before, later(after))
    assert {f.verdict for f in report.findings} == {"worse"}
    assert max(float(f.noise[1:]) for f in report.findings) > 0.8


def test_seeds_that_scatter_are_within_noise(tmp_path: Path):
    scatter = [0.1, -0.3, -0.1]
    after = seeds(Made(), scores=lambda s: {"ami": 0.5 + scatter[s], "acc": 0.6})
    assert verdicts(compared(tmp_path, seeds(Made()), later(after))) == {("within noise", "AMI", "m")}


def test_lower_is_better_for_variation_of_information(tmp_path: Path):
    before, after = seeds(Made(), scores={"vi": 1.0}), seeds(Made(), scores={"vi": 2.0})
    assert verdicts(compared(tmp_path, before, later(after), metrics=["vi"])) == {("worse", "VI", "m")}


def test_one_seed_without_an_interval_proves_nothing(tmp_path: Path):
    one = replace(Made(scores={"ami": 0.9}), interval=0.0)
    a = write_run(tmp_path / "a", [one])
    b = write_run(tmp_path / "b", [replace(one, scores={"ami": 0.1})])
    _strip_intervals(a)
    _strip_intervals(b)
    (finding,) = (f for f in compare(read_run(a), read_run(b), RATIOS).findings if f.what == "AMI")
    assert finding.verdict == "within noise"
    assert "noise is not known" in finding.note


@pytest.mark.slow
def test_chance_calls_few_runs_worse():
    """Seeds drawn anew in both runs of 20 methods: a run with any score called worse is rare."""
    from bench.metrics.names import METRICS
    from bench.regression.reading import CellFacts
    from bench.regression.scores import compare_scores

    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):

        def draw() -> dict[tuple[str, str], dict[int, CellFacts]]:
            return {
                ("d", str(m)): {
                    s: CellFacts("ok", "", {"ami": 0.5 + 0.05 * float(rng.standard_normal())}, {"ami": 0.02})
                    for s in range(3)
                }
                for m in range(20)
            }

        findings, count = compare_scores(draw(), draw(), {"ami": METRICS["ami"]})
        assert count == 20
        alarms += any(f.verdict == "worse" for f in findings)
    assert alarms / 300 <= 0.02


def test_a_cell_that_fails_now_is_worse_whatever_the_reason(tmp_path: Path):
    cells = [Made(m) for m in ("failed", "missing", "damaged", "collapsed", "mended", "still")]
    before = [replace(c, status="error") if c.method in ("mended", "still") else c for c in cells]
    after = [
        replace(cells[0], status="timeout"), cells[2], replace(cells[3], status="degenerate"), cells[4],
        replace(cells[5], status="error"),
    ]  # fmt: skip
    a = write_run(tmp_path / "a", before)
    b = write_run(tmp_path / "b", later(after), missing=[cells[1]])
    path = b / "records" / f"{cells[2].key}.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    report = compare(read_run(a), read_run(b), RATIOS)
    scores = {(f.verdict, f.method, f.after) for f in report.findings if f.what == "scores"}
    assert scores == {
        ("worse", "failed", "timeout"), ("worse", "missing", "missing"), ("worse", "damaged", "damaged"),
        ("worse", "collapsed", "degenerate"), ("better", "mended", "ok"), ("failing", "still", "error"),
    }  # fmt: skip
    assert report.code == REGRESSION


def test_methods_of_one_run_only_are_listed_and_no_regression(tmp_path: Path):
    report = compared(tmp_path, [Made("a"), Made("old")], later([Made("a"), Made("new")]))
    assert verdicts(report) == {("gone", "scores", "old"), ("new", "scores", "new")}
    assert report.code == 0


def test_parameters_that_differ_are_named(tmp_path: Path):
    before = seeds(Made(params={"clusterer": {"params": {"k": 5}}}))
    after = seeds(Made(params={"clusterer": {"params": {"k": 9}}}), scores=_ami(0.1))
    assert compared(tmp_path, before, later(after)).findings[0].note == "clusterer.k 5 → 9"
    assert list(differing({"a": {"params": {"b": 1}}, "c": 2}, {"a": {"params": {}}, "c": 2})) == [
        "a.b 1 → None"
    ]


@pytest.mark.parametrize(("seconds", "found"), [(1.4, set()), (1.7, {"worse"}), (0.5, {"better"})])
def test_times_count_from_a_ratio_on(tmp_path: Path, seconds: float, found: set[str]):
    report = compared(tmp_path, seeds(Made()), later(seeds(Made()), seconds=seconds))
    assert {f.verdict for f in report.findings} == found
    assert all((f.what, f.part) == ("time", "cluster kmeans") for f in report.findings)


def test_differences_too_small_to_measure_do_not_count(tmp_path: Path):
    assert not compared(tmp_path, [Made(seconds=0.02)], later([Made(seconds=0.09)])).findings


def test_the_least_over_seeds_counts(tmp_path: Path):
    after = later(seeds(Made(), seconds=lambda s: 9.0 if s else 1.0))
    assert not compared(tmp_path, seeds(Made()), after).findings


def test_a_stage_that_methods_share_is_named_once(tmp_path: Path):
    cells = [Made("m"), Made("n"), Made("o")]
    report = compared(tmp_path, cells, later(cells, shared_seconds=9.0))
    assert [(f.method, f.part, f.before, f.after) for f in report.findings] == [
        ("m and 2 more", "prepare kmeans", "2 s", "9 s")
    ]


def test_memory_is_compared_too(tmp_path: Path):
    report = compared(tmp_path, [Made()], later([Made(bytes=2 * 10**9)]))
    assert {(f.verdict, f.what) for f in report.findings} == {("worse", "memory")}


def test_costs_on_different_machines_are_not_compared(tmp_path: Path):
    report = compared(tmp_path, [Made()], later([Made(seconds=9.0, processor="other")]))
    assert not report.findings
    assert report.notes == ["costs of 2 stages are not compared: they ran on c, then on other"]


def test_costs_that_were_not_measured_again_are_not_compared(tmp_path: Path):
    report = compared(tmp_path, [Made()], [Made()])
    assert report.compared == {"scores": 2}
    assert "took all stages from the store" in report.notes[0]


def test_runs_without_anything_in_common_are_not_compared(tmp_path: Path):
    with pytest.raises(DataError, match="no method on a dataset of the same name is in both"):
        compared(tmp_path, [Made("m")], later([Made("n")]))


def test_without_costs_in_common_nothing_is_said_of_the_store(tmp_path: Path):
    before = [Made("m"), Made("n")]
    report = compared(tmp_path, before, later([replace(before[1], status="error", scores={})]))
    assert not any("store" in n for n in report.notes)


def test_a_damaged_record_says_nothing_of_parameters(tmp_path: Path):
    run = write_run(tmp_path / "a" / "made", [Made(params={"encoder": {"x": 1}})])
    after = write_run(tmp_path / "b" / "made", later([Made(params={"encoder": {"x": 1}})]))
    (record,) = (after / "records").glob("*.json")
    record.write_bytes(record.read_bytes()[:-5])
    (found,) = compare(read_run(run), read_run(after), RATIOS).findings
    assert (found.verdict, found.after, found.note) == ("worse", "damaged", "its record is damaged")


def test_where_a_run_is_found(tmp_path: Path):
    suite = write_run(tmp_path / "r" / "made", [Made()])
    assert find_run(suite) == find_run(tmp_path / "r") == suite
    write_run(tmp_path / "r" / "second", [Made()])
    with pytest.raises(DataError, match="holds 2 suites"):
        find_run(tmp_path / "r")
    with pytest.raises(DataError, match="no run here"):
        find_run(tmp_path / "nowhere")


def test_markdown_escapes_what_comes_from_data(tmp_path: Path):
    report = compared(tmp_path, [Made("a|b<i>")], later([Made("a|b<i>", status="error")]))
    text = markdown(report)
    assert "a\\|b&lt;i&gt;" in text
    assert "why &lt;b&gt;" in text
    assert "<b>" not in text
    assert text.startswith("### made: REGRESSION: 1 worse")
    assert len(terminal(report)) == 4


def _ami(value: float) -> Any:
    return lambda s: {"ami": value + 0.1 * s, "acc": 0.6}


def _strip_intervals(folder: Path) -> None:
    from bench.records.record import read
    from bench.util.durable import seal

    for path in (folder / "records").glob("*.json"):
        body = read(path).model_dump(mode="json")
        path.write_bytes(seal({**body, "intervals": {}}))


@pytest.mark.parametrize("declared", [True, False])
def test_a_metric_that_does_not_ship_has_its_direction_and_title(tmp_path: Path, declared: bool):
    own = {"name": "own", "title": "Own", "low": 0.0, "high": 1.0, "higher_is_better": False}
    about: dict[str, Any] = {"metrics": ["own"], **({"extra": [own]} if declared else {})}
    a = write_run(tmp_path / "a" / "made", [Made(scores={"own": 0.2}, interval=0.01)], **about)
    b = write_run(tmp_path / "b" / "made", [Made(scores={"own": 0.9}, interval=0.01)], **about)
    (finding,) = compare(read_run(a), read_run(b), {}).findings
    assert (finding.what, finding.verdict) == (("Own", "worse") if declared else ("own", "better"))
