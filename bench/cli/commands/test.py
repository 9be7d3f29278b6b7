"""`bench test`: does an adapter or a metric keep the contract?"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections import Counter

from bench.cli.options.files import TestOptions
from bench.cli.settings import parsed
from bench.contract.check import CheckOutcome, CheckStatus, ContractCheck, checks
from bench.contract.isolated import Found, Request, outcomes
from bench.contract.subject import Sizes

_WORDS = {CheckStatus.PASSED: "pass", CheckStatus.FAILED: "FAIL", CheckStatus.SKIPPED: "skip"}
_WIDTH, _INDENT = 100, " " * 8


def test_one(options: TestOptions) -> int:
    """Run the checks of an adapter or metric and print what they find, as it comes.

    Returns the exit code: 1 if something failed. Raises `AdapterError` for what cannot be loaded, and
    `UsageError` for words, parameters and checks that do not go together.
    """
    request = Request(
        words=tuple(options.words),
        params=parsed(options.settings or []),
        only=tuple(options.only or ()),
        root=str(options.root) if options.root is not None else "",
        sizes=Sizes(options.images, options.size),
        limit_s=options.limit,
    )
    found: Found | None = None
    known: dict[str, ContractCheck] = {}
    done: list[CheckOutcome] = []
    for message in outcomes(request):
        if isinstance(message, Found):
            found, known = message, {c.name: c for c in checks(message.kind)}
            if not options.json:
                print(f"{found.kind} {found.name}\n")
            continue
        done.append(message)
        if not options.json:
            _print(message, known[message.check])
    assert found is not None
    counts = Counter(o.status for o in done)
    if options.json:
        print(json.dumps(_report(found, done, known)))
    else:
        seconds = sum(o.seconds for o in done)
        numbers = ", ".join(f"{counts[status]} {status}" for status in CheckStatus)
        print(f"\n{numbers}, in {seconds:.1f} s")
    return 1 if counts[CheckStatus.FAILED] else 0


def _print(outcome: CheckOutcome, check: ContractCheck) -> None:
    word = _WORDS[outcome.status]
    print(f"  {word}  {check.title}  [{check.name}, {outcome.seconds:.2f} s]", flush=True)
    if outcome.status is CheckStatus.SKIPPED:
        print(textwrap.indent(outcome.message, _INDENT))
    if outcome.status is CheckStatus.FAILED:
        print(textwrap.indent(outcome.message, _INDENT))
        if outcome.line:
            print(f"{_INDENT}{outcome.line}")
        why = f"Why it matters: {check.why}"
        print(textwrap.fill(why, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT), flush=True)


def _report(found: Found, done: list[CheckOutcome], known: dict[str, ContractCheck]) -> dict[str, object]:
    rows = [{**dataclasses.asdict(o), "title": known[o.check].title, "why": known[o.check].why} for o in done]
    return {"kind": found.kind, "name": found.name, "checks": rows}
