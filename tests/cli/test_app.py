"""The entry point: exit codes, and one sentence for what the user can put right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.adapters.registry import AdapterError
from bench.api.folders import default_store
from bench.cli import app as cli
from bench.errors import DataError
from bench.util.durable import Damaged
from bench.util.environment import installations
from bench.util.yamlfile import FileError, Problem


@pytest.mark.parametrize(
    "error",
    [
        DataError("one\ntwo"),
        Damaged("x"),
        AdapterError("x"),
        FileError([Problem(Path("a"), 3, "x")]),
    ],
)
def test_a_users_error_is_one_sentence_a_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == 2
    assert capsys.readouterr().err.splitlines() == [f"bench: {line}" for line in str(error).splitlines()]


def test_our_own_fault_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(RuntimeError, match="ours"):
        cli.main()


def test_ctrl_c_before_anything_runs_is_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.commands.describe.list_all", interrupted)
    monkeypatch.setattr(sys, "argv", ["bench", "list"])
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == 130


def test_a_reader_that_goes_away_is_no_traceback():
    done = subprocess.run(
        f"'{sys.executable}' -m bench.cli schema | head -c 10; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] != "0"


def test_an_error_of_the_operating_system_names_the_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "/x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == 2
    assert capsys.readouterr().err == "bench: /x: Permission denied\n"


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("BENCH_STORE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "cutjoin"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_store() == Path.home() / ".cache" / "cutjoin"


def test_the_version_is_that_of_the_installed_package():
    result = CliRunner().invoke(cli.app, ["--version"])
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == f"cutjoin {installations()[0]}"


@pytest.mark.parametrize("group", [[], ["data"]])
def test_the_list_of_commands_says_what_each_is_for_in_whole_words(group: list[str]):
    result = CliRunner().invoke(cli.app, [*group, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Commands:")[2]
