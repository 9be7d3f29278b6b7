from __future__ import annotations

import importlib.resources
import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from bench.errors import DataError
from bench.metrics.metric import from_description
from bench.metrics.names import (
    CLASSIFICATION,
    COUNTS,
    LABEL_FREE,
    METRICS,
    SHIPPED,
    VERSION,
    find,
    find_or_unknown,
)

NAMES = [
    *("acc", "f1", "f1_macro", "nmi", "ari", "ami", "ri", "vi", "vi_false_cuts", "vi_false_joins"),
    *("precision_cuts", "recall_cuts", "f1_cuts"),
    *("precision_joins", "recall_joins", "f1_joins"),
]


def test_the_metrics_and_their_order():
    assert list(METRICS) == NAMES
    assert VERSION >= 1


def test_every_metric_is_described():
    for name, m in METRICS.items():
        assert m.name == name
        assert m.definition.endswith(")."), "one sentence that ends with its source"
        assert m.low < m.high
        assert m.higher_is_better == (m.unit == "")
        assert (m.high == math.inf) == (m.unit == "bits")
    assert len({m.title for m in METRICS.values()}) == len(METRICS)
    assert [m.name for m in METRICS.values() if m.chance_adjusted] == ["ari", "ami"]


def test_every_public_metric_of_a_file_ships():
    package = importlib.resources.files("bench.metrics.builtin")
    text = "".join(f.read_text() for f in package.iterdir() if f.name.endswith(".py"))
    assert text.count(" = Metric(\n") == len(SHIPPED) == len({m.order for m in SHIPPED.values()})
    assert SHIPPED == {**METRICS, **CLASSIFICATION, **LABEL_FREE}
    for m in SHIPPED.values():
        assert m.problem() is None
        assert m.name not in COUNTS
    assert {m.name: m.chance for m in SHIPPED.values() if m.chance is not None} == {
        "ari": 0,
        "ami": 0,
        "similarity_ratio": 1,
        "p_value": 0.5,
    }


def test_a_description_is_enough_for_tables():
    for m in SHIPPED.values():
        again = from_description(json.loads(json.dumps(m.described())))
        assert again == replace(m, measure=None, takes="tables", chance=None, order=again.order)
        with pytest.raises(DataError, match="is not installed"):
            again(None)
    assert find("own", {"own": from_description({"name": "own", "title": "Own"})}).title == "Own"
    assert find_or_unknown("seen-seen.gone").title == "seen-seen.gone"
    assert find("acc", {"acc": from_description({"name": "acc"})}) == METRICS["acc"]


def test_names_are_read_without_numpy():
    code = "import sys, bench.metrics.names; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_columns_of_parts_are_metrics_with_the_part_in_their_title() -> None:
    assert find("ri") == METRICS["ri"]
    assert find("seen-unseen.f1_joins").title == "F1J seen-unseen"
    assert find("day.p_value").higher_is_better is False
    assert not set(LABEL_FREE) & set(METRICS)
    for wrong in ("x", "day.x", "silhouette"):
        with pytest.raises(KeyError):
            find(wrong)
