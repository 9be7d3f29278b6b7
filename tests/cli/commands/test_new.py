"""`bench new`: a file to start from, which harms nothing that is there."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from bench.adapters import registry
from bench.cli.commands.new import rendered, write_new
from bench.cli.options.files import NewOptions
from bench.errors import UsageError

TEMPLATES = Path(__file__).parents[3] / "bench" / "cli" / "templates"
KINDS = sorted(path.stem for path in TEMPLATES.glob("*.txt"))
LIBRARIES = {"cutjoin", "numpy", "matplotlib"}


def new(folder: Path, kind: str, name: str, *, as_json: bool = False) -> Path:
    write_new(NewOptions(kind=kind, name=name, out=folder, json=as_json))
    return folder / f"{name}.py"


def test_every_kind_that_a_user_may_add_can_be_started() -> None:
    assert {*KINDS} >= {*registry.KINDS} - {"generator"}
    assert {*KINDS} >= {"metric", "figure", "table_format"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_imports_nothing_of_ours_but_the_public_package(kind: str, tmp_path: Path) -> None:
    code = new(tmp_path, kind, "my_own").read_text(encoding="utf-8")
    tree = ast.parse(code)
    assert ast.get_docstring(tree)
    assert max(map(len, code.splitlines())) <= 110
    assert "$" not in code
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom | ast.Import)]
    modules = {n.module or "" if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports}
    roots = {module.partition(".")[0] for module in modules}
    assert "cutjoin" in roots
    assert roots <= LIBRARIES | sys.stdlib_module_names


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_file_defines_is_named_after_it(kind: str, tmp_path: Path) -> None:
    tree = ast.parse(new(tmp_path, kind, "my_own").read_text(encoding="utf-8"))
    classes = [n.name for n in tree.body if isinstance(n, ast.ClassDef)]
    constants = [
        n.targets[0].id for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
    ]
    assert classes + constants == (["MY_OWN"] if kind == "metric" else ["MyOwn"])


def test_a_class_never_has_the_name_of_its_base() -> None:
    template = (TEMPLATES / "encoder.txt").read_text(encoding="utf-8")
    assert "class MyEncoder(Encoder):" in rendered(template, "encoder")
    assert "class MyCount(Encoder):" in rendered(template, "count")


def test_what_to_do_next_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new(tmp_path, "pair-model", "colour")
    said = capsys.readouterr().out
    assert "bench test ./colour.py" in said
    assert "pair_model: {use: ./colour.py}" in said
    path = new(tmp_path, "table_format", "org", as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "file": str(path),
        "kind": "table_format",
        "test": None,
        "use": ["On the command line:  bench table SUITE --format ./org.py"],
    }


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("precious")
    with pytest.raises(UsageError, match=r"mine\.py is there already"):
        new(tmp_path, "encoder", "mine")
    (tmp_path / "link.py").symlink_to(tmp_path / "nowhere.py")
    with pytest.raises(UsageError, match="is there already"):
        new(tmp_path, "encoder", "link")
    assert (tmp_path / "mine.py").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.py", "mine.py"]


@pytest.mark.parametrize(
    "name", ["../mine", "a/b", "mine.py", "a-b", "", "1st", "class", "_mine", "größe", "a b", ".", "/x"]
)
def test_names_that_no_module_may_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a file of Python"):
        new(tmp_path, "encoder", name)
    assert not list(tmp_path.iterdir())


def test_wrong_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'encoder'"):
        new(tmp_path, "encodr", "mine")
    with pytest.raises(UsageError, match="there is no folder"):
        new(tmp_path / "absent", "encoder", "mine")
