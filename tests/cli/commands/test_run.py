from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.execute.runs import SMALL, Bench


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, str, list[str]]:
    """Return a place, a suite that has not run, and the keys of its cells in the plan's order."""
    bench = Bench(tmp_path_factory.mktemp("only"))
    suite = bench.suite(SMALL)
    planned = json.loads(bench.run("plan", suite, "--json").stdout)["cells"]
    return bench, suite, [c["key"] for c in planned]


def _records(bench: Bench) -> dict[str, int]:
    """Return when the record of each key was written."""
    return {p.stem: p.stat().st_mtime_ns for p in (bench.folder("small") / "records").glob("*.json")}


def test_only_runs_one_cell_and_runs_it_again(small: tuple[Bench, str, list[str]]) -> None:
    bench, suite, keys = small
    for key in keys[0], keys[3]:
        done = bench.run("run", suite, "--only", key[:12], "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["statuses"] == {"ok": 1}
    first = _records(bench)
    assert set(first) == {keys[0], keys[3]}
    assert bench.run("run", suite, "--only", keys[0].upper(), "--json").returncode == 0
    again = _records(bench)
    assert again[keys[0]] > first[keys[0]]
    assert again[keys[3]] == first[keys[3]]
    (old,) = (bench.folder("small") / "superseded").iterdir()
    assert old.name.startswith(keys[0])
    status = json.loads(bench.run("status", "small", "--json").stdout)["statuses"]
    assert status == {"ok": 2, "missing": len(keys) - 2}  # the plan is still whole


def test_only_names_cells_that_it_cannot_tell_apart(small: tuple[Bench, str, list[str]]) -> None:
    bench, suite, keys = small
    assert len(keys) > 16, "so that two of the keys begin alike"
    start = Counter(k[0] for k in keys).most_common(1)[0][0]
    done = bench.run("run", suite, "--only", start)
    assert done.returncode == 2
    some = [k for k in keys if k.startswith(start)]
    assert f"--only {start}: {len(some)} cells match this key: {some[0][:12]} (made · " in done.stderr


def test_only_says_when_the_cell_is_of_another_plan(small: tuple[Bench, str, list[str]]) -> None:
    bench, _, keys = small
    bench.run("run", bench.suite(SMALL), "--only", keys[0], "--json")
    changed = bench.suite(SMALL.replace("size: 16", "size: 20"))
    done = bench.run("run", changed, "--only", keys[0])
    assert done.returncode == 2
    assert "there is a record of one, but code, data or parameters have changed since" in done.stderr
