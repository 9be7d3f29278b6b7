"""The results folder of one suite: its plan, records, logs, and the tables drawn from them.

results/<suite>/plan.json         the cells of the last run, in the suite's order
results/<suite>/suite.json        the file of the suite: another suite of the same name is refused
results/<suite>/records/<key>.json
results/<suite>/superseded/       records replaced by a retry
results/<suite>/quarantine/       damaged records; their cells run again
results/<suite>/logs/<key>.log    output of a stage
results/<suite>/leaderboard.*
results/<suite>/kept/             cache of printed tables of many records; may be deleted
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.metrics.metric import Metric, from_description
from bench.records.record import CellRecord, put, read
from bench.records.sessions import last_use
from bench.util.durable import Damaged, is_temporary, seal, unseal, write_first, write_whole

_ABANDONED_S = 3600.0
"""No write takes that long, even between hosts whose clocks differ; an older temporary file has no writer."""


@dataclass(frozen=True)
class PlannedCell:
    """One cell in the plan on disk."""

    key: str
    dataset: str
    method: str
    seed: int
    trivial: bool
    synthetic: bool


@dataclass(frozen=True)
class PlanOnDisk:
    """What tables need besides the records, so that missing cells show."""

    suite: str
    title: str
    metrics: list[str]
    noise: str
    level: float
    tables: list[dict[str, Any]]
    cells: list[PlannedCell]
    files: dict[str, str] = field(default_factory=dict)
    """Content -> path of the files that adapters are loaded from or read, on the machine of the run."""
    roots: dict[str, str] = field(default_factory=dict)
    """Dataset -> its data folder on that machine; none for generated data."""
    extra: list[dict[str, Any]] = field(default_factory=list)
    """Descriptions of users' metrics, see `bench.metrics.metric.Metric.described`."""

    @property
    def declared(self) -> dict[str, Metric]:
        """The metrics of `extra`, by name."""
        return {m["name"]: from_description(m) for m in self.extra}


class Results:
    """Reads and writes the results of one suite."""

    def __init__(self, base: Path, suite: str) -> None:
        self.suite = suite
        self.folder = base / suite
        self.records = self.folder / "records"

    def claim(self, suite: str) -> None:
        """Note whose results these are: `suite` is an `identity` of `bench.suite.names`.

        Raises `UsageError` if they are those of another suite of the same name.
        """
        content = json.dumps({"suite": suite}, ensure_ascii=True).encode() + b"\n"
        if write_first(self._owner, content):
            return
        self.refuse_other(suite)
        if self._owned_by() != suite:  # the file has moved
            write_whole(self._owner, content)

    def refuse_other(self, suite: str) -> None:
        """Raise `UsageError` if these are the results of another suite of the same name.

        A suite file that is not there any more has been moved, or was on another machine.
        """
        other = self._owned_by()
        if other is None or other == suite or (other.startswith(os.sep) and not Path(other).exists()):
            return
        if suite.startswith(os.sep) and other.startswith(os.sep) and Path(suite).samefile(other):
            return
        raise UsageError(
            f"{self.folder}: holds the results of another suite of this name, {other}; "
            "name another folder by --results (results= in Python), or rename one of the suites"
        )

    @property
    def _owner(self) -> Path:
        return self.folder / "suite.json"

    def _owned_by(self) -> str | None:
        try:
            return str(json.loads(self._owner.read_bytes())["suite"])
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            return None

    def write_plan(self, plan: PlanOnDisk) -> None:
        """Write the list of planned cells beside the records; remove temporary files of killed runs."""
        for leftover in self.folder.rglob(".*.tmp"):
            if not is_temporary(leftover):
                continue
            with contextlib.suppress(FileNotFoundError):
                now = time.time()
                if now - last_use(leftover, now, mend=True) > _ABANDONED_S:
                    leftover.unlink()
        body = {name: getattr(plan, name) for name in PlanOnDisk.__dataclass_fields__}
        body["cells"] = [list(dataclasses.astuple(cell)) for cell in plan.cells]
        for optional in ("files", "roots", "extra"):
            if not body[optional]:
                del body[optional]
        write_whole(self.folder / "plan.json", seal(body))

    def read_plan(self) -> PlanOnDisk:
        """Read the plan of the last run. Raises `FileNotFoundError` or `Damaged`."""
        body = unseal((self.folder / "plan.json").read_bytes(), str(self.folder / "plan.json"))
        try:
            return PlanOnDisk(**{**body, "cells": [PlannedCell(*c) for c in body["cells"]]})
        except (TypeError, KeyError):
            raise Damaged(
                f"{self.folder / 'plan.json'}: written by another version; run the suite again"
            ) from None

    def get(self, key: str, *, quarantine: bool = False) -> CellRecord | None:
        """Return the record of a cell; None if there is none.

        A damaged one raises `Damaged`, or moves to `quarantine/` and counts as missing.
        """
        path = self.records / f"{key}.json"
        try:
            return read(path)
        except FileNotFoundError:
            return None
        except Damaged:
            if not quarantine:
                raise
            target = self.folder / "quarantine" / f"{key}.{secrets.token_hex(4)}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another run moved it first
                path.rename(target)
            return None

    def put(self, record: CellRecord) -> Path:
        """Write a record; an earlier one of the same cell moves to `superseded/`."""
        return put(self.records, record)

    def log(self, key: str, text: bytes) -> str:
        """Write the log of a stage; return its path relative to the suite's results folder."""
        name = f"logs/{key}.log"
        write_whole(self.folder / name, text)
        return name

    def keys(self) -> list[str]:
        """List the keys of all records, those of earlier plans included. Raises `OSError` if it may not."""
        try:
            return sorted(p.stem for p in self.records.iterdir() if fnmatch(p.name, "*.json"))
        except (FileNotFoundError, NotADirectoryError):
            return []
