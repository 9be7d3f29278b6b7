"""`bench data download`: fetch a dataset from its official source, or say how."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.acquire.archive import is_archive, unpack
from bench.acquire.download import RemoteFile, check_space, fetch
from bench.adapters.origin import Download, Origin, stand_in_marker
from bench.cli.options.data import DownloadOptions
from bench.cli.origins import origin_facts, total_size
from bench.cli.progress import Progress, human
from bench.cli.settings import dataset_class, default_folder
from bench.errors import DataError, UsageError
from bench.util.text import suggest

_NO_SOURCE = 2
_INSTALL = {
    "aws": "pip install awscli",
    "hf": "pip install huggingface_hub",
    "kaggle": "pip install kaggle, and put the token of your account where it says",
}
_ARCHIVES_IN_ARCHIVES = 3
_STDERR = 2
"""File descriptor that programs print to: their output must not mix with our JSON."""


def download_dataset(options: DownloadOptions) -> int:
    """Fetch and unpack the parts of a dataset; return the exit code: 2 where there is no public source.

    Raises `DataError` for unknown parts, programs that are not installed, and any failure of a download.
    """
    name, dry_run, as_json = options.name, options.dry_run, options.json
    origin = dataset_class(name).origin
    target = options.out or default_folder(name, options.data)
    if origin is None or not origin.parts:
        return _print_by_hand(name, origin, target, as_json=as_json)
    parts = _chosen(name, origin, options.part or ())
    if dry_run and target is None:
        target = Path(name)
    if target is None:
        raise UsageError(f"{name}: no target folder; give --out, or set BENCH_DATA (or --data)")
    marker = stand_in_marker(target)
    if marker is not None:
        raise DataError(f"{target}: holds a generated stand-in ({marker}); get the real data elsewhere")
    if dry_run:
        _print_commands(name, origin, parts, target, as_json=as_json)
        return 0
    _check_programs(parts)
    print(f"{name}: {total_size(parts)}, to {target}; licence: {origin.licence}", file=sys.stderr)
    target.mkdir(parents=True, exist_ok=True)
    check_space(target, _missing_bytes(parts, target))
    done = []
    for part in parts:
        done.append(_get(part, target))
        if not as_json:
            print(_sentence(done[-1]))
    if as_json:
        print(json.dumps({"dataset": name, "out": str(target), "licence": origin.licence, "parts": done}))
    else:
        print(f"`bench data verify {name} {shlex.quote(str(target))}` reads it all and compares the numbers.")
    return 0


def _print_by_hand(name: str, origin: Origin | None, target: Path | None, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"dataset": name, "origin": origin_facts(origin), "parts": []}))
    elif origin is None:
        print(
            f"{name} is a layout, not a particular dataset: `bench data describe {name}` says what it reads."
        )
    else:
        print(f"{name}: there is no public source that can be fetched automatically. {origin.by_hand}")
        print(f"Data folder: {target or f'$BENCH_DATA/{name}'}")
        print(f"Licence: {origin.licence}")
    return _NO_SOURCE


def _chosen(name: str, origin: Origin, names: Sequence[str]) -> list[Download]:
    known = {p.name: p for p in origin.parts}
    for part in names:
        if part not in known:
            raise UsageError(f"{name} has no part {part!r}; {suggest(part, list(known))}")
    return [p for p in origin.parts if (p.name in names if names else not p.optional)]


def _print_commands(
    name: str, origin: Origin, parts: Sequence[Download], target: Path, *, as_json: bool
) -> None:
    if as_json:
        listed = [vars(p) | {"command": _shell(p, target)} for p in parts]
        print(json.dumps({"dataset": name, "out": str(target), "licence": origin.licence, "parts": listed}))
        return
    print(f"# {name}, licence: {origin.licence}")
    left_out = [p for p in origin.parts if p not in parts]
    for part in parts:
        size = f"{human(part.size)} ({part.size} bytes)" if part.size is not None else "size unknown"
        print(f"# {part.name}: {size}{f'; {part.note}' if part.note else ''}")
        for command in _shell(part, target):
            print(command)
    print(f"# together: {total_size(parts)}")
    for part in left_out:
        print(f"# left out: --part {part.name} ({total_size([part])}){f': {part.note}' if part.note else ''}")


def _shell(part: Download, target: Path) -> list[str]:
    """Return the shell commands that do the same for a part."""
    if part.command:
        unpacking = ["# then every archive that it leaves is unpacked there"] if part.unpack else []
        return [shlex.join(_command(part, target)), *unpacking]
    file = str(target / _remote(part).name)
    lines = [
        shlex.join(["curl", "--fail", "-L", "-C", "-", "--create-dirs", "-o", file, part.url]),
    ]
    if part.md5:
        lines.append(f"echo {shlex.quote(f'{part.md5}  {file}')} | md5sum -c")
    if part.unpack and file.endswith(".zip"):
        lines.append(shlex.join(["unzip", "-n", file, "-d", str(target)]))
    elif part.unpack:
        lines.append(shlex.join(["tar", "-x", "-f", file, "-C", str(target)]))
    return lines


def _check_programs(parts: Sequence[Download]) -> None:
    for part in parts:
        program = part.command[0] if part.command else ""
        if program and shutil.which(program) is None:
            hint = f"; {_INSTALL[program]}" if program in _INSTALL else ""
            raise DataError(f"part {part.name!r} needs the program {program!r}, which is not installed{hint}")


def _missing_bytes(parts: Sequence[Download], target: Path) -> int:
    files = ((p, target / _remote(p).name) for p in parts if p.url and p.size is not None)
    return sum((p.size or 0) for p, file in files if not file.exists())


def _get(part: Download, target: Path) -> dict[str, Any]:
    about: dict[str, Any] = {"part": part.name, "file": None, "bytes": None, "unpacked": None}
    if part.url:
        remote = _remote(part)
        with Progress("bytes") as progress:
            fresh = fetch(remote, target, progress)
        file = target / remote.name
        about |= {
            "state": "fetched" if fresh else "already there",
            "file": str(file),
            "bytes": file.stat().st_size,
            "checked": "md5" if part.md5 else "size" if part.size is not None else "nothing known",
        }
        archives = [file]
    else:
        _run(_command(part, target))
        about["state"] = "command succeeded"
        archives = []
    if part.unpack:
        with Progress("bytes") as progress:
            found = _unpack_all(target, archives, progress)
        about["unpacked"] = found
        if part.command and not found:
            raise DataError(f"{part.command[0]} left no archive to unpack in {target}")
    return about


def _unpack_all(target: Path, archives: list[Path], progress: Progress) -> dict[str, int]:
    """Unpack archives, and those that come out of them; without any given, those directly in `target`."""
    done: dict[Path, int] = {}
    todo = archives or [p for p in sorted(target.iterdir()) if is_archive(p)]
    for _ in range(_ARCHIVES_IN_ARCHIVES):
        for archive in todo:
            done[archive] = unpack(archive, target, progress).files
        todo = (
            [p for p in sorted(target.iterdir()) if p not in done and is_archive(p)] if not archives else []
        )
    return {archive.name: files for archive, files in done.items()}


def _run(command: Sequence[str]) -> None:
    print(f"$ {shlex.join(command)}", file=sys.stderr)
    code = subprocess.run(command, stdout=_STDERR, check=False).returncode
    if code:
        raise DataError(f"`{shlex.join(command)}` ended with exit code {code}; its output is above")


def _command(part: Download, target: Path) -> list[str]:
    return [word.replace("{out}", str(target)) for word in part.command]


def _remote(part: Download) -> RemoteFile:
    return RemoteFile(part.url, part.size, part.md5)


def _sentence(about: dict[str, Any]) -> str:
    text = f"{about['part']}: {about['state']}"
    if about["file"]:
        text += f", {about['file']}, {human(about['bytes'])}, checked: {about['checked']}"
    for archive, files in (about["unpacked"] or {}).items():
        text += f"; {archive}: {files} files unpacked, the archive can be deleted"
    return text
