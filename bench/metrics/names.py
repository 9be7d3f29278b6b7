"""The metrics by name: what tables, suites and docs need to know of them. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

VERSION = 1
"""Version of the definitions: raised whenever a metric would give another number for the same labels."""


@dataclass(frozen=True)
class Metric:
    """What a metric is called, where it lies and what it means."""

    name: str
    title: str
    """Column header."""
    higher_is_better: bool
    low: float
    high: float
    unit: str
    definition: str
    """One sentence, with the source."""
    chance_adjusted: bool
    """Whether nonsense scores about 0, whatever the number of clusters."""


def _metric(name: str, title: str, definition: str, *, low: float = 0.0, adjusted: bool = False) -> Metric:
    return Metric(name, title, True, low, 1.0, "", definition, adjusted)


def _bits(name: str, title: str, definition: str) -> Metric:
    return Metric(name, title, False, 0.0, math.inf, "bits", definition, False)


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        _metric(
            "acc",
            "ACC",
            "Share of images in the cluster that is matched to their class, under the best one-to-one "
            "matching of clusters and classes (Hungarian algorithm; Yang et al. 2010).",
        ),
        _metric(
            "f1",
            "F1",
            "F1 of each class against its matched cluster, weighted by class size (scikit-learn f1_score, "
            "weighted, after the Hungarian relabelling; AILARON).",
        ),
        _metric(
            "f1_macro",
            "F1 macro",
            "F1 of each class against its matched cluster, every class counting the same (scikit-learn "
            "f1_score, macro over the true classes, after the Hungarian relabelling).",
        ),
        _metric(
            "nmi",
            "NMI",
            "Mutual information of classes and clusters over the arithmetic mean of their entropies "
            "(scikit-learn; Strehl and Ghosh 2002).",
        ),
        _metric(
            "ari",
            "ARI",
            "Rand index, adjusted so that random clusterings with the same sizes score 0 on average "
            "(Hubert and Arabie 1985).",
            low=-0.5,
            adjusted=True,
        ),
        _metric(
            "ami",
            "AMI",
            "Mutual information, adjusted so that random clusterings with the same sizes score 0 on average, "
            "with the arithmetic mean of entropies (Vinh, Epps and Bailey 2010).",
            low=-1.0,
            adjusted=True,
        ),
        _metric(
            "ri",
            "RI",
            "Rand index: share of pairs of images that truth and prediction both cut or both join "
            "(Rand 1971).",
        ),
        _bits(
            "vi",
            "VI",
            "Variation of information: H(prediction | truth) + H(truth | prediction), not normalised "
            "(Meila 2007).",
        ),
        _bits(
            "vi_false_cuts",
            "VI FC",
            "The part of VI due to false cuts: H(prediction | truth), above 0 when a class is split "
            "(Andres, graph).",
        ),
        _bits(
            "vi_false_joins",
            "VI FJ",
            "The part of VI due to false joins: H(truth | prediction), above 0 when classes are merged "
            "(Andres, graph).",
        ),
        _metric(
            "precision_cuts",
            "PC",
            "Share of the pairs cut by the prediction that truth cuts too; 1 if it cuts none "
            "(Andres, graph).",
        ),
        _metric(
            "recall_cuts",
            "RC",
            "Share of the pairs cut by truth that the prediction cuts too; 1 if truth cuts none "
            "(Andres, graph).",
        ),
        _metric("f1_cuts", "F1C", "Harmonic mean of precision and recall of cuts (Presberger et al.)."),
        _metric(
            "precision_joins",
            "PJ",
            "Share of the pairs joined by the prediction that truth joins too; 1 if it joins none "
            "(Andres, graph).",
        ),
        _metric(
            "recall_joins",
            "RJ",
            "Share of the pairs joined by truth that the prediction joins too; 1 if truth joins none "
            "(Andres, graph).",
        ),
        _metric("f1_joins", "F1J", "Harmonic mean of precision and recall of joins (Presberger et al.)."),
    )
}
"""Every metric of a clustering, in the order of tables."""

CLASSIFICATION: dict[str, Metric] = {
    m.name: m
    for m in (
        _metric(
            "accuracy",
            "accuracy",
            "Share of images whose predicted class is the true one (scikit-learn accuracy_score).",
        ),
        _metric(
            "balanced_accuracy",
            "balanced accuracy",
            "Mean over the true classes of the share of their images predicted right; 1 / classes if all are "
            "predicted as one class (scikit-learn balanced_accuracy_score).",
        ),
        _metric(
            "f1_per_class",
            "F1 per class",
            "F1 of each true class against the predicted class of that name, every class counting the same "
            "(scikit-learn f1_score, macro over the true classes).",
        ),
        _metric(
            "average_precision",
            "AP",
            "Area under the precision-recall curve as a sum of steps: of two classes for the second by name, "
            "of more the mean over each against the rest (scikit-learn average_precision_score, macro).",
        ),
    )
}
"""What only classifiers have: their classes have names, so nothing is matched. A classifier without
probabilities has no average precision."""

LABEL_FREE: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(
            "similarity_ratio",
            "intra/inter",
            True,
            -math.inf,
            math.inf,
            "",
            "Mean cosine similarity of images with one label over that of images with two (Presberger).",
            False,
        ),
        _metric("consensus", "1-NN", "Share of images whose nearest other image has their label."),
        _metric("silhouette", "silhouette", "Mean silhouette coefficient (Rousseeuw 1987).", low=-1.0),
        Metric(
            "noise_share",
            "noise",
            False,
            0.0,
            1.0,
            "",
            "Share of the images that the clusterer called noise.",
            False,
        ),
        _metric(
            "cramers_v",
            "V",
            "Cramer's V of clusters and a property of the images, without correction of bias.",
        ),
        Metric(
            "p_value",
            "p",
            False,
            0.0,
            1.0,
            "",
            "Share of random permutations of the labels with a Cramer's V as large.",
            False,
        ),
    )
}
"""What parts of a record may hold beside the metrics above."""


def find(column: str) -> Metric:
    """Return what a table's column means: a metric, or `part.metric` for one of a part of the record.

    Parts are those of `CellRecord.parts`: `pairs.f1_joins`, `seen-unseen.ri`, `day.cramers_v`, `class
    control.accuracy`...
    Raises `KeyError` with the name that is not known.
    """
    part, _, name = column.rpartition(".")
    if not part:
        return METRICS[name] if name in METRICS else CLASSIFICATION[name]
    metric = {**LABEL_FREE, **CLASSIFICATION, **METRICS}[name]
    return replace(metric, name=column, title=f"{metric.title} {part}")
