"""The stage that scores labels, and whatever else the suite requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import AdapterError, DataError
from bench.metrics.metric import Metric
from bench.metrics.names import SHIPPED, load, taking
from bench.stages.context import Context, labels_of

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Labels


def score_labels(c: Context) -> dict[str, Any]:
    from bench.metrics.score import Scoring

    extra = _extra(c)
    images = c.images("score", labels=True)
    truth = labels_of(images)
    pred = c.array("labels", "labels.npy")
    p = c.job.params
    rng = np.random.default_rng(int(c.job.inputs["labels"][:16], 16))
    report: dict[str, Any] = {"degenerate": _degenerate(truth, pred), "parts": {}}
    if (truth >= 0).any() or not (p.get("label_free") or p.get("groups")):
        of_tables = tuple(taking(extra, "tables", "pairs").values())
        scores = Scoring(p["noise"], p["replicates"], p["level"], of_tables).score(truth, pred, rng)
        report["scores"] = scores.to_json()
        if p.get("supervised"):
            _as_classes(c, images, pred, report, extra, rng)
    else:
        report["degenerate"] = _degenerate(np.arange(truth.size), pred)  # as if of several classes
        report["counts"] = {"n": len(images), "clusters": _clusters(pred), "noise": int((pred == -1).sum())}
    report["parts"] |= _parts(c, images, pred, extra, rng)
    return report


def _extra(c: Context) -> list[Metric]:
    """Load the users' metrics of the suite.

    Raises `DataError` if one is missing or has changed since the run was planned.
    """
    from bench.metrics.guarded import guarded

    found = []
    for planned in c.job.params.get("extra", ()):
        try:
            loaded = load(planned["use"])
        except AdapterError as e:
            raise DataError(str(e)) from e
        if loaded.identity != planned["identity"]:
            raise DataError(f"{planned['use']} changed during the run; run the command again")
        found.append(guarded(loaded))
    return found


def _as_classes(
    c: Context,
    images: Prepared,
    pred: Labels,
    report: dict[str, Any],
    extra: Sequence[Metric],
    rng: np.random.Generator,
) -> None:
    """Add the scores of predicted classes to `report`, and whether only one class is predicted."""
    from bench.learning.supervised import judged, overlap
    from bench.metrics.classification import ClassScoring

    p = c.job.params
    file = c.artefact("labels").folder / "probabilities.npy"
    probabilities = np.load(file, allow_pickle=False) if file.exists() else None
    of_predictions = tuple(taking(extra, "predictions").values())
    scoring = ClassScoring(p["replicates"], p["level"], of_predictions)
    found, metadata = judged(images, pred, probabilities, scoring, rng)
    c.run.facts.update(metadata, fitted_on=overlap(c.rows("fit"), images))
    intervals = report["scores"]["intervals"] | found.intervals
    report["scores"] |= found.values | {"intervals": intervals}
    report["parts"] = {f"class {images.classes[k]}": {"accuracy": v} for k, v in found.recalls.items()}
    report["degenerate"] = metadata["collapsed"] or report["degenerate"]


def _parts(
    c: Context, images: Prepared, pred: Labels, extra: Sequence[Metric], rng: np.random.Generator
) -> dict[str, Any]:
    """Score subsets of the pairs, a pair model's decisions before clustering, and label-free metrics."""
    from bench.metrics.label_free import association, score_features
    from bench.metrics.subsets import PAIR_METRICS, score_pairs, score_subsets

    p = c.job.params
    subsets = _subsets(c, images, p["subsets"]) if "subsets" in p else None
    known = bool((labels_of(images) >= 0).any())
    parts: dict[str, dict[str, float]] = {}
    of_tables = tuple(taking(extra, "tables", "pairs").values())
    of_features = tuple(taking(extra, "features").values())
    if subsets is not None and known:
        parts |= score_subsets(labels_of(images), pred, subsets, noise=p["noise"], extra=of_tables)
    if "join_probabilities" in c.job.inputs and known:
        probabilities = c.array("join_probabilities", "join_probabilities.npy")
        of_pairs = PAIR_METRICS | taking(extra, "pairs")
        decided = score_pairs(labels_of(images), probabilities, subsets, of_pairs)
        parts |= {f"pairs {name}".removesuffix(" all"): values for name, values in decided.items()}
    if p.get("label_free") or not known:  # a record needs at least one number
        of_labels = taking(SHIPPED.values(), "labels")
        parts["clusters"] = {n: m(pred) for n, m in of_labels.items()}
    if p.get("label_free"):
        for role, where in (("features", ""), ("reduced", " reduced")):
            if role in c.job.inputs:
                features = c.array(role, "features.npy")
                found = score_features(features, pred, rng, of_features)
                parts.setdefault(f"clusters{where}", {}).update(found)
                if known:
                    parts[f"classes{where}"] = score_features(features, labels_of(images), rng, of_features)
    for name in p.get("groups", ()):
        parts[name] = association(pred, c.column(images, name), rng)
    return {name: values for name, values in parts.items() if values}


def _clusters(pred: Labels) -> int:
    return int(np.unique(pred[pred >= 0]).size)


def _subsets(c: Context, images: Prepared, chosen: str | dict[str, list[str]]) -> list[str | None]:
    """Return the name of each image's subset, by a column or by classes; None if it is in no subset."""
    from bench.imaging.selection import match_names

    if isinstance(chosen, str):
        return c.column(images, chosen)
    found: dict[str, str] = {}
    for subset, names in chosen.items():
        for name in match_names(names, images.classes):
            if found.setdefault(name, subset) != subset:
                raise DataError(f"subsets: class {name!r} is in {found[name]!r} and in {subset!r}")
    return [found.get(images.classes[i]) if i >= 0 else None for i in labels_of(images)]


def _degenerate(truth: Labels, pred: Labels) -> str | None:
    """Return why a partition of the scored images carries no information; None if it carries some."""
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
