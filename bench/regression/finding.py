"""What a comparison found, worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

REGRESSION = 3
"""Exit code of the process when something got worse."""

Verdict = Literal["worse", "better", "slow tonight", "within noise", "failing", "new", "gone"]
_ORDER: tuple[Verdict, ...] = (
    "worse",
    "failing",
    "slow tonight",
    "gone",
    "better",
    "new",
    "within noise",
)


@dataclass(frozen=True)
class Finding:
    """One thing that differs, and how it was judged."""

    verdict: Verdict
    """worse, better: beyond noise. failing: no scores before either. slow tonight: on one night so far."""
    what: str
    """scores, a metric, time, memory, GPU memory."""
    dataset: str
    method: str
    part: str = ""
    """The stage, for what a stage costs."""
    before: str = ""
    after: str = ""
    change: str = ""
    noise: str = ""
    """The change that noise alone may bring."""
    note: str = ""
    old: float | None = None
    """`before` as a number: a score, seconds or bytes."""
    new: float | None = None
    size: float = field(default=0.0, repr=False)
    """By how much the change exceeds noise; findings of one verdict are sorted by it."""


@dataclass(frozen=True)
class Side:
    """One of the two runs compared."""

    name: str
    commit: str | None
    dirty: bool
    """Whether the code differed from the commit."""
    started: str
    host: str

    def described(self) -> str:
        """Say in a line what was run, where and when."""
        commit = f"{self.commit[:12]}{' with changes' if self.dirty else ''}" if self.commit else "no commit"
        return f"{self.name} ({commit}, {self.started[:16].replace('T', ' ') or 'never'} UTC, {self.host})"


@dataclass(frozen=True)
class Report:
    """A comparison as a whole."""

    suite: str
    before: Side | None
    after: Side
    findings: list[Finding]
    compared: dict[str, int]
    """How many scores, times... were judged."""
    notes: list[str] = field(default_factory=list)
    """What could not be judged and why; what else differs."""

    @property
    def regressed(self) -> bool:
        """Whether anything got worse beyond noise."""
        return any(f.verdict == "worse" for f in self.findings)

    @property
    def code(self) -> int:
        """Exit code of the process."""
        return REGRESSION if self.regressed else 0

    def counts(self) -> Counter[str]:
        """Count the findings by verdict."""
        return Counter(f.verdict for f in self.findings)

    def body(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        body = {**asdict(self), "regressed": self.regressed, "exit_code": self.code}
        for finding in body["findings"]:
            del finding["size"]
        return body


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings: worse before better, cells without scores first, then the largest."""
    return sorted(
        findings,
        key=lambda f: (
            _ORDER.index(f.verdict),
            f.what != "scores",
            -f.size,
            f.what,
            f.dataset,
            f.method,
            f.part,
        ),
    )
