"""What the solvers return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bench.multicut.certificate import Certificate

TOLERANCE = 1e-6
"""`optimal` means: bound and objective differ by at most this share of the larger of 1 and the sum of
|cost| that the partition goes against, which is the smallest natural scale."""

Status = Literal["optimal", "time_limit", "greedy"]


@dataclass(frozen=True)
class Solution:
    """The best partition found, and what is proven about it. The objective is to be maximised."""

    labels: NDArray[np.int64]
    """(n,) cluster per node, numbered by first appearance."""
    objective: float
    """Sum of the costs of all pairs within clusters; the lower bound of the best objective."""
    upper_bound: float
    """Proven: no partition has a larger objective."""
    disagreement: float
    """Sum of |cost| over positive pairs cut and negative pairs joined."""
    status: Status
    """`optimal` only if `gap` is 0 within `TOLERANCE`; `time_limit` if the time ran out before; `greedy` from
    the greedy solver, which tries to prove nothing."""
    solver: str
    """Which solver ran: greedy; highs or gurobi; or none if the exact solver needed neither."""
    seconds: dict[str, float]
    """Wall time per phase: greedy, packing, relaxation, rounding, fixing, integer; and total.
    Of the greedy solver only the total."""
    cuts: int
    """Conflicted cycles that became rows of a linear program."""
    certificate: Certificate | None
    """Proof, open to an independent check, of `certificate.upper_bound`, from conflicted cycles of the whole
    instance alone. `upper_bound` also rests on forced decisions, other inequalities and cases: on hard
    instances it is smaller."""

    @property
    def certified(self) -> bool:
        """Whether the certificate alone proves the objective optimal, without trust in the solver."""
        if self.certificate is None:
            return False
        return self.certificate.upper_bound - self.objective <= TOLERANCE * max(1.0, self.disagreement)

    @property
    def lower_bound(self) -> float:
        """The objective, by another name."""
        return self.objective

    @property
    def gap(self) -> float:
        """(upper bound - objective) / |objective|; 0 if both are equal."""
        difference = max(0.0, self.upper_bound - self.objective)
        return difference / max(abs(self.objective), 1e-12) if difference else 0.0
