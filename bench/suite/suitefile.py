"""Reads a suite file and reports everything wrong with it at once, with line, value and likely fix."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.adapters import registry
from bench.adapters.registry import AdapterError
from bench.adapters.spec import kinds_in
from bench.errors import DataError
from bench.imaging.selection import match_names
from bench.interfaces import Adapter, Classifier, Clusterer, Dataset, Generator
from bench.records import reference
from bench.suite import names
from bench.suite.grid import PARTS, Concrete, GridError, expand
from bench.suite.metrics import MetricNames
from bench.suite.schema import (
    DatasetBlock,
    DatasetEntry,
    Limits,
    Method,
    MethodBlock,
    Suite,
    SuiteBlock,
    Table,
)
from bench.util.text import suggest
from bench.util.validation import show, validated
from bench.util.yamlfile import FileError, Problem, Tree, Where, from_mapping, override, read


def find(name: str) -> Path:
    """Return the suite file that `name` means: a path, or a suite that ships with the package.

    Raises `FileError` with the nearest names if there is none.
    """
    path = Path(name)
    if names.names_a_file(name):
        if path.is_file():
            return path.resolve()
        raise FileError([Problem(path, 1, "there is no such file")])
    known = names.shipped()
    if name in known:
        return known[name]
    raise FileError([Problem(path, 1, f"no suite has this name; {suggest(name, sorted(known))}")])


def load(file: Path, profile: str | None = None, data: Path | None = None) -> Suite:
    """Read and check a suite file.

    Parameters
    ----------
    file : the YAML file.
    profile : name of a profile to apply.
    data : folder that holds one folder per dataset, for datasets without a `root`.

    Raises
    ------
    FileError : all problems of the file at once, each with its line and value.
    """
    tree = read(file)
    if not isinstance(tree.value, dict):
        raise FileError([Problem(file, 1, "a suite file is a mapping with `datasets` and `methods`")])
    if profile is not None:
        _apply_profile(tree, profile)
    return _Loader(tree, profile, data).load()


def load_mapping(
    value: Mapping[str, Any], name: str, profile: str | None = None, data: Path | None = None
) -> Suite:
    """Check a suite that is no file but the content of one; relative paths start at the working directory.

    Raises `FileError` with all problems at once, each with where it is in the mapping.
    """
    file = Path.cwd() / f"{name}.yaml"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise FileError(
            [Problem(file, 0, f"name {name!r}: only letters, digits and _ . - in a suite's name")]
        )
    tree = from_mapping(value, file)
    if profile is not None:
        _apply_profile(tree, profile)
    return _Loader(tree, profile, data).load()


def _apply_profile(tree: Tree, profile: str) -> None:
    profiles = tree.value.get("profiles")
    known = sorted(p for p in profiles if isinstance(p, str)) if isinstance(profiles, dict) else []
    if profile not in known:
        text = f"profiles: no profile named {profile!r}; {suggest(profile, known)}"
        raise FileError([Problem(tree.file, tree.line(("profiles",)), text)])
    if isinstance(profiles[profile], dict):  # anything else is refused with the rest of the file
        override(tree, (), ("profiles", profile))


@dataclass
class _Loader:
    """Collects problems while it turns the tree into a suite."""

    tree: Tree
    profile: str | None
    data: Path | None
    problems: list[Problem] = field(default_factory=list)
    wrong: list[Where] = field(default_factory=list)

    def load(self) -> Suite:
        block = self._validated(SuiteBlock, self.tree.value, lambda where: where)
        if block is None:  # go on with the valid parts, to find all problems at once
            block = self._sound_parts()
        datasets = [e for i, b in enumerate(block.datasets) if (e := self._dataset(b, ("datasets", i)))]
        methods = [m for i, b in enumerate(block.methods) for m in self._methods(b, ("methods", i))]
        trivial = _trivial_methods([m for m, _ in methods]) if block.baselines else []
        metrics = MetricNames(self.tree.file.parent, self._add)
        block = metrics.resolve(block)
        self._names(block)
        self._chosen_methods(block, methods)
        self._unique([(e.name, ("datasets", i)) for i, e in enumerate(block.datasets)], "dataset")
        self._unique([(m.name, w) for m, w in methods], "method")
        self._unique([(s, ("seeds", i)) for i, s in enumerate(block.seeds)], "seed")
        self._names_of_trivial(methods, trivial)
        if self.problems:
            raise FileError(self.problems)
        return Suite(
            name=names.results_name(self.tree.file.name, self.profile),
            file=self.tree.file,
            profile=self.profile,
            block=block,
            datasets=datasets,
            methods=[m for m, _ in methods] + trivial,
            extra_metrics=tuple(metrics.loaded.values()),
        )

    def _sound_parts(self) -> SuiteBlock:
        """Return the valid parts of an invalid file; the rest is left out or has its default."""
        context = {"folder": self.tree.file.parent}
        parts: dict[str, Any] = {}
        models: dict[str, type[BaseModel]] = {
            "datasets": DatasetBlock,
            "methods": MethodBlock,
            "tables": Table,
        }
        for key, model in models.items():
            items = self.tree.value.get(key)
            parts[key] = [_sound(model, x, context) for x in items] if isinstance(items, list) else []
        for key, kind in (("metrics", str), ("seeds", int)):
            items = self.tree.value.get(key)
            if isinstance(items, list) and all(isinstance(x, kind) for x in items):
                parts[key] = items
        return SuiteBlock.model_construct(None, **parts)

    # One block of the file

    def _dataset(self, block: DatasetBlock, where: Where) -> DatasetEntry | None:
        if not block.use and self._is_wrong(where):
            return None
        params = block.model_extra or {}
        adapter = self._adapter("dataset", {"use": block.use, **params}, where, own=DatasetBlock)
        if not isinstance(adapter, Dataset):
            return None
        generator = None
        if block.synthetic is not None:
            inner = {"use": type(adapter).generator, **block.synthetic}
            if inner["use"]:
                generator = self._adapter("generator", inner, (*where, "synthetic"))
            else:
                self._add((*where, "synthetic"), f"dataset {block.use!r} has no generator of stand-ins")
        return DatasetEntry(
            name=block.name,
            adapter=adapter,
            root=self._root(block, where),
            fit=block.fit,
            score=block.score,
            split_seed=block.split_seed,
            generator=generator if isinstance(generator, Generator) else None,
            subsets=block.subsets,
            groups=block.groups,
            pretrain=block.pretrain,
            baselines=block.baselines,
            methods=block.methods,
        )

    def _root(self, block: DatasetBlock, where: Where) -> Path | None:
        if block.root is None:
            return self.data / Path(block.use).stem if self.data else None
        try:
            return self.tree.file.parent / Path(block.root).expanduser()
        except RuntimeError as e:
            self._add((*where, "root"), f"{e} (got {show(block.root)})")
            return None

    def _methods(self, block: MethodBlock, where: Where) -> list[tuple[Method, Where]]:
        raw = block.model_dump(include={"name", *PARTS, "grid"}, exclude_none=True)
        sound = not self._is_wrong(where)
        if not block.model_fields_set and not sound:
            return []
        try:
            concretes = expand(raw)
        except GridError as e:
            self._add((*where, *e.where), str(e))
            return []
        methods = [self._method(c, block.limits, where, sound=sound) for c in concretes]
        return [(m, where) for m in methods if m is not None]

    def _method(
        self, concrete: Concrete, limits: Limits | None, where: Where, *, sound: bool
    ) -> Method | None:
        parts: dict[str, Adapter] = {}
        before = len(self.problems)
        for kind, value in concrete.block.items():
            if kind == "name":
                continue
            body = {"use": value} if isinstance(value, str) else value
            inside = _Inside(where, kind, concrete)
            adapter = self._adapter(kind, body, inside.place(()), place=inside.place)
            if adapter is not None:
                parts[kind] = adapter
        if len(self.problems) > before:
            return None
        problem = _chain_problem(parts)
        if problem and not sound:  # a part may be absent only because it was wrong
            return None
        if problem:
            self._add(where, f"method {concrete.name!r}: {problem}")
            return None
        return Method(name=concrete.name, limits=limits, **parts)  # type: ignore[arg-type]  # kinds fit by lookup

    # One adapter

    def _adapter(
        self,
        kind: str,
        body: Any,
        where: Where,
        own: type[BaseModel] | None = None,
        place: Callable[[Where], Where] | None = None,
    ) -> Adapter | None:
        at = place or (lambda inner: (*where, *inner))
        if not isinstance(body, dict) or not isinstance(body.get("use"), str):
            self._add(where, f"{kind}: expected a name, or a mapping with `use` (got {show(body)})")
            return None
        try:
            cls = registry.load(kind, body["use"], self.tree.file.parent)
        except AdapterError as e:
            self._add(at(("use",)), str(e))
            return None
        params = {k: v for k, v in body.items() if k != "use"}
        nested = 0
        for name, inner_kind in _nested(cls).items():
            if params.get(name) is not None:
                inner = params[name] if isinstance(params[name], dict) else {"use": params[name]}
                params[name] = self._adapter(
                    inner_kind, inner, at((name,)), place=functools.partial(_deeper, at, name)
                )
                nested += params[name] is None
        for name in (own.model_fields if own else {}).keys() & cls.model_fields.keys():
            self._add(where, f"{kind} {body['use']!r}: its parameter {name!r} is reserved for the suite file")
        known = [*cls.model_fields, *(own.model_fields if own else {})]
        made = self._validated(cls, params, at, known)
        return None if nested else made

    def _validated(
        self, model: type[BaseModel], value: Any, at: Callable[[Where], Where], known: Sequence[str] = ()
    ) -> Any:
        made, wrong = validated(model, value, {"folder": self.tree.file.parent}, known)
        for where, message in wrong:
            self._add(at(where), message)
        return made

    # Checks across blocks

    def _names(self, block: SuiteBlock) -> None:
        for t, table in enumerate(block.tables):
            if table.reference is not None and table.reference not in reference.tables():
                text = f"no table {table.reference!r}; {suggest(table.reference, list(reference.tables()))}"
                self._add(("tables", t, "reference"), text)
            for i, name in enumerate(table.datasets):
                known = [d.name for d in block.datasets if d.name]
                if name not in known and name not in self.tree.left_out:
                    text = f"no dataset named {name!r}; {suggest(name, known)}"
                    self._add(("tables", t, "datasets", i), text)

    def _chosen_methods(self, block: SuiteBlock, methods: Sequence[tuple[Method, Where]]) -> None:
        """Check that each dataset names methods of the suite."""
        known = {m.name for m, _ in methods}
        for i, entry in enumerate(block.datasets):
            try:
                match_names(entry.methods or (), known, "method")
            except DataError as e:
                self._add(("datasets", i, "methods"), str(e))

    def _names_of_trivial(self, methods: Sequence[tuple[Method, Where]], trivial: Sequence[Method]) -> None:
        taken = {t.name for t in trivial}
        for method, where in methods:
            if method.name in taken:
                self._add(where, f"method {method.name!r}: a trivial baseline has this name; choose another")

    def _unique(self, named: list[tuple[Any, Where]], what: str) -> None:
        seen: dict[Any, Where] = {}
        for name, where in named:
            if name is None:
                continue
            if name in seen:
                first = self.tree.line(seen[name])
                text = f"{what} {name!r} is already defined on line {first}; names must be unique"
                self._add(where, text)
            seen.setdefault(name, where)

    def _is_wrong(self, where: Where) -> bool:
        """Say whether a problem was found at `where` or inside it."""
        return any(w[: len(where)] == where for w in self.wrong)

    def _add(self, where: Where, message: str) -> None:
        self.wrong.append(where)
        dotted = ".".join(map(str, where))
        text = f"{dotted}: {message}" if dotted else message
        self.problems.append(Problem(self.tree.file, self.tree.line(where), text))


@dataclass(frozen=True)
class _Inside:
    """Finds where in the file something inside one part of a concrete method was written."""

    method: Where
    kind: str
    concrete: Concrete

    def place(self, inner: Where) -> Where:
        return (*self.method, *self.concrete.written((self.kind, *inner)))


def _deeper(at: Callable[[Where], Where], name: str, inner: Where) -> Where:
    return at((name, *inner))


def _chain_problem(parts: dict[str, Adapter]) -> str | None:
    kinds = set(parts)
    if kinds not in ({"encoder", "clusterer"}, {"pair_model", "clusterer"}, {"classifier"}):
        got = " + ".join(sorted(kinds)) or "nothing"
        return f"expected encoder + clusterer, pair_model + clusterer, or classifier (got {got})"
    clusterer = parts.get("clusterer")
    if isinstance(clusterer, Clusterer):
        gives = "features" if "encoder" in parts else "join_probabilities"
        if gives not in type(clusterer).takes:
            return (
                f"clusterer {clusterer.use!r} takes {' or '.join(type(clusterer).takes)}, "
                f"but {'the encoder' if 'encoder' in parts else 'the pair model'} gives {gives}"
            )
        if clusterer.reduce is not None and gives != "features":
            return "`reduce` works on features, but a pair model gives join_probabilities"
    return None


def _trivial_methods(methods: Sequence[Method]) -> list[Method]:
    kinds = ["clusterer", "classifier"] if any(m.classifier for m in methods) else ["clusterer"]
    return [_trivial_method(cls()) for kind in kinds for cls in registry.built_in(kind) if _is_trivial(cls)]


def _is_trivial(cls: type[Adapter]) -> bool:
    return issubclass(cls, Clusterer | Classifier) and cls.trivial


def _trivial_method(part: Adapter) -> Method:
    title = part.use.replace("_", " ")
    if isinstance(part, Classifier):
        return Method(title, classifier=part, trivial=True)
    assert isinstance(part, Clusterer)
    return Method(title, clusterer=part, trivial=True)


@functools.cache
def _nested(cls: type[Adapter]) -> dict[str, str]:
    """Fields of an adapter that hold another adapter, with the kind of that one."""
    kinds = {name: kinds_in(info.annotation) for name, info in cls.model_fields.items()}
    return {name: found[-1] for name, found in kinds.items() if found}


def _sound(model: type[BaseModel], item: Any, context: dict[str, Any]) -> Any:
    """Validate a block without its invalid fields; if even that fails, return an empty one."""
    made, wrong = validated(model, item, context)
    if made is None and isinstance(item, dict):
        bad = {where[0] for where, _ in wrong if where}
        made, _ = validated(model, {k: v for k, v in item.items() if k not in bad}, context)
    return made if made is not None else model.model_construct(set(), **{"name": None, "use": "", "grid": {}})
