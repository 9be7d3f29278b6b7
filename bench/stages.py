"""What each stage does, once its inputs are there. Runs in a process of its own."""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench import registry
from bench.fingerprint import Fingerprints
from bench.interfaces import (
    Adapter,
    Classifier,
    Clusterer,
    DataError,
    Dataset,
    Encoder,
    Generator,
    PairModel,
    Reducer,
    Run,
    ToCluster,
)
from bench.record import Status
from bench.store import Artefact, Store

Report = Callable[[int, int | None, str], None]
Job = dict[str, Any]
"""JSON that describes one stage to its process; made by `bench.execute.local`."""


class InputGone(Exception):
    """An artefact that the stage needs is damaged or gone and must be made again."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def execute(job: Job, report: Report) -> dict[str, Any]:
    """Run one stage, leave its artefact in the store and say how it went.

    Returns `{"status": "ok"}`, `{"status": "input-gone", "key": ...}`, or a failed
    status with `error`, one sentence; the traceback goes to stderr, which is the log.
    """
    store = Store(Path(job["store"]))
    if store.holds(job["key"]):
        return {"status": Status.OK}
    try:
        store.write(job["key"], lambda folder: _measured(job, store, folder, report), job["run"])
    except InputGone as e:
        return {"status": "input-gone", "key": e.key}
    except DataError as e:
        return {"status": Status.ERROR, "error": str(e)}
    except MemoryError:
        traceback.print_exc()
        return {"status": Status.OOM_HOST, "error": "the process ran out of memory (MemoryError)"}
    except BaseException as e:  # noqa: BLE001  # whatever an adapter raises ends as a record
        traceback.print_exc()
        lost_gpu = type(e).__name__ == "OutOfMemoryError" and type(e).__module__.startswith("torch")
        status = Status.OOM_GPU if lost_gpu else Status.ERROR
        return {"status": status, "error": f"{type(e).__name__}: {e}"[:2000]}
    return {"status": Status.OK}


def score_again(inputs: dict[str, str], params: dict[str, Any], store: Store) -> dict[str, Any]:
    """Score labels that are in the store, e.g. because a metric changed; leaves nothing behind.

    `inputs` and `params` are those of the score stage. Raises `InputGone` if one is not there.
    """
    run = Run(0, 1, "cpu", "float32", logging.getLogger("bench"), Path(), lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        return _score(_Context({"inputs": inputs, "params": params}, store, Path(folder), None, run))


def unpack(packed: dict[str, Any]) -> Adapter:
    """Build an adapter from what `bench.plan.packed` said of it.

    Raises `DataError` if a user's adapter file changed since the run was planned.
    """
    cls = registry.load(packed["kind"], packed["use"])
    if getattr(cls, "content_hash", "") != packed["identity"]:
        raise DataError(f"{packed['use']} changed while the run was going on; run the command again")
    nested = {name: unpack(inner) for name, inner in packed["nested"].items()}
    return cls.model_validate({**packed["params"], **nested})


def _measured(job: Job, store: Store, folder: Path, report: Report) -> dict[str, Any]:
    """Run the stage's own code between two looks at the clock; return what the manifest should say."""
    started, clock = datetime.now(UTC), time.perf_counter()
    adapter = unpack(job["adapter"]) if job["adapter"] else None
    run = _run(job, store, report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        about = _STAGES[job["stage"]](_Context(job, store, folder, adapter, run))
    return {
        "stage": job["stage"],
        "adapter": registry.identity(type(adapter)) if adapter is not None else "",
        "wall_s": round(time.perf_counter() - clock, 4),
        "host_peak_bytes": _peak_bytes(),
        "gpu_peak_bytes": _gpu_peak_bytes(),
        "device": run.device,
        "threads": run.threads,
        "seed": run.seed if job["seed"] is not None else None,
        "started": started.isoformat(timespec="milliseconds"),
        "facts": json.loads(json.dumps(run.facts, default=str)),
        "warnings": list(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))[:20],
        "place": {**job["place"], "versions": _versions(adapter)},
        **about,
    }


