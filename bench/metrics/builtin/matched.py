"""Metrics of clusters that are matched to classes one to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.metric import Metric

if TYPE_CHECKING:
    from bench.metrics.contingency import FloatArray
    from bench.metrics.tables import Tables


def _accuracy(t: Tables) -> FloatArray:
    from bench.metrics.matching import accuracy

    return accuracy(t.contingency, t.matched)


ACC = Metric(
    "acc",
    "ACC",
    "Share of images in the cluster that is matched to their class, under the best one-to-one "
    "matching of clusters and classes (Hungarian algorithm; Yang et al. 2010).",
    _accuracy,
    order=10,
)
F1 = Metric(
    "f1",
    "F1",
    "F1 of each class against its matched cluster, weighted by class size (scikit-learn f1_score, "
    "weighted, after the Hungarian relabelling; AILARON).",
    lambda t: t.f1[0],
    order=20,
)
F1_MACRO = Metric(
    "f1_macro",
    "F1 macro",
    "F1 of each class against its matched cluster, every class counting the same (scikit-learn "
    "f1_score, macro over the true classes, after the Hungarian relabelling).",
    lambda t: t.f1[1],
    order=30,
)
