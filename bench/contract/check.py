"""What a check is: one function whose docstring says what must hold, and why it matters."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_PACKAGE = "bench.contract.checks"

METHODS = ("encoder", "reducer", "pair_model", "clusterer", "classifier")
"""The kinds of adapters that a method is made of."""


class Broken(Exception):
    """The adapter does not do what the check asks; the text says what it does instead."""


class NotApplicable(Exception):
    """The check says nothing about this adapter; the text says why."""


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckOutcome:
    """What a check found."""

    check: str
    status: CheckStatus
    message: str = ""
    """What is wrong, or why the check was skipped; empty if it passed."""
    line: str = ""
    """File, line and text of the adapter's own code where an exception passed; empty if there was none."""
    seconds: float = 0.0


@dataclass(frozen=True)
class ContractCheck:
    """One thing that an adapter must do."""

    function: Callable[[Any], None]
    """Called with a subject (`bench.contract.subject`); raises `Broken` or `NotApplicable`. Whatever else it
    raises came from the adapter, and is a failure too."""
    kinds: Collection[str]
    """The kinds of adapters that it is for."""
    needs: tuple[str, ...] = ()
    """Checks without which this one means nothing: it is skipped unless they passed."""

    @property
    def name(self) -> str:
        """Name for `--only`."""
        return self.function.__name__

    @property
    def title(self) -> str:
        """What must hold, as one line."""
        return inspect.cleandoc(self.function.__doc__ or "").partition("\n")[0]

    @property
    def why(self) -> str:
        """Why it matters."""
        return " ".join(inspect.cleandoc(self.function.__doc__ or "").partition("\n")[2].split())


def check(
    *kinds: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Declare a function as a check of some kinds of adapters."""

    def declare(function: Callable[[Any], None]) -> Callable[[Any], None]:
        vars(function)["check"] = ContractCheck(function, kinds, needs)
        return function

    return declare


def checks(kind: str) -> list[ContractCheck]:
    """Return the checks of a kind; those that others need come before them."""
    package = importlib.import_module(_PACKAGE)
    stems = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{_PACKAGE}.{stem}") for stem in stems]
    found = [vars(f).get("check") for m in modules for f in vars(m).values() if inspect.isfunction(f)]
    of_kind = {c.name: c for c in found if isinstance(c, ContractCheck) and kind in c.kinds}
    return sorted(of_kind.values(), key=lambda c: _depth(c, of_kind))


def _depth(c: ContractCheck, known: dict[str, ContractCheck]) -> int:
    return 1 + max((_depth(known[n], known) for n in c.needs if n in known), default=0)
