"""The models of a finished cell before, during and after training, by the capabilities of its adapters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import CutjoinError, DataError
from bench.images import Prepared
from bench.interfaces import (
    Adapter,
    Encoder,
    HasAttention,
    HasCheckpoints,
    HasNetwork,
    Run,
    StartsFromWeights,
)
from bench.records.record import StageRecord
from bench.report.drawing.rebuilt import Rebuilt, code, rebuild, spec
from bench.stages.finished import FinishedCell
from bench.suite.grid import label

if TYPE_CHECKING:
    from bench.interfaces import Attention, Features

_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Checkpoint:
    """A model at one moment of its training."""

    when: str
    model: Adapter
    weights: Path | None
    run: Run

    def attention(self, images: Prepared) -> Attention:
        """Return maps of attention, shape (n, heads, rows, columns)."""
        assert isinstance(self.model, HasAttention)
        return np.asarray(self.model.attention(images, self.weights, self.run), np.float32)

    def features(self, images: Prepared) -> Features:
        """Return the features of an encoder, shape (n, d)."""
        assert isinstance(self.model, Encoder)
        return self.model.encode(images, self.weights, self.run)


def without_attention(cell: FinishedCell) -> str | None:
    """Say why a method shows no attention; None if it does."""
    try:
        encoder, pair_model = code(cell, "encoder"), code(cell, "pair_model")
    except CutjoinError as e:
        return f"cannot be looked into: {e}"
    if encoder is None:
        return "has no encoder with a vision transformer"
    lacking = [cls for cls in (encoder, pair_model) if cls is not None and not issubclass(cls, HasAttention)]
    return f"has the {_called(lacking[0])}, which shows no attention" if lacking else None


def before_and_after(cell: FinishedCell) -> tuple[list[Checkpoint], list[str]]:
    """Return the model before and after the method's own training, and notes for the caption.

    For a pair model, before is what its encoder learned, after what the training on pairs made of it. Without
    a training there is one checkpoint.

    Raises
    ------
    DataError : weights or artefacts that are not available; an adapter of another version.
    """
    encoder = rebuild(cell, "encoder")
    name = label(encoder.adapter.use)
    fit, pair = cell.step("fit"), cell.step("pair")
    if pair is not None:
        learned = cell.step("fit encoder")
        before = _at(f"{name} encoder", encoder, cell, learned or fit or pair, learned=learned is not None)
        pair_model = rebuild(cell, "pair_model")
        after = _at("after training on pairs", pair_model, cell, fit or pair, learned=fit is not None)
        return [before, after], []
    if fit is None:
        (encode,) = cell.stages("encode")
        return [_at(name, encoder, cell, encode, learned=False)], []
    if not fit.facts.get("steps", 1):
        return [_at("not trained", encoder, cell, fit, learned=True)], []
    after = _at("after training", encoder, cell, fit, learned=True)
    try:
        return [_start(encoder, cell, fit), after], []
    except DataError as e:
        return [after], [f"Not shown, the start of the training: {e}."]


def snapshots(cell: FinishedCell) -> list[Checkpoint]:
    """Return what the training of the method's encoder kept on its way, in order; may be none."""
    found = spec(cell, "encoder")
    fits = [s for s in cell.stages("fit") if found is not None and s.adapter == found.adapter]
    if found is None or not fits:
        return []
    try:
        if not issubclass(found.code(), HasCheckpoints):
            return []
    except CutjoinError:  # e.g. a user's file that is gone: what is in the store can be shown all the same
        return []
    return [
        Checkpoint(f"{round(100 * progress)} % of the training", model, weights, run)
        for progress, model, weights, run in _kept(rebuild(cell, "encoder"), cell, fits[0])
    ]


def examples(images: Prepared, rows: NDArray[np.int64]) -> Prepared:
    """Return some of the images, without labels."""
    return Prepared(images.pixels, images.rows[rows], [images.ids[i] for i in rows], images.classes)


def _at(when: str, of: Rebuilt, cell: FinishedCell, stage: StageRecord, *, learned: bool) -> Checkpoint:
    """Return a model with what a stage wrote, or without: as it is built for that stage."""
    if learned:
        return Checkpoint(when, _without_start(of.adapter), cell.artefact(stage) / "weights", _run(stage))
    if of.lost:
        raise DataError(
            f"{cell.record.method}: {' and '.join(of.lost)} of {label(of.adapter.use)} is gone or changed; "
            "an encoder with a fit of its own keeps its weights in the store"
        )
    return Checkpoint(when, of.adapter, None, _run(stage))


def _start(encoder: Rebuilt, cell: FinishedCell, fit: StageRecord) -> Checkpoint:
    """Return what a training started from; raises `DataError` if that is not available."""
    for progress, model, weights, run in _kept(encoder, cell, fit):
        if progress == 0:
            return Checkpoint("before training", model, weights, run)
    start = _at("before training", encoder, cell, fit, learned=False)
    if isinstance(start.model, HasNetwork):
        probe = _run(fit)
        start.model.network(cell.images.shape, None, probe)
        now, then = (facts.get("start") for facts in (probe.facts, fit.facts))
        if now != then:
            raise DataError("its weights are not available; a snapshot at 0 would keep them")
    return start


def _kept(encoder: Rebuilt, cell: FinishedCell, fit: StageRecord) -> list[tuple[float, Adapter, Path, Run]]:
    if not isinstance(encoder.adapter, HasCheckpoints):
        return []
    found = encoder.adapter.checkpoints(cell.artefact(fit) / "weights")
    return [(progress, _without_start(encoder.adapter), path, _run(fit)) for progress, path in found]


def _without_start(adapter: Adapter) -> Adapter:
    if not isinstance(adapter, StartsFromWeights):
        return adapter
    found = adapter.without_start()
    assert isinstance(found, Adapter)
    return found


def _run(stage: StageRecord) -> Run:
    return Run.detached(stage.seed or 0, _THREADS)


def _called(cls: type[Adapter]) -> str:
    return f"{'encoder' if issubclass(cls, Encoder) else 'pair model'} {label(cls.use)}"