class _Context:
    """One stage's job, with the inputs opened on demand."""

    def __init__(self, job: Job, store: Store, folder: Path, adapter: Adapter | None, run: Run) -> None:
        self.job, self.store, self.folder, self.adapter, self.run = job, store, folder, adapter, run

    def artefact(self, role: str) -> Artefact:
        key = self.job["inputs"][role]
        artefact = self.store.open(key)
        if artefact is None:
            raise InputGone(key)
        return artefact

    def array(self, role: str, name: str) -> Any:
        return np.load(self.artefact(role).folder / name, allow_pickle=False)

    def images(self, part: Literal["fit", "score"], *, labels: bool) -> Any:
        """Open the prepared images that `fit` or `score` selects."""
        from bench.prepare import load

        return load(self.artefact("images").folder, self.rows(part), labels=labels)

    def rows(self, part: Literal["fit", "score"]) -> Any:
        """Return the rows of the prepared images that `fit` or `score` selects; None for all."""
        from bench.selection import Selection, rows

        chosen = dict(self.job["params"].get(part) or {})
        seed = chosen.pop("split_seed", 0)
        chosen.pop("part", None)
        held_out = part == "fit" and self.job["params"].get("held_out")
        if not chosen and not held_out:
            return None
        import pandas as pd

        table = pd.read_parquet(self.artefact("images").folder / "table.parquet")
        if not held_out:
            return rows(table, Selection(**chosen), part=part, seed=seed)
        scored = self.rows("score")
        if scored is None or len(scored) == len(table):
            raise DataError(
                "a classifier is fitted on images that are not scored, and none are left: give the dataset "
                "e.g. fit: {fraction: 0.8} and score: {fraction: 0.2}"
            )
        return np.setdiff1d(np.arange(len(table)), scored)


def _synthesize(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Generator)
    target = c.folder / "data"
    target.mkdir()
    c.adapter.write(target, c.run)
    return {}


def _prepare(c: _Context) -> dict[str, Any]:
    from bench.prepare import prepare

    assert isinstance(c.adapter, Dataset)
    root = c.artefact("data").folder / "data" if "data" in c.job["inputs"] else Path(c.job["root"])
    prepare(c.adapter.open(root), c.adapter, c.folder, c.run)
    expected = c.job["params"].get("fingerprint")
    known = Fingerprints(c.store.root / "fingerprints.sqlite", read_only=True)
    if expected is not None and known.of(root, c.adapter.files(root)) != expected:
        raise DataError(f"the data in {root} changed since the run was planned; run the command again")
    return {"set": json.loads((c.folder / "set.json").read_text())}


def _fit(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, (Encoder, PairModel, Classifier))
    weights = c.folder / "weights"
    weights.mkdir()
    adapter, images = c.adapter, c.images("fit", labels=type(c.adapter).uses_labels)
    processes = c.job["params"].get("processes", 1)
    if processes == 1:
        adapter.fit(images, weights, _with_encoder(c))
        return {}
    from bench.nn.ranks import in_parallel

    peak = in_parallel(processes, weights, _with_encoder(c), lambda w, run: adapter.fit(images, w, run))
    return {"gpu_peak_bytes": peak}


def _encode(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Encoder)
    images = c.images("score", labels=type(c.adapter).uses_labels)
    features = c.adapter.encode(images, _weights(c), c.run)
    _save(c.folder / "features.npy", _features(features, len(images), f"encoder {c.adapter.use!r}"))
    return {"shape": list(features.shape)}


def _reduce(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Reducer)
    features = c.array("features", "features.npy")
    reduced = c.adapter.reduce(features, c.run)
    _save(c.folder / "features.npy", _features(reduced, len(features), f"reducer {c.adapter.use!r}"))
    return {"shape": list(reduced.shape)}


def _pair(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, PairModel)
    images = c.images("score", labels=type(c.adapter).uses_labels)
    p = np.asarray(c.adapter.join_probabilities(images, _weights(c), c.run))
    n = len(images)
    who = f"pair model {c.adapter.use!r}"
    if p.shape != (n, n):
        raise DataError(f"{who} returned shape {p.shape} for {n} images; ({n}, {n}) is wanted")
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
        raise DataError(f"{who} returned values that are no probabilities (NaN, below 0 or above 1)")
    if not np.allclose(p, p.T, atol=1e-6) or not np.allclose(np.diag(p), 1):
        raise DataError(f"{who} returned a matrix that is not symmetric with diagonal 1")
    _save(c.folder / "join_probabilities.npy", p.astype(np.float32))
    return {"shape": [n, n]}


def _cluster(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Clusterer)
    images = c.images("score", labels=True)
    known = images.labels[images.labels >= 0]
    data = ToCluster(n=len(images), n_classes=int(np.unique(known).size) if known.size else None)
    for role in ("features", "join_probabilities"):
        if role in c.job["inputs"]:
            data = replace(data, **{role: c.array(role, f"{role}.npy")})
    if type(c.adapter).uses_labels:
        data = replace(data, labels=images.labels)
    labels = c.adapter.cluster(data, c.run)
    _save(c.folder / "labels.npy", _labels(labels, len(images), f"clusterer {c.adapter.use!r}"))
    return {}


