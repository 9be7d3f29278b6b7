"""A command is made from one dataclass: arguments, options, groups, defaults and the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from bench.cli.options.declare import command


def place() -> str:
    return "made"


@dataclass(frozen=True, kw_only=True)
class Group:
    where: Annotated[str, typer.Option(default_factory=place, show_default=False)] = field(
        default_factory=place
    )
    quick: Annotated[bool, typer.Option("--quick", "-q")] = False


@dataclass(frozen=True, kw_only=True)
class Some:
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")]
    count: Annotated[int, typer.Option(envvar="TRIAL_COUNT", min=1, help="How many.")] = 3
    group: Group = field(default_factory=Group)
    words: Annotated[list[str] | None, typer.Option("--word")] = None


@pytest.fixture
def got() -> list[Some]:
    return []


@pytest.fixture
def app(got: list[Some]) -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)

    @command(app)
    def some(options: Some) -> int | None:
        """Do something."""
        got.append(options)
        return options.count if options.group.quick else None

    @app.command()
    def other() -> None:
        """Do nothing."""

    return app


def test_what_is_not_given_has_its_default(app: typer.Typer, got: list[Some]) -> None:
    done = CliRunner().invoke(app, ["some", "x"])
    assert done.exit_code == 0
    assert got == [Some(name="x")]
    assert got[0].group == Group(where="made", quick=False)


def test_everything_can_be_given_also_inside_a_group(app: typer.Typer, got: list[Some]) -> None:
    words = ["some", "x", "-q", "--where", "here", "--word", "a", "--word", "b"]
    done = CliRunner().invoke(app, words, env={"TRIAL_COUNT": "7"})
    assert done.exit_code == 7
    assert got == [Some(name="x", count=7, group=Group(where="here", quick=True), words=["a", "b"])]


def test_the_help_text_is_that_of_the_fields(app: typer.Typer) -> None:
    text = CliRunner().invoke(app, ["some", "--help"]).output
    assert "Do something." in text
    assert "Its name.  [required]" in text
    assert "How many.  [env var: TRIAL_COUNT; default: 3; x>=1]" in text
    assert text.index("--count") < text.index("--where") < text.index("--quick") < text.index("--word")


def test_a_wrong_value_is_refused(app: typer.Typer, got: list[Some]) -> None:
    assert CliRunner().invoke(app, ["some", "x", "--count", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["some"]).exit_code == 2
    assert got == []
