"""`bench figure` as a user runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.cli.commands.describe import describe_one, list_all
from bench.cli.options.files import DescribeOptions, ListOptions
from bench.report.drawing.figure import FIGURES
from tests.conftest import Finished
from tests.execute.runs import Bench, json_of
from tests.report.figures.runs import finished as finished_run


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return finished_run(tmp_path_factory)


def test_all_that_can_be_drawn_is_and_the_rest_is_named(drawn: Bench, tmp_path: Path) -> None:
    done = drawn.run("figure", "all", "drawn", "--method", "dino", "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    said = json_of(done)
    kinds = ["attention", "clusters", "curves", "frequencies", "map", "montage", "similarity"]
    assert [f["kind"] for f in said["figures"]] == kinds
    assert said["left_out"] == {
        "reliability": "dino has no pair model",
        "precision_recall": "dino has no probabilities of two classes",
        "feature_maps": "dino has the encoder dino, which shows no feature maps",
        "critical_difference": "ranks over datasets need 3 datasets or more, not 1",
    }
    files = sorted(Path(f) for figure in said["figures"] for f in figure["files"])
    assert files == sorted(tmp_path.iterdir())
    assert len(files) == 15
    for file in files:
        assert re.fullmatch(r"[a-z]+-Made-1-2-x-dino-s0\.(png|svg|gif)", file.name)
    assert all(f["synthetic"] for f in said["figures"])


def test_the_help_says_of_every_figure_what_it_says_of_itself() -> None:
    done = CliRunner().invoke(app, ["figure", "--help"], env={"COLUMNS": "200"})
    listed = done.stdout.partition("Figures:")[2]
    for entry in FIGURES.entries():
        assert re.search(rf"^  {entry.name} +\w", listed, re.MULTILINE)
        assert " ".join(entry.summary.split()) in " ".join(listed.split())
    assert len(FIGURES.names()) == 11


def test_a_figure_describes_itself(capsys: pytest.CaptureFixture[str]) -> None:
    describe_one(DescribeOptions(kind="figure", name="map", json=True))
    about = json.loads(capsys.readouterr().out)
    assert about["summary"].startswith("Features in the plane")
    assert about["options"] == {"--by": "column to colour by"}
    describe_one(DescribeOptions(kind="figure", name="attention"))
    assert "--against: " in capsys.readouterr().out
    list_all(ListOptions(kind="figures"))
    assert "critical_difference  Mean ranks" in capsys.readouterr().out


def test_what_is_not_said_is_chosen_and_named(drawn: Bench) -> None:
    done = drawn.run("figure", "reliability", "drawn")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reliability: Made: 1/2 $x$ · twin · seed 0\n")
    files = [Path(line.strip()) for line in done.stdout.splitlines()[1:]]
    assert [f.suffix for f in files] == [".png", ".svg"]
    assert all(f.parent == drawn.folder("drawn") / "figures" and f.stat().st_size for f in files)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["maps", "tiny"], "no figure named 'maps'; did you mean 'map'"),
        (["map", "tinny"], "no results of 'tinny'"),
        (["map", "tiny", "--dataset", "Tiny"], "no dataset named 'Tiny'"),
        (["map", "tiny", "--method", "pixels + ward!"], "did you mean 'pixels . ward'"),
        (["map", "tiny", "--seed", "7"], r"--seed: 7 is not among the seeds of .*\[0, 1\]"),
        (["attention", "tiny"], "no method on Tiny plankton allows it: .*shows no attention"),
        (
            ["attention", "tiny", "--method", "pixels + ward"],
            "bench: pixels . ward has the encoder pixels",
        ),
        (["reliability", "tiny"], "has no pair model"),
        (["frequencies", "tiny"], "no column day or bag; name one with --by"),
        (["frequencies", "tiny", "--by", "labels"], "no column 'labels'; did you mean 'label'"),
        (["montage", "tiny", "--against", "nothing"], "no method named 'nothing'"),
    ],
)
def test_what_cannot_be_drawn_ends_with_2_and_one_sentence(
    finished: Finished, words: list[str], message: str, tmp_path: Path
) -> None:
    done = finished.bench("figure", *words, "--out", str(tmp_path / "out"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_remedy_for_collected_artefacts_works(own_run: Finished, tmp_path: Path) -> None:
    words = ("figure", "montage", "tiny", "--method", "pixels + ward", "--out", str(tmp_path / "out"))
    shutil.rmtree(own_run.store / "artefacts")
    done = own_run.bench(*words)
    assert done.returncode == 2
    remedy = re.search(r"`bench run tiny.yaml (--only \w{12})`", done.stderr)
    assert remedy, done.stderr
    again = own_run.bench("run", str(own_run.suite), *remedy[1].split(), "--quiet", "--jobs", "1")
    assert again.returncode == 0, again.stderr
    assert own_run.bench(*words).returncode == 0
