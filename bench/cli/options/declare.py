"""Makes the signature of a command out of a dataclass of options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, dataclass_transform, get_type_hints

import typer
from typer.core import TyperCommand

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,))
def options_class(cls: type[T]) -> type[T]:
    """Make a class of options, or of a group of them: a frozen dataclass with keywords only.

    It has no comparison and no representation: all of them are built at every start of `bench`.
    """
    return dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)


def command(
    app: typer.Typer, name: str | None = None, cls: type[TyperCommand] | None = None
) -> Callable[[Callable[[T], int | None]], Callable[[T], int | None]]:
    """Declare a function of one dataclass of options as a command of `app`.

    The fields of the dataclass are `Annotated` with `typer.Option` or `typer.Argument`, or are groups:
    dataclasses of such fields. The function's docstring is the help text; what it returns, if anything,
    is the exit code. `cls` is another class of commands, e.g. with a help text of its own.
    """

    def declare(function: Callable[[T], int | None]) -> Callable[[T], int | None]:
        (options,) = (t for p, t in get_type_hints(function).items() if p != "return")

        def call(**values: Any) -> None:
            code = function(_built(options, values))
            if code is not None:
                raise typer.Exit(code)

        parameters = list(_parameters(options))
        call.__doc__ = function.__doc__
        call.__name__ = function.__name__
        call.__annotations__ = {p.name: p.annotation for p in parameters}
        vars(call)["__signature__"] = inspect.Signature(parameters)  # typer reads it in place of **values
        app.command(name=name, cls=cls)(call)
        return function

    return declare


def _fields(options: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    hints = get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        yield field, hints[field.name]


def _parameters(options: type) -> Iterator[inspect.Parameter]:
    for field, hint in _fields(options):
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _parameters(hint)
            continue
        # a default that is made, e.g. from the environment, stands in the `typer.Option`
        default = field.default if field.default is not dataclasses.MISSING else inspect.Parameter.empty
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _built(options: type[T], values: dict[str, Any]) -> T:
    """Build the options, and the groups in them, out of what was parsed."""
    given = {}
    for field, hint in _fields(options):
        group = dataclasses.is_dataclass(hint)
        given[field.name] = _built(hint, values) if group else values[field.name]
    return options(**given)
