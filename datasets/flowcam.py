"""Particles of FlowCAM runs, cut from the collages that VisualSpreadsheet wrote."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bench.adapters.origin import Check, Origin
from bench.errors import DataError
from bench.interfaces import Dataset, InputFile, Json
from bench.layouts.folders import within
from bench.layouts.runtables import Findings, RunGroups, groups_by_pattern, groups_by_table, read_labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.images import ImageSet
    from bench.layouts.flowcam import Particles

_IMAGES = frozenset({".tif", ".tiff", ".bmp", ".png", ".jpg", ".jpeg"})
_NOT_GROUPS = frozenset({"id", "label", "run", "stuck", "abd_diameter"})
_MAX_SUMMARY = 1 << 20


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as e:
        raise ValueError(f"is not a regular expression: {e}") from None
    if not groups:
        raise ValueError("names no group; write for example bag(?P<bag>\\d+)_day(?P<day>\\d+)")
    if taken := sorted(_NOT_GROUPS & set(groups)):
        raise ValueError(f"the group name {taken[0]!r} is a column of every table; choose another")
    return pattern


class Flowcam(Dataset):
    """Reads runs: each a table (`.lst` or `.flb` of version 017 or later, else a `.csv` export) and collages.

    Runs are searched for in all folders of the root; collages and masks (`<collage>_bin.tif`) lie beside
    their table. A run is named after its table, without the suffix; if two share that, after their paths
    below the root. An image's id is `<run>/<particle id>`. Labels, bags and days come from `labels.csv` and
    `runs.csv` in the root where they exist and no parameter says otherwise. Besides them the table holds
    `abd_diameter` (µm) and `stuck`: whether the particle was imaged repeatedly at one position.
    """

    source: ClassVar[str] = "FlowCAM, VisualSpreadsheet 3 and 4"
    generator: ClassVar[str] = "flowcam"
    origin: ClassVar[Origin | None] = Origin(
        licence="none: the mesocosm images were never published",
        by_hand=(
            "No public copy exists: ask those who recorded the runs. Put the folder of each run, as "
            "VisualSpreadsheet wrote it (<run>.lst, <run>_000001.tif..., <run>_000001_bin.tif...), into the "
            "data folder; beside them runs.csv (run,bag,day) and, if images are labelled, labels.csv "
            "(run,particle,label)."
        ),
    )

    version: ClassVar[int] = 2

    source_table: Literal["auto", "lst", "csv"] = "auto"
    """Which tables list the particles: "lst", the exports ("csv"), or exports where a folder has no lst."""
    grey: bool = False
    """Read one channel instead of the three of RGB."""
    mask: bool = False
    """Let only the particle be seen: pixels outside its mask become `fill`; without a mask it is left out."""
    fill: Literal["border"] | Annotated[int, Field(ge=0, le=255)] = "border"
    """Value that pads images to a square and stands outside of masks. "border" is the median of each image's
    outermost pixels, per channel, and 166 outside of masks: the grey value of the background within crops of
    two instruments, whose images differ from it by 15 and more. Between the crops of a collage there is
    black."""
    mapping: InputFile | None = None
    """Table (csv) with the column `run` and those to group by: `bag`, `day` (a whole number), or others.
    Default: `runs.csv` in the root if it is there, and no `run_pattern` is given."""
    run_pattern: Annotated[str, Field(max_length=500), AfterValidator(_check_pattern)] | None = None
    """Instead of a mapping: a regular expression, searched for in each run's path below the root without its
    ending, whose named groups are the columns to group by: `bag(?P<bag>\\d+)_day(?P<day>\\d+)`."""
    labels: InputFile | None = None
    """Table (csv) with a column `label` or `class`, and what says which particle: `image_id` (its GUID in the
    lst), or `id` (`<run>/<particle id>`), or `run` and `particle`. Default: `labels.csv` in the root."""

    @model_validator(mode="after")
    def _one_source_of_groups(self) -> Self:
        if self.mapping is not None and self.run_pattern is not None:
            raise ValueError("give mapping or run_pattern, not both")
        return self

    def files(self, root: Path) -> Sequence[Path]:
        """List the tables, and all images beside them that may be a collage or, where used, a mask."""
        tables = [root / name for name in self._tables(root).values()]
        names = {f.relative_to(root).as_posix() for f in (*tables, *self._own_files(root))}
        for folder in {path.parent for path in tables}:
            below = folder.relative_to(root).as_posix()
            beside = (path.name for path in folder.iterdir() if self.mask or not path.stem.endswith("_bin"))
            names |= {f"{below}/{n}" for n in beside if (path := _image(root, below, n)) and path.is_file()}
        return [root / name for name in sorted(names)]

    def open(self, root: Path) -> ImageSet:
        """Read the tables; see whether collages and masks are there, without reading them."""
        import numpy as np
        import pandas as pd

        from bench.layouts.collages import Collages
        from bench.layouts.flowcam import read_particles, stuck

        findings = Findings()
        names = self._tables(root, findings)
        runs: list[Particles] = []
        files: list[tuple[Path, Path | None]] = []
        file = []
        for name in names.values():
            particles = read_particles(root / name, name, findings)
            own = [_collage(root, Path(name).parent.as_posix(), n, mask=self.mask) for n in particles.files]
            particles = particles.only(_usable(particles, own, findings))
            runs.append(particles)
            file.append(len(files) + particles.file)
            files += [found if isinstance(found, tuple) else (Path(), None) for found in own]
        sizes = [len(particles) for particles in runs]
        if not sum(sizes):
            why = str(findings) or "all are empty"
            raise DataError(f"{root}: no usable particle in {len(runs)} tables: {why}")
        caught = [stuck(particles) for particles in runs]
        ids = [f"{run}/{i}" for run, p in zip(names, runs, strict=True) for i in p.ids.tolist()]
        table = pd.DataFrame({"id": pd.array(ids, dtype="str")})
        table["label"] = pd.array(self._label_of_each(root, ids, runs, findings), dtype="str")
        run_of_each = np.repeat(np.array(list(names), object), sizes).tolist()
        table["run"] = pd.array(run_of_each, dtype="str")
        for column, of_run in self._groups(root, names, findings).items():
            dtype: Literal["Int64", "str"] = "Int64" if column == "day" else "str"
            values: list[Any] = [of_run.get(run) for run in run_of_each]
            table[column] = pd.array(values, dtype=dtype)
        table["stuck"] = np.concatenate(caught)
        table["abd_diameter"] = np.concatenate([p.diameter for p in runs])
        n_stuck: Json = {run: int(c.sum()) for run, c in zip(names, caught, strict=True) if c.any()}
        lines = np.concatenate([p.lines for p in runs])
        return Collages(
            table,
            files,
            np.concatenate(file),
            np.concatenate([p.boxes for p in runs]),
            tables=[p.path for p in runs],
            record=np.column_stack([np.repeat(np.arange(len(runs)), sizes), lines]),
            raw_area=np.concatenate([p.raw_area for p in runs]),
            grey=self.grey,
            fill=self.fill,
            group="run",
            notes={**findings.notes(), **({"stuck particles": n_stuck} if n_stuck else {})},
        )

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare the masks with the areas that the tables state, and the runs with their summaries."""
        import numpy as np

        from bench.layouts.collages import Collages, mask_areas

        assert isinstance(images, Collages)
        masks = [
            _mask(root, path.parent.relative_to(root).as_posix(), path.name) if path.name else None
            for path, _ in images.files
        ]
        areas = mask_areas(images, masks)
        known = (areas >= 0) & np.isfinite(images.raw_area)
        found: list[Check] = []
        if known.any():
            agree = int((areas[known] == images.raw_area[known]).sum())
            found.append(Check("particles whose mask has raw_area pixels", int(known.sum()), agree))
        in_table = np.bincount(images.record[:, 0], minlength=len(images.tables)).tolist()
        for path, n in zip(images.tables, in_table, strict=True):
            count = _summary_count(root, path)
            if count is not None:
                found.append(Check(f"particles of {path.stem}, by its summary", count, n))
        return found

    def _tables(self, root: Path, findings: Findings | None = None) -> dict[str, str]:
        """Return run -> path of its table below the root, sorted by path."""
        names = sorted(_table_names(root, self.source_table, findings))
        stems = Counter(Path(name).stem for name in names)
        found: dict[str, str] = {}
        for name in names:
            run = Path(name).stem if stems[Path(name).stem] == 1 else _run_path(name)
            if found.setdefault(run, name) != name:
                raise DataError(f"{root}: {found[run]} and {name} are tables of one run; move one away")
        if not found:
            expected = {"auto": ".lst, .flb or .csv export", "lst": ".lst or .flb", "csv": ".csv export"}
            raise DataError(f"{root}: holds no FlowCAM run: no {expected[self.source_table]} in any folder")
        return found

    def _own_files(self, root: Path) -> list[Path]:
        """List the files in the root that stand in for parameters which are not given."""
        names = [] if self.mapping or self.run_pattern else ["runs.csv"]
        names += [] if self.labels else ["labels.csv"]
        return [root / name for name in names if (path := within(root, name)) and path.is_file()]

    def _groups(self, root: Path, names: Mapping[str, str], findings: Findings) -> RunGroups:
        if self.run_pattern is not None:
            paths = {run: _run_path(name) for run, name in names.items()}
            return groups_by_pattern(self.run_pattern, paths, findings)
        own = root / "runs.csv"
        path = self.mapping or (own if own in self._own_files(root) else None)
        return {} if path is None else groups_by_table(path, names, _NOT_GROUPS, findings)

    def _label_of_each(
        self, root: Path, ids: Sequence[str], runs: Sequence[Particles], findings: Findings
    ) -> list[str | None]:
        own = root / "labels.csv"
        path = self.labels or (own if own in self._own_files(root) else None)
        if path is None:
            return [None] * len(ids)
        by, labels = read_labels(path, findings)
        if by == "image_id":
            if any(p.image_ids is None for p in runs):
                raise DataError(
                    f"{path}: names images by image_id, which the tables lack; use run and particle"
                )
            ids = [i for p in runs for i in p.image_ids or ()]
        unknown = labels.keys() - set(ids)
        findings.add("labels without a particle", sorted(unknown), len(unknown))
        return [labels.get(i) for i in ids]


