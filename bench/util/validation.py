"""Pydantic's errors as sentences: what is wrong, the value, and the likely fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bench.util.text import suggest
from bench.util.yamlfile import Where


def validated(
    model: type[BaseModel], value: Any, context: dict[str, Any], known: Sequence[str] = ()
) -> tuple[Any, list[tuple[Where, str]]]:
    """Validate `value`; return the model, or None and where inside `value` what is wrong.

    `known` are the parameters to suggest for one that does not exist; unless given, the model's fields.
    """
    try:
        return model.model_validate(value, context=context), []
    except ValidationError as e:
        grouped: dict[Where, list[Any]] = {}
        for error in e.errors():  # members of a union fail one by one, for one value
            grouped.setdefault(_inside(error["loc"], value), []).append(error)
        names = list(known or model.model_fields)
        return None, [(where, _sentence(where, errors, names, model)) for where, errors in grouped.items()]


def show(value: Any) -> str:
    """Return a value as text for a message, shortened if it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _inside(loc: tuple[int | str, ...], value: Any) -> Where:
    """Cut pydantic's location to what is in the file: it appends the names of union members."""
    path: list[int | str] = []
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if isinstance(value, dict) and isinstance(part, str) and part == loc[-1]:
                path.append(part)  # a missing field
            break
        path.append(part)
    return tuple(path)


def _sentence(loc: Where, errors: list[Any], known: list[str], model: type[BaseModel]) -> str:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        if len(loc) > 1:  # inside one of the suite's own blocks
            known = _fields_around(model, loc) or known
        return f"unknown parameter (got {show(first['input'])}); {suggest(str(loc[-1]), known)}"
    if first["type"] == "missing":
        return "required, but missing"
    expected = " or ".join(dict.fromkeys(_clean(e["msg"]) for e in errors))
    hint = ""
    choice = next((e for e in errors if e["type"] == "literal_error"), None)
    if choice is not None and isinstance(choice["input"], str):
        options = [o.strip(" '") for o in str(choice["ctx"]["expected"]).replace(" or ", ",").split(",")]
        hint = f"; {suggest(first['input'], options)}"
    return f"{expected} (got {show(first['input'])}){hint}"


def _fields_around(model: type[BaseModel], loc: Where) -> list[str]:
    """Return the field names of the model that has the field at `loc`."""
    current: Any = model
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part)
        options = _models_in(info.annotation) if info else []
        if not options:
            return []
        current = options[0]
    return list(current.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models_in(inner)]


def _clean(message: str) -> str:
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return message[:1].lower() + message[1:]
