"""What there is to use is listed and described without loading what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from typer.testing import CliRunner

from bench.adapters import registry
from bench.cli.app import app
from bench.metrics.names import METRICS, SHIPPED
from bench.suite.names import shipped

ADAPTERS = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
HEAVY = {"torch", "sklearn", "pandas", "umap", "cv2", "numba", "scipy", "matplotlib", "hdbscan", "timm"}


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_list_names_everything():
    text = said("list")
    for name in [*shipped(), *METRICS, *(n for _, n in ADAPTERS)]:
        assert f"  {name} " in text or f"  {name}\n" in text
    listed = json.loads(said("list", "--json"))
    assert [(k, e["name"]) for k in registry.KINDS for e in listed[k]] == ADAPTERS
    assert all(e["summary"] for k in listed for e in listed[k])


@pytest.mark.parametrize("word", ["encoder", "encoders", "pair-model", "pair_models"])
def test_list_one_kind(word: str):
    listed = json.loads(said("list", word, "--json"))
    assert list(listed) == [word.replace("-", "_").removesuffix("s")]


@pytest.mark.parametrize(("kind", "name"), ADAPTERS)
def test_describe_every_adapter(kind: str, name: str):
    cls = registry.load(kind, name)
    text = said("describe", kind, name)
    assert text.startswith(f"{kind} {name}\n")
    for parameter, info in cls.model_fields.items():
        assert f"\n    {parameter}: " in text
        assert info.description, f"{name}.{parameter} has no description"
    about = json.loads(said("describe", kind, name, "--json"))
    assert [p["name"] for p in about["parameters"]] == list(cls.model_fields)
    for noise in ("Annotated", "FieldInfo", "object at", "Optional", "typing"):
        assert noise not in text


def test_describe_shows_units_files_and_sources():
    text = said("describe", "encoder", "polar_fft")
    assert registry.load("encoder", "polar_fft").source in text
    assert "image_size: int | None [px] = None" in said("describe", "encoder", "timm")
    assert "ids: Path | None (file) = None" in said("describe", "encoder", "precomputed")
    assert "dims: int | float [dimensions or share of the variance] = 50" in said(
        "describe", "reducer", "pca"
    )


def test_metrics_of_parts_are_listed_and_described_like_the_rest(tmp_path: Path):
    text = said("list", "metrics")
    for column in ("clusters.silhouette", "clusters.noise_share", "GROUP.cramers_v", "f1_per_class"):
        assert f"  {column} " in text
    for column in (
        "clusters.silhouette",
        "day.cramers_v",
        "seen-unseen.ri",
        "pairs.f1_joins",
        "class a.accuracy",
    ):
        base = column.rpartition(".")[2]
        assert SHIPPED[base].definition in said("describe", "metric", column)
    assert "chance:  0\n" in said("describe", "metric", "ami")
    (tmp_path / "own.py").write_text(
        "from bench.metrics.metric import Metric\nOWN = Metric('own', 'Own', 'Mine.', lambda t: 0, low=-1)\n"
    )
    text = said("describe", "metric", str(tmp_path / "own.py"))
    assert text.startswith("metric own (Own), -1 to 1, higher is better\n  Mine.")


@pytest.mark.parametrize("name", METRICS)
def test_describe_every_metric(name: str):
    assert METRICS[name].definition in said("describe", "metric", name)
    assert json.loads(said("describe", "metric", name, "--json"))["name"] == name


def test_describe_a_users_file(tmp_path: Path):
    (tmp_path / "own.py").write_text(
        "from bench.interfaces import Encoder\n"
        'class Own(Encoder):\n    """My encoder."""\n    rate: float = 0.5\n    """How fast."""\n'
    )
    text = said("describe", "encoder", str(tmp_path / "own.py"))
    assert "My encoder." in text
    assert "rate: float = 0.5\n        How fast." in text
    assert [p.name for p in tmp_path.iterdir()] == ["own.py"]  # no byte code


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list"],
        ["list", "encoder"],
        ["describe", "encoder", "timm"],
        ["describe", "metric", "ami"],
    ],
)
def test_nothing_heavy_is_imported(words: list[str]):
    code = (
        "import sys\nfrom bench.cli.app import app\ntry: app(sys.argv[1:])\nexcept SystemExit: pass\n"
        f"print('LOADED', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert len(done.stdout) > 100


# JSON Schema


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    body = json.loads(said("schema"))
    Draft202012Validator.check_schema(body)
    return Draft202012Validator(body)


def suite() -> dict[str, Any]:
    return {
        "datasets": [{"name": "K", "use": "kaggle_plankton", "size": 32, "score": {"fraction": 0.5}}],
        "methods": [
            {"encoder": {"use": "pixels", "grid": {"side": [8, 16]}}, "clusterer": {"use": "ward", "k": 3}},
            {"encoder": "./own.py", "clusterer": {"use": "kmeans", "reduce": {"use": "umap"}}},
        ],
    }


@pytest.mark.parametrize("file", shipped().values(), ids=lambda p: p.stem)
def test_the_schema_accepts_shipped_suites(schema: Draft202012Validator, file: Path):
    assert not list(schema.iter_errors(YAML(typ="safe", pure=True).load(file.read_text())))


def test_the_schema_accepts_what_is_right(schema: Draft202012Validator):
    assert not list(schema.iter_errors(suite()))
    right = suite()
    right["datasets"][0] = {"name": "own", "use": "./own.py", "anything": 5}
    assert not list(schema.iter_errors(right))


WRONG = {
    "a key": lambda s: s.update(titel="x"),
    "a dataset's parameter": lambda s: s["datasets"][0].update(sizes=3),
    "a dataset's value": lambda s: s["datasets"][0].update(size="x"),
    "a dataset": lambda s: s["datasets"][0].update(use="kagle_plankton"),
    "a selection": lambda s: s["datasets"][0].update(score={"fractoin": 0.5}),
    "a parameter": lambda s: s["methods"][0]["clusterer"].update(kk=3),
    "a value": lambda s: s["methods"][0]["clusterer"].update(k="clases"),
    "an adapter": lambda s: s["methods"][0].update(encoder="pixel"),
    "a reducer": lambda s: s["methods"][1]["clusterer"].update(reduce={"use": "umaps"}),
    "a reducer's parameter": lambda s: s["methods"][1]["clusterer"]["reduce"].update(dim=2),
    "a grid": lambda s: s["methods"][0]["encoder"].update(grid={"side": 8}),
    "no methods": lambda s: s.pop("methods"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_schema_rejects_what_is_wrong(schema: Draft202012Validator, what: str):
    wrong = suite()
    WRONG[what](wrong)
    assert list(schema.iter_errors(wrong))
