"""Metrics that need no true classes: of clusters in features, and of how clusters go with a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.metrics.metric import Metric

if TYPE_CHECKING:
    from bench.metrics.contingency import IntArray
    from bench.metrics.label_free import LabelledFeatures


def _similarity_ratio(x: LabelledFeatures) -> float | None:
    from bench.metrics.label_free import similarity_ratio

    return similarity_ratio(x.features, x.labels)


def _consensus(x: LabelledFeatures) -> float:
    from bench.metrics.label_free import consensus

    return consensus(*x.sample)


def _silhouette(x: LabelledFeatures) -> float | None:
    from bench.metrics.label_free import silhouette

    return silhouette(*x.sample)


def _noise_share(labels: IntArray) -> float:
    return float((labels == -1).mean())


SIMILARITY_RATIO = Metric(
    "similarity_ratio",
    "intra/inter",
    "Mean cosine similarity of images with one label over that of images with two (Presberger).",
    _similarity_ratio,
    "features",
    low=-math.inf,
    high=math.inf,
    chance=1.0,
    order=310,
)
CONSENSUS = Metric(
    "consensus",
    "1-NN",
    "Share of images whose nearest other image has their label.",
    _consensus,
    "features",
    order=320,
)
SILHOUETTE = Metric(
    "silhouette",
    "silhouette",
    "Mean silhouette coefficient (Rousseeuw 1987).",
    _silhouette,
    "features",
    low=-1.0,
    order=330,
)
NOISE_SHARE = Metric(
    "noise_share",
    "noise",
    "Share of the images that the clusterer called noise.",
    _noise_share,
    "labels",
    higher_is_better=False,
    order=340,
)
CRAMERS_V = Metric(
    "cramers_v",
    "V",
    "Cramer's V of clusters and a property of the images, without correction of bias.",
    lambda g: g.cramers_v,
    "groups",
    order=350,
)
P_VALUE = Metric(
    "p_value",
    "p",
    "Share of random permutations of the labels with a Cramer's V as large.",
    lambda g: g.p_value,
    "groups",
    higher_is_better=False,
    chance=0.5,
    order=360,
)
