"""Minimum cost multicut: the number of clusters follows from the costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Clusterer, Count, Unit
from bench.multicut.policy import AUTO_SECONDS, SolverName, policy

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster
    from bench.multicut.instance import Instance
    from bench.multicut.result import Solution


class Multicut(Clusterer):
    """The partition with the largest sum of log-odds of joins within clusters (correlation clustering).

    Takes join probabilities as they are. Features become costs through the similarity of pairs and a
    logistic that is calibrated without labels, so any encoder can be clustered without knowing k.
    """

    source: ClassVar[str] = "Presberger et al., GCPR 2024; GAEC and KLj: Keuper et al., ICCV 2015"
    libraries: ClassVar[tuple[str, ...]] = ("numba", "scipy.sparse", "highspy", "bench.multicut.exact")
    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = (
        "features",
        "join_probabilities",
    )

    solver: SolverName = "auto"
    """`greedy` (GAEC, then KLj); `exact`, with Gurobi where a licence for the size is found and HiGHS
    otherwise; one of these two by name; or `auto`: exact up to 300 images, greedy beyond."""
    time_limit: Annotated[float, Field(gt=0), Unit("s")] | None = AUTO_SECONDS
    """Of the exact solver; null for none. When it is reached the best partition so far is returned, the
    record's status is `time_limit`, and the result depends on the speed of the machine."""
    prior: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of joins among all pairs, for a pair model trained on as many joins as cuts: shifts all
    costs by log(prior / (1 - prior))."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Join probability at which a pair is indifferent, after `prior`: shifts all costs by
    log((1 - threshold) / threshold)."""
    metric: Literal["cosine", "euclidean"] = "cosine"
    """Similarity of features."""
    neighbours: Count = 15
    """Beyond `all_pairs`: an image has costs with this many nearest neighbours and as many random images."""
    all_pairs: Annotated[Count, Unit("images")] = 4000
    """Images up to which every pair has a cost, when features are clustered."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..., numbered by first appearance.

        Raises `DataError` for features that show no separation, and for a solver without a suitable licence.
        """
        import numpy as np

        if data.n < 3 and data.join_probabilities is None:
            return np.zeros(data.n, np.int64)
        instance = self._instance(data)
        if policy(instance.n, self.solver).greedy:  # whose trivial bound is not worth computing
            run.facts["solver"], run.facts["status"] = "greedy", "greedy"
            return instance.greedy()
        solution = self._solve(instance, run)
        run.facts["solver"], run.facts["status"] = solution.solver, solution.status
        run.facts["objective"], run.facts["upper_bound"] = solution.objective, solution.upper_bound
        run.facts["gap"], run.facts["cuts"] = solution.gap, solution.cuts
        return solution.labels

    def _instance(self, data: ToCluster) -> Instance:
        from bench.multicut.costs import costs_from_probabilities, thresholds_to_shifts
        from bench.multicut.instance import DenseCosts
        from bench.multicut.knn import features_to_costs

        instance: Instance
        if data.join_probabilities is not None:
            instance = DenseCosts(costs_from_probabilities(data.join_probabilities, prior=self.prior))
        else:
            assert data.features is not None
            instance = features_to_costs(
                data.features,
                self.metric,
                neighbours=min(self.neighbours, data.n - 1),
                dense_limit=self.all_pairs,
            )
        if self.threshold == 0.5:
            return instance
        return instance.shifted(float(thresholds_to_shifts([self.threshold])[0]))

    def _solve(self, instance: Instance, run: Run) -> Solution:
        import math

        from bench.multicut import solve

        def progress(objective: float, bound: float) -> None:
            run.report(0, None, f"objective {objective:.6g}, bound {bound:.6g}")

        limit = math.inf if self.time_limit is None else self.time_limit
        return solve(instance, self.solver, time_limit=limit, progress=progress)
