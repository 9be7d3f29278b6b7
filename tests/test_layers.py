"""The layers of the packages are kept, and what would break them is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.layers import check, lay_out

LAYERS = "A package imports only from packages below it"
LEAVES = "Only the registry imports adapters, by name"
ADAPTERS = "No adapter imports another"
REPORT = "A report's parts: pages show figures, figures share drawing, all show tables"
COMMANDS = "No command imports another"
PUBLIC = "The public package stands above the harness"
LOOP = "The run loop knows no processes, GPUs or machines"
FORMATS = "No table format imports another"
CYCLES = "No cycles between packages, nor between the modules of one"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tree")
    lay_out(target)
    return target


@pytest.mark.slow
def test_every_contract_is_kept(tree: Path):
    found = check(tree)
    assert found.returncode == 0, found.stdout + found.stderr
    for contract in (LAYERS, LEAVES, ADAPTERS, REPORT, COMMANDS, FORMATS, LOOP, PUBLIC, CYCLES):
        assert f"{contract} KEPT" in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("methods/encoders/pixels.py", "from bench.datasets import image_folder", ADAPTERS),
        ("methods/encoders/pixels.py", "from bench.methods.encoders import polar_fft", ADAPTERS),
        ("datasets/flowcam.py", "def lazily() -> None:\n    import bench.methods.encoders.pixels", ADAPTERS),
        ("methods/encoders/dino.py", "from bench.planning import plan", LAYERS),
        ("nn/training.py", "from bench.execute import process", LAYERS),
        ("nn/training.py", "def lazily() -> None:\n    from ..execute import process", LAYERS),
        ("records/store.py", "from bench.suite import schema", LAYERS),
        ("stages/run.py", "from bench.contract import check", LAYERS),
        ("multicut/costs.py", "from bench.interfaces import Adapter", LAYERS),
        ("multicut/io.py", "from bench.util.durable import seal", LAYERS),
        ("cli/app.py", "from bench.methods.encoders import pixels", LEAVES),
        ("metrics/contingency.py", "from bench.metrics import score", CYCLES),
        ("report/tables/layout.py", "from bench.report.site import marks", REPORT),
        ("cli/commands/merge.py", "from bench.cli.commands import run", COMMANDS),
        ("report/tables/formats/md.py", "from bench.report.tables.formats import latex", FORMATS),
        ("api/suites.py", "def lazily() -> None:\n    import cutjoin", PUBLIC),
        ("execute/run.py", "from bench.execute import gpus", LOOP),
        ("novel/__init__.py", "", LAYERS),
    ],
)
def test_a_wrong_import_is_found(tree: Path, module: str, line: str, contract: str):
    path = tree / "bench" / module
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        found = check(tree)
    finally:
        if before is not None:
            path.write_text(before, encoding="utf-8")
        else:
            path.unlink()
            path.parent.rmdir()
    assert found.returncode != 0
    assert f"{contract} BROKEN" in found.stdout
