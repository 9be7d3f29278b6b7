"""One kind of linear and integer program behind two solvers: HiGHS and Gurobi."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError, UsageError

Solver = Literal["auto", "gurobi", "highs"]
LICENCE_LIMIT = 2000
"""Variables, and constraints, that Gurobi's bundled licence accepts."""


class Relaxed(NamedTuple):
    """What a linear program found."""

    x: NDArray[np.float64]
    """Value per column."""
    dual: NDArray[np.float64]
    """Price per row, >= 0 up to rounding."""
    finished: bool


class Rounded(NamedTuple):
    """What an integer program found."""

    x: NDArray[np.float64] | None
    """Value per column, 0 or 1; None if no solution was found in time."""
    bound: float
    """No solution has a smaller objective."""
    finished: bool


class Model(Protocol):
    """Minimise `cost @ x` over x in [0, 1] subject to rows `values @ x >= lower`; both can be added to.

    Costs of 0 or more keep the optimal x of a covering program below 1, so the relaxation has no upper
    bounds: every price is then part of a packing.
    """

    columns: int

    def add_columns(self, cost: NDArray[np.float64]) -> None:
        """Append columns."""

    def add_rows(
        self,
        start: NDArray[np.int64],
        column: NDArray[np.int64],
        value: NDArray[np.float64],
        lower: NDArray[np.float64],
    ) -> None:
        """Append rows; row r has the entries `start[r]:start[r + 1]`."""

    def relax(self, seconds: float) -> Relaxed:
        """Solve without integrality, by the dual simplex from the last basis."""

    def solve(self, seconds: float, first: NDArray[np.float64] | None) -> Rounded:
        """Solve with integrality, from a first solution if there is one."""


def make_model(solver: Literal["gurobi", "highs"], seed: int) -> Model:
    """Return an empty single-threaded model."""
    return GurobiModel(seed) if solver == "gurobi" else HighsModel(seed)


def choose(solver: Solver) -> Literal["gurobi", "highs"]:
    """Resolve `auto`: Gurobi where a licence without limit of size is found, else HiGHS."""
    if solver == "auto":
        return "gurobi" if gurobi_is_licensed() else "highs"
    if solver not in ("gurobi", "highs"):
        raise UsageError(f"solver {solver!r} is not one of auto, gurobi, highs")
    return solver


@functools.cache
def gurobi_is_licensed() -> bool:
    """Whether Gurobi is installed with a licence for models beyond its bundled one."""
    try:
        import gurobipy
    except ImportError:
        return False
    try:
        model = GurobiModel(0)
        model.add_columns(np.ones(LICENCE_LIMIT + 1))
        model.relax(10.0)
    except (gurobipy.GurobiError, DataError):
        return False
    return True


def _untyped(make: Callable[[], Any]) -> Any:
    return make()


