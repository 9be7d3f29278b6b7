"""The harness knows no adapter by name, nor a file that an adapter keeps to itself."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.adapters import registry

CHECKOUT = Path(__file__).parents[1]
CORE = CHECKOUT / "bench"

WORDS = {
    (
        "bench/report/site/embedding.py",
        "pca",
    ): "the page's own principal components, `bench site --map`",
    ("bench/cli/options/reports.py", "pca"): "default of `bench site --map`: the projection above",
    ("bench/report/site/matrix.py", "pixels"): "a class in the page's style sheet",
}
"""Texts that happen to be the name of an adapter, and what they mean instead."""

KEEPERS = ("bench/nn/", "bench/learning/")
"""Packages with base classes of adapters, which write files for them."""
_FILE = re.compile(r"[\w*-]+\.(?:safetensors|json)\b")


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and value of every text in a module that is not a docstring or a lone expression."""
    tree = ast.parse(source)
    lone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in lone:
            yield node.lineno, node.value


@functools.cache
def adapters() -> set[str]:
    return {name for kind in registry.KINDS for name in registry.names(kind)}


@functools.cache
def private_files() -> set[str]:
    """Return the names of files that adapters write into their weights."""
    folders = [CHECKOUT / "methods", *(CHECKOUT / keeper for keeper in KEEPERS)]
    modules = [path for folder in folders for path in folder.rglob("*.py")]
    written = {
        file for path in modules for _, text in texts(path.read_text("utf-8")) for file in _FILE.findall(text)
    }
    return {re.sub(r"-.*\.", ".", name) for name in written} | written


def faults(path: str, source: str) -> list[str]:
    """Say which texts of a module of the harness name an adapter or a private file of one."""
    names, files, found = adapters(), private_files(), []
    for line, text in texts(source):
        if text in names and (path, text) not in WORDS:
            found.append(f"{path}:{line}: names the adapter {text!r}")
        if path.startswith(KEEPERS):
            continue
        for file in _FILE.findall(text):
            stem = re.sub(r"-.*\.", ".", file)
            if stem in files or file.endswith(".safetensors"):
                found.append(f"{path}:{line}: names {file!r}, a file of an adapter")
    return found


def modules() -> dict[str, str]:
    paths = sorted(CORE.rglob("*.py"))
    return {path.relative_to(CHECKOUT).as_posix(): path.read_text("utf-8") for path in paths}


@pytest.mark.slow
def test_no_adapter_and_no_private_file_is_named() -> None:
    assert not [fault for path, source in modules().items() for fault in faults(path, source)]


def test_every_exception_is_still_needed() -> None:
    sources = modules()
    for path, word in WORDS:
        assert word in [text for _, text in texts(sources[path])], f"{path} no longer has {word!r}"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('if name in ("dino", "timm"): pass', "names the adapter 'dino'"),
        ('reducer = load("reducer", use="umap")', "names the adapter 'umap'"),
        ('named = {"each_alone": 1}', "names the adapter 'each_alone'"),
        ("match name:\n    case 'simple_cnn': pass", "names the adapter 'simple_cnn'"),
        ('f = weights / "twin.safetensors"', "names 'twin.safetensors'"),
        ('f = weights.glob("backbone-*.safetensors")', "names 'backbone-*.safetensors'"),
        ('f = f"{weights}: calibration.json"', "names 'calibration.json'"),
        ('f = weights / "own.safetensors"', "names 'own.safetensors'"),
    ],
)
def test_what_names_one_is_found(line: str, fault: str) -> None:
    path = "bench/report/figures/attention.py"
    found = faults(path, modules()[path] + "\n" + line + "\n")
    assert len([f for f in found if fault in f]) == 1


def test_docstrings_may_name_them() -> None:
    assert not faults(
        "bench/report/x.py", '"""dino"""\n\n\ndef f():\n    """umap"""\n\n\nx = 1\n"""twin"""\n'
    )
