"""Metrics of the information that classes and clusters have of each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.metrics.metric import Metric

if TYPE_CHECKING:
    from bench.metrics.contingency import FloatArray
    from bench.metrics.tables import Tables


def _nmi(t: Tables) -> FloatArray:
    from bench.metrics.information import normalized_mutual_information

    return normalized_mutual_information(t.information)


def _ami(t: Tables) -> FloatArray:
    from bench.metrics.information import adjusted_mutual_information

    return adjusted_mutual_information(t.information, t.expected)


NMI = Metric(
    "nmi",
    "NMI",
    "Mutual information of classes and clusters over the arithmetic mean of their entropies "
    "(scikit-learn; Strehl and Ghosh 2002).",
    _nmi,
    order=40,
)
AMI = Metric(
    "ami",
    "AMI",
    "Mutual information, adjusted so that random clusterings with the same sizes score 0 on average, "
    "with the arithmetic mean of entropies (Vinh, Epps and Bailey 2010).",
    _ami,
    low=-1.0,
    chance=0.0,
    order=60,
)
VI = Metric(
    "vi",
    "VI",
    "Variation of information: H(prediction | truth) + H(truth | prediction), not normalised (Meila 2007).",
    lambda t: t.information.false_cuts + t.information.false_joins,
    unit="bits",
    high=math.inf,
    higher_is_better=False,
    order=80,
)
VI_FALSE_CUTS = Metric(
    "vi_false_cuts",
    "VI FC",
    "The part of VI due to false cuts: H(prediction | truth), above 0 when a class is split (Andres, graph).",
    lambda t: t.information.false_cuts,
    unit="bits",
    high=math.inf,
    higher_is_better=False,
    order=90,
)
VI_FALSE_JOINS = Metric(
    "vi_false_joins",
    "VI FJ",
    "The part of VI due to false joins: H(truth | prediction), above 0 when classes are merged "
    "(Andres, graph).",
    lambda t: t.information.false_joins,
    unit="bits",
    high=math.inf,
    higher_is_better=False,
    order=100,
)