def _table_names(root: Path, source: str, findings: Findings | None) -> Iterator[str]:
    """Yield the paths below the root of the tables that list particles."""
    if not root.is_dir():
        raise DataError(f"{root}: is not a folder; flowcam needs the one that holds the folders of the runs")
    for folder, folders, files in os.walk(root, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root)
        named: dict[str, list[str]] = {".lst": [], ".csv": []}
        for file in files:
            kind = Path(file).suffix.lower().replace(".flb", ".lst")
            if kind in named and not file.startswith("."):
                name = (below / file).as_posix()
                path = within(root, name)
                if path is not None and path.is_file() and name.encode(errors="replace").decode() == name:
                    named[kind].append(name)
                elif findings is not None:
                    shown = name.encode(errors="backslashreplace").decode()
                    findings.add("tables that lead out of the dataset or have unreadable names", [shown])
        if source != "csv":
            yield from named[".lst"]
        if source == "csv" or (source == "auto" and not named[".lst"]):
            yield from _exports(root, named[".csv"])


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed: {error.strerror}")


def _exports(root: Path, names: Sequence[str]) -> Iterator[str]:
    if names:
        from bench.layouts.flowcam import is_export

        yield from (name for name in names if is_export(root / name))


def _run_path(name: str) -> str:
    return Path(name).with_suffix("").as_posix()


