"""`bench list`, `bench describe`, `bench schema`: what there is to use."""

from __future__ import annotations

import inspect
import json
import math
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from bench.adapters import registry
from bench.adapters.registry import KINDS
from bench.errors import AdapterError, DataError, UsageError
from bench.interfaces import Adapter, FileMark, Unit, marks
from bench.metrics import names
from bench.metrics.metric import Metric
from bench.metrics.names import SHIPPED
from bench.util.text import suggest


def list_all(kind: str | None, *, as_json: bool) -> None:
    """Print suites, metrics and adapters, all or of one kind; imports no adapter."""
    kind = kind.replace("-", "_") if kind else None
    known = ["suite", "metric", *KINDS]
    if kind is not None and kind.removesuffix("s") in known:
        kind = kind.removesuffix("s")
    if kind is not None and kind not in known:
        raise DataError(f"no kind named {kind!r}; {suggest(kind, known)}")
    listed = {k: _entries(k) for k in known if kind in (None, k)}
    if as_json:
        print(json.dumps({k: [{"name": n, "summary": s} for n, s in rows] for k, rows in listed.items()}))
        return
    width = max((len(n) for rows in listed.values() for n, _ in rows), default=0)
    for title, rows in listed.items():
        print(f"{title}s" if rows else f"{title}s: none yet")
        for name, summary in rows:
            print(f"  {name:<{width}}  {summary}")


def describe_one(kind: str, name: str, *, as_json: bool) -> None:
    """Print the parameters and the source of one adapter, or the definition of a metric."""
    kind = kind.replace("-", "_")
    if kind == "metric":
        _describe_metric(name, as_json=as_json)
        return
    if kind not in KINDS:
        raise DataError(f"no kind named {kind!r}; {suggest(kind, [*KINDS, 'metric'])}")
    about = about_adapter(kind, registry.load(kind, name))
    if as_json:
        print(json.dumps(about))
        return
    print(f"{kind} {about['name']}")
    print(f"  {about['summary']}\n")
    for title in ("source", "version", "seeded", "sees labels", "trained", "libraries"):
        print(f"  {title + ':':<13}{about[title]}")
    print("\n  parameters:" if about["parameters"] else "\n  no parameters")
    for p in about["parameters"]:
        unit = f" [{p['unit']}]" if p["unit"] else ""
        print(f"    {p['name']}: {p['type']}{unit} = {p['default']}")
        for line in p["description"].splitlines():
            print(f"        {line}")


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
        import importlib.util
        from pathlib import Path

        spec = importlib.util.find_spec("bench.suites")
        folders = (spec.submodule_search_locations if spec else None) or []
        return [(p.stem, _title(p)) for folder in folders for p in sorted(Path(folder).glob("*.yaml"))]
    return [
        (e.name, e.summary if e.origin == "built in" else f"{e.summary} ({e.origin})")
        for e in registry.entries(kind)
    ]


def _title(path: Any) -> str:
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
    chance = "depends on sizes" if m.chance is None else f"{m.chance:g}"
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


def about_adapter(kind: str, cls: type[Adapter]) -> dict[str, Any]:
    """Return what `bench describe` says of an adapter, by name; all of it can be JSON."""
    fit = next(c for c in cls.__mro__ if "fit" in vars(c)) if hasattr(cls, "fit") else None
    return {
        "kind": kind,
        "name": cls.use,
        "summary": inspect.cleandoc(cls.__doc__ or "").replace("\n", "\n  "),
        "source": cls.source or "-",
        "version": cls.version,
        "seeded": "yes" if cls.seeded else "no: the same for every seed",
        "sees labels": "yes" if cls.uses_labels else "no",
        "trained": "yes" if fit is not None and fit is not KINDS[kind][1] else "no",
        "libraries": ", ".join(cls.libraries) or "-",
        "parameters": [_parameter(name, info) for name, info in cls.model_fields.items()],
    }


def _parameter(name: str, info: Any) -> dict[str, Any]:
    default = "required" if info.is_required() else info.get_default(call_default_factory=True)
    said = marks(info)
    unit = " or ".join(dict.fromkeys(m.name for m in said if isinstance(m, Unit)))
    is_file = any(isinstance(m, FileMark) for m in said)
    limits = [str(m) for m in said if type(m).__module__ == "annotated_types"]
    return {
        "name": name,
        "type": _type_name(info.annotation) + (" (file)" if is_file else ""),
        "limits": limits,
        "unit": unit,
        "default": default
        if isinstance(default, (bool, int, float, str, list, dict)) or default is None
        else str(default),
        "description": inspect.cleandoc(info.description or ""),
    }


def _type_name(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(args[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type_name, args))
    if origin is Literal:
        return " | ".join(map(repr, args))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type_name, args))}]"
    if annotation in (None, type(None), ...):
        return "..." if annotation is ... else "None"
    return str(getattr(annotation, "__name__", annotation))


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
