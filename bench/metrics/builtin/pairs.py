"""Metrics of pairs of images, which truth and prediction each cut or join.

All but ARI also score decisions on a part of the pairs that need not come from a clustering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.metric import Metric

if TYPE_CHECKING:
    from bench.metrics.contingency import FloatArray
    from bench.metrics.tables import Tables


def _ari(t: Tables) -> FloatArray:
    from bench.metrics.pairs import adjusted_rand_index

    return adjusted_rand_index(t.pairs)


ARI = Metric(
    "ari",
    "ARI",
    "Rand index, adjusted so that random clusterings with the same sizes score 0 on average "
    "(Hubert and Arabie 1985).",
    _ari,
    low=-0.5,
    chance=0.0,
    order=50,
)
RI = Metric(
    "ri",
    "RI",
    "Rand index: share of pairs of images that truth and prediction both cut or both join (Rand 1971).",
    lambda c: (c.join_join + c.cut_cut, c.join_join + c.join_cut + c.cut_join + c.cut_cut),
    "pairs",
    order=70,
)
PRECISION_CUTS = Metric(
    "precision_cuts",
    "PC",
    "Share of the pairs cut by the prediction that truth cuts too; 1 if it cuts none (Andres, graph).",
    lambda c: (c.cut_cut, c.cut_cut + c.join_cut),
    "pairs",
    order=110,
)
RECALL_CUTS = Metric(
    "recall_cuts",
    "RC",
    "Share of the pairs cut by truth that the prediction cuts too; 1 if truth cuts none (Andres, graph).",
    lambda c: (c.cut_cut, c.cut_cut + c.cut_join),
    "pairs",
    order=120,
)
F1_CUTS = Metric(
    "f1_cuts",
    "F1C",
    "Harmonic mean of precision and recall of cuts (Presberger et al.).",
    lambda c: (2 * c.cut_cut, 2 * c.cut_cut + c.join_cut + c.cut_join),
    "pairs",
    order=130,
)
PRECISION_JOINS = Metric(
    "precision_joins",
    "PJ",
    "Share of the pairs joined by the prediction that truth joins too; 1 if it joins none (Andres, graph).",
    lambda c: (c.join_join, c.join_join + c.cut_join),
    "pairs",
    order=140,
)
RECALL_JOINS = Metric(
    "recall_joins",
    "RJ",
    "Share of the pairs joined by truth that the prediction joins too; 1 if truth joins none "
    "(Andres, graph).",
    lambda c: (c.join_join, c.join_join + c.join_cut),
    "pairs",
    order=150,
)
F1_JOINS = Metric(
    "f1_joins",
    "F1J",
    "Harmonic mean of precision and recall of joins (Presberger et al.).",
    lambda c: (2 * c.join_join, 2 * c.join_join + c.cut_join + c.join_cut),
    "pairs",
    order=160,
)
