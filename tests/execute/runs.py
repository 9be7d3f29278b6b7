"""Runs the command as a user would, and inspects the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.records.record import CellRecord, read

HOSTILE = Path(__file__).parent / "hostile"

SMALL = """
title: Small
seeds: [0, 1]
bootstrap: {replicates: 20}
datasets:
  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 60}}
methods:
  - grid: {encoder: [pixels, polar_fft], clusterer: [kmeans, ward, gmm]}
limits: {memory_gib: 2, wall_s: 300}
"""


@dataclass(frozen=True)
class Bench:
    """A folder to run suites in, isolated from the user's."""

    root: Path
    results: str = "results"

    def suite(self, text: str, name: str = "small") -> str:
        """Write a suite file and return its path."""
        path = self.root / f"{name}.yaml"
        path.write_text(text)
        return str(path)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "bench.cli", *words]

    def environment(self) -> dict[str, str]:
        here = {"BENCH_STORE": str(self.root / "store"), "BENCH_RESULTS": str(self.root / self.results)}
        return {k: v for k, v in os.environ.items() if k != "BENCH_DATA"} | here

    def run(self, *words: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a command until it ends."""
        return subprocess.run(
            self.command(*words),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that the test will disturb."""
        with (self.root / "output.txt").open("ab") as output:
            return subprocess.Popen(
                self.command(*words), env=self.environment(), stdout=output, stderr=output, cwd=self.root
            )

    def folder(self, suite: str = "small") -> Path:
        return self.root / self.results / suite

    def records(self, suite: str = "small") -> dict[tuple[str, int], CellRecord]:
        """Return all records by method and seed."""
        return {(r.method, r.seed): r for r in self.all_records(suite)}

    def all_records(self, suite: str = "small") -> list[CellRecord]:
        """Return all records; a damaged one is an error."""
        return [read(p) for p in sorted((self.folder(suite) / "records").glob("*.json"))]

    def artefacts(self) -> int:
        """Return the number of complete artefacts in the store."""
        return len(list((self.root / "store").glob("artefacts/*/*/manifest.json")))

    def essence(self, suite: str = "small") -> dict[tuple[str, int], dict[str, Any]]:
        """Return all records without times, memory and hosts."""
        return {k: r.essence() for k, r in self.records(suite).items()}

    def table(self, suite: str = "small") -> list[list[str]]:
        """Return leaderboard.csv without the column of seconds."""
        rows = [line.split(",") for line in (self.folder(suite) / "leaderboard.csv").read_text().splitlines()]
        drop = rows[0].index("seconds")
        return [row[:drop] + row[drop + 1 :] for row in rows]

    def processes(self) -> list[psutil.Process]:
        """Return the running processes of this folder, found by their environment."""
        found = []
        for p in psutil.process_iter():
            try:
                if p.pid != os.getpid() and p.environ().get("BENCH_STORE") == str(self.root / "store"):
                    found.append(p)
            except psutil.Error:
                continue
        return found


def json_of(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the one JSON object that a command printed."""
    return json.loads(done.stdout)
