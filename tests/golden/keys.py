"""Every stage key and cell key of the shipped suites, in each of their profiles; as text, one key a line.

`python -m tests.golden.keys` prints it. Data is replaced by its stand-in, so the keys are the same on
every machine. Two more plans stand for data on disk and for an adapter file of a user.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.adapters.registry import load
from bench.interfaces import Generator
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import make_plan
from bench.suite import suitefile
from bench.suite.names import shipped
from bench.suite.schema import DatasetEntry, Suite

USERS_ENCODER = """\
from bench.interfaces import Encoder


class Grey(Encoder):
    version = 3
    power: float = 2.0

    def encode(self, images, weights, run):
        pixels = images.batch(0, len(images)).reshape(len(images), -1)
        return (pixels / 255.0).astype("float32") ** self.power
"""
USERS_SUITE = """\
seeds: [0, 1]
datasets:
  - {name: on disk, use: kaggle_plankton, root: data, size: 16, score: {fraction: 0.5}}
methods:
  - {name: own, encoder: {use: ./grey.py, power: 3}, clusterer: {use: kmeans, k: classes}}
"""


def keys(folder: Path) -> Iterator[str]:
    """Yield the keys of all plans; `folder` is empty and may be written to."""
    for name, file in sorted(shipped().items()):
        for profile in (None, *sorted(_profiles(file))):
            suite = suitefile.load(file, profile)
            yield f"# {name} {profile or ''}".rstrip()
            yield from _planned(replace(suite, datasets=[_generated(d) for d in suite.datasets]), folder)
    yield "# data on disk, an adapter file of a user"
    yield from _planned(suitefile.load(_users_suite(folder)), folder)


def _planned(suite: Suite, folder: Path) -> Iterator[str]:
    plan = make_plan(suite, Fingerprints(folder / "fingerprints.sqlite"))
    for stage in plan.stages.values():
        use = Path(type(stage.adapter).use).stem if stage.adapter is not None else "-"
        yield f"{stage.key} {stage.kind} {use}"
    for cell in plan.cells:
        assert cell.blocked is None, cell.blocked
        yield f"{cell.key} cell {cell.dataset} · {cell.method} · seed {cell.seed}"


def _profiles(file: Path) -> list[str]:
    from bench.util.yamlfile import read

    return list(read(file).value.get("profiles") or {})


def _generated(entry: DatasetEntry) -> DatasetEntry:
    """Return the dataset with a stand-in in place of data that has to be downloaded."""
    if entry.generator is not None:
        return entry
    generator = load("generator", type(entry.adapter).generator)()
    assert isinstance(generator, Generator)
    return replace(entry, generator=generator)


def _users_suite(folder: Path) -> Path:
    for name, count in (("copepod", 4), ("diatom", 3)):
        images = folder / "data" / "train" / name
        images.mkdir(parents=True)
        for i in range(count):
            (images / f"{i}.jpg").write_bytes(f"{name} {i}".encode())
    (folder / "grey.py").write_text(USERS_ENCODER, encoding="utf-8")
    suite = folder / "users.yaml"
    suite.write_text(USERS_SUITE, encoding="utf-8")
    return suite


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        print("\n".join(keys(Path(empty))))
