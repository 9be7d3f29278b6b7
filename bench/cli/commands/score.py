"""`bench score`: labels that were computed elsewhere."""

from __future__ import annotations

import json
import sys
from typing import Literal, get_args

from bench.cli.options.files import ScoreOptions
from bench.errors import UsageError
from bench.metrics.names import METRICS
from bench.util.text import suggest

NoisePolicy = Literal["own_cluster", "drop"]


def score_files(options: ScoreOptions) -> None:
    """Print all metrics of two label files, with bootstrap intervals."""
    import numpy as np

    from bench.layouts.labelfile import match, read_labels
    from bench.metrics.score import score

    policies: dict[str, NoisePolicy] = {p: p for p in get_args(NoisePolicy)}
    noise, level = options.noise, options.level
    if noise not in policies:
        raise UsageError(f"--noise: no policy named {noise!r}; {suggest(noise, list(policies))}")
    files = [read_labels(options.truth), read_labels(options.pred)]
    for file in files:
        for note in file.notes:
            print(f"{file.path}: {note}", file=sys.stderr)
    t, p = match(*files)
    rng = np.random.default_rng(options.seed)
    scores = score(t, p, noise=policies[noise], replicates=options.replicates, level=level, rng=rng)
    if options.json:
        print(json.dumps(scores.to_json()))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table("metric", "value", f"{level:.0%} interval", "", box=None, pad_edge=False)
    for name, metric in METRICS.items():
        low, high = scores.intervals.get(name, (None, None))
        interval = f"{low:.4f} to {high:.4f}" if low is not None else ""
        table.add_row(metric.title, f"{scores.values[name]:.4f}", interval, metric.unit)
    console.print(table)
    console.print(
        f"\n{scores.n} images ({scores.coverage:.1%} of those with a known class), {scores.classes} classes, "
        f"{scores.clusters} clusters, {scores.noise} images called noise ({noise})"
    )
