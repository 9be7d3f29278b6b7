"""The metrics that a suite names: shipped, from a file, or of an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.adapters import sockets
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import make_plan
from bench.suite import suitefile
from bench.suite.schema import Suite
from bench.util.yamlfile import FileError
from tests.conftest import TINY, write_suite

OWN = """\
from bench.metrics.metric import Metric
OWN = Metric("own", "Own", "Mine.", lambda t: t.counts.max(axis=1) / t.n)
"""


def load(folder: Path, metrics: str, own: str = OWN, name: str = "own.py") -> Suite:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(own)
    return suitefile.load(write_suite(folder, f"{TINY}metrics: {metrics}\n"))


def problem(folder: Path, metrics: str, own: str = OWN) -> str:
    with pytest.raises(FileError) as e:
        load(folder, metrics, own)
    (only,) = e.value.problems
    assert only.line == len(TINY.splitlines()) + 1
    return only.message


def keys(suite: Suite) -> set[str]:
    return {c.key for c in make_plan(suite, Fingerprints(suite.folder / "f.sqlite")).cells}


def test_a_file_becomes_a_column_everywhere(tmp_path: Path) -> None:
    text = TINY.replace("[nmi, vi]", "[vi, ./own.py], sort: ./own.py, decimals: {./own.py: 1}")
    (tmp_path / "own.py").write_text(OWN)
    suite = suitefile.load(write_suite(tmp_path, f"{text}metrics: [acc, ./own.py]\n"))
    assert suite.block.metrics == ["acc", "own"]
    (table,) = suite.block.tables
    assert (table.columns, table.sort, table.decimals) == (["vi", "own"], "own", {"own": 1})
    (loaded,) = suite.extra_metrics
    assert loaded.use == str(tmp_path / "own.py")


def test_features_become_a_column_of_clusters_and_need_them_scored(tmp_path: Path) -> None:
    own = OWN.replace("t.n)", 't.n, "features")')
    assert "needs `label_free: true`" in problem(tmp_path, "[acc, ./own.py]", own)
    suite = load(tmp_path, "[acc, ./own.py]\nlabel_free: true", own)
    assert suite.block.metrics == ["acc", "clusters.own"]


@pytest.mark.parametrize(
    ("metrics", "own", "text"),
    [
        ("[acc, ./none.py]", OWN, "metric './none.py': there is no file"),
        ("[acc, ./own.py]", "1 / 0", "cannot be imported: ZeroDivisionError"),
        ("[acc, ./own.py]", OWN + "TWO = OWN", "exactly one public Metric; found OWN, TWO"),
        ("[acc, ./own.py]", OWN.replace('"own"', '"acc"'), "the name 'acc' is taken by what ships"),
        ("[acc, ./own.py]", OWN.replace('"own"', '"silhouette"'), "the name 'silhouette' is taken"),
        ("[acc, ./own.py]", OWN.replace('"own"', '"coverage"'), "the name 'coverage' is taken"),
        ("[acc, ./own.py]", OWN.replace('"own"', '"a.b"'), "lower-case letters, digits and underscores"),
        ("[acc, ./own.py]", OWN.replace("t.n)", "t.n, low=1)"), "`low` must be a number below `high`"),
        ("[acc, ./own.py]", OWN.replace("t.n)", "t.n, 'groups')"), "`takes` must be tables, pairs,"),
        ("[acc, ./own.py]", OWN.replace("t.n)", "t.n, 'x')"), "`takes` must be one of tables"),
        ("[acc, ./own.py]", OWN.replace("t.n)", "t.n, version=0)"), "`version` must be a whole number"),
        ("[acc, ./own.py]", OWN.replace("lambda t: t.counts.max(axis=1) / t.n", "3"), "must be a function"),
        ("[acc, amy]", OWN, "no metric named 'amy'; did you mean 'ami'?"),
        ("[acc, silhouette]", OWN, "no metric named 'silhouette'"),
    ],
)
def test_what_is_wrong_with_a_metric_is_told_with_its_line(
    tmp_path: Path, metrics: str, own: str, text: str
) -> None:
    assert text in problem(tmp_path, metrics, own)


def test_two_metrics_of_one_name(tmp_path: Path) -> None:
    tmp_path.joinpath("other.py").write_text(OWN + "# other\n")
    assert "has a metric of this name, 'own', too" in problem(tmp_path, "[./own.py, ./other.py]")


def test_the_key_has_the_content_of_the_file_and_not_where_it_lies(tmp_path: Path) -> None:
    first = keys(load(tmp_path / "a", "[acc, ./own.py]"))
    assert keys(load(tmp_path / "b", "[./own.py, nmi]")) == first
    assert not keys(load(tmp_path / "c", "[acc, ./own.py]", OWN + "# changed\n")) & first
    assert not keys(load(tmp_path / "d", "[acc]")) & first


def test_an_installed_package_offers_one_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    (site / "offered-1.dist-info").mkdir(parents=True)
    (site / "offered-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: offered\nVersion: 1\n"
    )
    (site / "offered-1.dist-info" / "entry_points.txt").write_text(
        "[cutjoin.metrics]\nown = offered_metric:OWN\nother = offered_metric:OWN\n"
    )
    (site / "offered_metric.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(site))
    sockets.forget()
    try:
        (loaded,) = load(tmp_path / "a", "[acc, own]").extra_metrics
        assert (loaded.use, loaded.identity) == ("own", "offered_metric:OWN@1")
        assert "its `name` is 'own'" in problem(tmp_path / "b", "[acc, other]")
    finally:
        monkeypatch.undo()
        sockets.forget()
    assert "no metric named 'own'" in problem(tmp_path / "c", "[acc, own]")
