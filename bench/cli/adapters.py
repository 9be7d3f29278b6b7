"""What an adapter is, for readers and machines: parameters with types, units and defaults; source."""

from __future__ import annotations

import inspect
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from bench.adapters.registry import KINDS
from bench.interfaces import Adapter, FileMark, Unit, marks


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


def print_adapter(kind: str, about: dict[str, Any]) -> None:
    """Print what `about_adapter` returned."""
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


def _parameter(name: str, info: Any) -> dict[str, Any]:
    default = "required" if info.is_required() else info.get_default(call_default_factory=True)
    found = marks(info)
    unit = " or ".join(dict.fromkeys(m.name for m in found if isinstance(m, Unit)))
    is_file = any(isinstance(m, FileMark) for m in found)
    limits = [str(m) for m in found if type(m).__module__ == "annotated_types"]
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
