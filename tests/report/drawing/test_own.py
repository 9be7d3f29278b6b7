"""A user's own figures, and the figures of a user's own adapters: nothing in the package knows of either."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from bench.adapters.sockets import forget
from bench.errors import AdapterError
from bench.report.drawing.figure import FIGURES, SuiteFigure, find
from tests.execute.runs import Bench, json_of

ENCODER = '''
"""A vision transformer of the user's own."""

from pathlib import Path

from bench.interfaces import Encoder


class OwnViT(Encoder):
    """Random weights, and after `fit` others."""

    seeded = True
    libraries = ("torch", "timm")
    heads: int = 2

    def fit(self, images, weights, run):
        from bench.nn.weights import write_tensors

        for done, name in enumerate(("begun", "finished")):
            write_tensors(weights / f"{name}.safetensors", self._built(images.shape, run.seed + done))
        run.facts["steps"] = 1

    def encode(self, images, weights, run):
        from bench.nn.inputs import encode

        network = self.network(images.shape, weights, run)
        return encode(images, run, lambda x: network(network.fitted(x)))

    def network(self, shape, weights, run):
        from bench.nn.weights import load_strictly, read_tensors

        network = self._built(shape, run.seed).eval()
        if weights is not None:
            file = weights if weights.is_file() else weights / "finished.safetensors"
            load_strictly(network, read_tensors(file, "weights"), str(file))
        return network

    def checkpoints(self, weights: Path):
        return [(0.25, weights / "begun.safetensors")]

    def attention(self, images, weights, run):
        from bench.nn.attention import class_attention

        return class_attention(self.network(images.shape, weights, run), images, run)

    def _built(self, shape, seed):
        from bench.nn.backbone import Architecture, build

        options = (("embed_dim", 24), ("depth", 1), ("num_heads", self.heads), ("patch_size", 8))
        a = Architecture("vit_tiny_patch16_224", pool="token", options=options)
        return build(a, shape, seed, dynamic_img_size=True)
'''
SUITE = """
title: Own
seeds: [0]
baselines: false
bootstrap: {replicates: 0}
datasets:
  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 30}}
methods:
  - {name: own, encoder: {use: ./own_vit.py, heads: 3}, clusterer: {use: kmeans, k: 3}}
"""
SIZES = '''"""How large the clusters are."""

import numpy as np

from cutjoin import Figure
from cutjoin.drawing import Drawing, headed, new


class Sizes(Figure):
    """One bar for each cluster."""

    by = "nothing"

    def file_name(self, record, options):
        return f"sizes of {record.method}"

    def draw(self, cell, options):
        figure = new(5, 3)
        figure.subplots().bar(*np.unique(cell.clusters, return_counts=True))
        headed(figure, "Sizes", cell, [])
        return Drawing(figure)
'''


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a finished run of a suite with an encoder of the user's own."""
    bench = Bench(tmp_path_factory.mktemp("own"))
    (bench.root / "own_vit.py").write_text(ENCODER)
    done = bench.run("run", bench.suite(SUITE, "own"), "--quiet", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return bench


def drawn(ran: Bench, figure: str, tmp_path: Path) -> list[str]:
    """Return the texts of a figure as SVG."""
    suite = str(ran.root / "own.yaml")
    done = ran.run("figure", figure, suite, "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json_of(done)["figures"]
    svg = next(Path(f) for f in found["files"] if f.endswith(".svg")).read_text("utf-8")
    return re.findall(r"<!-- (.*?) -->", svg, re.DOTALL)


def test_a_second_transformer_gets_the_figure_of_its_attention(ran: Bench, tmp_path: Path) -> None:
    said = " ".join(drawn(ran, "attention", tmp_path))
    assert "before training" in said
    assert "after training" in said
    assert "head 3" in said
    assert "head 4" not in said


def test_its_checkpoints_are_in_the_figure_of_similarities(ran: Bench, tmp_path: Path) -> None:
    assert "25 % of the training" in drawn(ran, "similarity", tmp_path)


def test_an_adapters_file_that_changed_since_is_named(ran: Bench, tmp_path: Path) -> None:
    file = ran.root / "own_vit.py"
    before = file.read_text()
    file.write_text(before + "\n# one line more\n")
    try:
        done = ran.run("figure", "attention", "own", "--out", str(tmp_path))
    finally:
        file.write_text(before)
    assert done.returncode == 2
    assert "own_vit.py changed since" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_users_figure_has_names_help_and_files_of_its_own(ran: Bench, tmp_path: Path) -> None:
    (tmp_path / "sizes.py").write_text(SIZES)
    done = ran.run("figure", str(tmp_path / "sizes.py"), "own", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sizes: made · own · seed 0\n")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["sizes of own.png", "sizes of own.svg"]
    about = ran.run("describe", "figure", str(tmp_path / "sizes.py"))
    assert "How large the clusters are.\n  One bar for each cluster.\n  --by:" in about.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise KeyError('x')", r"figure 'sizes' failed: sizes\.py, line 18: KeyError: 'x'"),
        ("return figure", "figure 'sizes': `draw` returns a Drawing and `file_name` the name of a file"),
        (
            "figure.subplots().set_title(r'$\\frac$', parse_math=True); return Drawing(figure)",
            "failed: ValueError",
        ),
        ("from bench.errors import DataError; raise DataError('too few images')", "^bench: too few images"),
    ],
)
def test_what_a_users_figure_raises_is_one_sentence(ran: Bench, tmp_path: Path, line: str, said: str) -> None:
    broken = SIZES.replace("figure = new(5, 3)", f"figure = new(5, 3); {line}")
    (tmp_path / "sizes.py").write_text(broken)
    done = ran.run("figure", str(tmp_path / "sizes.py"), "own", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_entry_point_is_listed_and_drawn_among_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "others_figures"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from bench.report.drawing.figure import SuiteFigure\nclass Overview(SuiteFigure):\n    pass\n"
    )
    declared = tmp_path / "others-1.dist-info"
    declared.mkdir()
    (declared / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
    (declared / "entry_points.txt").write_text("[cutjoin.figures]\noverview = others_figures:Overview\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    try:
        assert "overview" in FIGURES.names()
        assert ("overview", "others") in [(e.name, e.origin) for e in FIGURES.entries()]
        figure = find("overview")
        assert isinstance(figure, SuiteFigure)
        assert (figure.name, figure.file_name("vi")) == ("overview", "overview-vi")
    finally:
        forget()
    assert metadata.version("others") == "1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "must define exactly one public Figure; found none"),
        (SIZES + "\n\nclass Second(Figure):\n    pass\n", "found Sizes, Second"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        (SIZES + "\n    def __init__(self, x):\n        pass\n", "figure 'own' failed: TypeError"),
    ],
)
def test_a_file_without_a_figure_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(AdapterError, match=said):
        find("./own.py", tmp_path)
