"""All stages but scoring: call the adapter with its inputs and save the result."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.interfaces import (
    PADDING,
    Classifier,
    Clusterer,
    Dataset,
    Encoder,
    Generator,
    PairModel,
    Reducer,
    ToCluster,
)
from bench.planning.fingerprint import Fingerprints
from bench.records.leftout import left_out
from bench.stages.context import Context, labels_of
from bench.stages.outputs import (
    are_constant,
    as_class_probabilities,
    as_features,
    as_join_probabilities,
    as_labels,
)


def synthesize(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Generator)
    target = c.folder / "data"
    target.mkdir()
    c.adapter.write(target, c.run)
    return {}


def prepare(c: Context) -> dict[str, Any]:
    from bench.imaging.prepare import prepare

    assert isinstance(c.adapter, Dataset)
    root = c.artefact("data").folder / "data" if "data" in c.job.inputs else Path(c.job.root or "")
    prepare(c.adapter.open(root), c.adapter, c.folder, c.run)
    expected = c.job.params.get("fingerprint")
    known = Fingerprints(c.store.root / "fingerprints.sqlite", read_only=True)
    if expected is not None and known.of(root, c.adapter.files(root)) != expected:
        raise DataError(f"the data in {root} changed since the run was planned; run the command again")
    described = json.loads((c.folder / "set.json").read_text())
    lost = left_out(described["bad_images"], described["notes"], described["n"])
    if lost is not None and lost.loud:
        warnings.warn(lost.sentence(), stacklevel=1)
    if PADDING in described["notes"]:
        warnings.warn(f"{PADDING}: {described['notes'][PADDING]}", stacklevel=1)
    return {"set": described}


def fit(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, (Encoder, PairModel, Classifier))
    weights = c.folder / "weights"
    weights.mkdir()
    adapter, images = c.adapter, c.images("fit", labels=type(c.adapter).uses_labels)
    processes = c.job.processes
    if processes == 1:
        adapter.fit(images, weights, c.run_with_encoder())
        return {}
    from bench.nn.ranks import in_parallel

    peak = in_parallel(processes, weights, c.run_with_encoder(), lambda w, run: adapter.fit(images, w, run))
    return {"gpu_peak_bytes": peak}


def encode(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Encoder)
    images = c.images("score", labels=type(c.adapter).uses_labels)
    features = c.adapter.encode(images, c.weights(), c.run)
    _save(c.folder / "features.npy", as_features(features, len(images), f"encoder {c.adapter.use!r}"))
    return {"shape": list(features.shape)}


def reduce(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Reducer)
    features = c.array("features", "features.npy")
    if are_constant(features):  # whatever differs after a reduction would be made up
        c.run.log.warning("the features of all %d images are equal; they are not reduced", len(features))
        reduced = features
    else:
        reduced = c.adapter.reduce(features, c.run)
    _save(c.folder / "features.npy", as_features(reduced, len(features), f"reducer {c.adapter.use!r}"))
    return {"shape": list(reduced.shape)}


def pair(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, PairModel)
    images = c.images("score", labels=type(c.adapter).uses_labels)
    p = c.adapter.join_probabilities(images, c.weights(), c.run)
    n = len(images)
    p = as_join_probabilities(p, n, f"pair model {c.adapter.use!r}")
    _save(c.folder / "join_probabilities.npy", p)
    return {"shape": [n, n]}


def cluster(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Clusterer)
    images = c.images("score", labels=True)
    truth = labels_of(images)
    known = truth[truth >= 0]
    given = c.job.inputs
    data = ToCluster(
        n=len(images),
        n_classes=int(np.unique(known).size) if known.size else None,
        features=c.array("features", "features.npy") if "features" in given else None,
        join_probabilities=(
            c.array("join_probabilities", "join_probabilities.npy") if "join_probabilities" in given else None
        ),
        labels=truth if type(c.adapter).uses_labels else None,
    )
    if data.features is not None and data.join_probabilities is None and are_constant(data.features):
        c.run.log.warning("the features of all %d images are equal: they are put in one cluster", data.n)
        labels = np.zeros(data.n, np.int64)
    else:
        labels = c.adapter.cluster(data, c.run)
    _save(c.folder / "labels.npy", as_labels(labels, len(images), f"clusterer {c.adapter.use!r}"))
    return {}


def predict(c: Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Classifier)
    images = c.images("score", labels=False)
    weights = c.weights()
    assert weights is not None
    run = c.run_with_encoder()
    predicted = np.asarray(c.adapter.predict(images, weights, run))
    who = f"classifier {c.adapter.use!r}"
    if predicted.ndim == 2:
        p = as_class_probabilities(predicted, len(images), len(images.classes), who)
        _save(c.folder / "probabilities.npy", p)
        predicted = p.argmax(axis=1)
    elif predicted.size and predicted.max() >= len(images.classes):
        raise DataError(f"{who} returned class {predicted.max()} of {len(images.classes)}, counted from 0")
    _save(c.folder / "labels.npy", as_labels(predicted, len(images), who))
    return {}


def _save(path: Path, array: NDArray[Any]) -> None:
    np.save(path, array, allow_pickle=False)
