"""The serialized form of an adapter, in keys, records and jobs for workers.

    {"adapter": "kmeans@1", "params": {"k": 10, ...}}

The identity of its code and every parameter, defaults included. A parameter that is a file is written as
`{"content": digest, "ending": ".npy"}`: its location decides nothing. A nested adapter is written the
same way. With the kind of adapter, and a map from content to paths where there are files, this can be
built again, from a record too. A worker process builds from exact values that travel beside it: 1 and 1.0
have one key, and yet an adapter may tell them apart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from bench.adapters import registry
from bench.errors import AdapterError, DataError
from bench.interfaces import Adapter, FileMark, Json, marks

Described = dict[str, Any]
"""The serialized form: `{"adapter": identity, "params": {...}}`."""


class AdapterSpec(BaseModel):
    """An adapter, serialized so that any process can build it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """One of `bench.adapters.registry.KINDS`."""
    adapter: str
    """Identity of the code: see `bench.adapters.registry.identity`."""
    params: dict[str, Any]
    """Every parameter in canonical form; nested adapters serialized."""
    files: dict[str, str] = {}
    """Content and ending -> path, of parameters that are files and of users' adapter files."""
    use: str = ""
    """Name or file by which the adapter was found; empty if it was read from a record."""
    values: dict[str, Any] = {}
    """With `use`: the exact values of all parameters but nested adapters, as JSON has them."""
    nested: dict[str, AdapterSpec] = {}
    """With `use`: the nested adapters, by parameter."""

    @classmethod
    def of(
        cls, adapter: Adapter, content: Callable[[Path], str], leave_out: tuple[str, ...] = ()
    ) -> AdapterSpec:
        """Serialize an adapter.

        `content(path)` is the digest of a file's content. `leave_out` names parameters that do not count in
        keys and records, e.g. because they are stages of their own; the adapter that is built has them.
        """
        files: dict[str, str] = {}
        written = _written(adapter, content, leave_out, files)
        code = type(adapter)
        fields = {name: getattr(adapter, name) for name in code.model_fields}
        return cls(
            kind=registry.kind_of(code),
            adapter=written["adapter"],
            params=written["params"],
            files=files,
            use=str(registry.file_of(code) or code.use),
            values={n: _plain(v) for n, v in fields.items() if not isinstance(v, Adapter)},
            nested={n: cls.of(v, content) for n, v in fields.items() if isinstance(v, Adapter)},
        )

    @classmethod
    def from_record(cls, kind: str, described: Mapping[str, Any], files: Mapping[str, str]) -> AdapterSpec:
        """Read the serialized form from a record; `files` are those that the suite's plan lists."""
        params = dict(described["params"])
        return cls(kind=kind, adapter=described["adapter"], params=params, files=dict(files))

    @property
    def described(self) -> Described:
        """The serialized form, as in keys and records."""
        return {"adapter": self.adapter, "params": self.params}

    def with_params(self, **changes: Json) -> AdapterSpec:
        """Return the same adapter with some parameters changed."""
        return self.model_copy(update={"params": {**self.params, **changes}, "use": ""})

    def code(self) -> type[Adapter]:
        """Return the adapter's class, in whatever version is installed.

        Raises `AdapterError` if it is not installed, and `DataError` if its file is unknown.
        """
        return _code(self.kind, self.adapter.rpartition("@")[0], self.files)

    def build(self) -> Adapter:
        """Build the adapter.

        Raises
        ------
        AdapterError : its code is not installed.
        DataError : the installed code has another version or content, or a file is unknown.
        """
        if not self.use:
            return _built(self.kind, self.described, self.files)
        cls = registry.load(self.kind, self.use)
        _check(self.kind, cls, self.adapter)
        return cls.model_validate(
            {**self.values, **{name: spec.build() for name, spec in self.nested.items()}}
        )


