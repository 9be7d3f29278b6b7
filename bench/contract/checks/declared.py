"""Checks of what an adapter declares: they read its class and its file, and run nothing of it."""

from __future__ import annotations

import json
import re
from typing import get_args

from pydantic import ValidationError

from bench.adapters.keys import digest
from bench.adapters.registry import KINDS
from bench.adapters.spec import AdapterSpec
from bench.contract.check import METHODS, Broken, NotApplicable, check
from bench.contract.imports import COMMON, SLOW_S, on_import, used_libraries
from bench.contract.subject import AdapterSubject
from bench.interfaces import Unit, marks

_ALL = tuple(KINDS)
_QUANTITY = re.compile(r"(^|_)(size|side|degrees|angle|seconds|duration|time_limit|radius)$")
"""Names of parameters that mean nothing without a unit; of methods `batch` is one too."""


@check(*_ALL)
def docstring(subject: AdapterSubject) -> None:
    """The class has a docstring of its own.

    `bench list`, `bench describe` and the documentation show it; it is all that readers of a table can find
    out about the method.
    """
    if not (vars(subject.cls).get("__doc__") or "").strip():
        raise Broken(f"class {subject.cls.__name__} has no docstring; write one below its first line")


@check(*METHODS)
def source(subject: AdapterSubject) -> None:
    """`source` names the paper or library that the adapter follows.

    Records and `bench describe` show it. Of what follows none, write that: `source = "none: ..."`.
    """
    if subject.cls.source.strip():
        return
    hint = 'it is empty; write e.g. source: ClassVar[str] = "Caron et al. 2021, arXiv 2104.14294"'
    if subject.cls.content_hash:
        raise NotApplicable(hint)  # a file of one's own may have none
    raise Broken(hint)


@check(*_ALL)
def described(subject: AdapterSubject) -> None:
    """Every parameter says what it means.

    `bench describe` prints the docstring below each field, and nobody can choose a value without it.
    """
    bare = [name for name, info in subject.cls.model_fields.items() if not (info.description or "").strip()]
    if bare:
        raise Broken(f"no docstring below the field{'s' * (len(bare) > 1)} {', '.join(bare)}")


@check(*_ALL)
def units(subject: AdapterSubject) -> None:
    """Every parameter that is a quantity has a unit.

    A size in px and one in µm are different experiments: `size: Annotated[int, Unit("px")] = 64`.
    """
    bare = [
        name
        for name, info in subject.cls.model_fields.items()
        if (_QUANTITY.search(name) or (name == "batch" and subject.kind in METHODS))
        and {int, float} & _types(info.annotation)
        and not any(isinstance(mark, Unit) for mark in marks(info))
    ]
    if bare:
        raise Broken(f"no unit: {', '.join(bare)}; write Annotated[..., Unit(...)]")


@check(*_ALL)
def parameters(subject: AdapterSubject) -> None:
    """Parameters can be written down as JSON and read back, and unknown ones are refused.

    Keys, records and the processes that run stages hold the written form; a misspelt parameter that passes
    in silence makes a result that is not what its record says.
    """
    cls = subject.cls
    try:
        cls.model_validate({**dict(subject.adapter), "no_such_parameter": 1})
    except ValidationError:
        pass
    else:
        raise Broken('an unknown parameter is accepted; leave `extra="forbid"` of Adapter as it is')
    if not cls.model_config.get("frozen"):
        raise Broken("its parameters can change after they were written down; leave `frozen=True` as it is")
    try:
        spec = AdapterSpec.of(subject.adapter, lambda path: digest(str(path.absolute())))
        text = json.dumps(spec.model_dump(mode="json"), allow_nan=False)
    except (TypeError, ValueError) as e:
        raise Broken(str(e)) from None
    if AdapterSpec.model_validate(json.loads(text)).build() != subject.adapter:
        raise Broken("it has other parameters after they were written down and read back")


@check(*METHODS)
def libraries(subject: AdapterSubject) -> None:
    """`libraries` lists the heavy libraries that the file imports.

    Records hold their versions, workers load them ahead of time, and stages share out the GPUs by whether
    torch is among them.
    """
    declared = {name.partition(".")[0] for name in subject.cls.libraries}
    if subject.file is None:
        raise NotApplicable("its source is not a file")
    missing = sorted(used_libraries(subject.file) - declared)
    if missing:
        listed = ", ".join(f'"{m}"' for m in missing)
        raise Broken(f"imported but not listed: {', '.join(missing)}; add {listed} to `libraries`")


@check(*_ALL)
def importing(subject: AdapterSubject) -> None:
    """Importing the file is quick, and does nothing else.

    Planning, `bench describe` and every process that runs a stage import it. Import heavy libraries in the
    methods that use them.
    """
    own = subject.cls.content_hash and subject.file
    found = on_import(subject.kind, subject.file if own and subject.file else subject.cls.__module__)
    heavy = [m for m in found.loaded if m not in COMMON]
    if heavy:
        raise Broken(f"it imports {', '.join(heavy)}; move that into the methods that use them")
    if found.effects:
        raise Broken("; ".join(found.effects))
    if found.seconds > SLOW_S:
        raise Broken(f"it takes {found.seconds:.1f} s of computing; {SLOW_S:g} s is the limit")


def _types(annotation: object) -> set[object]:
    inner = get_args(annotation)
    return set().union(*map(_types, inner)) if inner else {annotation}
