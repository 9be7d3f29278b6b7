"""A folder of nights, each with one or more runs of a suite; the newest is judged by those before.

NIGHTS/<night>/<suite>/           one run, or
NIGHTS/<night>/<run>/<suite>/     several, of which the least of each cost counts

Scores are compared with the last night on which the method was good. A method that is worse
stays worse until its scores come back, or until `since` begins later.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from bench.errors import DataError
from bench.regression.commits import commit_of, contains
from bench.regression.compare import Apart, CostChange, cost_finding, differences, machines
from bench.regression.finding import Finding, Report, Verdict, ordered
from bench.regression.reading import (
    CellFacts,
    Cost,
    Group,
    Label,
    RunResults,
    joined,
    least,
    one_label_per_stage,
    read_run,
)
from bench.regression.scores import compare_scores
from bench.regression.steps import ALPHA, MEMORY, SMALLEST, WINDOW, FloatArray, common, nights_needed, walk

QUICK_S = 0.05
"""The time of stages that take less is not judged."""
_ALL: Label = ("", "", "all stages together", "")
_SUSPECT = math.log(1.1)
_MOST_NIGHTS = 2 * MEMORY
"""At most this many nights are judged."""


@dataclass(frozen=True)
class _Series:
    """One cost of one stage over the nights."""

    what: str
    label: Label
    shared: int
    logs: FloatArray
    """Shape (nights,), NaN where it was not measured, or not on tonight's machine."""


def read_nights(base: Path, suite: str) -> list[RunResults]:
    """Read all nights of a suite, oldest first. Raises `DataError` if there are none."""
    nights = []
    for folder in sorted(p for p in base.iterdir() if p.is_dir()) if base.is_dir() else []:
        plans = [*folder.glob(f"{suite}/plan.json"), *folder.glob(f"*/{suite}/plan.json")]
        if plans:
            nights.append(joined([read_run(p.parent) for p in sorted(plans)], str(folder)))
    if not nights:
        raise DataError(
            f"{base}: no night of {suite!r}; run one, e.g. `bench run {suite} --results {base}/2026-01-31`"
        )
    return sorted(nights, key=lambda n: (_night_of(n), n.finished, n.side.name))


def _night_of(night: RunResults) -> str:
    """Return the day of a night: the date in the name of its folder, else that of its clock."""
    named = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)", Path(night.side.name).name)
    return "-".join(named.groups()) if named else night.finished[:10]


def _clocks(nights: Sequence[RunResults]) -> list[str]:
    """Say which nights have a clock that goes against their order."""
    return [
        f"the clock of {Path(b.side.name).name} ({b.finished[:16]}) is behind that of the night before it, "
        f"{Path(a.side.name).name} ({a.finished[:16]}); nights are ordered by the dates of their folders"
        for a, b in itertools.pairwise(nights)
        if b.finished < a.finished
    ]


def since(nights: Sequence[RunResults], start: str) -> list[RunResults]:
    """Return the nights from a date (YYYY-MM-DD) or a commit on.

    A commit is named by its first characters if a night ran at it; else by a tag, a branch or any other name
    that the git checkout of the current folder knows: then from the first night that ran at it or at a
    commit made from it. Raises `DataError` if there is none.
    """
    try:
        day = date.fromisoformat(start)
    except ValueError:
        return list(nights[_first_at(nights, start) :])
    recent = [n for n in nights if _night_of(n) >= day.isoformat()]
    if not recent:
        raise DataError(f"--since {start}: the newest night is from {_night_of(nights[-1])}")
    return recent


def regress(nights: Sequence[RunResults]) -> Report:
    """Judge the newest night by those before it."""
    nights = nights[-_MOST_NIGHTS:]
    tonight = nights[-1]
    good, findings, scores = _scores(nights)
    series, apart, cached = _series(nights)
    costs, notes = _costs(series, len(nights))
    counts = {"scores": scores if len(nights) > 1 else 0}
    for one in series if len(nights) > WINDOW else ():
        counts[one.what] = counts.get(one.what, 0) + 1
    if len(nights) == 1:
        notes = ["this is the first night: there is nothing to compare with"]
    elif cached:
        notes.append(
            f"{cached} stages came from the store and were not measured: give every run a store of its own"
        )
    before = nights[-2] if len(nights) > 1 else None
    if before is not None:
        notes = [*differences(before, tonight), *machines(apart), *_clocks(nights), *notes]
    return Report(
        tonight.suite,
        replace(good.side, name=f"{good.side.name}, the last good night") if good is not None else None,
        tonight.side,
        ordered([*findings, *costs]),
        counts,
        notes,
    )


def _first_at(nights: Sequence[RunResults], ref: str) -> int:
    """Return the index of the first night that ran at a commit, or after it."""
    commits = [n.side.commit or "" for n in nights]
    known = list(dict.fromkeys(c for c in commits if c))
    exact = [c for c in known if len(ref) >= 4 and c.startswith(ref.lower())]
    if exact:
        return commits.index(exact[0])
    listed = f"nights ran at: {', '.join(c[:12] for c in known[-5:]) or 'no commit'}"
    meant = commit_of(ref)
    if meant is None:
        raise DataError(
            f"--since {ref}: neither a date such as 2026-01-31, nor the first characters of a commit that a "
            f"night ran at, nor a tag or branch of a git checkout in the current folder; {listed}"
        )
    later = next((c for c in known if contains(c, meant)), None)
    if later is None:
        raise DataError(f"--since {ref}: no night ran at {meant[:12]} or at a commit made from it; {listed}")
    return commits.index(later)


