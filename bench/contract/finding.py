"""Which adapter or metric the words of a command line mean, and the subject of checks that it becomes."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.adapters import registry
from bench.adapters.registry import KINDS
from bench.adapters.spec import kinds_in
from bench.contract.imports import environment
from bench.contract.scored import MetricSubject
from bench.contract.subject import Sizes, Subject, subject_of
from bench.errors import AdapterError, UsageError
from bench.interfaces import Adapter, Encoder
from bench.metrics import names as metrics
from bench.util.text import suggest
from bench.util.validation import validated

TESTED = (*KINDS, "metric")
"""Kinds of things that there are checks for."""


def find(words: Sequence[str]) -> tuple[str, str]:
    """Return the kind and the name that `[KIND] NAME-or-FILE` means, after it has been loaded.

    Raises
    ------
    AdapterError : there is no such name, or the file cannot be imported or holds nothing to test.
    UsageError : it fits several kinds, or the kind does not exist.
    """
    if len(words) > 2 or not words:
        raise UsageError(f"expected a name or a file, after its kind if need be; got {' '.join(words)!r}")
    environment()  # is remembered before a file can change it
    *kinds, use = words
    if kinds:
        kind = kinds[0].replace("-", "_")
        if kind not in TESTED:
            raise UsageError(f"no kind named {kinds[0]!r}; {suggest(kind, list(TESTED))}")
        _load(kind, use)
        return kind, use
    found = _in_file(use) if use.endswith(".py") else [kind for kind in TESTED if use in _names(kind)]
    if not found:
        known = sorted({name for kind in TESTED for name in _names(kind)})
        raise AdapterError(f"nothing to test is named {use!r}; {suggest(use, known)}")
    if len(found) > 1:
        several = " or ".join(f"`{kind} {use}`" for kind in found)
        raise UsageError(f"{use!r} is of several kinds; write {several}")
    return found[0], use


def load(
    kind: str, use: str, params: Mapping[str, Any], folder: Path, sizes: Sizes, root: Path | None = None
) -> Subject:
    """Return what is to be tested, with some parameters; see `find` and `build` for errors."""
    if kind != "metric":
        return subject_of(kind, build(registry.load(kind, use), params), folder, sizes, root)
    if params:
        raise UsageError("a metric has no parameters; leave --set out")
    return MetricSubject(use)


def build(cls: type[Adapter], params: Mapping[str, Any]) -> Adapter:
    """Build an adapter to test; an encoder that it needs and is not given is the simplest that ships.

    Nested adapters are given by name, or as mappings with `use`, as in a suite.

    Raises
    ------
    UsageError : one sentence per wrong or missing parameter.
    """
    given = dict(params)
    for name, info in cls.model_fields.items():
        kinds = kinds_in(info.annotation)
        if not kinds:
            continue
        kind = kinds[-1]  # as in suite files
        if isinstance(given.get(name), (str, dict)):
            inner = {"use": given[name]} if isinstance(given[name], str) else dict(given[name])
            given[name] = build(registry.load(kind, str(inner.pop("use", ""))), inner)
        elif name not in given and info.is_required() and KINDS[kind][1] is Encoder:
            given[name] = _simple_encoder()
    made, wrong = validated(cls, given, {"folder": Path.cwd()})
    if wrong:
        sentences = [f"{cls.use}: {'.'.join(map(str, at)) or 'parameters'}: {what}" for at, what in wrong]
        raise UsageError("\n".join([*sentences, "give parameters with --set name=value"]))
    assert isinstance(made, cls)
    return made


def _names(kind: str) -> list[str]:
    if kind == "metric":
        return [*metrics.SHIPPED, *(e.name for e in metrics.entries())]
    return registry.names(kind)


def _load(kind: str, use: str) -> None:
    if kind != "metric":
        registry.load(kind, use)
    elif use not in metrics.SHIPPED:
        metrics.load(use)


def _in_file(use: str) -> list[str]:
    """Return the kinds of things of which a file holds exactly one."""
    found, problems = [], []
    for kind in TESTED:
        try:
            _load(kind, use)
        except AdapterError as e:
            if e.__cause__ is not None:  # whatever the kind
                raise AdapterError(f"{use} cannot be imported: {_last_line(e.__cause__, use)}") from None
            problems.append(e)
        else:
            found.append(kind)
    if not found and Path(use).expanduser().is_file():
        raise AdapterError(f"{use}: expected exactly one public adapter or metric; found none, or several")
    if not found:
        raise problems[0]
    return found


def _last_line(error: BaseException, use: str) -> str:
    """Return the last line of a traceback, and the line of the file that it is about."""
    path = str(Path(use).expanduser().resolve())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    where = f" (line {lines[-1]})" if lines else ""
    return traceback.format_exception_only(error)[-1].strip() + where


def _simple_encoder() -> Adapter:
    """Return an encoder that needs nothing but numpy, and no parameters."""
    for name in registry.names("encoder"):
        cls = registry.load("encoder", name)
        required = any(info.is_required() for info in cls.model_fields.values())
        if not required and cls.libraries == ("numpy",):
            return cls.model_validate({})
    raise UsageError("no simple encoder ships; give one with --set encoder=NAME")
