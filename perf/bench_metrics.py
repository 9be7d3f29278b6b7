"""Time and memory of scoring, with scikit-learn beside it."""

from __future__ import annotations

import numpy as np

from bench.metrics.score import score


def labels(n: int, classes: int, clusters: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return skewed classes and clusters that agree on about 60 % of the images."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, n, p=rng.dirichlet(np.ones(classes)))
    nonsense = rng.choice(clusters, n, p=rng.dirichlet(np.ones(clusters)))
    return truth, np.where(rng.random(n) < 0.6, truth % clusters, nonsense)


def scikit_learn(truth: np.ndarray, pred: np.ndarray) -> dict[str, float]:
    """Return the same metrics from scikit-learn, each intermediate result computed once."""
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import entropy
    from sklearn import metrics as sk

    table = sk.cluster.contingency_matrix(truth, pred)
    rows, cols = linear_sum_assignment(table, maximize=True)
    classes, t = np.unique(truth, return_inverse=True)
    clusters, p = np.unique(pred, return_inverse=True)
    names = classes.size + np.arange(clusters.size)
    names[cols] = rows
    p = names[p]
    options = {"labels": np.arange(classes.size), "zero_division": 0}
    (cc, cj), (jc, jj) = sk.cluster.pair_confusion_matrix(truth, pred) / 2
    information = sk.mutual_info_score(truth, pred, contingency=table) / np.log(2)
    false_cuts = entropy(table.sum(0), base=2) - information
    false_joins = entropy(table.sum(1), base=2) - information
    return {
        "acc": sk.accuracy_score(t, p),
        "f1": sk.f1_score(t, p, average="weighted", **options),
        "f1_macro": sk.f1_score(t, p, average="macro", **options),
        "nmi": sk.normalized_mutual_info_score(truth, pred),
        "ari": sk.adjusted_rand_score(truth, pred),
        "ami": sk.adjusted_mutual_info_score(truth, pred),
        "ri": (cc + jj) / (cc + cj + jc + jj),
        "vi": false_cuts + false_joins,
        "vi_false_cuts": false_cuts,
        "vi_false_joins": false_joins,
        "precision_cuts": cc / (cc + jc),
        "recall_cuts": cc / (cc + cj),
        "f1_cuts": 2 * cc / (2 * cc + cj + jc),
        "precision_joins": jj / (jj + cj),
        "recall_joins": jj / (jj + jc),
        "f1_joins": 2 * jj / (2 * jj + cj + jc),
    }


class MillionLabels:
    """All metrics of a million labels, without intervals."""

    params = ([100, 200], ["small ids", "sparse ids"])
    param_names = ("classes", "ids")

    def setup(self, classes: int, ids: str) -> None:
        self.truth, self.pred = labels(1_000_000, classes, classes)
        if ids == "sparse ids":
            names = np.random.default_rng(1).integers(-(2**62), 2**62, classes)
            self.truth, self.pred = names[self.truth], names[self.pred]

    def time_score(self, classes: int, ids: str) -> None:
        score(self.truth, self.pred, replicates=0)

    def peakmem_score(self, classes: int, ids: str) -> None:
        score(self.truth, self.pred, replicates=0)


class Intervals:
    """All metrics with 1,000 replicates."""

    params = ([(3772, 6, 6), (3772, 5, 60), (30_336, 121, 121)],)
    param_names = ("images, classes, clusters",)

    def setup(self, shape: tuple[int, int, int]) -> None:
        self.truth, self.pred = labels(*shape)

    def time_score(self, shape: tuple[int, int, int]) -> None:
        score(self.truth, self.pred, replicates=1000)

    def peakmem_score(self, shape: tuple[int, int, int]) -> None:
        score(self.truth, self.pred, replicates=1000)


class ScikitLearn:
    """The peer: a million labels as above, and ten replicates as it would take a thousand of."""

    def setup(self) -> None:
        self.million = labels(1_000_000, 200, 200)
        self.truth, self.pred = labels(3772, 5, 60)

    def time_a_million_labels(self) -> None:
        scikit_learn(*self.million)

    def time_10_replicates(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(10):
            drawn = rng.integers(0, self.truth.size, self.truth.size)
            scikit_learn(self.truth[drawn], self.pred[drawn])


class Extremes:
    """30,000 images with a cluster for each, or a class and a cluster for each."""

    params = (["each alone", "both alone"],)
    param_names = ("case",)

    def setup(self, case: str) -> None:
        rng = np.random.default_rng(0)
        self.pred = np.arange(30_000)
        self.truth = rng.integers(0, 121, 30_000) if case == "each alone" else rng.permutation(30_000)

    def time_score(self, case: str) -> None:
        score(self.truth, self.pred)