def _predict(c: _Context) -> dict[str, Any]:
    assert isinstance(c.adapter, Classifier)
    images = c.images("score", labels=False)
    weights = _weights(c)
    assert weights is not None
    run = _with_encoder(c)
    predicted = np.asarray(c.adapter.predict(images, weights, run))
    who = f"classifier {c.adapter.use!r}"
    if predicted.ndim == 2:
        p = _class_probabilities(predicted, len(images), len(images.classes), who)
        _save(c.folder / "probabilities.npy", p)
        predicted = p.argmax(axis=1)
    _save(c.folder / "labels.npy", _labels(predicted, len(images), who))
    return {}


def _score(c: _Context) -> dict[str, Any]:
    from bench.metrics.score import score

    images = c.images("score", labels=True)
    truth = images.labels
    pred = c.array("labels", "labels.npy")
    p = c.job["params"]
    rng = np.random.default_rng(int(c.job["inputs"]["labels"][:16], 16))
    about: dict[str, Any] = {"degenerate": _degenerate(truth, pred)}
    if (truth >= 0).any() or not (p.get("label_free") or p.get("groups")):
        scores = score(truth, pred, noise=p["noise"], replicates=p["replicates"], level=p["level"], rng=rng)
        about["scores"] = scores.to_json()
        if p.get("supervised"):
            about["scores"], collapsed = _as_classes(c, images, pred, about["scores"], rng)
            about["degenerate"] = collapsed or about["degenerate"]
    else:
        about["degenerate"] = _degenerate(np.arange(truth.size), pred)  # as if of several classes
        about["counts"] = {"n": len(images), "clusters": _clusters(pred), "noise": int((pred == -1).sum())}
    about["parts"] = _parts(c, images, pred, rng)
    (c.folder / "scores.json").write_text(json.dumps(about, indent=1))
    return about


def _as_classes(
    c: _Context, images: Any, pred: Any, scores: dict[str, Any], rng: np.random.Generator
) -> tuple[dict[str, Any], str | None]:
    """Add the scores of classes by name to those of a partition; say whether all went to one class."""
    from bench.supervised import judged, overlap

    p = c.job["params"]
    file = c.artefact("labels").folder / "probabilities.npy"
    probabilities = np.load(file, allow_pickle=False) if file.exists() else None
    found, facts = judged(images, pred, probabilities, p["replicates"], p["level"], rng)
    c.run.facts.update(facts, fitted_on=overlap(c.rows("fit"), images))
    return scores | found.values | {"intervals": scores["intervals"] | found.intervals}, facts["collapsed"]


