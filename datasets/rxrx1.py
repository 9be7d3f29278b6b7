"""RxRx1: six-channel fluorescence microscopy of human cells, `images/<experiment>/Plate<k>/`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, get_args

from pydantic import Field

from bench.adapters.origin import Check, Download, Origin
from bench.errors import DataError
from bench.imaging.selection import Names, match_names
from bench.interfaces import Dataset, Json
from bench.layouts.tablefile import TextTable, read_table
from bench.layouts.textvalues import is_missing, whole

if TYPE_CHECKING:
    from bench.images import ImageSet
    from bench.layouts.channelset import Files, FolderTree

Stain = Literal["nuclei", "er", "actin", "nucleoli", "mitochondria", "golgi"]
"""What channels 1 to 6 show: nuclei (Hoechst), endoplasmic reticulum (ConA), actin (Phalloidin), nucleoli
and RNA (Syto 14), mitochondria (MitoTracker), Golgi and membranes (WGA)."""
STAINS: tuple[str, ...] = get_args(Stain)

COLOURS: Mapping[str, tuple[tuple[int, int, int], int]] = {
    "nuclei": ((19, 0, 249), 51),
    "er": ((42, 255, 31), 107),
    "actin": ((255, 0, 25), 64),
    "nucleoli": ((45, 255, 252), 191),
    "mitochondria": ((250, 0, 253), 89),
    "golgi": ((254, 255, 40), 191),
}
"""Stain -> its colour (red, green, blue) and the pixel value at full intensity. `channels: rgb` adds
value / full * colour over the stains and clips the sum at 255. The numbers are those of rxrx1-utils."""

_PLACES = ("", "rxrx1/", "rxrx1_v1.0/", "recursion-cellular-image-classification/")
_KAGGLE = ("train", "train_controls", "test", "test_controls")
_URL = "https://storage.googleapis.com/rxrx/rxrx1/"


class Rxrx1(Dataset):
    """Reads sites of 8-bit PNGs, one per channel, as metadata.csv or the four csv of Kaggle name them.

    Also the RGB variant of WILDS, one PNG per site, with its splits. A site counts
    if all channels that are read are there. `split` is by experiment, as the csv says; only the `id_test` of
    WILDS is another site of the experiments of `train`. Groups for `normalise: per_group` are plates.
    """

    source: ClassVar[str] = "RxRx1 (Recursion); Sypetkowski et al. 2023, arXiv:2301.05768"
    generator: ClassVar[str] = "rxrx1"
    origin: ClassVar[Origin | None] = Origin(
        licence="CC BY-NC-SA 4.0",
        parts=(
            Download(
                "metadata",
                url=f"{_URL}rxrx1-metadata.zip",
                size=1_333_687,
                md5="777e959ca0bce5a2aa7f9f9d456aee7e",
                unpack=True,
            ),
            Download(
                "images",
                url=f"{_URL}rxrx1-images.zip",
                size=49_039_640_485,
                md5="f75ffa93b917e8a82e27e0c3a2b3425f",
                unpack=True,
                note="46 GiB, and as much again once unpacked",
            ),
            Download(
                "kaggle",
                command=(
                    *("kaggle", "competitions", "download", "-p", "{out}"),
                    *("-c", "recursion-cellular-image-classification"),
                ),
                optional=True,
                note="instead of the other parts; needs a Kaggle account and its rules accepted",
            ),
        ),
    )

    label: Literal["cell_type", "sirna"] = "cell_type"
    """What the classes are: the cell line (4), or the siRNA as the csv names it (1,139)."""
    channels: Literal["rgb", "all"] | Annotated[tuple[Stain, ...], Field(min_length=1)] = "rgb"
    """All six stains, some of them by name, or their sum in the colours of rxrx1-utils."""
    experiments: Names | None = None
    """Experiments to read, by name or pattern (`HUVEC-*`); all by default."""
    sites: Annotated[tuple[Literal[1, 2], ...], Field(min_length=1)] = (1, 2)
    """Sites of each well to read."""
    controls: Literal["keep", "drop"] = "keep"
    """Whether to read the wells of positive and negative controls."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the csv files and the images of the sites read."""
        found = self._find(root)
        return [*found.tables, *(folder / name for folder, names in found.files for name in names)]

    def open(self, root: Path) -> ImageSet:
        """Read the csv files and look which images are there."""
        import numpy as np
        import pandas as pd

        from bench.layouts.channelset import ChannelSet
        from bench.layouts.fileset import FileSet

        found = self._find(root)
        columns = {name: [getattr(s, name) for s in found.sites] for name in _Site._fields if name != "site"}
        table = pd.DataFrame({k: pd.array(v, dtype="str") for k, v in columns.items()})
        table["site"] = np.array([int(s.site) for s in found.sites], np.int64)
        table.insert(1, "label", table[self.label])
        if found.rgb:
            paths = [folder / names[0] for folder, names in found.files]
            one_each = FileSet(columns["id"], columns["id"], paths, grey=False, fill=0, notes=found.notes)
            one_each.table, one_each.group = table, "plate"
            return one_each
        mix = None
        if self.channels == "rgb":
            mix = np.array([[colour[k] / full for colour, full in COLOURS.values()] for k in range(3)])
        return ChannelSet(table, found.files, dtype=np.uint8, mix=mix, group="plate", notes=found.notes)

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare the counts of sites, experiments and siRNAs, and of wells by split and kind."""
        everything = {"experiments": None, "sites": (1, 2), "controls": "keep"}
        found = self.model_copy(update=everything)._find(root)
        wells = {(s.split, s.well_type == "treatment", s.plate, s.well) for s in found.sites}
        checks = [
            Check("sites", 125_510, len(found.sites)),
            Check("experiments", 51, len({s.experiment for s in found.sites})),
            Check("siRNAs", 1139, len({s.sirna for s in found.sites} - {None})),
        ]
        for split, treated, expected in () if found.rgb else _WELLS:
            what = f"{split} wells, {'treated' if treated else 'controls'}"
            checks.append(Check(what, expected, sum(well[:2] == (split, treated) for well in wells)))
        return checks

    def _find(self, root: Path) -> _Found:
        from bench.layouts.channelset import FolderTree, examples

        tree = FolderTree(root)
        place, tables = _tables(tree)
        left_out = [line for _, table in tables for line in table.ragged]
        sites = _unique(_rows(tables, left_out), left_out)
        if self.experiments:
            known = {s.experiment for s in sites}
            chosen = match_names(self.experiments, known, "experiment")
            sites = [s for s in sites if s.experiment in chosen]
        if self.controls == "drop":
            sites = [s for s in sites if s.well_type == "treatment"]
        sites = [s for s in sites if int(s.site) in self.sites]
        folders = {(s.split, s.plate): _folder(tree, place, s) for s in sites}
        rgb = _is_rgb(tree, folders.values())
        if rgb and self.channels != "rgb":
            raise DataError(f"{root}: holds RGB images, not one file per stain; use channels: rgb")
        stains = self.channels if isinstance(self.channels, tuple) else STAINS
        numbers = () if rgb else tuple(STAINS.index(stain) + 1 for stain in stains)
        found = _Found(rgb, [table.path for _, table in tables], [], [], {})
        missing = []
        for site in sites:
            folder, names = folders[site.split, site.plate], _names(site.well, site.site, numbers)
            absent = next((name for name in names if name not in tree.files(folder)), None)
            if absent is None:
                in_train = rgb and site.split == "train" and site.site == "2"
                found.sites.append(site._replace(split="id_test") if in_train else site)
                found.files.append((tree.root / folder, names))
            else:
                missing.append(f"{folder}/{absent}")
        if not found.sites:
            example = f"; {missing[0]} is not there" if missing else ""
            raise DataError(f"{root}: no images of {len(sites)} sites{example}")
        notes = {
            "sites without all their files": missing,
            "rows left out": left_out,
            "tables that were not plain": [f"{t.path.name}: {note}" for _, t in tables for note in t.notes],
        }
        found.notes.update({what: examples(which) for what, which in notes.items() if which})
        return found


class _Site(NamedTuple):
    id: str
    split: str | None
    experiment: str
    plate: str  # <experiment>/Plate<k>
    cell_type: str
    well: str
    site: str
    well_type: str
    sirna: str | None


@dataclass(frozen=True)
class _Found:
    rgb: bool
    tables: list[Path]
    sites: list[_Site]
    files: list[Files]
    notes: dict[str, Json]


_WELLS = (
    ("train", True, 36_515),
    ("train", False, 4_097),
    ("test", True, 19_897),
    ("test", False, 2_246),
)


def _tables(tree: FolderTree) -> tuple[str, list[tuple[str, TextTable]]]:
    """Return where the dataset lies below the root, and its tables by name."""
    if not tree.root.is_dir():
        raise DataError(f"{tree.root}: is not a folder; rxrx1 needs the one that holds metadata.csv")
    for place in _PLACES:
        names = tree.files(place)
        if "metadata.csv" in names:
            path = tree.root / place / "metadata.csv"
            return place, [("", read_table(path, ("experiment", "plate", "well", "site", "cell_type")))]
        if kaggle := [name for name in _KAGGLE if f"{name}.csv" in names]:
            required = ("id_code", "experiment", "plate", "well")
            return place, [(k, read_table(tree.root / place / f"{k}.csv", required)) for k in kaggle]
    raise DataError(f"{tree.root}: holds neither metadata.csv nor train.csv or test.csv, nor does its rxrx1/")


def _rows(tables: Sequence[tuple[str, TextTable]], left_out: list[str]) -> Iterator[tuple[_Site, str]]:
    """Yield the sites with the file and line each comes from."""
    for name, table in tables:
        size = len(table)
        column = {k: table.columns.get(k, [""] * size) for k in _COLUMNS}
        for row in range(size):
            at = {k: _value(k, values[row]) for k, values in column.items()}
            experiment, well = at["experiment"], at["well"]
            if not (experiment and well and at["plate"] and (name or at["site"] in ("1", "2"))):
                left_out.append(f"{table.where(row)}: names no experiment, plate, well or site (1 or 2)")
                continue
            well_id = at["id_code"] or at["well_id"] or f"{experiment}_{at['plate']}_{well}"
            for site in ("1", "2") if name else (at["site"],):
                found = _Site(
                    id=at["site_id"] or f"{well_id}_{site}",
                    split=name.removesuffix("_controls") or at["dataset"] or None,
                    experiment=experiment,
                    plate=f"{experiment}/Plate{at['plate']}",
                    cell_type=at["cell_type"] or experiment.split("-")[0],
                    well=well,
                    site=site,
                    well_type=at["well_type"] or "treatment",
                    sirna=at["sirna"] or at["sirna_id"] or None,
                )
                yield found, table.where(row)


def _value(column: str, text: str) -> str:
    """Return a value, "" for a missing one; ids keep their text, codes that were floats lose the ".0"."""
    if column in ("site_id", "well_id", "id_code"):
        return text
    return "" if is_missing(text) else whole(text)


_COLUMNS = (
    *("site_id", "well_id", "id_code", "experiment", "plate", "well", "site"),
    *("cell_type", "dataset", "well_type", "sirna", "sirna_id"),
)


def _unique(rows: Iterator[tuple[_Site, str]], left_out: list[str]) -> list[_Site]:
    sites: dict[str, _Site] = {}
    for site, where in rows:
        if sites.setdefault(site.id, site) is not site:
            left_out.append(f"{where}: repeats the id {site.id!r}")
    return list(sites.values())


def _folder(tree: FolderTree, place: str, site: _Site) -> str:
    """Return the folder of a site's plate: the first place that holds files."""
    levels = ("images/", f"{site.split}/", f"images/{site.split}/", "")
    folders = [f"{place}{level}{site.plate}" for level in levels]
    return next((folder for folder in folders if tree.files(folder)), folders[0])


def _is_rgb(tree: FolderTree, folders: Iterable[str]) -> bool:
    for folder in folders:
        names = tree.files(folder)
        if names:
            return not any(re.search(r"_w\d\.png$", name) for name in names)
    return False


@functools.cache
def _names(well: str, site: str, channels: tuple[int, ...]) -> tuple[str, ...]:
    stem = f"{well}_s{site}"
    return tuple(f"{stem}_w{c}.png" for c in channels) or (f"{stem}.png",)
