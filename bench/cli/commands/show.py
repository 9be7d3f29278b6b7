"""`bench data show`: contact sheets as PNG files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bench.adapters.origin import stand_in_marker
from bench.cli.options.data import ShowDataOptions
from bench.cli.progress import Progress
from bench.cli.settings import data_folder, dataset
from bench.errors import DataError
from bench.imaging.contact import groups, sheets
from bench.util.text import plural

_SOFTWARE = "cutjoin contact sheet"
"""In the PNG files of this command, so that it removes no others."""
_FEW_GROUPS = 4
_PER_GROUP, _PER_GROUP_OF_FEW = 12, 48


def show_dataset(options: ShowDataOptions) -> None:
    """Write the sheets of a dataset: into a folder as sheet-01.png..., or into one file."""
    name = options.name
    adapter = dataset(name, options.settings or ())
    folder = data_folder(name, options.root, options.data)
    images = adapter.open(folder)
    if not len(images.table):
        raise DataError(f"{folder}: holds no images to show")
    marker = stand_in_marker(folder, adapter.files(folder))
    column, found = groups(images, options.by)
    per = options.per or (_PER_GROUP if len(found) > _FEW_GROUPS else _PER_GROUP_OF_FEW)
    title = f"{adapter.use}: {plural(len(images.table), 'image')}"
    if column:
        title += f", {plural(len(found), 'value')} of {column}"
    if marker:
        title = f"GENERATED STAND-IN, no real data. {title}"
    target = options.out or Path(f"{Path(name).stem}-sheets")
    written: list[Path] = []
    with Progress("images") as progress:
        for page in sheets(images, found, title, per, options.size):
            written.append(_page_file(target, len(written) + 1))
            written[-1].parent.mkdir(parents=True, exist_ok=True)
            _save(page, written[-1])
            progress(len(written), None, "pages drawn")
    _remove_older(target, len(written))
    sizes = {group.name: len(group.rows) for group in found}
    if options.json:
        facts = {"dataset": name, "root": str(folder), "stand_in": bool(marker), "by": column}
        print(json.dumps({**facts, "counts": sizes, "files": [str(p) for p in written]}))
        return
    if marker:
        print(f"GENERATED STAND-IN ({marker}): this is not the data.")
    for path in written:
        print(path)


def _page_file(target: Path, number: int) -> Path:
    if target.suffix.lower() != ".png":
        return target / f"sheet-{number:02d}.png"
    return target if number == 1 else target.with_name(f"{target.stem}-{number:02d}.png")


def _remove_older(target: Path, pages: int) -> None:
    """Remove the pages of an earlier, longer set of sheets: they would look like part of this one."""
    folder, stem = (target, "sheet") if target.suffix.lower() != ".png" else (target.parent, target.stem)
    for path in folder.glob("*.png"):
        match = re.fullmatch(rf"{re.escape(stem)}-(\d\d+)\.png", path.name)
        if match and int(match[1]) > pages and _is_ours(path):
            path.unlink()


def _save(page: NDArray[Any], path: Path) -> None:
    about = PngInfo()
    about.add_text("Software", _SOFTWARE)
    Image.fromarray(page).save(path, "PNG", pnginfo=about)


def _is_ours(path: Path) -> bool:
    """Say whether this command wrote a file; a user's own may have the name of a page."""
    try:
        with Image.open(path) as image:
            return image.info.get("Software") == _SOFTWARE
    except (OSError, ValueError, SyntaxError):
        return False
