"""The suite file: what is compared on what, typed, with every problem found at once."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench import registry
from bench.grid import PARTS, Concrete, expand
from bench.interfaces import Adapter, Classifier, Clusterer, Dataset, Encoder, Generator, PairModel, Unit
from bench.metrics.names import METRICS
from bench.registry import AdapterError, suggest
from bench.selection import Selection
from bench.yamlfile import FileError, Problem, Tree, Where, override, read


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Limits(_Strict):
    """What one stage may use. A stage that goes beyond is ended with all its processes."""

    wall_s: Annotated[float, Unit("s")] = Field(24 * 3600.0, gt=0)
    """Wall-clock time of one stage."""
    memory_gib: Annotated[float | None, Unit("GiB")] = Field(None, gt=0)
    """Memory of one stage with all its processes; unless given, 90 % of the machine's."""
    threads: int = Field(1, ge=1)
    """Threads of one stage. Part of what makes a result reproducible, so not left to the machine."""


class Bootstrap(_Strict):
    """How intervals of metrics are made: by resampling images."""

    replicates: int = Field(1000, ge=0, le=100_000)
    level: float = Field(0.95, gt=0, lt=1)


class Table(_Strict):
    """One table drawn from the records of the suite."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    caption: str = ""
    rows: Literal["method"] = "method"
    columns: list[str] = Field(default=[], description="Metrics; unless given, those of the suite.")
    datasets: list[str] = Field(default=[], description="Names of datasets; unless given, all.")
    reference: str | None = Field(None, description="A table of results/reference to print beside ours.")


class DatasetBlock(BaseModel):
    """One dataset of a suite: an adapter, its parameters, and which images are used for what."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=200)
    use: str
    """Name of the adapter, or a Python file that holds one."""
    root: str | None = None
    """Folder of the data; unless given, $BENCH_DATA/<use>."""
    fit: Selection | None = None
    """Images that methods train on; unless given, all."""
    score: Selection | None = None
    """Images that are clustered and scored; unless given, all."""
    split_seed: int = 0
    """Seed of the random part of `fit` and `score`; the same for every seed of the suite."""
    synthetic: dict[str, Any] | None = None
    """Generate the data instead of reading it: parameters of the dataset's generator."""


class MethodBlock(_Strict):
    """One method, or a grid of methods: encoder + clusterer, pair model + clusterer, or classifier."""

    name: str | None = Field(None, min_length=1, max_length=200)
    encoder: dict[str, Any] | str | None = None
    pair_model: dict[str, Any] | str | None = None
    clusterer: dict[str, Any] | str | None = None
    classifier: dict[str, Any] | str | None = None
    grid: dict[str, list[Any]] = {}
    limits: Limits | None = None


class SuiteBlock(_Strict):
    """A suite file."""

    title: str = ""
    description: str = ""
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(default=[0, 1, 2], min_length=1)
    metrics: list[str] = Field(default=["acc", "f1", "nmi", "ari", "ami"], min_length=1)
    noise: Literal["own_cluster", "drop"] = "own_cluster"
    """Images called noise: each its own cluster, or left out with the coverage beside the number."""
    bootstrap: Bootstrap = Bootstrap()
    baselines: bool = True
    """Add the trivial baselines to every dataset."""
    limits: Limits = Limits()
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of neural networks, where the hardware has it."""
    datasets: list[DatasetBlock] = Field(min_length=1)
    methods: list[MethodBlock] = Field(min_length=1)
    tables: list[Table] = []
    profiles: dict[str, dict[str, Any]] = {}
    """Named changes to this file, chosen with --profile; datasets and methods are named, not listed."""


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset of a suite, ready to be planned."""

    name: str
    adapter: Dataset
    root: Path | None
    fit: Selection | None
    score: Selection | None
    split_seed: int
    generator: Generator | None


