"""An adapter's serialized form: all that determines its result, and enough to rebuild it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field
from pydantic_core import PydanticUndefined

from bench.adapters.keys import digest
from bench.adapters.registry import KINDS, load, names
from bench.adapters.spec import AdapterSpec
from bench.errors import AdapterError, DataError
from bench.interfaces import Adapter, Clusterer, Encoder, InputFile, Reducer


class Plain(Encoder):
    """Has parameters of all kinds."""

    use: ClassVar[str] = "plain"

    rate: float = 1.0
    names: tuple[str, ...] = ("a", "b")
    chosen: frozenset[str] = frozenset({"x", "y", "z"})
    maps: dict[str, int] = Field(default={"one": 1, "two": 2})
    file: InputFile | None = None
    folder: Path | None = None


class Shrink(Reducer):
    """A nested adapter."""

    dims: int = 2


class Grouper(Clusterer):
    """Holds another adapter."""

    k: int = 3


def key(adapter: Adapter, content: Any = None, **kwargs: Any) -> str:
    return digest(AdapterSpec.of(adapter, content or (lambda p: p.read_text()), **kwargs).described)


def test_defaults_count_as_if_written_out():
    assert key(Plain()) == key(Plain(rate=1, names=("a", "b"), chosen=frozenset({"z", "y", "x"})))
    assert key(Plain()) == key(Plain(maps={"two": 2, "one": 1}))


@pytest.mark.parametrize(
    "change",
    [{"rate": 1.5}, {"names": ("b", "a")}, {"chosen": frozenset({"x"})}, {"maps": {"one": 2, "two": 1}}],
)
def test_every_parameter_counts(change: dict[str, Any]):
    assert key(Plain()) != key(Plain(**change))


def test_a_file_counts_by_content_and_ending_but_not_by_path(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    paths = {n: tmp_path / n for n in ("a.csv", "b.csv", "deep/c.csv", "a.txt")}
    for name, path in paths.items():
        path.write_text("other" if name == "b.csv" else "same")
    keys = {name: key(Plain(file=path)) for name, path in paths.items()}
    assert keys["a.csv"] == keys["deep/c.csv"]
    assert len({keys["a.csv"], keys["b.csv"], keys["a.txt"], key(Plain())}) == 4


def test_a_plain_path_counts_as_written(tmp_path: Path):
    assert key(Plain(folder=tmp_path / "a")) != key(Plain(folder=tmp_path / "b"))


def test_nested_adapters_count_unless_left_out():
    two, three = (Grouper(reduce=Shrink(dims=d)) for d in (2, 3))
    assert key(two) != key(three)
    assert key(two) != key(Grouper())
    assert key(two, leave_out=("reduce",)) == key(three, leave_out=("reduce",))


def test_the_version_counts(monkeypatch: pytest.MonkeyPatch):
    before = key(Plain())
    monkeypatch.setattr(Plain, "version", 2)
    assert key(Plain()) != before


def test_a_value_without_canonical_form_is_refused():
    class Odd(Encoder):
        """Holds a value that no suite file can contain."""

        value: complex = 1j

    with pytest.raises(TypeError, match="canonical"):
        key(Odd())


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in names(k)])
def test_every_parameter_of_every_adapter_counts(kind: str, name: str):
    cls = load(kind, name)
    values = {n: f.get_default() for n, f in cls.model_fields.items()}
    values = {n: None if v is PydanticUndefined else v for n, v in values.items()}
    plain = key(cls.model_construct(None, **values))
    for parameter in values:
        other = cls.model_construct(None, **{**values, parameter: "another value"})
        assert key(other) != plain, parameter


NESTED = """\
from bench.interfaces import Clusterer, Encoder, InputFile, PairModel
class Own(PairModel):
    'Has parameters of all kinds.'
    encoder: Encoder
    scale: float = 2.0
    names: frozenset[str] = frozenset({'b', 'a'})
    tables: list[InputFile] = []
    maps: dict[str, int] = {}
