"""`bench list`, `bench describe`, `bench schema`: what there is to use."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

from bench.adapters import registry
from bench.adapters.registry import KINDS
from bench.adapters.sockets import Socket
from bench.cli.adapters import about_adapter, print_adapter
from bench.cli.options.files import DescribeOptions, ListOptions
from bench.errors import AdapterError, UsageError
from bench.execute.executor import EXECUTORS
from bench.metrics import names
from bench.metrics.metric import Metric
from bench.metrics.names import SHIPPED
from bench.report.drawing.figure import FIGURES
from bench.report.drawing.figure import find as find_figure
from bench.report.tables.tableformat import TABLE_FORMATS
from bench.suite.names import shipped
from bench.util.text import suggest

_SOCKETS: dict[str, Socket[Any]] = {s.kind: s for s in (FIGURES, TABLE_FORMATS, EXECUTORS)}
"""What plugs in besides adapters and metrics."""


def list_all(options: ListOptions) -> None:
    """Print suites, metrics, adapters, figures and table formats, all or one kind; imports none of them."""
    kind = options.kind.replace("-", "_") if options.kind else None
    known = ["suite", "metric", *KINDS, *_SOCKETS]
    if kind is not None and kind.removesuffix("s") in known:
        kind = kind.removesuffix("s")
    if kind is not None and kind not in known:
        raise UsageError(f"no kind named {kind!r}; {suggest(kind, known)}")
    listed = {k: _entries(k) for k in known if kind in (None, k)}
    if options.json:
        print(json.dumps({k: [{"name": n, "summary": s} for n, s in rows] for k, rows in listed.items()}))
        return
    width = max((len(n) for rows in listed.values() for n, _ in rows), default=0)
    for title, rows in listed.items():
        print(f"{title}s" if rows else f"{title}s: none yet")
        for name, summary in rows:
            print(f"  {name:<{width}}  {summary}")


def describe_one(options: DescribeOptions) -> None:
    """Print the parameters and the source of one adapter, or the definition of a metric."""
    kind, name = options.kind.replace("-", "_"), options.name
    if kind == "metric":
        _describe_metric(name, as_json=options.json)
        return
    if kind == FIGURES.kind:
        _describe_figure(name, as_json=options.json)
        return
    if kind in _SOCKETS:
        _describe_class(kind, name, as_json=options.json)
        return
    if kind not in KINDS:
        raise UsageError(f"no kind named {kind!r}; {suggest(kind, [*KINDS, 'metric', *_SOCKETS])}")
    about = about_adapter(kind, registry.load(kind, name))
    if options.json:
        print(json.dumps(about))
    else:
        print_adapter(kind, about)


def print_schema() -> None:
    """Print the JSON Schema of a suite file; every adapter's parameters are in it."""
    from bench.suite.schema import SuiteBlock

    schema = SuiteBlock.model_json_schema()
    definitions = schema["$defs"]
    for kind in KINDS:
        definitions[f"use_{kind}"] = _schema_of_kind(kind, definitions)
    block = definitions["DatasetBlock"]
    block["additionalProperties"] = True
    block["properties"]["use"] = {"anyOf": [{"enum": registry.names("dataset")}, {"pattern": r"\.py$"}]}
    block["allOf"] = [_if_used("dataset", name, definitions) for name in registry.names("dataset")]
    for kind in ("encoder", "pair_model", "clusterer", "classifier"):
        definitions["MethodBlock"]["properties"][kind] = {"$ref": f"#/$defs/use_{kind}"}
    print(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=1))


def _entries(kind: str) -> list[tuple[str, str]]:
    if kind == "metric":
        foreign = [(e.name, f"{e.summary} ({e.origin})") for e in names.entries()]
        return [(m.column, m.definition) for m in SHIPPED.values()] + foreign
    if kind == "suite":
        return [(name, _title(file)) for name, file in shipped().items()]
    entries = _SOCKETS[kind].entries() if kind in _SOCKETS else registry.entries(kind)
    return [(e.name, e.summary if e.origin == "built in" else f"{e.summary} ({e.origin})") for e in entries]


