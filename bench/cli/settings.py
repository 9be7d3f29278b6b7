"""Adapters and data folders from the arguments of a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bench.adapters import registry
from bench.errors import DataError, UsageError
from bench.interfaces import Adapter, Dataset
from bench.util.validation import validated

_A = TypeVar("_A", bound=Adapter)


def dataset_class(name: str) -> type[Dataset]:
    """Return the dataset adapter of a name or a Python file. Raises `AdapterError` with the nearest name."""
    cls = registry.load("dataset", name)
    assert issubclass(cls, Dataset)
    return cls


def dataset(name: str, settings: Sequence[str]) -> Dataset:
    """Return a dataset adapter with the parameters of `--set name=value`, checked as in a suite."""
    return configured(dataset_class(name), settings)


def configured(cls: type[_A], settings: Sequence[str], given: Mapping[str, Any] | None = None) -> _A:
    """Build an adapter from `--set` and from parameters that have options of their own.

    Raises
    ------
    UsageError : one sentence per wrong parameter, with its value and the likely fix.
    """
    params = parsed(settings, given)
    made, wrong = validated(cls, params, {"folder": Path.cwd()})
    if wrong:
        raise UsageError(
            "\n".join(f"{cls.use}: {'.'.join(map(str, w)) or '--set'}: {message}" for w, message in wrong)
        )
    assert isinstance(made, cls)
    return made


def parsed(settings: Sequence[str], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return parameters by name: those `given`, and those of `--set`.

    Raises `UsageError` for what is not name=value, a name that occurs twice, or a value that is not YAML.
    """
    params = dict(given or {})
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not name or not equals:
            raise UsageError(f"--set {setting}: expected name=value")
        if name in params:
            raise UsageError(f"--set {setting}: {name!r} is already given")
        params[name] = _value(setting, text)
    return params


def data_folder(name: str, root: Path | None, data: Path | None) -> Path:
    """Return the folder that holds a dataset: the one given, else the dataset's folder in `data`.

    Raises `DataError` if it is not there.
    """
    found = root or default_folder(name, data)
    if found is None:
        raise DataError(f"{name}: no folder given; give it, or set BENCH_DATA (or --data)")
    if not found.is_dir():
        hint = "" if root else f"; `bench data download {name}` says how to get it"
        raise DataError(f"{name}: there is no folder {found}{hint}")
    return found


def default_folder(name: str, data: Path | None) -> Path | None:
    """Return where suites look for a dataset without a `root`; None without a data folder."""
    return data / Path(name).stem if data is not None else None


def _value(setting: str, text: str) -> Any:
    """Read a value as YAML 1.2; dates stay text."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor

    class Constructor(SafeConstructor):
        pass

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Constructor
    try:
        return yaml.load(text)
    except Exception as e:  # noqa: BLE001  # on malformed text ruamel.yaml raises errors of all kinds
        raise UsageError(f"--set {setting}: not a YAML value: {' '.join(str(e).split())}") from None
