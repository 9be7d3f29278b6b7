"""Runs checks in this process, one by one; whatever an adapter raises is an outcome."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.contract.check import Broken, CheckOutcome, CheckStatus, ContractCheck, NotApplicable
from bench.contract.subject import Subject


def run(
    subject: Subject, checks: Iterable[ContractCheck], done: Iterable[CheckOutcome] = ()
) -> Iterator[CheckOutcome]:
    """Yield the outcome of each check, in order.

    Parameters
    ----------
    done : outcomes of checks before them. A check whose needs are among these, or ran here, and did not
        pass, is skipped; one whose needs were never run is not.
    """
    status = {o.check: o.status for o in done}
    for check in checks:
        missing = [n for n in check.needs if status.get(n, CheckStatus.PASSED) is not CheckStatus.PASSED]
        if missing:
            outcome = CheckOutcome(check.name, CheckStatus.SKIPPED, f"needs {missing[0]} to pass")
        else:
            outcome = run_one(subject, check)
        status[check.name] = outcome.status
        yield outcome


def run_one(subject: Subject, check: ContractCheck) -> CheckOutcome:
    """Run one check."""
    started = time.perf_counter()
    status, message, line = CheckStatus.PASSED, "", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check.function(subject)
    except NotApplicable as e:
        status, message = CheckStatus.SKIPPED, str(e)
    except Broken as e:
        status, message = CheckStatus.FAILED, str(e)
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # noqa: BLE001  # an adapter may raise anything, SystemExit too
        status, message, line = CheckStatus.FAILED, _brief(e), _line(e, subject)
    return CheckOutcome(check.name, status, message, line, round(time.perf_counter() - started, 3))


def _brief(error: BaseException) -> str:
    last = traceback.format_exception_only(error)[0].strip()
    notes = getattr(error, "__notes__", [])
    return f"it raised {last}" + (f" ({'; '.join(notes)})" if notes else "")


def _line(error: BaseException, subject: Subject) -> str:
    """Say where in the adapter's own file an exception passed last."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == subject.file]
    if not frames:
        return ""
    text = f": {frames[-1].line}" if frames[-1].line else ""
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}{text}"
