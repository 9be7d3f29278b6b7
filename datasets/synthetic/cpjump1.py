"""Stand-in for cpjump1: drawn cells, perturbed or not, as 16-bit TIFFs with plate maps and metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from bench.interfaces import Generator, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Run

_BATCH = "2020_11_04_CPJUMP1"
_MAP = "JUMP-Target-1_compound"
_CHANNELS = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5}
_WELLS = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
_CONTROLS = 64
_KINDS = ("poscon_diverse",) * 28 + ("poscon_cp",) * 26 + ("poscon_orf",) * 6
_SHIFTS = (
    {"nucleus": 1.35, "density": 0.75},
    {"fibres": 0.35, "radius": 0.85},
    {"spread": 2.0, "nucleus": 0.75},
    {"eccentricity": 2.2, "density": 0.6},
    {"radius": 1.25, "fibres": 1.6},
    {"clumping": 2.5, "nucleus": 1.25},
)
"""What a compound does to cells, by the gene it aims at."""


class Cpjump1(Generator):
    """Writes five 16-bit LZW TIFFs per field, as the microscope names them, with all tables of the layout.

    Of every 11 wells that are imaged 2 hold DMSO, the negative control. Values are those of the real images,
    background about 300: clipped at 255, nothing is left of them. Plates differ in gain and offset.
    Field i depends on all parameters but `images`, and on i.
    """

    side: Annotated[int, Unit("px"), Field(ge=32, le=2048)] = 128
    """Side of the images; the real ones have 1080."""
    plates: Annotated[int, Field(ge=1, le=24)] = 2
    """Number of plates."""
    fields: Annotated[int, Field(ge=1, le=16)] = 4
    """Fields per well."""
    effect: Annotated[float, Field(ge=0, le=3)] = 1.0
    """How far compounds shift two properties of the cells: 0 is not at all."""
    batch: Annotated[float, Field(ge=0, le=3)] = 1.0
    """Strength of the plates' batch effects; 0 is none."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.images > (most := self.plates * self.fields * len(_WELLS)):
            raise ValueError(f"images {self.images} are more than the {most} fields of these plates")
        return self

    def write(self, root: Path, run: Run) -> None:
        """Write `images` fields, and tables of all wells."""
        import cv2
        import numpy as np

        from .drawing.cells import CELL_TYPES, Batch, draw

        seed = self.seed % 2**64
        source = root / "cpg0000-jump-pilot" / "source_4"
        treatments = _treatments(np.random.default_rng([seed, 1]))
        order = _order(treatments, np.random.default_rng([seed, 2]))
        batches = [Batch.drawn(np.random.default_rng([seed, 3, p]), self.batch) for p in range(self.plates)]
        listed: dict[str, list[str]] = {_plate(p): [] for p in range(self.plates)}
        for i in range(self.images):
            at, number = divmod(i, self.fields)
            at, p = divmod(at, self.plates)
            well = order[at]
            shift = _SHIFTS[treatments[well] % len(_SHIFTS)] if well in treatments else {}
            rng = np.random.default_rng([seed, 4, i])
            look = CELL_TYPES["A549"].scaled({k: v**self.effect for k, v in shift.items()})
            values = batches[p].expose(draw(look, self.side, rng), 22_000, 65_535, rng)
            folder = source / "images" / _BATCH / "images" / _folder(_plate(p)) / "Images"
            folder.mkdir(parents=True, exist_ok=True)
            names = {c: _name(well, number + 1, k) for c, k in _CHANNELS.items()}
            for channel, image in zip(_CHANNELS, _five(values), strict=True):
                ok, data = cv2.imencode(".tiff", image, [cv2.IMWRITE_TIFF_COMPRESSION, 5])  # LZW
                assert ok
                (folder / names[channel]).write_bytes(data.tobytes())
            listed[_plate(p)].append(_listing(_plate(p), well, number + 1, names))
            run.report(i + 1, self.images, "fields drawn")
        self._write_tables(source / "workspace", treatments, listed)

    def _write_tables(
        self, workspace: Path, treatments: dict[str, int], listed: dict[str, list[str]]
    ) -> None:
        maps = workspace / "metadata" / "platemaps" / _BATCH
        reagents = workspace / "metadata" / "external_metadata"
        _write(
            maps / "barcode_platemap.csv",
            "Assay_Plate_Barcode,Plate_Map_Name",
            [f"{p},{_MAP}_platemap" for p in listed],
        )
        wells = [f"{w}\t{_sample(treatments[w]) if w in treatments else ''}\tDMSO" for w in _WELLS]
        _write(maps / "platemap" / f"{_MAP}_platemap.txt", "well_position\tbroad_sample\tsolvent", wells)
        known = sorted(treatments.values())
        rows = [_reagent(k) for k in known] + ["NA\tNA\tDMSO\tNA\tNA\tcontrol\tnegcon\tNA\tNA"]
        _write(reagents / f"{_MAP}_metadata.tsv", _REAGENT, rows)
        facts = [
            f"{_BATCH}\t{_MAP}_platemap\t{p}\tcompound\tA549\t48\t{5 * len(v)}" for p, v in listed.items()
        ]
        _write(workspace / "metadata" / "experiment-metadata.tsv", _EXPERIMENT, facts)
        for plate, rows in listed.items():
            _write(workspace / "load_data_csv" / _BATCH / plate / "load_data.csv", _LISTING, rows)