def _image(root: Path, folder: str, name: str) -> Path | None:
    """Return the path of an image beside a table; None for paths and for names of other files."""
    if "/" in name or "\\" in name or name.startswith((".", "rawfile_")):
        return None
    if Path(name).suffix.lower() not in _IMAGES or within(root, f"{folder}/{name}") is None:
        return None
    return root / folder / name


def _mask(root: Path, folder: str, collage: str) -> Path | None:
    path = _image(root, folder, f"{Path(collage).stem}_bin{Path(collage).suffix}")
    return path if path is not None and path.is_file() else None


def _collage(root: Path, folder: str, name: str, *, mask: bool) -> tuple[Path, Path | None] | str:
    """Return a collage and, on request, its mask; or why its particles cannot be used."""
    path = _image(root, folder, name)
    if path is None:
        return "records whose collage is no image beside the table"
    if not path.is_file():
        return "records whose collage is missing"
    found = _mask(root, folder, name)
    return "records whose mask is missing" if mask and found is None else (path, found if mask else None)


def _usable(
    particles: Particles, collages: Sequence[tuple[Path, Path | None] | str], findings: Findings
) -> NDArray[np.bool_]:
    import numpy as np

    for i, found in enumerate(collages):
        if isinstance(found, str):
            lost = particles.file == i
            name = particles.files[i]
            name = repr(name) if len(name) <= 80 else f"{name[:80]!r}..."
            findings.add(found, (f"{place}: {name}" for place in particles.places(lost)), int(lost.sum()))
    good = np.array([isinstance(found, tuple) for found in collages], np.bool_)
    if len(particles) and not good.any():
        findings.add("runs without any usable collage", [particles.name])
    return good[particles.file]


def _summary_count(root: Path, table: Path) -> int | None:
    """Return the number of particles that the summary beside a table states."""
    name = f"{table.parent.relative_to(root).as_posix()}/{table.stem}_summary.csv"
    path = within(root, name)
    if path is None or not path.is_file():
        return None
    with path.open("rb") as f:
        count = re.search(rb"^Count,(\d{1,9})\s*$", f.read(_MAX_SUMMARY), re.MULTILINE)
    return int(count[1]) if count else None