"""


@pytest.fixture
def own(tmp_path: Path) -> Adapter:
    """A user's pair model with an encoder and two files."""
    (tmp_path / "own.py").write_text(NESTED)
    tables = [tmp_path / name for name in ("a.csv", "b.npy")]
    for table in tables:
        table.write_text("same")
    encoder = load("encoder", "pixels")()
    cls = load("pair_model", "./own.py", tmp_path)
    return cls.model_validate({"encoder": encoder, "tables": tables, "maps": {"one": 1}})


def written(adapter: Adapter) -> AdapterSpec:
    return AdapterSpec.of(adapter, lambda path: digest(path.read_text()))


def test_the_serialized_form_is_rebuilt_in_any_process(own: Adapter):
    sent = json.loads(json.dumps(written(own).model_dump()))
    built = AdapterSpec.model_validate(sent).build()
    assert built == own
    assert written(built) == written(own)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in names(k)])
def test_every_adapter_with_defaults_is_rebuilt(kind: str, name: str):
    cls = load(kind, name)
    if any(f.is_required() for f in cls.model_fields.values()):
        pytest.skip("has required parameters")
    try:
        adapter = cls()
    except ValueError:
        pytest.skip("its defaults are not a valid combination")
    assert written(adapter).build() == adapter


def test_from_a_record_with_the_files_of_the_plan(own: Adapter):
    spec = written(own)
    assert AdapterSpec.from_record("pair_model", spec.described, spec.files).build() == own
    assert spec.with_params(scale=3, tables=[]).build().model_dump()["scale"] == 3
    without = {k: v for k, v in spec.files.items() if k.endswith(".py")}
    with pytest.raises(DataError, match="a file cannot be found: its content had the digest"):
        AdapterSpec.from_record("pair_model", spec.described, without).build()
    with pytest.raises(DataError, match="the file of the pair_model cannot be found"):
        AdapterSpec.from_record("pair_model", spec.described, {}).build()


def test_code_that_changed_is_refused(own: Adapter, tmp_path: Path):
    spec = written(own)
    (tmp_path / "own.py").write_text(NESTED.replace("2.0", "3.0"))
    with pytest.raises(DataError, match=r"own\.py changed since the run was planned; run the command again"):
        spec.build()


def test_code_of_another_version_is_refused():
    with pytest.raises(DataError, match=r"encoder pixels was version 9; version \d is installed"):
        AdapterSpec(kind="encoder", adapter="pixels@9", params={}).build()
    with pytest.raises(AdapterError, match="no encoder named 'pixel'; did you mean 'pixels'"):
        AdapterSpec(kind="encoder", adapter="pixel@1", params={}).build()
    with pytest.raises(AdapterError, match="no installed package declares it"):
        AdapterSpec(kind="encoder", adapter="elsewhere.x:Y@1", params={}).build()


EXACT = """\
from typing import Any, Literal
from bench.interfaces import Clusterer, Encoder, PairModel
class Own(Clusterer):
    'Tells values apart that have one key.'
    share: int | float = 1.0
    any: Any = 2.0
    chosen: frozenset[Literal[1, 2]] = frozenset({2, 1})
    model: PairModel | Encoder
"""


def test_a_worker_gets_the_exact_values_and_what_keys_leave_out(tmp_path: Path):
    (tmp_path / "own.py").write_text(EXACT)
    cls = load("clusterer", "./own.py", tmp_path)
    reduce = load("reducer", "pca")()
    adapter = cls.model_validate({"model": load("encoder", "pixels")(), "reduce": reduce})
    spec = AdapterSpec.of(adapter, str, leave_out=("reduce",))
    assert "reduce" not in spec.params
    built = dict(AdapterSpec.model_validate_json(json.dumps(spec.model_dump())).build())
    assert [type(built[name]) for name in ("share", "any")] == [float, float]
    assert built["chosen"] == {1, 2}
    assert built["reduce"] == reduce


def test_a_nested_adapter_in_a_record_may_be_of_either_kind_of_a_union(tmp_path: Path):
    (tmp_path / "own.py").write_text(EXACT)
    cls = load("clusterer", "./own.py", tmp_path)
    spec = AdapterSpec.of(cls.model_validate({"model": load("encoder", "pixels")()}), str)
    described = {"adapter": spec.adapter, "params": {**spec.params, "chosen": []}}
    built = dict(AdapterSpec.from_record("clusterer", described, spec.files).build())
    assert built["model"] == load("encoder", "pixels")()
