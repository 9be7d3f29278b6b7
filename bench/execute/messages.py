"""What the process of a stage tells the run: progress and, last, its outcome, each a line of JSON.

The other end is the code of any adapter, which can write whatever it likes: what is no message is left
out, and never ends the run.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from bench.records.record import Status
from bench.stages.job import Outcome

Progress = tuple[int, int | None, str]
"""Done, total if known, and what is counted."""

_LONGEST_LINE = 1 << 20
_LONGEST_TEXT = 200
_LARGEST_COUNT = 10**15
_OWN_STATUSES = (Status.OK, Status.ERROR, Status.OOM_HOST, Status.OOM_GPU)
"""What a stage can say of itself. Only its executor knows of time limits and crashes."""


class Inbox:
    """Takes in the bytes of one stage, and keeps its last progress and outcome."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.outcome: Outcome | None = None
        self._rest = b""
        self._too_long = False
        self._shared: list[str] = []

    def add(self, data: bytes) -> list[str]:
        """Take in the next bytes; return the files of shared memory that they name."""
        self._shared = []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._too_long:
                self._take(line)
            self._too_long = False
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._too_long = b"", True
        return self._shared

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        if "outcome" in message:
            self.outcome = _outcome(message["outcome"]) or self.outcome
        elif isinstance(name := message.get("shared"), str) and "\0" not in name:
            self._shared.append(name)
        elif "done" in message:
            found = progress_of(message["done"], message.get("total"), message.get("text"))
            self.progress = found or self.progress


def progress_of(done: Any, total: Any, text: Any) -> Progress | None:
    """Make sense of what an adapter reports, e.g. numbers of numpy or in text; None if there is none."""
    try:
        number, whole = int(done), None if total is None else int(total)
        shown = "" if text is None else printable(str(text)[:_LONGEST_TEXT])
    except Exception:  # noqa: BLE001  # `int` and `str` may call an adapter's own code
        return None
    if not 0 <= number <= _LARGEST_COUNT or (whole is not None and not 0 <= whole <= _LARGEST_COUNT):
        return None
    return number, whole, shown


def printable(text: str) -> str:
    """Write characters that no encoding has, i.e. halves of surrogate pairs, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def line_of(body: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(body).encode() + b"\n"


def _outcome(body: Any) -> Outcome | None:
    try:
        outcome = Outcome.model_validate(body)
    except ValidationError:
        return None
    says = outcome.status in _OWN_STATUSES or outcome.missing_input or outcome.disk_full
    return outcome if says else None