_REAGENT = (
    "broad_sample\tInChIKey\tpert_iname\tpubchem_cid\ttarget_list\tpert_type\tcontrol_type\tsmiles\tInChI"
)
_EXPERIMENT = "Batch\tPlate_Map_Name\tAssay_Plate_Barcode\tPerturbation\tCell_type\tTime\tNumber_of_images"
_LISTING = ",".join(
    [f"{what}_Orig{c}" for what in ("FileName", "PathName") for c in _CHANNELS]
    + ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
)


def _treatments(rng: np.random.Generator) -> dict[str, int]:
    """Return the number of the compound in each well; the 64 wells that are left out hold DMSO."""
    wells = rng.permutation(_WELLS)[_CONTROLS:]
    return {str(well): k for k, well in enumerate(wells)}


def _order(treatments: dict[str, int], rng: np.random.Generator) -> list[str]:
    """Return all wells, 2 of each 11 with DMSO as far as those reach."""
    dmso = iter([w for w in rng.permutation(_WELLS).tolist() if w not in treatments])
    others = iter([w for w in rng.permutation(_WELLS).tolist() if w in treatments])
    first = [next(dmso if k % 11 in (0, 5) else others) for k in range(_CONTROLS // 2 * 11)]
    return [*first, *others]


def _five(values: NDArray[np.uint16]) -> list[NDArray[np.uint16]]:
    """Return the five channels of Cell Painting, in the order of `_CHANNELS`."""
    import cv2

    nuclei, er, actin, rna, mito, golgi = values
    return [mito, cv2.addWeighted(actin, 0.5, golgi, 0.7, 0), rna, er, nuclei]


def _plate(p: int) -> str:
    return f"BR{116_991 + p:08d}"


def _folder(plate: str) -> str:
    return f"{plate}__2020-11-05T19_51_35-Measurement1"


def _name(well: str, field: int, channel: int) -> str:
    return f"r{ord(well[0]) - 64:02d}c{well[1:]}f{field:02d}p01-ch{channel}sk1fk1fl1.tiff"


def _listing(plate: str, well: str, field: int, names: dict[str, str]) -> str:
    path = f"/home/user/input/cpg0000-jump-pilot/source_4/images/{_BATCH}/images/{_folder(plate)}/Images"
    return ",".join([*names.values(), *[path] * len(names), plate, well, str(field)])


def _sample(compound: int) -> str:
    return f"BRD-K{10_000_000 + 7919 * compound}-001-01-1"


def _reagent(compound: int) -> str:
    kind = _KINDS[compound] if compound < len(_KINDS) else "NA"
    what = "trt" if kind == "NA" else "control"
    gene = f"GENE{compound % len(_SHIFTS) + 1}"
    return f"{_sample(compound)}\tNA\tcompound-{compound}\tNA\t{gene}\t{what}\t{kind}\tNA\tNA"


def _write(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
