"""What `import cutjoin` gives: light, complete, documented, and typed."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cutjoin

CHECKOUT = Path(__file__).parents[2]
SOURCE = ast.parse(Path(cutjoin.__file__).read_text(encoding="utf-8"))
HEAVY = {"numpy", "pandas", "torch", "pydantic", "typer", "rich", "scipy", "matplotlib", "sklearn", "numba"}


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, cutjoin; dir(cutjoin); print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {*done.stdout.split()}
    assert "bench" not in done.stdout.split()


def test_a_star_import_and_dir_have_every_name() -> None:
    found: dict[str, object] = {}
    exec("from cutjoin import *", found)
    assert {*cutjoin.__all__} <= {*found}
    assert {*cutjoin.__all__} <= {*dir(cutjoin)}


def imports_for_type_checkers() -> dict[str, str]:
    """Return name -> module of what stands below `if TYPE_CHECKING`."""
    block = next(n for n in SOURCE.body if isinstance(n, ast.If) and isinstance(n.test, ast.Name))
    imports = [n for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.name: str(n.module) for n in imports for alias in n.names if alias.asname is None}


def test_a_name_stands_in_all_three_lists() -> None:
    assert list(cutjoin.__all__) == sorted(cutjoin.__all__)
    assert imports_for_type_checkers() == cutjoin._HOME
    assert sorted(cutjoin._HOME) == sorted(cutjoin.__all__)
    assert sum(map(len, cutjoin._HOMES.values())) == len(cutjoin.__all__)


def test_public_modules_need_no_import_of_their_own() -> None:
    code = "import cutjoin; print(*cutjoin.kit.__all__, *cutjoin.drawing.__all__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"train", "new"} <= {*done.stdout.split()}


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'laod_suite'"):
        getattr(cutjoin, "laod_suite")  # noqa: B009
    with pytest.raises(ImportError):
        exec("from cutjoin import laod_suite")


def own_doc(name: str) -> str | None:
    """Return the docstring that stands in the source of a public name: also that of an alias."""
    body = ast.parse(inspect.getsource(importlib.import_module(cutjoin._HOME[name]))).body
    for node, after in itertools.pairwise([*body, ast.Pass()]):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == name for t in targets) and isinstance(after, ast.Expr):
            return ast.unparse(after.value)
    return None


@pytest.mark.parametrize("name", cutjoin.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    assert own_doc(name)


def public_members(name: str) -> Iterator[tuple[str, object]]:
    value = getattr(cutjoin, name)
    for cls in value.__mro__ if inspect.isclass(value) else ():
        if cls.__module__.partition(".")[0] in ("bench", "cutjoin"):
            for member, found in vars(cls).items():
                function = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
                function = getattr(function, "func", function)  # of a cached property
                if inspect.isfunction(function) and not member.startswith("_"):
                    yield f"{cls.__name__}.{member}", function


@pytest.mark.parametrize("name", [n for n in cutjoin.__all__ if n[0].isupper()])
def test_every_public_method_has_a_docstring(name: str) -> None:
    bare = {where for where, function in public_members(name) if not inspect.getdoc(function)}
    inherited = {where for where in bare if any(_documented_base(name, where.partition(".")[2]))}
    assert not bare - inherited


def _documented_base(name: str, member: str) -> Iterator[bool]:
    for cls in getattr(cutjoin, name).__mro__:
        found = vars(cls).get(member)
        yield bool(found is not None and getattr(found, "__doc__", None))


def undocumented_fields(name: str) -> set[str]:
    """Return the public fields of a class that neither have a docstring nor stand in that of the class."""
    found = set()
    body = ast.parse(inspect.getsource(importlib.import_module(cutjoin._HOME[name]))).body
    (cls,) = (n for n in body if isinstance(n, ast.ClassDef) and n.name == name)
    told = ast.get_docstring(cls) or ""
    for node, after in itertools.pairwise([*cls.body, ast.Pass()]):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            documented = isinstance(after, ast.Expr) or re.search(rf"\b{node.target.id}\b", told)
            if not documented and not node.target.id.startswith("_"):
                found.add(node.target.id)
    return found


@pytest.mark.parametrize("name", [n for n in cutjoin.__all__ if inspect.isclass(getattr(cutjoin, n))])
def test_every_field_says_what_it_is(name: str) -> None:
    overridden = {"seeded", "uses_labels"}  # they mean what they mean in `Adapter`
    assert not undocumented_fields(name) - overridden


TYPED = """\
import cutjoin
reveal_type(cutjoin.load_suite("quickstart"))
done = cutjoin.run("quickstart", "smoke")
reveal_type(done)
reveal_type(done.records())
reveal_type(cutjoin.records(done))
reveal_type(cutjoin.images(done.records().iloc[0]))
reveal_type(cutjoin.leaderboard(done))
reveal_type(cutjoin.score([0], [1]).values)
reveal_type(cutjoin.multicut([[0.0]]).objective)
cutjoin.score([0], [1], nois="drop")
cutjoin.laod_suite("quickstart")


class Mine(cutjoin.Encoder):
    bins: cutjoin.Count = 3

    def encode(self, images: cutjoin.Prepared, weights: None, run: cutjoin.Run) -> cutjoin.Features:
        return images.batch(0, 1)
"""


@pytest.mark.slow
def test_a_type_checker_sees_real_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "user.py").write_text(TYPED)
    words = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=silent"]
    words += ["--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "user.py")]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    revealed = [line.partition('"')[2].strip('"') for line in done.stdout.splitlines() if "Revealed" in line]
    frame = "pandas.core.frame.DataFrame"
    assert revealed == [
        "bench.suite.schema.Suite", "bench.api.running.FinishedRun", frame, frame, frame,
        "bench.api.tables.LeaderboardView", "dict[str, float]", "float",
    ], done.stdout + done.stderr  # fmt: skip
    for fault in (
        'Unexpected keyword argument "nois"',
        'has no attribute "laod_suite"',
        "incompatible with super",
    ):
        assert fault in done.stdout
