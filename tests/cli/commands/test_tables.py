"""`bench tables` and `bench table --against`: what they write and print, and what they say is missing."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from bench.cli.commands.against import show_against
from bench.cli.commands.tables import write_tables
from bench.cli.options.groups import SuiteRef
from bench.cli.options.reports import TableOptions, TablesOptions
from bench.errors import AdapterError, CutjoinError, UsageError
from bench.records import reference
from tests.conftest import bench, snapshot, write_suite

ENDINGS = ("md", "csv", "tex", "html", "json")
MINI = """\
title: Mini
seeds: [0]
baselines: false
bootstrap: {replicates: 20}
datasets:
  - {name: Kaggle-5C, use: kaggle_plankton, size: 16, synthetic: {images: 40}}
methods:
  - {name: Auto SC, encoder: pixels, clusterer: kmeans}
  - {name: DC K-Means, encoder: polar_fft, clusterer: kmeans}
tables:
  - {id: beside, caption: Beside, columns: [acc, nmi], reference: 002_table_4}
  - {id: alone, columns: [ari], methods: [Auto *]}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("mini")
    suite = write_suite(base, MINI, "mini.yaml")
    done = bench("run", str(suite), "--quiet", "--jobs", "1", store=base / "store", results=base / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    return base / "results"


@pytest.fixture
def results(ran: Path, tmp_path: Path) -> Path:
    """Return a copy that the test may change."""
    return Path(shutil.copytree(ran, tmp_path / "results"))


def written(results: Path, *names: str, out: Path | None = None, formats: tuple[str, ...] = ()) -> int:
    return write_tables(
        TablesOptions(
            suites=list(names), results=results, out=out, format=list(formats), every=not names, json=True
        )
    )


def against(results: Path, against: str, format: str, table: str | None = None) -> TableOptions:
    return TableOptions(
        suite=SuiteRef(name="mini"), results=results, table=table, against=against, format=format
    )


# bench tables


def test_all_tables_in_all_formats_and_again_the_same_bytes(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(results) == 0
    said = json.loads(capsys.readouterr().out)
    folder = results / "mini" / "tables"
    names = [f"{t}.{ending}" for t in ("beside", "beside.against", "alone") for ending in ENDINGS]
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)
    assert sorted(said["written"]) == sorted(str(folder / n) for n in names)
    assert said["missing"] == []
    assert "organoids" in said["not_run"]
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert written(results, "mini") == 0
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    rows = list(csv.DictReader(io.StringIO(before["alone.csv"].decode())))
    assert [r["method"] for r in rows] == ["Auto SC"]
    assert "ari" in rows[0]
    assert "acc" not in rows[0]


def test_another_folder_and_chosen_formats_leave_the_results_alone(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(results)
    assert written(results, "mini", out=tmp_path / "out", formats=("csv", "latex")) == 0
    names = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    stems = ("beside", "beside.against", "alone")
    assert names == {f"mini/{t}.{ending}" for t in stems for ending in ("csv", "tex")}
    assert snapshot(results) == before


def test_the_against_table_of_generated_data_claims_nothing(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(results, "mini", formats=("csv",))
    text = (results / "mini" / "tables" / "beside.against.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 30
    here = [r for r in rows if r["ours"]]
    assert {(r["method"], r["metric"]) for r in here} == {
        (m, c) for m in ("Auto-SC", "DC-k-means") for c in ("acc", "f1", "nmi")
    }
    assert {r["verdict"] for r in here} == {"not comparable: generated data"}
    assert {r["difference"] for r in rows} == {""}


def test_lost_and_damaged_records_are_said(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = {json.loads(p.read_text())["method"]: p for p in (results / "mini" / "records").iterdir()}
    records["DC K-Means"].unlink()
    assert written(results, formats=("md",)) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["missing"] == [
        {"suite": "mini", "table": "beside", "why": "1 of its 2 cells have no scores: 1 missing"}
    ]
    assert "0 of 1 seeds: 1 missing" in (results / "mini" / "tables" / "beside.against.md").read_text()
    records["Auto SC"].write_bytes(records["Auto SC"].read_bytes().replace(b"Auto", b"Outo", 1))
    assert written(results, formats=("md",)) == 1
    said = json.loads(capsys.readouterr().out)
    assert [m["table"] for m in said["missing"]] == ["beside", "alone"]
    assert all(records["Auto SC"].name in m["why"] for m in said["missing"])
    assert said["written"] == []


def test_without_any_scores_nothing_is_written(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(results / "mini" / "records")
    assert written(results) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["written"], [m["why"] for m in said["missing"]]) == (
        [],
        ["2 of its 2 cells have no scores: 2 missing", "1 of its 1 cells have no scores: 1 missing"],
    )
    assert not (results / "mini" / "tables").exists()


def test_wrong_words(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'mini'"):
        written(results, "minni")
    with pytest.raises(AdapterError, match="did you mean 'latex'"):
        written(results, "mini", formats=("latecs",))
    with pytest.raises(UsageError, match="nothing has run"):
        written(tmp_path / "empty")
    for names in ([], ["mini"]):
        with pytest.raises(UsageError, match="--all, not both"):
            write_tables(TablesOptions(suites=names, results=results, every=bool(names)))


def test_both_commands_from_the_command_line(results: Path) -> None:
    done = bench("tables", "--all", "-f", "md", store=results / "no-store", results=results)
    assert done.returncode == 0, done.stderr
    assert "beside.md, beside.against.md" in done.stdout
    assert "3 files written" in done.stdout
    done = bench("table", "mini", "--against", "paper", store=results / "no-store", results=results)
    assert done.returncode == 0, done.stderr
    assert "published numbers cannot be reproduced" in done.stdout
    assert "\x1b" not in done.stdout
    done = bench("table", "mini", "--table", "alone", "--against", "paper", store=results, results=results)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench: table 'alone' of mini names no published table")


# bench table --against


@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex", "html", "json"])
def test_every_format_has_every_published_number(
    ran: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_against(against(ran, "paper", format, "beside"))
    text = capsys.readouterr().out
    if format == "json":
        (one,) = json.loads(text)
        assert len(one["numbers"]) == sum(one["verdicts"].values()) == 30
        assert one["reference"] == "002_table_4"
    else:
        assert text.count("method not in this run") == 24
        assert text.count("not comparable: generated data") == 6


def test_a_published_table_may_be_named(ran: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_against(against(ran, "002_table_3", "csv"))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(list(reference.read("002_table_3").numbers())) == 16
    assert [r["published_as"] for r in rows if r["ours"]] == ["Auto-SC", "Auto-SC"]


@pytest.mark.parametrize(
    ("table", "published", "format", "said"),
    [
        (None, "papr", "md", "did you mean 'paper'"),
        (None, "002_table4", "md", "did you mean '002_table_4'"),
        ("besides", "paper", "md", "did you mean 'beside'"),
        ("alone", "paper", "md", "'alone' of mini names no published table"),
        (None, "paper", "mdd", "did you mean 'md'"),
    ],
)
def test_wrong_names(ran: Path, table: str | None, published: str, format: str, said: str) -> None:
    with pytest.raises(CutjoinError, match=said):
        show_against(against(ran, published, format, table))
