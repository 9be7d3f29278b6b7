from __future__ import annotations

import math
import subprocess
import sys

import pytest

from bench.metrics.names import LABEL_FREE, METRICS, VERSION, find

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