def _written(
    adapter: Adapter, content: Callable[[Path], str], leave_out: tuple[str, ...], files: dict[str, str]
) -> Described:
    cls = type(adapter)
    path = registry.file_of(cls)
    if path is not None:
        files[f"{cls.content_hash}.py"] = str(path)
    params = {
        name: _canonical(getattr(adapter, name), _is_file(field), content, files)
        for name, field in cls.model_fields.items()
        if name not in leave_out
    }
    return {"adapter": registry.identity(cls), "params": params}


def _is_file(field: FieldInfo) -> bool:
    return any(isinstance(m, FileMark) for m in marks(field))


def _canonical(value: Any, is_file: bool, content: Callable[[Path], str], files: dict[str, str]) -> Json:
    if isinstance(value, Adapter):
        return _written(value, content, (), files)
    if isinstance(value, Path):
        if not is_file:
            return value.as_posix()
        # The ending counts: adapters choose the file format by it.
        found = {"content": content(value), "ending": value.suffix}
        files["".join(found.values())] = str(value.absolute())
        return found
    if isinstance(value, dict):
        return {str(k): _canonical(v, is_file, content, files) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(v, is_file, content, files) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(v) for v in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # 1 and 1.0 are the same number
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"parameter value {value!r} of type {type(value).__name__} has no canonical form")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, from which the model of an adapter reads the same value."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(v) for v in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def _built(kind: str, described: Mapping[str, Any], files: Mapping[str, str]) -> Adapter:
    cls = _code(kind, described["adapter"].rpartition("@")[0], files)
    _check(kind, cls, described["adapter"])
    params = {
        name: _value(value, cls.model_fields.get(name), files) for name, value in described["params"].items()
    }
    return cls.model_validate(params)


def _check(kind: str, cls: type[Adapter], identity: str) -> None:
    """Raise `DataError` if an adapter's code is not the one that was written down."""
    here = registry.identity(cls)
    if here == identity:
        return
    if cls.content_hash and here.rpartition("@")[0] != identity.rpartition("@")[0]:
        raise DataError(f"{cls.use} changed since the run was planned; run the command again")
    version = identity.rpartition("@")[2]
    raise DataError(f"{kind} {cls.use} was version {version}; version {cls.version} is installed")


def _code(kind: str, identity: str, files: Mapping[str, str]) -> type[Adapter]:
    if not identity.startswith("file:"):
        return registry.find(kind, identity)
    digest = identity.removeprefix("file:")
    path = files.get(f"{digest}.py")
    if path is None:
        raise DataError(f"the file of the {kind} cannot be found: its content had the digest {digest}")
    cls = registry.load(kind, path)
    if cls.content_hash != digest:
        raise DataError(f"{path} changed since the run was planned; run the command again")
    return cls


def _value(value: Any, field: FieldInfo | None, files: Mapping[str, str]) -> Any:
    if field is None:  # the model rejects it by name
        return value
    kinds = kinds_in(field.annotation)
    if kinds and isinstance(value, dict) and value.keys() == {"adapter", "params"}:
        return _nested(kinds, value, files)
    return _paths(value, files) if _is_file(field) else value


def _nested(kinds: Sequence[str], described: Mapping[str, Any], files: Mapping[str, str]) -> Adapter:
    """Build a nested adapter of the first kind that has it."""
    *others, last = kinds
    for kind in others:
        with contextlib.suppress(AdapterError):
            return _built(kind, described, files)
    return _built(last, described, files)


def kinds_in(annotation: Any) -> list[str]:
    """Return the kinds of adapters that a parameter can hold, also in a union; empty if it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Adapter):
        return [registry.kind_of(annotation)]
    return list(dict.fromkeys(kind for inner in get_args(annotation) for kind in kinds_in(inner)))


def _paths(value: Any, files: Mapping[str, str]) -> Any:
    """Replace file contents by paths."""
    if isinstance(value, list):
        return [_paths(v, files) for v in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"content", "ending"} or not all(isinstance(v, str) for v in value.values()):
        return {k: _paths(v, files) for k, v in value.items()}
    path = files.get("".join((value["content"], value["ending"])))
    if path is None:
        raise DataError(f"a file cannot be found: its content had the digest {value['content']}")
    return Path(path)