@dataclass(frozen=True)
class Method:
    """One method of a suite: a chain of adapters."""

    name: str
    encoder: Encoder | None = None
    pair_model: PairModel | None = None
    clusterer: Clusterer | None = None
    classifier: Classifier | None = None
    limits: Limits | None = None
    trivial: bool = False

    @property
    def parts(self) -> dict[str, Adapter]:
        """The adapters of the chain, by kind, in the order in which they run."""
        parts: dict[str, Adapter | None] = {
            "encoder": self.encoder,
            "pair_model": self.pair_model,
            "reducer": self.clusterer.reduce if self.clusterer else None,
            "clusterer": self.clusterer,
            "classifier": self.classifier,
        }
        return {kind: part for kind, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Suite:
    """A checked suite: every adapter is loaded and every parameter valid."""

    name: str
    file: Path
    profile: str | None
    block: SuiteBlock
    datasets: list[DatasetEntry]
    methods: list[Method]
    """Trivial baselines come last."""

    @property
    def folder(self) -> Path:
        """Folder of the suite file; relative paths in the file start here."""
        return self.file.parent


def find(name: str) -> Path:
    """Return the suite file that `name` means: a path, or a suite that ships with the package.

    Raises `FileError` with the nearest names if there is none.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path.resolve()
        raise FileError([Problem(path, 1, "there is no such file")])
    known = shipped()
    if name in known:
        return known[name]
    raise FileError([Problem(path, 1, f"no suite of this name; {suggest(name, sorted(known))}")])


def shipped() -> dict[str, Path]:
    """Return the suites that ship with the package, by name."""
    spec = importlib.util.find_spec("bench.suites")
    folders = (spec.submodule_search_locations if spec else None) or []
    return {p.stem: p for folder in folders for p in sorted(Path(folder).glob("*.yaml"))}


def load(file: Path, profile: str | None = None, data: Path | None = None) -> Suite:
    """Read and check a suite file.

    Parameters
    ----------
    file : the YAML file.
    profile : name of a profile to lay over it.
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


def _apply_profile(tree: Tree, profile: str) -> None:
    profiles = tree.value.get("profiles")
    known = sorted(map(str, profiles)) if isinstance(profiles, dict) else []
    if profile not in known:
        text = f"profiles: no profile named {profile!r}; {suggest(profile, known)}"
        raise FileError([Problem(tree.file, tree.line(("profiles",)), text)])
    for key in list(profiles[profile] or {}):
        override(tree, (key,), ("profiles", profile, key))


@dataclass
class _Loader:
    """Collects problems while it turns the tree into a suite."""

    tree: Tree
    profile: str | None
    data: Path | None
    problems: list[Problem] = field(default_factory=list)

    def load(self) -> Suite:
        block = self._schema(SuiteBlock, self.tree.value, ())
        if block is None:  # go on with the parts that have the right form, to find all problems at once
            block = SuiteBlock.model_construct(**{**_defaults(SuiteBlock), **self._sound_parts()})
        datasets = [e for i, b in enumerate(block.datasets) if (e := self._dataset(b, ("datasets", i)))]
        methods = [m for i, b in enumerate(block.methods) for m in self._methods(b, ("methods", i))]
        self._names(block)
        self._unique([(e.name, ("datasets", i)) for i, e in enumerate(block.datasets)], "dataset")
        self._unique([(m.name, w) for m, w in methods], "method")
        self._unique([(s, ("seeds", i)) for i, s in enumerate(block.seeds)], "seed")
        if self.problems:
            raise FileError(self.problems)
        stem = self.tree.file.stem
        name = f"{stem}-{self.profile}" if self.profile else stem
        found = [m for m, _ in methods] + (_trivial_methods() if block.baselines else [])
        if block.baselines and any(m.classifier for m, _ in methods):
            found.append(_part_of_trivial("classifier", "majority"))
        return Suite(name, self.tree.file, self.profile, block, datasets, found)

    def _sound_parts(self) -> dict[str, Any]:
        sound: dict[str, Any] = {"datasets": [], "methods": []}
        for key, model in (("datasets", DatasetBlock), ("methods", MethodBlock)):
            items = self.tree.value.get(key)
            for item in items if isinstance(items, list) else []:
                try:
                    sound[key].append(model.model_validate(item))
                except ValidationError:
                    sound[key].append(model.model_construct(name=None, use="", grid={}))
        for key in ("metrics", "seeds"):
            value = self.tree.value.get(key)
            if isinstance(value, list):
                sound[key] = value
        return sound

    # One block of the file

    def _dataset(self, block: DatasetBlock, where: Where) -> DatasetEntry | None:
        if not block.use:
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
        root = self._root(block)
        entry_generator = generator if isinstance(generator, Generator) else None
        return DatasetEntry(
            block.name, adapter, root, block.fit, block.score, block.split_seed, entry_generator
        )

    def _root(self, block: DatasetBlock) -> Path | None:
        if block.root is not None:
            path = Path(block.root).expanduser()
            return path if path.is_absolute() else self.tree.file.parent / path
        return self.data / Path(block.use).stem if self.data else None

    def _methods(self, block: MethodBlock, where: Where) -> list[tuple[Method, Where]]:
        raw = block.model_dump(include={"name", *PARTS, "grid"}, exclude_none=True)
        if not set(raw) & set(PARTS) and not block.grid:
            if block.name is not None or "grid" in block.model_fields_set:
                self._add(where, "a method needs an encoder and a clusterer, a pair model and a clusterer, or a classifier")  # fmt: skip  # noqa: E501
            return []
        try:
            concretes = expand(raw)
        except ValueError as e:
            self._add(where, str(e))
            return []
        methods = [(self._method(c, block.limits, where), where) for c in concretes]
        return [(m, w) for m, w in methods if m is not None]

    def _method(self, concrete: Concrete, limits: Limits | None, where: Where) -> Method | None:
        parts: dict[str, Adapter] = {}
        before = len(self.problems)
        for kind, value in concrete.block.items():
            if kind == "name":
                continue
            if kind not in PARTS:
                self._add((*where, *concrete.written((kind,))), f"grid: {kind!r} is no part of a method")
                continue
            body = {"use": value} if isinstance(value, str) else value
            inside = _Inside(where, kind, concrete)
            adapter = self._adapter(kind, body, inside.place(()), place=inside.place)
            if adapter is not None:
                parts[kind] = adapter
        if len(self.problems) > before:
            return None
        problem = _chain_problem(parts)
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
            self._add(where, f"{kind}: a name, or a mapping with `use`, is wanted (got {_show(body)})")
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
            self._add(where, f"{kind} {body['use']!r}: its parameter {name!r} is a word of the suite file")
        known = [*cls.model_fields, *(own.model_fields if own else {})]
        made = self._schema(cls, params, where, known, at)
        return None if nested else made

    def _schema(
        self,
        model: type[BaseModel],
        value: Any,
        where: Where,
        known: list[str] | None = None,
        at: Callable[[Where], Where] | None = None,
    ) -> Any:
        try:
            return model.model_validate(value, context={"folder": self.tree.file.parent})
        except ValidationError as e:
            place = at or (lambda inner: (*where, *inner))
            grouped: dict[Where, list[Any]] = {}
            for error in e.errors():
                grouped.setdefault(_inside(error["loc"], value), []).append(error)
            for loc, errors in grouped.items():
                self._add(place(loc), _sentence(loc, errors, known or list(model.model_fields), model))
            return None

    # Checks across blocks

    def _names(self, block: SuiteBlock) -> None:
        wanted = [(m, ("metrics", i)) for i, m in enumerate(block.metrics)]
        for t, table in enumerate(block.tables):
            wanted += [(m, ("tables", t, "columns", i)) for i, m in enumerate(table.columns)]
            for i, name in enumerate(table.datasets):
                if name not in [d.name for d in block.datasets]:
                    text = f"no dataset named {name!r}; {suggest(name, [d.name for d in block.datasets])}"
                    self._add(("tables", t, "datasets", i), text)
        for name, at in wanted:
            if name not in METRICS:
                self._add(at, f"no metric named {name!r}; {suggest(str(name), list(METRICS))}")

    def _unique(self, named: list[tuple[Any, Where]], what: str) -> None:
        seen: dict[Any, Where] = {}
        for name, where in named:
            if name is None:
                continue
            if name in seen:
                first = self.tree.line(seen[name])
                text = f"{what} {name!r} is there already, from line {first}; each needs a name of its own"
                self._add(where, text)
            seen.setdefault(name, where)

    def _add(self, where: Where, message: str) -> None:
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
        return f"encoder + clusterer, pair_model + clusterer, or classifier is wanted (got {got})"
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


def _trivial_methods() -> list[Method]:
    return [_part_of_trivial("clusterer", n) for n in ("all_in_one", "each_alone", "random_sizes")]


def _part_of_trivial(kind: str, use: str) -> Method:
    part = registry.load(kind, use)()
    title = use.replace("_", " ")
    if isinstance(part, Classifier):
        return Method(title, classifier=part, trivial=True)
    assert isinstance(part, Clusterer)
    return Method(title, clusterer=part, trivial=True)


@functools.cache
def _nested(cls: type[Adapter]) -> dict[str, str]:
    """Fields of an adapter that hold another adapter, with the kind of that one."""
    found = {}
    for name, info in cls.model_fields.items():
        for option in (info.annotation, *get_args(info.annotation)):
            if isinstance(option, type) and issubclass(option, Adapter):
                found[name] = registry.kind_of(option)
    return found


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {n: f.get_default(call_default_factory=True) for n, f in model.model_fields.items() if not f.is_required()}  # fmt: skip  # noqa: E501


def _inside(loc: tuple[int | str, ...], value: Any) -> Where:
    """Cut pydantic's location to what is in the file: it appends the names of union members."""
    kept: list[int | str] = []
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            if isinstance(value, dict) and isinstance(part, str) and part == loc[-1]:
                kept.append(part)  # a missing field
            break
        kept.append(part)
    return tuple(kept)


def _sentence(loc: Where, errors: list[Any], known: list[str], model: type[BaseModel]) -> str:
    first = errors[0]
    if first["type"] == "extra_forbidden":
        if len(loc) > 1:  # inside one of the suite's own blocks
            known = _fields_around(model, loc) or known
        return f"unknown parameter (got {_show(first['input'])}); {suggest(str(loc[-1]), known)}"
    if first["type"] == "missing":
        return "required, but not there"
    wanted = " or ".join(dict.fromkeys(_clean(e["msg"]) for e in errors))
    hint = ""
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        options = [o.strip(" '") for o in str(first["ctx"]["expected"]).replace(" or ", ",").split(",")]
        hint = f"; {suggest(first['input'], options)}"
    return f"{wanted} (got {_show(first['input'])}){hint}"


def _fields_around(model: type[BaseModel], loc: Where) -> list[str]:
    """Return the fields of the model that the value at `loc` is a field of."""
    current: Any = model
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part)
        options = _models_in(info.annotation) if info else []
        if not options:
            return []
        current = options[0]
    return list(current.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in get_args(annotation) for m in _models_in(inner)]


def _clean(message: str) -> str:
    for prefix in ("Value error, ", "Assertion failed, "):
        message = message.removeprefix(prefix)
    return message[:1].lower() + message[1:]


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
