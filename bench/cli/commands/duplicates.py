"""`bench data duplicates`: copies within a dataset; and for `bench check`, between `fit` and `score`."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.cli.commands.inspect import wide_console
from bench.cli.progress import Progress
from bench.cli.settings import dataset
from bench.errors import DataError
from bench.imaging.duplicates import DISTANCE, KINDS, Duplicates, Group, find_duplicates, leaking
from bench.imaging.selection import Selection, rows

if TYPE_CHECKING:
    import pandas as pd

    from bench.images import ImageSet
    from bench.suite.schema import DatasetEntry

_SHOWN = 20


def show_duplicates(
    name: str, root: Path, settings: Sequence[str], *, distance: float | None = None, as_json: bool
) -> None:
    """Print the groups of images that are copies of each other: kinds, labels, what to do to match them.

    Parameters
    ----------
    settings : `--set name=value`.
    distance : largest rms difference of near duplicates, in grey levels of 256; None means the default.

    Raises
    ------
    DataError : the layout is not there, or `distance` is not between 0 and 255.
    """
    distance = DISTANCE if distance is None else distance
    if not 0 <= distance <= 255:
        raise DataError(f"--distance {distance:g}: a number of grey levels from 0 to 255 is wanted")
    images = dataset(name, settings).open(root)
    found = searched(images, distance)
    described = [_described(group, images.table) for group in found.groups]
    facts: dict[str, Any] = {
        "dataset": name,
        "root": str(root),
        "distance": distance,
        "images": found.n,
        "unread": [images.where(row) for row in found.unread],
        "images_in_groups": sum(len(group.rows) for group in found.groups),
        "kinds": _kinds(found),
        "label_conflicts": sum(len(d["labels"]) > 1 for d in described),
        "groups": described,
    }
    if as_json:
        print(json.dumps(facts))
    else:
        _print(facts)


def searched(images: ImageSet, distance: float = DISTANCE) -> Duplicates:
    """Search an image set with all cores, with progress on stderr."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with Progress("images") as progress:
        return find_duplicates(images, distance=distance, threads=threads, report=progress)


def judged(entry: DatasetEntry, images: ImageSet, found: Duplicates) -> tuple[bool, str]:
    """Say what duplicates mean for one dataset of a suite, and whether that is all right.

    Copies within the set are. An image that is scored, and a copy of which is fitted, is not.
    """
    usable = np.setdiff1d(np.arange(found.n), found.unread)
    table = images.table.iloc[usable].reset_index(drop=True)
    said = [_within(found, images.table)]
    if entry.fit is None and entry.score is None:
        return True, f"{said[0]}; no `fit` or `score`: all images are fitted and scored, none can leak"
    chosen = {}
    for part in ("fit", "score"):
        selection = (entry.fit if part == "fit" else entry.score) or Selection()
        try:
            picked = rows(table, selection, part=part, seed=entry.split_seed)
        except DataError as e:
            return False, f"{said[0]}; {part}: {e}"
        chosen[part] = set(usable[picked].tolist())
    both = len(chosen["fit"] & chosen["score"])
    if both:
        said.append(f"{both} images are both fitted and scored, as selected")
    leaks = leaking(found.groups, chosen["fit"], chosen["score"])
    if not leaks:
        said.append("no other scored image has a copy among the fitted ones")
        return True, "; ".join(said)
    ids = images.table["id"]
    few = ", ".join(str(ids.iloc[row]) for row in leaks[:5]) + (", ..." if len(leaks) > 5 else "")
    said.append(
        f"{len(leaks)} of {len(chosen['score'])} scored images have a copy among the fitted ones ({few}); "
        f"`bench data duplicates` lists them: remove them or select so that copies stay together"
    )
    return False, "; ".join(said)


def _within(found: Duplicates, table: pd.DataFrame) -> str:
    if not found.groups:
        return f"no copies among {found.n} images"
    kinds = ", ".join(f"{n} {kind}" for kind, n in _kinds(found).items() if n)
    conflicts = sum(len(_labels(group, table)) > 1 for group in found.groups)
    torn = f", {conflicts} with more than one label" if conflicts else ""
    inside = sum(len(group.rows) for group in found.groups)
    return f"{inside} of {found.n} images in {len(found.groups)} groups of copies ({kinds}){torn}"


def _kinds(found: Duplicates) -> dict[str, int]:
    """Count the groups by the weakest kind of their links."""
    counts = Counter(group.kind for group in found.groups)
    return {kind: counts[kind] for kind in KINDS}


def _labels(group: Group, table: pd.DataFrame) -> list[str]:
    return sorted({str(label) for label in table["label"].iloc[list(group.rows)].dropna()})


def _described(group: Group, table: pd.DataFrame) -> dict[str, Any]:
    ids = {row: str(table["id"].iloc[row]) for row in group.rows}
    links = [
        {
            "first": ids[link.first],
            "second": ids[link.second],
            "kind": link.kind,
            "turn": link.turn,
            "shift": list(link.shift),
            "distance": link.distance,
        }
        for link in group.links
    ]
    return {"kind": group.kind, "ids": list(ids.values()), "labels": _labels(group, table), "links": links}


def _print(facts: dict[str, Any]) -> None:
    console = wide_console(stderr=False)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say(f"{facts['dataset']} in {facts['root']}: {facts['images']} images")
    if facts["unread"]:
        say(f"  {len(facts['unread'])} bad images were left out, the first: {facts['unread'][0]}", "yellow")
    kinds = ", ".join(f"{n} {kind}" for kind, n in facts["kinds"].items())
    say(f"  {facts['images_in_groups']} images in {len(facts['groups'])} groups of copies: {kinds}")
    conflicts = facts["label_conflicts"]
    say(f"  groups with more than one label: {conflicts}", "yellow" if conflicts else "")
    for group in facts["groups"][:_SHOWN]:
        say(f"  {group['kind']}: {_members(group)}")
    if len(facts["groups"]) > _SHOWN:
        say(f"  ... and {len(facts['groups']) - _SHOWN} more; --json has them all")


def _members(group: dict[str, Any]) -> str:
    last = group["links"][-1]
    how = " ".join(
        filter(None, [last["turn"], f"{last['distance']:g} grey levels" if last["distance"] else ""])
    )
    ids = ", ".join(group["ids"][:6]) + (f", ... ({len(group['ids'])})" if len(group["ids"]) > 6 else "")
    labels = f" [{', '.join(group['labels'])}]" if group["labels"] else ""
    return f"{ids}{labels}{f' ({how})' if how else ''}"
