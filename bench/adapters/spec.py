"""The serialized form of an adapter, in keys, records and jobs for workers.

    {"adapter": "kmeans@1", "params": {"k": 10, ...}}

The identity of its code and every parameter, defaults included. A file parameter is written as
`{"content": digest, "ending": ".npy"}`: its path is irrelevant. A nested adapter is serialized the same
way. With the kind of adapter, and a map from content to path for any files, it can be rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from bench.adapters import registry
from bench.errors import DataError
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
    """Content and ending -> path, of file parameters and users' adapter files."""

    @classmethod
    def of(
        cls, adapter: Adapter, content: Callable[[Path], str], leave_out: tuple[str, ...] = ()
    ) -> AdapterSpec:
        """Serialize an adapter.

        `content(path)` returns the digest of a file's content. `leave_out` names parameters to omit, e.g.
        because they are separate stages; rebuilding gives them their defaults.
        """
        files: dict[str, str] = {}
        written = _written(adapter, content, leave_out, files)
        kind = registry.kind_of(type(adapter))
        return cls(kind=kind, adapter=written["adapter"], params=written["params"], files=files)

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
        """Return a copy with some parameters changed."""
        return self.model_copy(update={"params": {**self.params, **changes}})

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
        return _built(self.kind, self.described, self.files)


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


def _built(kind: str, described: Mapping[str, Any], files: Mapping[str, str]) -> Adapter:
    identity, _, version = described["adapter"].rpartition("@")
    cls = _code(kind, identity, files)
    if version != str(cls.version):
        raise DataError(f"{kind} {cls.use} was version {version}; version {cls.version} is installed")
    params = {
        name: _value(value, cls.model_fields.get(name), files) for name, value in described["params"].items()
    }
    return cls.model_validate(params)


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
    nested = isinstance(value, dict) and value.keys() == {"adapter", "params"}
    if nested and (kind := kind_in(field.annotation)):
        return _built(kind, value, files)
    return _paths(value, files) if _is_file(field) else value


def kind_in(annotation: Any) -> str | None:
    """Return the kind of adapter that a parameter holds, also in a union; None if it holds no adapter."""
    if isinstance(annotation, type) and issubclass(annotation, Adapter):
        return registry.kind_of(annotation)
    return next(filter(None, map(kind_in, get_args(annotation))), None)


def _paths(value: Any, files: Mapping[str, str]) -> Any:
    """Replace file contents by paths."""
    if isinstance(value, list):
        return [_paths(v, files) for v in value]
    if not isinstance(value, dict):
        return value
    if value.keys() != {"content", "ending"}:
        return {k: _paths(v, files) for k, v in value.items()}
    path = files.get("".join((value["content"], value["ending"])))
    if path is None:
        raise DataError(f"a file cannot be found: its content had the digest {value['content']}")
    return Path(path)