def _parts(c: _Context, images: Any, pred: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Score parts of the pairs, what a pair model decided before clustering, and what needs no labels."""
    from bench.metrics.label_free import association, score_features
    from bench.metrics.subsets import score_pairs, score_subsets

    p = c.job["params"]
    subsets = _subsets(c, images, p["subsets"]) if "subsets" in p else None
    known = bool((images.labels >= 0).any())
    parts: dict[str, dict[str, float]] = {}
    if subsets is not None and known:
        parts |= score_subsets(images.labels, pred, subsets, noise=p["noise"])
    if "join_probabilities" in c.job["inputs"] and known:
        probabilities = c.array("join_probabilities", "join_probabilities.npy")
        found = score_pairs(images.labels, probabilities, subsets)
        parts |= {f"pairs {name}".removesuffix(" all"): values for name, values in found.items()}
    if p.get("label_free") or not known:  # a record without any number is none
        parts["clusters"] = {"noise_share": float((pred == -1).mean())}
    if p.get("label_free"):
        for role, where in (("features", ""), ("reduced", " reduced")):
            if role in c.job["inputs"]:
                features = c.array(role, "features.npy")
                parts.setdefault(f"clusters{where}", {}).update(score_features(features, pred, rng))
                if known:
                    parts[f"classes{where}"] = score_features(features, images.labels, rng)
    for name in p.get("groups", ()):
        parts[name] = association(pred, _column(c, images, name), rng)
    return {name: values for name, values in parts.items() if values}


def _clusters(pred: Any) -> int:
    return int(np.unique(pred[pred >= 0]).size)


def _subsets(c: _Context, images: Any, wanted: str | dict[str, list[str]]) -> list[str | None]:
    """Return the name of each image's subset: by a column, or by classes; those in none are left out."""
    from bench.selection import match_names

    if isinstance(wanted, str):
        return _column(c, images, wanted)
    found: dict[str, str] = {}
    for subset, names in wanted.items():
        for name in match_names(names, images.classes):
            if found.setdefault(name, subset) != subset:
                raise DataError(f"subsets: class {name!r} is in {found[name]!r} and in {subset!r}")
    return [found.get(images.classes[i]) if i >= 0 else None for i in images.labels]


def _column(c: _Context, images: Any, name: str) -> list[str | None]:
    """Return one column of the table of the image set, for the selected images."""
    import pandas as pd

    table = pd.read_parquet(c.artefact("images").folder / "table.parquet")
    if name not in table:
        raise DataError(f"the image set has no column {name!r}; it has {', '.join(table.columns)}")
    values = table[name].iloc[images.rows]
    return [None if pd.isna(v) else str(v) for v in values]


_STAGES: dict[str, Callable[[_Context], dict[str, Any]]] = {
    "synthesize": _synthesize,
    "prepare": _prepare,
    "fit": _fit,
    "encode": _encode,
    "reduce": _reduce,
    "pair": _pair,
    "cluster": _cluster,
    "predict": _predict,
    "score": _score,
}


def _weights(c: _Context) -> Path | None:
    return c.artefact("weights").folder / "weights" if "weights" in c.job["inputs"] else None


def _with_encoder(c: _Context) -> Run:
    """Return the run with what the encoder inside the model learned, if there is one that learns."""
    if "encoder_weights" not in c.job["inputs"]:
        return c.run
    return replace(c.run, encoder_weights=c.artefact("encoder_weights").folder / "weights")


def _class_probabilities(p: Any, n: int, classes: int, who: str) -> Any:
    if p.shape != (n, classes):
        raise DataError(f"{who} returned shape {p.shape} for {n} images; ({n}, {classes}) is wanted")
    if not np.isfinite(p).all() or p.min() < 0 or not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        raise DataError(
            f"{who} returned values that are no probabilities (NaN, below 0, or sums other than 1)"
        )
    return p.astype(np.float32)


def _features(features: Any, n: int, who: str) -> Any:
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != n or features.shape[1] == 0:
        raise DataError(f"{who} returned shape {features.shape} for {n} images; ({n}, d) is wanted")
    if not np.issubdtype(features.dtype, np.floating):
        raise DataError(f"{who} returned {features.dtype} features; float32 is wanted")
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        where = ", ".join(map(str, np.flatnonzero(bad)[:5]))
        raise DataError(
            f"{who} returned NaN or infinite features for {bad.sum()} of {n} images, e.g. {where}"
        )
    return np.ascontiguousarray(features, dtype=np.float32)


def _labels(labels: Any, n: int, who: str) -> Any:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise DataError(f"{who} returned shape {labels.shape} for {n} images; ({n},) is wanted")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{who} returned {labels.dtype} labels; integers are wanted")
    if n and labels.min() < -1:
        raise DataError(f"{who} returned the label {labels.min()}; only -1 (noise) may be negative")
    return labels.astype(np.int64)


def _degenerate(truth: Any, pred: Any) -> str | None:
    """Say in what way a partition of the scored images carries no information, if it does not."""
    pred = pred[truth >= 0]
    n, noise = pred.size, int((pred == -1).sum())
    clusters = np.unique(pred[pred >= 0]).size
    if n < 2:
        return None
    if noise == n:
        return f"all {n} images were called noise"
    if clusters + noise == n:
        return f"every one of the {n} images is alone"
    if clusters == 1 and noise == 0 and np.unique(truth[truth >= 0]).size > 1:
        return f"all {n} images are in one cluster"
    return None


def _save(path: Path, array: Any) -> None:
    np.save(path, array, allow_pickle=False)


def _run(job: Job, store: Store, report: Report) -> Run:
    log = logging.getLogger("bench")
    checkpoints = store.checkpoints(job["key"])
    checkpoints.mkdir(parents=True, exist_ok=True)
    seed = 0
    if job["seed"] is not None:
        words = [job["seed"], int(job["key"][:16], 16)]
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    return Run(seed, job["threads"], job["device"], job["precision"], log, checkpoints, report)


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)) * unit


def _gpu_peak_bytes() -> int | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())


def _versions(adapter: Adapter | None) -> dict[str, str]:
    import importlib.metadata as md

    versions = {"numpy": np.__version__}
    for name in {m.partition(".")[0] for m in (type(adapter).libraries if adapter else ())}:
        known = getattr(sys.modules.get(name), "__version__", None)
        if known is None:
            try:
                known = md.version(name.replace("_", "-"))
            except md.PackageNotFoundError:
                continue
        versions[name] = str(known)
    return dict(sorted(versions.items()))
