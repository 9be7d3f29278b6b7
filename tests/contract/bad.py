"""Adapters and metrics that break one thing each, as the files of users would hold them."""

from __future__ import annotations

from dataclasses import dataclass

_ENCODER = '''
"""Mean brightness."""
{head}
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from bench.interfaces import Count, DataError, Encoder, Unit

{before}

class Brightness(Encoder):
    """Mean of each channel, and of its square."""

    source: ClassVar[str] = "none: a test"
    {declared}

    scale: float = 1.0
    """Factor of all features."""
    batch: Annotated[Count, Unit("images")] = 16
    """Images read at a time."""
    {fields}

    {methods}

    def encode(self, images, weights, run):
        """Return shape (n, 2 * channels)."""
        {start}
        parts = []
        for x in images.batches(self.batch):
            x = x.reshape(*x.shape[:2], -1) / np.float32(np.iinfo(x.dtype).max)
            {loop}
            parts.append(np.concatenate([x.mean(2), (x**2).mean(2)], axis=1))
        found = (self.scale * np.concatenate(parts)).astype(np.float32)
        {end}
        return found
'''
_DOCSTRING = '"""Mean of each channel, and of its square."""'
_SLOW = "import time\nend = time.process_time() + 4\nwhile time.process_time() < end: pass"
_PARTS = ("head", "before", "declared", "fields", "methods", "start", "loop", "end")

_FIT = '''
    def fit(self, images, weights, run):
        """Learn a mean, pixel by pixel, in ten steps."""
        shift = np.random.default_rng(run.seed).normal() if type(self).seeded else 0
        file = run.checkpoints / "sum.npy"
        total, first = np.zeros(2), 0
        if file.exists():
            *total, first = np.load(file)
            total = np.array(total)
        for step in range(int(first), 10):
            i = step % len(images)
            x = images.batch(i, i + 1)
            total = total + np.array([x.mean(), 1])
            np.save(file, np.array([*total, {saved}]))
            run.report(step + 1, 10, "steps")
        {last}
        np.save(weights / "mean.npy", total[0] / total[1] + shift)
'''
_USED = 'found = found - np.load(weights / "mean.npy").astype(np.float32)'


def encoder(**parts: str) -> str:
    """Return the file of an encoder with some lines added: see the names in braces above."""
    return _ENCODER.format(**{**dict.fromkeys(_PARTS, ""), **parts})


def trained(saved: str = "step + 1", last: str = "", **parts: str) -> str:
    """Return the file of an encoder that learns; `saved` is the step that its checkpoint names."""
    fit = _FIT.format(saved=saved, last=last)
    return encoder(**{"methods": fit, "end": _USED, **parts})


def other(kind: str, body: str, *, declared: str = "") -> str:
    """Return the file of a part of a method whose only method has this body."""
    base, signature = {
        "reducer": ("Reducer", "reduce(self, features, run)"),
        "clusterer": ("Clusterer", "cluster(self, data, run)"),
        "pair_model": ("PairModel", "join_probabilities(self, images, weights, run)"),
    }[kind]
    return f'''
"""One of a user's own."""
from typing import ClassVar

import numpy as np

from bench.interfaces import {base}


class Own({base}):
    """One of a user's own."""

    source: ClassVar[str] = "none: a test"
    {declared}

    def {signature}:
        """Return it."""
        {body}
'''


@dataclass(frozen=True)
class Bad:
    """A file, the only check that it fails, and a part of the sentence that says why."""

    check: str
    file: str
    message: str
    line: str = ""


