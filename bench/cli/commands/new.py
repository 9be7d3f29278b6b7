"""`bench new`: a commented file to start an adapter, a metric, a figure or a table format from."""

from __future__ import annotations

import json
import keyword
from importlib import resources
from pathlib import Path
from string import Template

from bench.adapters import registry
from bench.cli.options.files import NewOptions
from bench.errors import UsageError
from bench.util.text import suggest

_USE = "# "
"""How the first lines of a template begin, which say where the file is used."""


def write_new(options: NewOptions) -> None:
    """Write a file that works as it is, and say how to use it.

    Raises `UsageError` for an unknown kind, an unsuitable name, a missing folder or a file that is there.
    """
    kind = options.kind.replace("-", "_")
    templates = _templates()
    if kind not in templates:
        raise UsageError(f"no kind named {kind!r}; {suggest(kind, sorted(templates))}")
    path = options.out / f"{_checked(options.name)}.py"
    text = rendered(templates[kind], options.name)
    if not options.out.is_dir():
        raise UsageError(f"--out: there is no folder {options.out}")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} is there already; choose another name, or remove it") from None
    test = f"bench test ./{path.name}" if kind in registry.KINDS else None
    use = [line.removeprefix(_USE) for line in _uses(text)]
    if options.json:
        print(json.dumps({"file": str(path), "kind": kind, "test": test, "use": use}))
        return
    print(f"{path}: written. It works as it is; replace what it computes.")
    if test:
        print(f"Check it:         {test}")
    print("\n".join(use))


def rendered(template: str, name: str) -> str:
    """Return the text of a file; `name` is that of the file, a Python identifier."""
    words = [word for word in name.split("_") if word]
    class_name = "".join(word[0].upper() + word[1:] for word in words)
    if f"import {class_name}" in template or f", {class_name}" in template:  # e.g. an encoder named encoder
        class_name = f"My{class_name}"
    return Template(template).substitute(
        file=f"{name}.py",
        class_name=class_name,
        constant=name.upper(),
        lower=name.lower(),
        title=" ".join(words),
    )


def _templates() -> dict[str, str]:
    """Return the templates by kind."""
    folder = resources.files("bench.cli") / "templates"
    files = (f for f in folder.iterdir() if f.name.endswith(".txt"))
    return {Path(f.name).stem: f.read_text(encoding="utf-8") for f in files}


def _checked(name: str) -> str:
    usable = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    if not usable or name.startswith("_"):
        raise UsageError(
            f"{name!r} is no name for a file of Python: use letters, digits and _, and begin with a letter"
        )
    return name


def _uses(text: str) -> list[str]:
    """Return the lines before the docstring: where the file is used."""
    return text.partition('"""')[0].splitlines()
