"""One finished cell as figures see it: its record, and its artefacts from the store, opened on demand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import ImageSet, Prepared
from bench.imaging.contact import Look, coloured, measured
from bench.imaging.prepare import class_indices, load
from bench.imaging.selection import Selection, rows
from bench.records.record import CellRecord, StageRecord
from bench.records.store import Store
from bench.suite.names import arguments

if TYPE_CHECKING:
    from bench.interfaces import Features, JoinProbabilities, Labels


class Cell:
    """A scored cell. Every array has one entry per scored image, in one order.

    All of them raise `DataError` if the artefact they need is no longer in the store.
    """

    def __init__(self, record: CellRecord, store: Store) -> None:
        self.record = record
        self._store = store

    def stages(self, kind: str) -> list[StageRecord]:
        """Return the stages of a kind, in the order in which they ran: a pair model may have two fits."""
        return [s for s in self.record.stages if s.stage == kind]

    def artefact(self, stage: StageRecord) -> Path:
        """Return the folder of what a stage left, after checking every byte of it."""
        found = self._store.open(stage.key)
        if found is None:
            r = self.record
            what = f"what the stage {stage.stage} of {r.dataset} · {r.method} · seed {r.seed} left"
            again = shlex.join(["bench", "run", *arguments(r.suite), "--only", r.key[:12]])
            raise DataError(f"{what} is no longer in the store {self._store.root}; `{again}` makes it again")
        return found.folder

    @cached_property
    def images(self) -> Prepared:
        """The scored images, with their classes."""
        return load(self._prepared, self._rows, labels=True)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The row of facts of each image."""
        return self._whole_table.iloc[self._rows].reset_index(drop=True)

    @cached_property
    def truth(self) -> Labels:
        """Class index per image, -1 where unknown."""
        return class_indices(self.table, self.classes)

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes; a class index is a position in it."""
        names = json.loads((self._prepared / "set.json").read_text(encoding="utf-8"))["classes"]
        return [str(name) for name in names]

    @property
    def predicted(self) -> bool:
        """Whether a classifier named the classes: then `clusters` holds class indices."""
        return bool(self.stages("predict"))

    @cached_property
    def clusters(self) -> Labels:
        """Cluster per image, -1 = noise; of a classifier, the class that it predicts."""
        (stage,) = self.stages("cluster") or self.stages("predict")
        return np.asarray(self._array(stage, "labels"), np.int64)

    @cached_property
    def features(self) -> Features | None:
        """Features before any reduction; None for methods that have none."""
        return self._of_kind("encode", "features")

    @cached_property
    def reduced(self) -> Features | None:
        """Features after the clusterer's reducer, if it has one."""
        return self._of_kind("reduce", "features")

    @cached_property
    def join_probabilities(self) -> JoinProbabilities | None:
        """Join probabilities; None for methods that have none."""
        return self._of_kind("pair", "join_probabilities")

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Return one image as RGB, shape (size, size, 3), all on one scale of brightness."""
        return coloured(self._as_set.read(row), self._look)

    @cached_property
    def _prepared(self) -> Path:
        (stage,) = self.stages("prepare")
        return self.artefact(stage)

    @cached_property
    def _whole_table(self) -> pd.DataFrame:
        return pd.read_parquet(self._prepared / "table.parquet")

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        chosen = dict(self.record.params.get("score") or {})
        seed = chosen.pop("split_seed", 0)
        chosen.pop("part", None)
        if not chosen:
            return np.arange(len(self._whole_table), dtype=np.int64)
        return rows(self._whole_table, Selection(**chosen), part="score", seed=seed)

    @cached_property
    def _as_set(self) -> _Decoded:
        return _Decoded(self.images)

    @cached_property
    def _look(self) -> Look:
        return measured(self._as_set, range(len(self.images)))

    def _of_kind(self, kind: str, name: str) -> NDArray[np.float32] | None:
        found = self.stages(kind)
        return np.asarray(self._array(found[-1], name), np.float32) if found else None

    def _array(self, stage: StageRecord, name: str) -> NDArray[Any]:
        array: NDArray[Any] = np.load(self.artefact(stage) / f"{name}.npy", allow_pickle=False)
        return array


class _Decoded(ImageSet):
    """Prepared images as a set, so that figures show pixels as contact sheets do."""

    def __init__(self, images: Prepared) -> None:
        self.table = pd.DataFrame({"id": list(images.ids)})
        self.channels = images.shape[0]
        self.dtype = images.pixels.dtype.type
        self._images = images

    def read(self, row: int) -> NDArray[Any]:
        """Return one image of shape (height, width, channels)."""
        return np.moveaxis(self._images.batch(row, row + 1)[0], 0, -1)


def share_evenly(groups: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` positions, spread evenly over the images sorted by group; sorted by group."""
    order = np.argsort(groups, kind="stable")
    if len(order) <= most:
        return order.astype(np.int64)
    return order[(2 * np.arange(most) + 1) * len(order) // (2 * most)].astype(np.int64)


def majority(truth: Labels, members: Sequence[int] | NDArray[np.int64]) -> tuple[int, int]:
    """Return the most frequent class of some images and how many have it; (-1, 0) if none has a class."""
    known = truth[members]
    known = known[known >= 0]
    if not known.size:
        return -1, 0
    counts = np.bincount(known)
    return int(counts.argmax()), int(counts.max())
