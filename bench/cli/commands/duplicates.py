"""`bench data duplicates`: copies of images within a dataset."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.cli.console import wide_console
from bench.cli.copies import kinds, labels, searched
from bench.cli.options.data import DuplicatesOptions
from bench.cli.settings import data_folder, dataset
from bench.errors import UsageError
from bench.imaging.duplicates import DISTANCE, CopyGroup

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20


def show_duplicates(options: DuplicatesOptions) -> None:
    """Print the groups of images that are copies of each other: kinds, labels, what to do to match them.

    Raises `UsageError` if the distance is not between 0 and 255, and `DataError` without the layout.
    """
    distance = DISTANCE if options.distance is None else options.distance
    if not 0 <= distance <= 255:
        raise UsageError(f"--distance {distance:g}: expected a number of grey levels from 0 to 255")
    name = options.name
    root = data_folder(name, options.root, options.data)
    images = dataset(name, options.settings or ()).open(root)
    found = searched(images, distance)
    described = [_described(group, images.table) for group in found.groups]
    facts: dict[str, Any] = {
        "dataset": name,
        "root": str(root),
        "distance": distance,
        "images": found.n,
        "unread": [images.where(row) for row in found.unread],
        "images_in_groups": sum(len(group.rows) for group in found.groups),
        "kinds": kinds(found),
        "label_conflicts": sum(len(d["labels"]) > 1 for d in described),
        "groups": described,
    }
    if options.json:
        print(json.dumps(facts))
    else:
        _print(facts)


def _described(group: CopyGroup, table: pd.DataFrame) -> dict[str, Any]:
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
    return {"kind": group.kind, "ids": list(ids.values()), "labels": labels(group, table), "links": links}


def _print(facts: dict[str, Any]) -> None:
    console = wide_console(stderr=False)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say(f"{facts['dataset']} in {facts['root']}: {facts['images']} images")
    if facts["unread"]:
        say(f"  {len(facts['unread'])} bad images were left out, the first: {facts['unread'][0]}", "yellow")
    counted = ", ".join(f"{n} {kind}" for kind, n in facts["kinds"].items())
    say(f"  {facts['images_in_groups']} images in {len(facts['groups'])} groups of copies: {counted}")
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
    of = f" [{', '.join(group['labels'])}]" if group["labels"] else ""
    return f"{ids}{of}{f' ({how})' if how else ''}"
