"""Stand-in for rxrx1: drawn cells of four lines in several experiments, with their batch effects."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from bench.interfaces import Generator, Unit

if TYPE_CHECKING:
    from bench.interfaces import Run

_ROWS, _COLUMNS = "BCDEFGHIJKLMNO", range(2, 24)
_WELLS = len(_ROWS) * len(_COLUMNS)
_CELL_TYPES = ("HEPG2", "HUVEC", "RPE", "U2OS")
_FULL = (60, 60, 50, 80, 60, 70)
"""Value of the brightest parts, by stain: as dim as the real images."""
_HEADER = (
    *("site_id", "well_id", "cell_type", "dataset", "experiment", "plate"),
    *("well", "site", "well_type", "sirna", "sirna_id"),
)


class Rxrx1(Generator):
    """Writes six 8-bit PNGs per site and metadata.csv; each cell line's last experiment is the test split.

    Gain and offset of every stain differ by experiment and, less, by plate: raw intensities tell the
    experiment rather than the cell line. Site i depends on all parameters but `images`, and on i.
    """

    side: Annotated[int, Unit("px"), Field(ge=32, le=1024)] = 128
    """Side of the images; the real ones have 512."""
    experiments: Annotated[int, Field(ge=1, le=24)] = 2
    """Experiments per cell line."""
    plates: Annotated[int, Field(ge=1, le=4)] = 2
    """Plates per experiment."""
    batch: Annotated[float, Field(ge=0, le=3)] = 1.0
    """Strength of the batch effects; 0 is none."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.images > (most := 2 * len(_CELL_TYPES) * self.experiments * self.plates * _WELLS):
            raise ValueError(f"images {self.images} are more than the {most} sites of these plates")
        return self

    def write(self, root: Path, run: Run) -> None:
        """Write `images` sites."""
        import cv2
        import numpy as np

        from .drawing.cells import CELL_TYPES, Batch, draw

        root = root / "rxrx1"
        root.mkdir(exist_ok=True)
        with (root / "metadata.csv").open("w", encoding="utf-8", newline="") as f:
            table = csv.writer(f, lineterminator="\n")
            table.writerow(_HEADER)
            for i in range(self.images):
                site = self._site(i)
                table.writerow(site.row())
                seed = self.seed % 2**64
                reagent = np.random.default_rng([seed, 1, site.sirna_id])
                look = CELL_TYPES[site.cell_type].scaled(
                    {name: float(np.exp(0.06 * reagent.standard_normal())) for name in ("density", "nucleus")}
                )
                batch = Batch.drawn(np.random.default_rng([seed, 2, site.batch]), self.batch)
                plate = Batch.drawn(np.random.default_rng([seed, 3, site.batch, site.plate]), self.batch / 4)
                rng = np.random.default_rng([seed, 4, i])
                light = draw(look, self.side, rng) * plate.gain[:, None, None]
                values = batch.expose(light, _FULL, 255, rng).astype(np.uint8)
                folder = root / "images" / site.experiment / f"Plate{site.plate}"
                folder.mkdir(parents=True, exist_ok=True)
                for number, channel in enumerate(values, 1):
                    ok, data = cv2.imencode(".png", channel)
                    assert ok
                    (folder / f"{site.well}_s{site.number}_w{number}.png").write_bytes(data.tobytes())
                run.report(i + 1, self.images, "sites drawn")

    def _site(self, i: int) -> _Site:
        """Return site i: experiments fill up in turn, so that all soon have some; then plates, then wells."""
        at, number = divmod(i, 2)
        at, kind = divmod(at, len(_CELL_TYPES))
        at, experiment = divmod(at, self.experiments)
        at, plate = divmod(at, self.plates)
        row, column = divmod(at, len(_COLUMNS))
        last = self.experiments > 1 and experiment == self.experiments - 1
        return _Site(
            cell_type=_CELL_TYPES[kind],
            dataset="test" if last else "train",
            experiment=f"{_CELL_TYPES[kind]}-{experiment + 1:02d}",
            batch=kind * 100 + experiment,
            plate=plate + 1,
            well=f"{_ROWS[row]}{_COLUMNS[column]:02d}",
            number=number + 1,
            # As in the real plates: 1 well untreated, 30 of positive controls, 277 of the 1,108 treatments.
            sirna_id=1138
            if at == 0
            else 1108 + at // 10
            if at % 10 == 1 and at < 300
            else plate * 277 + at % 277,
        )


class _Site(NamedTuple):
    cell_type: str
    dataset: str
    experiment: str
    batch: int
    plate: int
    well: str
    number: int
    sirna_id: int

    def row(self) -> tuple[str | int, ...]:
        """Return the values of `_HEADER`."""
        well_id = f"{self.experiment}_{self.plate}_{self.well}"
        kind, sirna = "treatment", f"s{20_000 + self.sirna_id}"
        if self.sirna_id >= 1108:
            kind = "positive_control"
        if self.sirna_id == 1138:
            kind, sirna = "negative_control", "EMPTY"
        where = (self.dataset, self.experiment, self.plate, self.well, self.number)
        return (f"{well_id}_{self.number}", well_id, self.cell_type, *where, kind, sirna, self.sirna_id)
