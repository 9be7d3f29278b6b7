"""The command line: `app` and `*_app` declare the commands, `commands` holds what each of them does."""

from __future__ import annotations


def main() -> None:
    """Run the command `bench`."""
    from bench.cli.app import main as run

    run()