def _title(path: Path) -> str:
    """Read a suite's title without a YAML parser: a list of names should not wait for one."""
    line = next((x for x in path.read_text(encoding="utf-8").splitlines() if x.startswith("title:")), "")
    return str(line.removeprefix("title:").strip().strip("'\""))


def _describe_metric(name: str, *, as_json: bool) -> None:
    m, source = _metric(name)
    if as_json:
        keys = ("name", "title", "definition", "unit", "higher_is_better", "chance_adjusted", "chance")
        about = {k: getattr(m, k) for k in keys}
        ends = {k: v if math.isfinite(v) else None for k, v in (("low", m.low), ("high", m.high))}
        print(json.dumps({**about, **ends, "version": m.version, "columns": m.columns, "source": source}))
        return
    better = "higher is better" if m.higher_is_better else "lower is better"
    print(f"metric {m.name} ({m.title}), {m.low:g} to {m.high:g}{' ' + m.unit if m.unit else ''}, {better}")
    print(f"  {m.definition}\n")
    sized = "depends on sizes" if m.takes in ("tables", "pairs", "predictions") else "depends on the data"
    chance = sized if m.chance is None else f"{m.chance:g}"
    for title, text in (("chance", chance), ("columns", m.columns), ("source", source)):
        print(f"  {title + ':':<9}{text}")


def _metric(name: str) -> tuple[Metric, str]:
    """Return the metric of a name, a file or a column such as `clusters.silhouette`, and where it is from."""
    base = name.rpartition(".")[2]
    if not name.endswith(".py") and base in SHIPPED:
        return SHIPPED[base], "built in"
    try:
        loaded = names.load(name)
    except AdapterError:
        if name.endswith(".py") or name in {e.name for e in names.entries()}:
            raise
        known = [*(m.column for m in SHIPPED.values()), *(e.name for e in names.entries())]
        raise UsageError(f"no metric named {name!r}; {suggest(name, known)}") from None
    return loaded.metric, loaded.use


def _describe_figure(name: str, *, as_json: bool) -> None:
    about = find_figure(name).about()
    if as_json:
        print(json.dumps({"name": about.name, "summary": about.summary, "options": about.options}))
        return
    print(f"figure {about.name}")
    for line in about.summary.splitlines():
        print(f"  {line}")
    for option, use in about.options.items():
        print(f"  {option + ':':<11}{use}")


def _describe_class(kind: str, name: str, *, as_json: bool) -> None:
    """Print what a table format or executor says of itself."""
    found = _SOCKETS[kind].load(name, Path.cwd())
    about = {"kind": kind, "name": name, "summary": inspect.getdoc(found.value) or "", "source": found.origin}
    if as_json:
        print(json.dumps(about))
        return
    print(f"{kind} {name}")
    for line in [*about["summary"].splitlines(), f"source: {about['source']}"]:
        print(f"  {line}".rstrip())


def _schema_of_kind(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    names = registry.names(kind)
    use = {"type": "string", "anyOf": [{"enum": names}, {"pattern": r"\.py$"}]}
    block: dict[str, Any] = {"type": "object", "required": ["use"], "properties": {"use": use}}
    if names:  # an empty `allOf` is no valid schema
        block["allOf"] = [_if_used(kind, name, definitions) for name in names]
    return {"anyOf": [use, block]}


def _if_used(kind: str, name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    inner = registry.load(kind, name).model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(inner.pop("$defs", {}))
    properties = inner.get("properties", {})
    if "reduce" in properties:
        properties["reduce"] = {"anyOf": [{"$ref": "#/$defs/use_reducer"}, {"type": "null"}]}
    if kind in ("pair_model", "classifier") and "encoder" in properties:
        properties["encoder"] = {"anyOf": [{"$ref": "#/$defs/use_encoder"}, {"type": "null"}]}
    values = {"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}]}
    grid = {"type": "object", "additionalProperties": values}
    closed = {"properties": {**properties, "use": True, "grid": grid}, "additionalProperties": False}
    if kind == "dataset":
        own = definitions["DatasetBlock"]["properties"]
        closed = {"properties": {**dict.fromkeys(own, True), **properties}, "additionalProperties": False}
    return {"if": {"properties": {"use": {"const": name}}, "required": ["use"]}, "then": closed}
