"""The help of `bench figure`, whose figures describe themselves. Read when it is asked for, not at start."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class FigureCommand(TyperCommand):
    """A command whose help ends with the figures that there are."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the name of each figure and what it shows; the arguments are click's."""
        from bench.report.drawing.figure import FIGURES

        with formatter.section("Figures"):
            formatter.write_dl([(entry.name, entry.summary) for entry in FIGURES.entries()])
