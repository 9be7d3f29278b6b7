"""Access to a finished cell: its record, and its artefacts from the store, on demand."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.adapters.spec import AdapterSpec
from bench.errors import DataError
from bench.images import ImageSet, Prepared
from bench.imaging.contact import Intensity, coloured, measured
from bench.imaging.prepare import class_indices, load
from bench.planning import wiring
from bench.records.record import CellRecord, StageRecord
from bench.records.store import Store
from bench.stages.context import selected_rows
from bench.suite.names import arguments

if TYPE_CHECKING:
    from bench.interfaces import Features, JoinProbabilities, Labels


class FinishedCell:
    """A scored cell. Every array has one entry per scored image, in one order.

    All properties raise `DataError` if the artefact they need is no longer in the store.

    Parameters
    ----------
    files : content -> path, from the suite's plan; needed to build adapters that are loaded from or read
        files.
    """

    def __init__(self, record: CellRecord, store: Store, files: Mapping[str, str] | None = None) -> None:
        self.record = record
        self._store, self._files = store, files or {}

    def spec(self, part: str) -> AdapterSpec | None:
        """Return the spec of the adapter of a part of the method; None if the method lacks the part.

        Parameters
        ----------
        part : encoder, pair_model, reducer, clusterer or classifier; also dataset.
        """
        described = self.record.params.get(part)
        return AdapterSpec.from_record(part, described, self._files) if described else None

    def stages(self, kind: str) -> list[StageRecord]:
        """Return the stages of a kind, in execution order: a pair model may have two fits."""
        return [s for s in self.record.stages if s.stage == kind]

    def step(self, name: str) -> StageRecord | None:
        """Return the stage of a step of `bench.planning.wiring`, e.g. "fit encoder"; None without one."""
        keys = wiring.keys_of(self.record.params.keys(), self.record.stages)
        return next((s for s in self.record.stages if s.key == keys.get(name)), None)

    def artefact(self, stage: StageRecord) -> Path:
        """Return the folder of a stage's artefact, after checking every byte of it."""
        found = self._store.open(stage.key)
        if found is None:
            r = self.record
            what = f"the artefact of stage {stage.stage} of {r.dataset} · {r.method} · seed {r.seed}"
            again = shlex.join(["bench", "run", *arguments(r.suite), "--only", r.key[:12]])
            raise DataError(f"{what} is no longer in the store {self._store.root}; `{again}` recomputes it")
        return found.folder

    @cached_property
    def images(self) -> Prepared:
        """The scored images, with their classes."""
        return load(self._prepared, self._rows, labels=True)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The row of metadata of each image."""
        return self._whole_table.iloc[self._rows].reset_index(drop=True)

    @cached_property
    def truth(self) -> Labels:
        """Class index per image, -1 where unknown."""
        return class_indices(self.table, self.classes)

    @cached_property
    def classes(self) -> list[str]:
        """Names of the classes, by class index."""
        names = json.loads((self._prepared / "set.json").read_text(encoding="utf-8"))["classes"]
        return [str(name) for name in names]

    @property
    def predicted(self) -> bool:
        """Whether a classifier predicted classes: then `clusters` holds class indices."""
        return bool(self.stages("predict"))

    @cached_property
    def clusters(self) -> Labels:
        """Cluster per image, -1 = noise; for a classifier, the predicted class."""
        return np.asarray(self._array("labels"), np.int64)

    @cached_property
    def features(self) -> Features | None:
        """Features before any reduction; None for methods without features."""
        return self._array("features") if "features" in self._roles else None

    @cached_property
    def reduced(self) -> Features | None:
        """Features after the clusterer's reducer, if it has one."""
        return self._array("reduced", "features") if "reduced" in self._roles else None

    @cached_property
    def join_probabilities(self) -> JoinProbabilities | None:
        """Join probabilities; None for methods without a pair model."""
        return self._array("join_probabilities") if "join_probabilities" in self._roles else None

    def picture(self, row: int) -> NDArray[np.uint8]:
        """Return one image as RGB, shape (size, size, 3); all images share one intensity scale."""
        return coloured(self._as_set.read(row), self._intensity)

    @cached_property
    def _prepared(self) -> Path:
        return self.artefact(self._roles["images"])

    @cached_property
    def _whole_table(self) -> pd.DataFrame:
        return pd.read_parquet(self._prepared / "table.parquet")

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        chosen = selected_rows(self._whole_table, self.record.params, "score")
        return np.arange(len(self._whole_table), dtype=np.int64) if chosen is None else chosen

    @cached_property
    def _as_set(self) -> _Decoded:
        return _Decoded(self.images)

    @cached_property
    def _intensity(self) -> Intensity:
        return measured(self._as_set, range(len(self.images)))

    @cached_property
    def _roles(self) -> dict[str, StageRecord]:
        """Role in scoring -> stage that produced its artefact."""
        parts, by_key = self.record.params.keys(), {s.key: s for s in self.record.stages}
        keys, score = wiring.keys_of(parts, self.record.stages), wiring.chain(parts)[-1]
        return {role: by_key[key] for role, key in wiring.inputs(score, keys, label_free=True).items()}

    def _array(self, role: str, name: str = "") -> NDArray[Any]:
        path = self.artefact(self._roles[role]) / f"{name or role}.npy"
        array: NDArray[Any] = np.load(path, allow_pickle=False)
        return array


class _Decoded(ImageSet):
    """Prepared images as a set, so that figures show pixels like contact sheets."""

    def __init__(self, images: Prepared) -> None:
        self.table = pd.DataFrame({"id": list(images.ids)})
        self.channels = images.shape[0]
        self.dtype = images.pixels.dtype.type
        self._images = images

    def read(self, row: int) -> NDArray[Any]:
        """Return one image of shape (height, width, channels)."""
        return np.moveaxis(self._images.batch(row, row + 1)[0], 0, -1)


def share_evenly(groups: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` indices, spread evenly over the images sorted by group; sorted by group."""
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