class HighsModel:
    """A `Model` in HiGHS."""

    def __init__(self, seed: int) -> None:
        import highspy

        self.columns = 0
        self._highs: Any = _untyped(highspy.Highs)
        self._set(output_flag=False, threads=1, random_seed=seed, solver="simplex", simplex_strategy=1)

    def add_columns(self, cost: NDArray[np.float64]) -> None:
        k = len(cost)
        none = np.empty(0, np.int32)
        self._highs.addCols(
            k, cost, np.zeros(k), np.full(k, np.inf), 0, np.zeros(k, np.int32), none, np.empty(0)
        )
        self.columns += k

    def add_rows(
        self,
        start: NDArray[np.int64],
        column: NDArray[np.int64],
        value: NDArray[np.float64],
        lower: NDArray[np.float64],
    ) -> None:
        k = len(start) - 1
        self._highs.addRows(
            k,
            lower,
            np.full(k, np.inf),
            len(column),
            start[:-1].astype(np.int32),
            column.astype(np.int32),
            value,
        )

    def relax(self, seconds: float) -> Relaxed:
        import highspy

        self._set(time_limit=self._highs.getRunTime() + seconds)
        self._highs.run()
        solution = self._highs.getSolution()
        finished = self._highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        x, dual = np.array(solution.col_value), np.array(solution.row_dual)
        if len(x) != self.columns or not solution.dual_valid:  # stopped before it had either
            return Relaxed(np.zeros(self.columns), np.zeros(self._highs.getNumRow()), False)
        return Relaxed(x, dual, finished)

    def solve(self, seconds: float, first: NDArray[np.float64] | None) -> Rounded:
        import highspy

        k = self.columns
        mip = HighsModel(0)
        seed = self._highs.getOptionValue("random_seed")[1]
        mip._set(random_seed=seed, solver="choose", mip_rel_gap=0.0, mip_abs_gap=1e-7, time_limit=seconds)
        h = mip._highs
        h.passModel(self._highs.getLp())
        every = np.arange(k, dtype=np.int32)
        h.changeColsBounds(k, every, np.zeros(k), np.ones(k))
        h.changeColsIntegrality(k, every, np.full(k, highspy.HighsVarType.kInteger))
        if first is not None:
            start = highspy.HighsSolution()
            start.col_value = list(first)
            h.setSolution(start)
        h.run()
        info = h.getInfo()
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        x = np.round(np.array(h.getSolution().col_value)) if found else None
        return Rounded(x, info.mip_dual_bound, h.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    def _set(self, **options: Any) -> None:
        for name, value in options.items():
            self._highs.setOptionValue(name, value)


class GurobiModel:
    """A `Model` in Gurobi.

    Raises `DataError` when no licence is found that can be used, or it does not allow the size.
    """

    def __init__(self, seed: int) -> None:
        try:
            import gurobipy
        except ImportError:
            raise DataError("Gurobi is not installed; install gurobipy, or use the solver highs") from None

        self.columns = 0
        try:
            environment = gurobipy.Env(empty=True)
            environment.setParam("OutputFlag", 0)
            environment.start()
            self._model = gurobipy.Model(env=environment)
        except gurobipy.GurobiError as error:
            why = " ".join(str(error).split())
            raise DataError(f"Gurobi has no usable licence ({why}); use the solver highs") from None
        self._variables: list[Any] = []
        self._rows: list[Any] = []
        for name, value in {"Threads": 1, "Seed": seed, "Method": 1}.items():
            self._model.setParam(name, value)

    def add_columns(self, cost: NDArray[np.float64]) -> None:
        if len(cost):
            self._variables.append(self._model.addMVar(len(cost), lb=0.0, obj=cost))
            self._model.update()
        self.columns += len(cost)

    def add_rows(
        self,
        start: NDArray[np.int64],
        column: NDArray[np.int64],
        value: NDArray[np.float64],
        lower: NDArray[np.float64],
    ) -> None:
        import gurobipy
        from scipy.sparse import csr_array

        if len(start) > 1:
            every = gurobipy.concatenate(self._variables)
            rows: Any = csr_array((value, column, start), shape=(len(start) - 1, self.columns))
            self._rows.append(self._model.addMConstr(rows, every, ">", lower))

    def relax(self, seconds: float) -> Relaxed:
        import gurobipy

        self._model.setParam("TimeLimit", max(seconds, 0.0))
        self._optimize(self._model)
        finished = self._model.Status == gurobipy.GRB.OPTIMAL
        if not finished:
            rows = sum(r.shape[0] for r in self._rows)
            return Relaxed(np.zeros(self.columns), np.zeros(rows), False)
        x = [np.asarray(v.X) for v in self._variables]
        dual = [np.asarray(r.Pi) for r in self._rows]
        return Relaxed(np.concatenate([np.empty(0), *x]), np.concatenate([np.empty(0), *dual]), True)

    def solve(self, seconds: float, first: NDArray[np.float64] | None) -> Rounded:
        import gurobipy

        self._model.update()
        mip = self._model.copy()
        variables = mip.getVars()
        mip.setAttr("VType", variables, gurobipy.GRB.BINARY)
        if first is not None:
            mip.setAttr("Start", variables, list(first))
        for name, value in {"TimeLimit": max(seconds, 0.0), "MIPGap": 0.0, "MIPGapAbs": 1e-7}.items():
            mip.setParam(name, value)
        self._optimize(mip)
        x = np.round(np.array(mip.getAttr("X", variables))) if mip.SolCount else None
        return Rounded(x, float(mip.ObjBound), mip.Status == gurobipy.GRB.OPTIMAL)

    def _optimize(self, model: Any) -> None:
        import gurobipy

        try:
            model.optimize()
        except gurobipy.GurobiError as error:
            raise DataError(
                f"Gurobi refuses this model of {self.columns} variables: {error}; "
                "install a full licence, or use solver 'highs'"
            ) from error
