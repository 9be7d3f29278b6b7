"""YAML 1.2 read into plain values, with the line of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import CutjoinError
from bench.util.text import suggest

MAX_BYTES = 4_000_000
MAX_VALUES = 400_000
MAX_DEPTH = 50

Where = tuple[str | int, ...]
"""Path to a value: keys of mappings and positions in lists."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file: where, what, and what to do about it."""

    file: Path
    line: int
    """From 1 on; 0 for what was not read from a file."""
    message: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file.stem}: {self.message}"
        )


class FileError(CutjoinError, ValueError):
    """All problems of one file, one per line, ready to print."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems), key=lambda p: (p.line, p.message))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass
class Tree:
    """Plain dicts, lists and scalars, and the line of every one of them."""

    file: Path
    value: Any
    lines: dict[Where, int] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    """Names of entries that an override left out."""

    def line(self, where: Where) -> int:
        """Return the line of the value at `where`, or of the nearest thing around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read(file: Path) -> Tree:
    """Read one YAML file. Raises `FileError` for what is not YAML 1.2, a repeated key included."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    text = _text(file)
    try:
        node = YAML(typ="rt").load(text)
    except MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        message = " ".join(str(e.problem or e.context or "not YAML").split())
        raise FileError([Problem(file, line, f"not valid YAML: {message}")]) from None
    except RecursionError:
        raise FileError([Problem(file, 1, "nested too deeply: not a suite file")]) from None
    except Exception as e:  # noqa: BLE001  # on malformed files ruamel.yaml raises errors of all kinds
        raise FileError([Problem(file, 1, f"not valid YAML: {' '.join(str(e).split())}")]) from None
    tree = Tree(file, None)
    tree.value = _plain(node, (), tree)
    return tree


def from_mapping(value: Mapping[str, Any], file: Path) -> Tree:
    """Return the tree of a mapping from Python, which has no lines; `file` stands for it in messages.

    Tuples, paths and arrays become what YAML has, and values of numpy plain ones. Raises `FileError` for
    values that no YAML file can hold.
    """
    return Tree(file, _from_python(value, (), file), {(): 0})


def override(tree: Tree, where: Where, change: Where) -> None:
    """Merge the mapping at `change` into the mapping at `where`; lists and scalars are replaced.

    In the lists `datasets` and `methods`, a mapping overrides the entries by name; null leaves one out.
    Raises `FileError` for names that are not in the list.
    """
    new = get(tree, change)
    old = get(tree, where)
    if isinstance(new, dict) and isinstance(old, dict):
        for key in new:
            override(tree, (*where, key), (*change, key))
    elif isinstance(new, dict) and isinstance(old, list) and where in (("datasets",), ("methods",)):
        names = [entry.get("name") if isinstance(entry, dict) else None for entry in old]
        known = [str(n) for n in names if n is not None]
        dotted = ".".join(map(str, change))
        unknown = {
            k: f"{dotted}: no entry is named {k!r}; {suggest(str(k), known)}" for k in new if k not in names
        }
        if unknown:
            raise FileError(
                [Problem(tree.file, tree.line((*change, k)), text) for k, text in unknown.items()]
            )
        for key in new:
            if new[key] is not None:
                override(tree, (*where, names.index(key)), (*change, key))
        dropped = {key for key in new if new[key] is None}
        tree.left_out |= dropped
        _leave_out(tree, where, {names.index(key) for key in dropped})
    else:
        _put(tree, where, change)


def get(tree: Tree, where: Where) -> Any:
    """Return the value at `where`, or None."""
    value = tree.value
    for part in where:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as e:
        raise FileError([Problem(file, 1, f"cannot be read: {e.strerror}")]) from None
    if len(data) > MAX_BYTES:
        raise FileError([Problem(file, 1, f"larger than {MAX_BYTES} bytes: not a suite file")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise FileError([Problem(file, line, f"not UTF-8 text: {e.reason}")]) from None


def _from_python(value: Any, where: Where, file: Path) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _from_python(v, (*where, str(k)), file) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_from_python(v, (*where, i), file) for i, v in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if value is None or type(value) in (str, int, float, bool):
        return value
    if callable(plain := getattr(value, "tolist", None)) and type(plain()) in (list, str, int, float, bool):
        return _from_python(plain(), where, file)
    said = f"{'.'.join(map(str, where))}: a {type(value).__name__} is no value of a suite: {value!r}"
    raise FileError([Problem(file, 0, said[:300])])


def _put(tree: Tree, where: Where, change: Where) -> None:
    parent = get(tree, where[:-1])
    parent[where[-1]] = get(tree, change)
    for path in [p for p in tree.lines if p[: len(where)] == where]:
        del tree.lines[path]
    moved = {p: n for p, n in tree.lines.items() if p[: len(change)] == change}
    tree.lines.update({(*where, *p[len(change) :]): n for p, n in moved.items()})


def _leave_out(tree: Tree, where: Where, indices: set[int]) -> None:
    entries = get(tree, where)
    remaining = [i for i in range(len(entries)) if i not in indices]
    moved = {old: new for new, old in enumerate(remaining)}
    entries[:] = [entries[i] for i in remaining]
    inside = [p for p in tree.lines if len(p) > len(where) and p[: len(where)] == where]
    lines = {p: tree.lines.pop(p) for p in inside}
    for path, line in lines.items():
        if (index := path[len(where)]) in moved:
            tree.lines[(*where, moved[index], *path[len(where) + 1 :])] = line


def _plain(node: Any, where: Where, tree: Tree, line: int = 1) -> Any:
    tree.lines[where] = line
    if len(tree.lines) > MAX_VALUES:
        raise FileError([Problem(tree.file, line, f"more than {MAX_VALUES} values: not a suite file")])
    if len(where) > MAX_DEPTH:
        raise FileError([Problem(tree.file, line, f"nested more than {MAX_DEPTH} deep: not a suite file")])
    if isinstance(node, dict):
        at = getattr(node, "lc", None)
        return {
            (name := _text_checked(_scalar(key), tree, line)): _plain(
                value, (*where, name), tree, _key_line(at, key, line)
            )
            for key, value in node.items()
        }
    if isinstance(node, list):
        at = getattr(node, "lc", None)
        return [_plain(v, (*where, i), tree, _item_line(at, i, line)) for i, v in enumerate(node)]
    return _text_checked(_scalar(node), tree, line)


def _text_checked(value: Any, tree: Tree, line: int) -> Any:
    """Refuse escapes for characters that no file name and no screen can hold."""
    if isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        text = f"{value!r} holds a null character or half a surrogate pair, which are not text"
        raise FileError([Problem(tree.file, line, text)])
    return value


def _key_line(at: Any, key: Any, default: int) -> int:
    try:
        return int(at.key(key)[0]) + 1
    except (KeyError, TypeError, AttributeError):  # keys merged from an anchor have no line of their own
        return default


def _item_line(at: Any, index: int, default: int) -> int:
    try:
        return int(at.item(index)[0]) + 1
    except (KeyError, TypeError, AttributeError):
        return default


def _scalar(value: Any) -> Any:
    """Turn ruamel's annotated scalars into the plain types they stand for."""
    for plain in (bool, int, float, str):
        if isinstance(value, plain):
            return plain(value)
    if type(value).__name__ == "ScalarBoolean":
        return bool(value)
    return value
