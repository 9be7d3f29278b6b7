"""`bench merge`: results of several machines in one folder."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench.cli.options.suites import MergeOptions
from bench.records.merge import Merged, merge_suite, suites_in
from bench.records.results import Results
from bench.report.tables.written import write_leaderboard
from bench.util.durable import Damaged
from bench.util.text import one_line


def merge_results(options: MergeOptions) -> int:
    """Merge folders into the results; return 1 if records contradict or could not be read."""
    base = options.results
    by_suite: dict[str, list[Path]] = {}
    for folder in options.folders:
        for suite in suites_in(folder.resolve()):
            by_suite.setdefault(suite.name, []).append(suite)
    merged = [merge_suite(sources, base.resolve() / name) for name, sources in sorted(by_suite.items())]
    for one in merged:
        _redraw(Results(base, one.suite))
    if options.json:
        print(json.dumps({"suites": [asdict(m) for m in merged]}))
    else:
        for one in merged:
            _print(one, base)
    return 1 if any(m.conflicts or m.problems for m in merged) else 0


def _redraw(results: Results) -> None:
    try:
        cells = results.read_plan().cells
        written = write_leaderboard(results, {c.key: results.get(c.key) for c in cells})
    except (FileNotFoundError, Damaged):  # no plan came with the records, or none that can be read
        return
    for problem in written.problems:
        print(f"bench: {problem}", file=sys.stderr)


def _print(merged: Merged, base: Path) -> None:
    for conflict in merged.conflicts:
        where = f"{conflict.dataset} · {conflict.method} · seed {conflict.seed}"
        print(f"CONTRADICTION  {one_line(where)}: {conflict.reason}")
        for i, provenance in enumerate(conflict.provenances):
            print(f"    {'stands' if i == 0 else 'beside'}  {one_line(provenance)}")
    for line in merged.problems:
        print(f"NOT MERGED  {line}")
    for line in merged.notes:
        print(f"NOTE  {line}")
    counts = f"{merged.records} records, {merged.added} of them new, {len(merged.conflicts)} contradictions"
    print(
        f"{merged.suite}: {counts}; {len(merged.problems)} files not merged. Written: {base / merged.suite}"
    )
