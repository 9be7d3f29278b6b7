"""Two runs of a suite, side by side. With no history the noise of times is unknown: large ratios count."""

from __future__ import annotations

from dataclasses import dataclass

from bench.errors import DataError
from bench.regression.finding import Finding, Report, Verdict, ordered
from bench.regression.reading import Label, RunResults, least, one_label_per_stage
from bench.regression.scores import compare_scores, what_differs

Apart = dict[tuple[tuple[str, ...], tuple[str, ...]], int]
"""Machine before, machine after -> number of stages that are not compared for it."""

LEAST = {"time": 0.1, "memory": 50 * 2**20, "GPU memory": 50 * 2**20}
"""Changes of less, in seconds or bytes, are taken for noise, whatever their ratio."""


def compare(before: RunResults, after: RunResults, ratios: dict[str, float]) -> Report:
    """Compare two runs.

    Parameters
    ----------
    ratios : for time, memory and GPU memory: the ratio from which a change counts, above 1.

    Raises `DataError` if they have no dataset and method in common.
    """
    if not before.groups.keys() & after.groups.keys():
        raise DataError(
            f"{before.side.name}, {after.side.name}: no method on a dataset of the same name is in both; "
            "there is nothing to compare"
        )
    findings, scores = compare_scores(before.groups, after.groups, after.columns)
    costs, compared, apart, cached = _costs(before, after, ratios)
    notes = [*differences(before, after), *machines(apart)]
    if cached and not compared and not apart:
        notes.append("no costs are compared: the later run took all stages from the store of the earlier")
    if before.suite != after.suite:
        notes.insert(0, f"suites differ: {before.suite}, {after.suite}; what has the same names is compared")
    counts = {"scores": scores, **compared}
    return Report(after.suite, before.side, after.side, ordered([*findings, *costs]), counts, notes)


def differences(before: RunResults, after: RunResults) -> list[str]:
    """Say which versions of libraries differ."""
    old, new = before.versions, after.versions
    changed = [f"{k} {old[k]} → {new[k]}" for k in sorted(old.keys() & new.keys()) if old[k] != new[k]]
    return [f"versions differ: {', '.join(changed)}"] if changed else []


def machines(apart: Apart) -> list[str]:
    """Say how many stages were not compared because they ran on different machines."""
    return [
        f"costs of {count} stages are not compared: they ran on {_named(a, b)}, then on {_named(b, a)}"
        for (a, b), count in apart.items()
    ]


@dataclass(frozen=True)
class CostChange:
    """A change of what a stage costs."""

    what: str
    """"time" in seconds, or memory in bytes."""
    label: Label
    shared: int
    """Number of methods that share the stage."""
    before: float
    after: float
    noise: str
    """How much it varies by itself, as a phrase."""


def cost_finding(verdict: Verdict, change: CostChange, note: str = "") -> Finding:
    """Describe a change of what a stage costs."""
    what, before, after, shared = change.what, change.before, change.after, change.shared
    dataset, method, stage, adapter = change.label
    return Finding(
        verdict=verdict,
        what=what,
        dataset=dataset,
        method=method + (f" and {shared - 1} more" if shared > 1 else ""),
        part=f"{stage} {adapter}".strip(),
        before=amount(what, before),
        after=amount(what, after),
        change=f"{100 * (after / before - 1):+.1f} %" if before else "",
        noise=change.noise,
        note=note,
        old=before,
        new=after,
        size=max(after, before) / max(min(after, before), 1e-9),
    )


def amount(what: str, value: float) -> str:
    """Write seconds or bytes for readers."""
    if what == "time":
        return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"
    return f"{value / 2**20:.0f} MiB"


def _named(machine: tuple[str, ...], other: tuple[str, ...]) -> str:
    """Name what distinguishes a machine from another."""
    return ", ".join(m or "no PyTorch" for m, o in zip(machine, other, strict=True) if m != o)


def _costs(
    before: RunResults, after: RunResults, ratios: dict[str, float]
) -> tuple[list[Finding], dict[str, int], Apart, bool]:
    """Return findings, how many costs were compared, those on other machines, and whether any were cached."""
    then, now = least(before.costs), least(after.costs)
    measured = {(c.key, c.started) for c in before.costs}
    cached = {c.label for c in after.costs if (c.key, c.started) in measured}
    findings: list[Finding] = []
    compared: dict[str, int] = {}
    apart: Apart = {}
    for label, shared in one_label_per_stage(after.costs).items():
        if label not in then or label in cached:
            continue
        (machine, old), (other, new) = then[label], now[label]
        if machine != other:
            apart[machine, other] = apart.get((machine, other), 0) + 1
            continue
        for what in old.keys() & new.keys():
            compared[what] = compared.get(what, 0) + 1
            low, high = sorted((old[what], new[what]))
            if high > ratios[what] * low and high - low >= LEAST[what]:
                note = _what_differs(before, after, label)
                verdict: Verdict = "worse" if new[what] == high else "better"
                noise = f"up to {100 * (ratios[what] - 1):.0f} %"
                change = CostChange(what, label, shared, old[what], new[what], noise)
                findings.append(cost_finding(verdict, change, note))
    return findings, dict(sorted(compared.items())), apart, bool(cached)


def _what_differs(before: RunResults, after: RunResults, label: Label) -> str:
    old, new = before.groups[label[:2]], after.groups[label[:2]]
    return next((what_differs(old[s], new[s]) for s in new if s in old), "")
