"""Scores of two runs: paired over seeds, judged against their uncertainty.

The uncertainty of a mean change combines two sources in quadrature, as leaderboards do: Student's t
over seeds, and the standard error over images (both runs score the same images, so the errors are
taken to be correlated by 1/2). Seeds are taken as pairs, and also as two samples, which is more powerful
where a change of the code drew all random numbers anew; the narrower of both counts, each at half
the level. Chance calls one or more scores worse with a probability of at most ALPHA: Bonferroni
over all scores that changed at all. Two or three seeds that scatter prove little this way, so a
score that every seed has lost half of counts without such proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any

from bench.metrics.metric import Metric
from bench.regression.finding import Finding, Verdict
from bench.regression.reading import CellFacts, Group

ALPHA = 0.01
TOLERANCE = 1e-9
"""Scores no further apart are equal: sums may be taken in another order."""

Groups = Mapping[Group, Mapping[int, CellFacts]]


@dataclass(frozen=True)
class _Change:
    group: Group
    metric: str
    before: float
    after: float
    paired: float
    """Standard error of the mean change, from the changes of the seeds."""
    apart: float
    """The same from the spread of the seeds in each run."""
    images: float
    """Standard error over images."""
    seeds: int
    halved: bool
    """Whether every seed lost or gained half."""
    note: str


def compare_scores(before: Groups, after: Groups, metrics: Mapping[str, Metric]) -> tuple[list[Finding], int]:
    """Compare cells with the same dataset, method and seed.

    Parameters
    ----------
    before, after : cells by seed, by dataset and method.
    metrics : what to compare, by column.

    Returns
    -------
    findings : what changed, failed, is new or gone; nothing for what is equal.
    count : how many (dataset, method, metric) were compared.
    """
    both = [g for g in after if g in before]
    findings = [f for g in both for f in _statuses(g, before[g], after[g])]
    findings += [_planned("new", g, after[g]) for g in after if g not in before]
    findings += [_planned("gone", g, before[g]) for g in before if g not in after]
    pairs = [(g, m) for g in both for m in metrics if _common(before[g], after[g], m)]
    found = [_change(g, m, before[g], after[g]) for g, m in pairs]
    changed = [c for c in found if c is not None]
    findings += [_judged(c, metrics[c.metric], ALPHA / len(changed)) for c in changed]
    return findings, len(pairs)


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Name the parameters that differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inner = path if name == "params" else f"{path}.{name}".lstrip(".")
            yield from differing(before.get(name), after.get(name), inner)
    elif before != after:
        yield f"{path} {_shown(before)} → {_shown(after)}"


def what_differs(before: CellFacts, after: CellFacts) -> str:
    """Say which parameters and whether the data of two cells differ; empty if none, or not known."""
    if not (before.params and after.params):
        return ""
    changes = list(differing(before.params, after.params))
    if before.data != after.data:
        changes.append("other data")
    return ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _statuses(
    group: Group, before: Mapping[int, CellFacts], after: Mapping[int, CellFacts]
) -> Iterator[Finding]:
    seeds = [s for s in after if s in before]
    lost = [s for s in seeds if before[s].scored and not after[s].scored]
    won = [s for s in seeds if after[s].scored and not before[s].scored]
    failing = [s for s in seeds if not after[s].scored and not before[s].scored]
    collapsed = [s for s in seeds if before[s].status == "ok" and after[s].status == "degenerate"]
    for verdict, of in (("worse", [*lost, *collapsed]), ("better", won), ("failing", failing)):
        if of:
            first = after[of[0]]
            yield Finding(
                verdict=verdict,  # type: ignore[arg-type]  # one of the three above
                what="scores",
                dataset=group[0],
                method=group[1],
                before=before[of[0]].status,
                after=first.status,
                change=f"{len(of)} of {len(seeds)} seeds",
                note="; ".join(filter(None, (what_differs(before[of[0]], first), first.error))),
                size=math.inf,
            )


def _planned(verdict: Verdict, group: Group, cells: Mapping[int, CellFacts]) -> Finding:
    scored = sum(c.scored for c in cells.values())
    note = "planned only in the later run" if verdict == "new" else "planned only in the earlier run"
    return Finding(verdict, "scores", *group, change=f"{scored} of {len(cells)} seeds", note=note)


def _common(before: Mapping[int, CellFacts], after: Mapping[int, CellFacts], metric: str) -> list[int]:
    return [s for s in after if s in before and metric in before[s].metrics and metric in after[s].metrics]


def _change(
    group: Group, metric: str, before: Mapping[int, CellFacts], after: Mapping[int, CellFacts]
) -> _Change | None:
    seeds = _common(before, after, metric)
    old, new = ([cells[s].metrics[metric] for s in seeds] for cells in (before, after))
    changes = [b - a for a, b in zip(old, new, strict=True)]
    if all(abs(c) <= TOLERANCE for c in changes):
        return None
    over_images = fmean(
        (before[s].errors.get(metric, 0.0) ** 2 + after[s].errors.get(metric, 0.0) ** 2) / 2 for s in seeds
    )
    n = len(seeds)
    ratios = [min(abs(a), abs(b)) / max(abs(a), abs(b), TOLERANCE) for a, b in zip(old, new, strict=True)]
    return _Change(
        group,
        metric,
        fmean(old),
        fmean(new),
        paired=math.sqrt(variance(changes) / n) if n > 1 else 0.0,
        apart=math.sqrt((variance(old) + variance(new)) / n) if n > 1 else 0.0,
        images=math.sqrt(over_images),
        seeds=n,
        halved=max(ratios) <= 0.5 and (min(changes) > 0 or max(changes) < 0),
        note=what_differs(before[seeds[0]], after[seeds[0]]),
    )


def _noise(change: _Change, alpha: float) -> tuple[float, float]:
    """Return the change that noise may bring, over seeds and over images."""
    from scipy.special import ndtri, stdtrit

    over_seeds = 0.0
    if change.seeds > 1:
        free = change.seeds - 1
        paired = float(stdtrit(free, 1 - alpha / 2)) * change.paired
        over_seeds = min(paired, float(stdtrit(2 * free, 1 - alpha / 2)) * change.apart)
    return over_seeds, float(-ndtri(alpha)) * change.images


def _judged(change: _Change, metric: Metric, alpha: float) -> Finding:
    over_seeds, over_images = _noise(change, alpha)
    noise = math.hypot(over_seeds, over_images)
    moved = change.after - change.before
    known = change.images > 0 or change.seeds > 1
    note = change.note
    verdict: Verdict = "within noise"
    if not known:
        note = "; ".join(filter(None, (note, "one seed and no interval: the noise is not known")))
    elif abs(moved) > max(noise, TOLERANCE) or (change.halved and abs(moved) > over_images):
        verdict = "better" if (moved > 0) == metric.higher_is_better else "worse"
    return Finding(
        verdict=verdict,
        what=metric.title,
        dataset=change.group[0],
        method=change.group[1],
        before=f"{change.before:.4f}",
        after=f"{change.after:.4f}",
        change=f"{moved:+.4f}",
        noise=f"±{noise:.4f}" if known else "",
        note=note,
        old=change.before,
        new=change.after,
        size=abs(moved) / noise if noise > 0 else abs(moved) / TOLERANCE,
    )