def _scores(nights: Sequence[RunResults]) -> tuple[RunResults | None, list[Finding], int]:
    """Walk through the nights; return the last good one before tonight, and what tonight's scores say."""
    reference: dict[Group, Mapping[int, CellFacts]] = {}
    good: RunResults | None = None
    findings: list[Finding] = []
    count = 0
    for i, night in enumerate(nights):
        last = i == len(nights) - 1
        known = reference if i else night.groups
        findings, count = compare_scores(known, night.groups, night.columns)
        worse = {(f.dataset, f.method) for f in findings if f.verdict == "worse"}
        if not last:
            reference = {g: reference[g] if g in worse else cells for g, cells in night.groups.items()}
            good = good if worse else night
    return good, findings, count


def _series(nights: Sequence[RunResults]) -> tuple[list[_Series], Apart, int]:
    """Line up the costs of tonight's stages with those of earlier nights, oldest first."""
    seen: set[tuple[str, str]] = set()
    fresh: list[list[Cost]] = []
    for night in nights:
        fresh.append([c for c in night.costs if (c.key, c.started) not in seen])
        seen |= {(c.key, c.started) for c in night.costs}
    by_night = [least(costs) for costs in fresh]
    cached = len(one_label_per_stage(nights[-1].costs)) - len(one_label_per_stage(fresh[-1]))
    apart: Apart = {}
    found: list[_Series] = []
    nothing: tuple[tuple[str, ...], dict[str, float]] = ((), {})
    for label, shared in one_label_per_stage(fresh[-1]).items():
        machine, values = by_night[-1][label]
        other = next((b[label][0] for b in reversed(by_night[:-1]) if label in b), machine)
        if other != machine:
            apart[other, machine] = apart.get((other, machine), 0) + 1
        for what in values:
            past = [b.get(label, nothing) for b in by_night]
            costs = np.array([v.get(what) or np.nan if m == machine else np.nan for m, v in past])
            if not np.isnan(costs[-1]) and (what != "time" or np.nanmedian(costs) >= QUICK_S):
                found.append(_Series(what, label, shared, np.log(costs)))
    return _steadied(found), apart, cached


def _steadied(series: list[_Series]) -> list[_Series]:
    """Subtract from all times what all of a night share, and make that a series of its own."""
    times = [s for s in series if s.what == "time"]
    if not times:
        return series
    shared = common(np.array([s.logs for s in times]).T)
    if not shared.any():
        return series
    # to the level of tonight's costs, so that tables show seconds that were measured
    level = shared - shared[-1]
    changed = [replace(s, logs=s.logs - level) if s.what == "time" else s for s in series]
    return [*changed, _Series("time", _ALL, 1, shared)]


def _costs(series: list[_Series], nights: int) -> tuple[list[Finding], list[str]]:
    soon = f"costs are judged from {2 * WINDOW} nights on; there are {nights}"
    if not series or nights <= WINDOW:
        return [], [soon] if series else []
    x = np.array([_at_the_end(s.logs) for s in series]).T
    needed = nights_needed(len(series))
    found = walk(x, ALPHA / len(series), max(MEMORY, needed))
    findings = []
    for i, one in enumerate(series):
        verdict = _verdict(x[:, i], int(found.verdict[-1, i]), float(found.level[-1, i]), needed)
        if verdict is not None:
            after = x[-1, i] if verdict == "slow tonight" else found.recent[-1, i]
            findings.append(_finding(one, verdict, float(found.level[-1, i]), float(after), x[:, i]))
    short = int((found.nights[-1] < needed).sum())
    notes = []
    if nights < 2 * WINDOW:
        notes.append(soon)
    elif short:
        notes.append(
            f"{short} of {len(series)} costs have fewer than {needed} good nights before the last {WINDOW}: "
            "until then only steps of half or more are found"
        )
    return findings, notes


def _at_the_end(logs: FloatArray) -> FloatArray:
    """Move the nights with a measurement to the end, in order, with NaN before them."""
    known = logs[~np.isnan(logs)]
    return np.concatenate([np.full(len(logs) - len(known), np.nan), known])


def _verdict(x: FloatArray, found: int, level: float, needed: int) -> Verdict | None:
    if found:
        return "worse" if found > 0 else "better"
    before = x[~np.isnan(x)][:-1][-needed:]
    if len(before) >= WINDOW and x[-1] > before.max() + SMALLEST and x[-1] - level > _SUSPECT:
        return "slow tonight"
    return None


def _finding(one: _Series, verdict: Verdict, level: float, after: float, x: FloatArray) -> Finding:
    known = x[~np.isnan(x)]
    spread = 100 * 1.4826 * float(np.median(np.abs(known - np.median(known))))
    before, now, noise = math.exp(level), math.exp(after), f"{spread:.1f} % a night"
    finding = cost_finding(verdict, CostChange(one.what, one.label, one.shared, before, now, noise))
    if one.label == _ALL:
        finding = replace(finding, before="", after="", old=None, new=None)
    if verdict == "slow tonight":
        return replace(finding, note="not on three nights yet")
    return finding
