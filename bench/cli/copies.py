"""Copies of images: the search with progress, and what they mean for a dataset of a suite."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from bench.cli.progress import Progress
from bench.errors import DataError
from bench.imaging.duplicates import DISTANCE, KINDS, CopyGroup, Duplicates, find_duplicates, leaking
from bench.imaging.selection import Selection, rows

if TYPE_CHECKING:
    import pandas as pd

    from bench.images import ImageSet
    from bench.suite.schema import DatasetEntry


def searched(images: ImageSet, distance: float = DISTANCE) -> Duplicates:
    """Search an image set with all cores, with progress on stderr."""
    with Progress("images") as progress:
        return find_duplicates(images, distance=distance, threads=cores(), report=progress)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def judged(entry: DatasetEntry, images: ImageSet, found: Duplicates) -> tuple[bool, str]:
    """Return whether the duplicates of one dataset of a suite are acceptable, and a sentence about them.

    Copies within the set are acceptable. A scored image with a copy among the fitted ones is not.
    """
    usable = np.setdiff1d(np.arange(found.n), found.unread)
    table = images.table.iloc[usable].reset_index(drop=True)
    sentences = [_within(found, images.table)]
    if entry.fit is None and entry.score is None:
        return True, f"{sentences[0]}; no `fit` or `score`: all images are fitted and scored, none can leak"
    chosen = {}
    for part in ("fit", "score"):
        selection = (entry.fit if part == "fit" else entry.score) or Selection()
        try:
            picked = rows(table, selection, part=part, seed=entry.split_seed)
        except DataError as e:
            return False, f"{sentences[0]}; {part}: {e}"
        chosen[part] = set(usable[picked].tolist())
    both = len(chosen["fit"] & chosen["score"])
    if both:
        sentences.append(f"{both} images are both fitted and scored, as selected")
    leaks = leaking(found.groups, chosen["fit"], chosen["score"])
    if not leaks:
        sentences.append("no other scored image has a copy among the fitted ones")
        return True, "; ".join(sentences)
    ids = images.table["id"]
    few = ", ".join(str(ids.iloc[row]) for row in leaks[:5]) + (", ..." if len(leaks) > 5 else "")
    sentences.append(
        f"{len(leaks)} of {len(chosen['score'])} scored images have a copy among the fitted ones ({few}); "
        f"`bench data duplicates` lists them: remove them or select so that copies stay together"
    )
    return False, "; ".join(sentences)


def kinds(found: Duplicates) -> dict[str, int]:
    """Count the groups by the weakest kind of their links."""
    counts = Counter(group.kind for group in found.groups)
    return {kind: counts[kind] for kind in KINDS}


def labels(group: CopyGroup, table: pd.DataFrame) -> list[str]:
    """Return the labels of the images of a group, each once, sorted."""
    return sorted({str(label) for label in table["label"].iloc[list(group.rows)].dropna()})


def _within(found: Duplicates, table: pd.DataFrame) -> str:
    if not found.groups:
        return f"no copies among {found.n} images"
    counted = ", ".join(f"{n} {kind}" for kind, n in kinds(found).items() if n)
    conflicts = sum(len(labels(group, table)) > 1 for group in found.groups)
    conflicting = f", {conflicts} with more than one label" if conflicts else ""
    inside = sum(len(group.rows) for group in found.groups)
    return f"{inside} of {found.n} images in {len(found.groups)} groups of copies ({counted}){conflicting}"
