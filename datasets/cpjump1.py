"""CPJUMP1, the Cell Painting pilot of JUMP: 16-bit TIFFs by plate, plate maps, reagents' metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from bench.adapters.origin import Check, Download, Origin
from bench.errors import DataError
from bench.imaging.selection import Names, match_names
from bench.interfaces import Count, Dataset
from bench.layouts.loaddata import CHANNEL_FILE
from bench.layouts.platemap import DMSO, Treatment, is_dmso
from bench.layouts.tablefile import TextTable, read_table
from bench.layouts.textvalues import is_missing

if TYPE_CHECKING:
    from bench.images import ImageSet
    from bench.layouts import gallery
    from bench.layouts.channelset import Files

Channel = Literal["DNA", "ER", "RNA", "AGP", "Mito", "HighZBF", "LowZBF", "Brightfield"]
"""DNA (Hoechst), endoplasmic reticulum, RNA and nucleoli, actin with Golgi and plasma membrane,
mitochondria; and three planes of bright field."""


def _once(channels: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(channels)) < len(channels):
        raise ValueError("names a channel twice")
    return channels


_AGGREGATED = re.compile(r"(r(0[1-9]|1\d|2[0-6])c(\d\d)f(\d\d)).*_median_aggregated\.tiff?", re.IGNORECASE)
_BUCKET = "s3://cellpainting-gallery/cpg0000-jump-pilot/source_4/"
_COPY = ("aws", "s3", "cp", "--recursive", "--no-sign-request")
_PLATE = "images/2020_11_04_CPJUMP1/images/BR00116991__2020-11-05T19_51_35-Measurement1"
_METADATA = "workspace/metadata"
_LOAD_DATA = "workspace/load_data_csv/2020_11_04_CPJUMP1"


class Cpjump1(Dataset):
    """Reads fields of one batch: `<plate>__<time>/Images/r01c01f01p01-ch1sk1fk1fl1.tiff` with its metadata.

    Also what a `load_data.csv` lists, wherever its producer kept the files, and one plate as one grey image a
    field (`*_median_aggregated.tiff`, `metadata_<plate>.csv`). A field counts if all channels that are read
    are there; empty wells do not. There is no split: replicate wells share layouts, fields share wells, so
    a `fraction` of the images to fit leaves their neighbours to score; hold out plates instead.
    Groups for `normalise: per_group` are plates.
    """

    source: ClassVar[str] = "CPJUMP1, cpg0000 (Chandrasekaran et al., Nature Methods 2024)"
    generator: ClassVar[str] = "cpjump1"
    origin: ClassVar[Origin | None] = Origin(
        licence="CC0",
        parts=(
            Download("metadata", command=(*_COPY, f"{_BUCKET}{_METADATA}/", f"{{out}}/{_METADATA}/")),
            Download("load_data", command=(*_COPY, f"{_BUCKET}{_LOAD_DATA}/", f"{{out}}/{_LOAD_DATA}/")),
            Download(
                "plate",
                command=(*_COPY, f"{_BUCKET}{_PLATE}/", f"{{out}}/{_PLATE}/"),
                note='one of 51 plates, about 70 GB; for one well add --exclude "*" --include "*/r01c01*"',
            ),
            Download(
                "images",
                command=(*_COPY, f"{_BUCKET}images/2020_11_04_CPJUMP1/", "{out}/images/2020_11_04_CPJUMP1/"),
                optional=True,
                note="all plates: terabytes (6.1 TB of images in the whole of cpg0000)",
            ),
        ),
    )

    normalise: Literal["none", "per_set", "per_group"] = "per_group"
    """Scale every channel so that its `percentiles`, over all images or over those of one plate, become 0
    and 65535. Padding does not count."""
    label: Literal["control", "perturbation", "target"] = "control"
    """What the classes are: negative control or perturbed (positive controls are perturbed); the reagent; or
    the gene it aims at, where that is one."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(_once)] = (
        *("DNA", "ER", "RNA", "AGP", "Mito"),
    )
    """Channels to read, in this order."""
    plates: Names | None = None
    """Plates to read, by barcode or pattern; all by default."""
    fields: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    """Fields (sites) of each well to read; all by default."""
    layout: Literal["auto", "files", "load_data", "aggregated"] = "auto"
    """Where the list of files comes from: their names, `load_data.csv`, or the single-plate variant. "auto"
    takes the last if it is there, else the first that finds images."""
    batch: Annotated[str, Field(min_length=1)] = "2020_11_04_CPJUMP1"
    """Folder name of the batch."""
    faithful_labels: bool = False
    """Label fields of the single-plate variant without a name as perturbed, as published work with it did;
    most of them are negative controls."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the tables that were read and the images of the fields."""
        found = self._find(root)
        images = (folder / name for folder, names in found.files for name in names)
        return [*dict.fromkeys(found.reading.tables), *images]

    def open(self, root: Path) -> ImageSet:
        """Read the tables, and look which images are there."""
        import numpy as np
        import pandas as pd

        from bench.layouts.channelset import ChannelSet

        found = self._find(root)
        table = pd.DataFrame(found.rows)
        for name in table.columns:
            whole = name in ("row", "column", "site")
            table[name] = table[name].astype(np.int64) if whole else pd.array(list(table[name]), dtype="str")
        return ChannelSet(table, found.files, dtype=np.uint16, group="plate", notes=found.reading.notes())

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare the number of plates, by plate map the wells by kind of control, by plate the images."""
        from bench.layouts.gallery import PlateMaps, plate_folders

        reading = _reading(root)
        if self._aggregated(reading) is not None:
            return [Check("images of the single-plate variant", 2867, len(images.table))]
        maps = PlateMaps(reading, self.batch)
        checks = [Check("plates in barcode_platemap.csv", 51, len(maps.names))]
        for name in sorted(set(maps.names.values())):
            if expected := next((wells for kind, wells in _WELLS.items() if kind in name), None):
                kinds = [w.control_type if w else "empty" for w in maps.read(name).treatments.values()]
                counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
                checks.append(Check(f"wells of {name}", expected, counts))
        folders = plate_folders(reading, self.batch)
        for plate in sorted(set(images.table["plate"]) & set(folders)):
            if stated := maps.facts.get(plate, {}).get("Number_of_images", ""):
                names = reading.tree.files(folders[plate])
                n = sum(CHANNEL_FILE.fullmatch(name) is not None for name in names)
                checks.append(Check(f"images of plate {plate}", stated, str(n)))
        return checks

    def _find(self, root: Path) -> _Found:
        found = _Found(_reading(root))
        aggregated = self._aggregated(found.reading)
        if aggregated is not None:
            self._add_aggregated(found, *aggregated)
        elif self.layout == "aggregated":
            raise DataError(f"{root}: holds no metadata_<plate>.csv beside images *_median_aggregated.tiff")
        else:
            self._add_fields(found)
        if not found.rows:
            findings = found.reading.findings.items()
            why = "; ".join(f"{what}: {next(iter(which))}" for what, which in findings if which)
            raise DataError(f"{root}: no images of the fields read" + (f"; {why}" if why else ""))
        return found

    def _add_fields(self, found: _Found) -> None:
        from bench.layouts.gallery import PlateMaps, listed, load_data_tables, named, plate_folders

        reading, root = found.reading, found.reading.tree.root
        if self.faithful_labels:
            raise DataError(f"{root}: faithful_labels applies to the layout aggregated only")
        folders = plate_folders(reading, self.batch)
        tables = load_data_tables(reading.tree, self.batch)
        if self.layout == "load_data" or (self.layout == "auto" and not folders):
            fields = [*listed(reading, folders, tables, self.channels)]
            if self.plates:
                chosen = match_names(self.plates, {f.plate for f in fields}, "plate")
                fields = [f for f in fields if f.plate in chosen]
        else:
            chosen = match_names(self.plates, folders, "plate") if self.plates else set(folders)
            read = {plate: folder for plate, folder in folders.items() if plate in chosen}
            fields = [*named(reading, read, tables, self.channels)]
        if not fields:
            raise DataError(
                f"{root}: neither images <plate>__<time>/Images/r01c01f01p01-ch1sk1fk1fl1.tiff of batch "
                f"{self.batch} nor load_data_csv/{self.batch}/<plate>/load_data.csv with rows are there"
            )
        maps = PlateMaps(reading, self.batch)
        for f in fields:
            if self.fields and f.site not in self.fields:
                continue
            known, treatment = maps.treatment(f.plate, f.well)
            if known and treatment is None:
                reading.note("fields of empty wells, left out", f.id)
            elif f.files is None:
                reading.note("fields without all their files, left out", f.id)
            else:
                found.add(f, f.files, treatment, self._label(treatment), maps.facts.get(f.plate, {}))

    def _aggregated(self, reading: gallery.Reader) -> tuple[str, TextTable, str] | None:
        return _aggregated_table(reading) if self.layout in ("auto", "aggregated") else None

    def _add_aggregated(self, found: _Found, plate: str, table: TextTable, folder: str) -> None:
        from bench.layouts.gallery import FieldOfView

        reading = found.reading
        reading.tables.append(table.path)
        reading.note("rows left out", *table.ragged)
        reading.note("tables that were not plain", *(f"{table.path}: {note}" for note in table.notes))
        names = {m[1].lower(): m for m in map(_AGGREGATED.fullmatch, sorted(reading.tree.files(folder))) if m}
        for row in range(len(table)):
            at = {name: values[row].strip() for name, values in table.columns.items()}
            name = names.pop(at["FileName_OrigRNA"].lower()[:9], None)
            if name is None:
                reading.note("rows without an image, or that repeat one", table.where(row))
                continue
            f = FieldOfView(plate, f"{chr(64 + int(name[2]))}{name[3]}", int(name[4]), None)
            treatment = _aggregated_treatment(at, self.faithful_labels)
            if treatment is None:
                reading.note("images without the name of a compound, label unknown", f.id)
            if not self.fields or f.site in self.fields:
                files = (reading.tree.root / folder, (name[0],))
                found.add(f, files, treatment, self._label(treatment), {})
        reading.note("images without a row, left out", *(m[0] for m in names.values()))

    def _label(self, treatment: Treatment | None) -> str | None:
        if treatment is None:
            return None
        if self.label == "control":
            kinds = {"negcon": "control", "": None}
            return kinds.get(treatment.control_type, "perturbed")
        return treatment.perturbation if self.label == "perturbation" else treatment.target


_WELLS = {
    "compound": "64 negcon, 26 poscon_cp, 28 poscon_diverse, 6 poscon_orf, 260 trt",
    "crispr": "4 empty, 60 negcon, 26 poscon_cp, 28 poscon_diverse, 6 poscon_orf, 260 trt",
    "orf": "4 empty, 60 negcon, 26 poscon_cp, 28 poscon_diverse, 6 poscon_orf, 260 trt",
}


class _Found:
    """The rows of the table and the files of each."""

    def __init__(self, reading: gallery.Reader) -> None:
        self.reading = reading
        self.rows: list[dict[str, Any]] = []
        self.files: list[Files] = []

    def add(
        self,
        f: gallery.FieldOfView,
        files: Files,
        treatment: Treatment | None,
        label: str | None,
        facts: Mapping[str, str],
    ) -> None:
        self.files.append(files)
        self.rows.append(
            {
                "id": f.id,
                "label": label,
                "plate": f.plate,
                "well": f.well,
                "row": f.row,
                "column": int(f.well[-2:]),
                "site": f.site,
                "perturbation": treatment.perturbation if treatment else None,
                "name": treatment.name if treatment else None,
                "target": treatment.target if treatment else None,
                "control_type": (treatment.control_type or None) if treatment else None,
                "cell_type": facts.get("Cell_type") or None,
                "hours": facts.get("Time") or None,
            }
        )


def _reading(root: Path) -> gallery.Reader:
    from bench.layouts.channelset import FolderTree
    from bench.layouts.gallery import Reader

    if not root.is_dir():
        raise DataError(f"{root}: is not a folder; cpjump1 needs the one that holds images and metadata")
    return Reader(FolderTree(root))


def _aggregated_table(reading: gallery.Reader) -> tuple[str, TextTable, str] | None:
    """Return plate, table and folder of images of the single-plate variant."""
    from bench.layouts.gallery import PLACES

    for place in PLACES:
        for name in sorted(reading.tree.files(place)):
            match = re.fullmatch(r"metadata_(.+)\.csv", name)
            folders = (place, *(f"{place}{inner}" for inner in reading.tree.folders(place))) if match else ()
            for folder in folders:
                if match and any(_AGGREGATED.fullmatch(n) for n in reading.tree.files(folder)):
                    required = ("FileName_OrigRNA", "Metadata_pert_iname")
                    return match[1], read_table(reading.tree.root / place / name, required), folder
    return None


def _aggregated_treatment(at: Mapping[str, str], faithful: bool) -> Treatment | None:
    """Return the treatment of the well of a row of the single-plate variant; None if it names none."""
    name, control = at["Metadata_pert_iname"], at.get("Metadata_control_type", "")
    target = at.get("Metadata_target") or at.get("Metadata_gene") or None
    if faithful:
        control = "negcon" if is_dmso(name) else "trt"
    elif is_dmso(name) or control.lower() == "negcon":
        name, control = DMSO, "negcon"
    elif is_missing(name):
        return None
    if control == "negcon":
        return Treatment("compound", DMSO, DMSO, None, control)
    sample = at.get("Metadata_broad_sample") or name or "unnamed"
    return Treatment("compound", sample, name or None, target, "trt" if is_missing(control) else control)