BAD = [
    Bad("docstring", encoder().replace(_DOCSTRING, ""), "has no docstring"),
    Bad("described", encoder(fields="bare: int = 1"), "below the field bare"),
    Bad("units", encoder(fields='size: int = 1\n    """Side."""'), "no unit: size"),
    Bad(
        "parameters",
        encoder(fields='when: object = object()\n    """No text can say what it is."""'),
        "has no canonical form",
    ),
    Bad("parameters", encoder(declared='model_config = {"extra": "ignore"}'), "parameter is accepted"),
    Bad("libraries", encoder(start="import sklearn.cluster"), 'add "sklearn" to `libraries`'),
    Bad("libraries", encoder(start="from bench.nn import inputs"), 'add "torch"'),
    Bad("libraries", encoder(start="from cutjoin.kit import encode"), 'add "torch"'),
    Bad("importing", encoder(before='print("hello")'), "it prints 'hello'"),
    Bad("importing", encoder(before="import scipy.stats"), "it imports scipy"),
    Bad("importing", encoder(before='Path("mine.txt").touch()'), "it writes files: mine.txt"),
    Bad("importing", encoder(before='import os\nos.environ["MINE"] = "1"'), "environment variables: MINE"),
    Bad("importing", encoder(before=_SLOW), "s of computing"),
    Bad("runs", encoder(start='raise KeyError("mine")'), "it raised KeyError: 'mine'", "raise KeyError"),
    Bad("runs", encoder(start="raise SystemExit(3)"), "it raised SystemExit: 3", "raise SystemExit"),
    Bad("runs", encoder(start='raise DataError("not today")'), "not today"),
    Bad("shape", encoder(end="found = found[:, 0]"), "it returned shape (24,) for 24 images; (24, d)"),
    Bad("dtype", encoder(end="found = found.astype(np.float64)"), "float64; float32 is expected"),
    Bad("values", encoder(end="found[0] = np.nan"), "NaN or infinite"),
    Bad("deterministic", encoder(end="found[0] += np.random.default_rng().random()"), "1 of 24 rows"),
    Bad("seed", encoder(end="found += run.rng().random(dtype=np.float32)"), "declare seeded"),
    Bad("facts", encoder(end='run.facts["x"] = np.float32(1)'), "run.facts['x'] cannot be written"),
    Bad("facts", encoder(end='run.facts["t"] = np.random.default_rng().random()'), "between two runs"),
    Bad("batch", encoder(start="offset = self.batch", end="found += offset"), "with batch: 1 the result"),
    Bad("order", encoder(end="found += np.arange(len(found), dtype=np.float32)[:, None]"), "reordered"),
    Bad("selection", encoder(end="found += len(images.pixels)"), "selected out of a larger array"),
    Bad("labels", encoder(end="found += 0 if images.labels is None else 1"), "declare uses_labels"),
    Bad("input_unchanged", encoder(end="images.pixels[0, 0, 0, 0] += 1"), "it changed its images"),
    Bad("two_images", encoder(start="assert len(images) > 5"), "AssertionError", "assert len"),
    Bad("equal_images", encoder(loop="x = x / np.ptp(x, 2, keepdims=True)"), "all of one value"),
    Bad("pixel_types", encoder(start="assert images.shape[0] == 1"), "of 3 channels of uint8", "assert"),
    Bad(
        "weights",
        trained(before="HERE = []", last="HERE.append(weights)", end="np.load(HERE[-1] / 'mean.npy')"),
        "it raised FileNotFoundError",
    ),
    Bad("resumes", trained(saved="step"), "after an interruption"),
]  # fmt: skip

OTHERS = [
    ("reducer", "shape", other("reducer", "return features[:3]"), "(24, d)"),
    (
        "reducer",
        "input_unchanged",
        other("reducer", "features -= features.mean(0)\n        return features"),
        "its input",
    ),
    ("clusterer", "dtype", other("clusterer", "return np.zeros(data.n, np.int8)"), "int64 is expected"),
    ("clusterer", "values", other("clusterer", "return np.full(data.n, -3)"), "label -3"),
    (
        "clusterer",
        "labels",
        other("clusterer", "return np.zeros(data.n, np.int64) if data.labels is None else data.labels"),
        "declare uses_labels",
    ),
    (
        "pair_model",
        "values",
        other("pair_model", "return np.tri(len(images), dtype=np.float32)"),
        "not symmetric",
    ),
]

_METRIC = """
import numpy as np

from bench.metrics.metric import Metric


def measure(t):
    {body}


M = Metric("mine", "Mine", "Mine (me).", measure{more})
"""
_PURITY = "np.stack([[c[t.cols == k].max() for k in np.unique(t.cols)] for c in t.counts]).sum(1) / t.n"


def metric(body: str, more: str = "") -> str:
    """Return the file of a metric."""
    return _METRIC.format(body=body, more=more)


METRICS = [
    ("computes", metric("return 1 / 0"), "ZeroDivisionError"),
    ("in_range", metric(f"return 1.5 - {_PURITY}", ", higher_is_better=False, low=0.5"), "outside its range"),
    ("best_if_equal", metric(f"return 1 - {_PURITY}"), "its best value is 1"),
    ("names_of_clusters", metric("return t.counts[:, t.rows == t.cols].sum(1) / t.n"), "with other ids"),
    ("one_at_a_time", metric(f"found = {_PURITY}\n    return found / found.max()"), "at once"),
    ("argument_unchanged", metric(f"found = {_PURITY}\n    t.rows[:] = 0\n    return found"), "writes into"),
]
GOOD_METRIC = metric(f"return {_PURITY}")
