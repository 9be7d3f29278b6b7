"""The context of a stage: its job, inputs and output folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.interfaces import Adapter, Run
from bench.records.store import Artefact, Store
from bench.stages.job import Job

if TYPE_CHECKING:
    import pandas as pd

    from bench.images import Prepared
    from bench.interfaces import Labels

Part = Literal["fit", "score"]


class InputMissing(Exception):
    """An input artefact is damaged or missing and must be recomputed."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Context:
    """One stage's job; inputs are opened on demand."""

    def __init__(self, job: Job, store: Store, folder: Path, adapter: Adapter | None, run: Run) -> None:
        self.job, self.store, self.folder, self.adapter, self.run = job, store, folder, adapter, run

    def artefact(self, role: str) -> Artefact:
        """Open an input, checking every byte. Raises `InputMissing` if it must be recomputed."""
        key = self.job.inputs[role]
        artefact = self.store.open(key)
        if artefact is None:
            raise InputMissing(key)
        return artefact

    def array(self, role: str, name: str) -> NDArray[Any]:
        """Read an array of an input."""
        array: NDArray[Any] = np.load(self.artefact(role).folder / name, allow_pickle=False)
        return array

    def table(self) -> pd.DataFrame:
        """Read the table of the image set: one row per image."""
        import pandas as pd

        return pd.read_parquet(self.artefact("images").folder / "table.parquet")

    def images(self, part: Part, *, labels: bool) -> Prepared:
        """Open the prepared images that `fit` or `score` selects."""
        from bench.imaging.prepare import load

        return load(self.artefact("images").folder, self.rows(part), labels=labels)

    def rows(self, part: Part) -> NDArray[np.int64] | None:
        """Return the rows of the prepared images that `fit` or `score` selects; None for all."""
        params = self.job.params
        held_out = part == "fit" and params.get("held_out")
        if not params.get(part) and not held_out:
            return None
        table = self.table()
        if not held_out:
            return selected_rows(table, params, part)
        scored = selected_rows(table, params, "score")
        if scored is None or len(scored) == len(table):
            raise DataError(
                "a classifier is fitted on images that are not scored, and none are left: give the dataset "
                "e.g. fit: {fraction: 0.8} and score: {fraction: 0.2}"
            )
        return np.setdiff1d(np.arange(len(table)), scored)

    def column(self, images: Prepared, name: str) -> list[str | None]:
        """Return one column of the table of the image set, for the selected images."""
        import pandas as pd

        table = self.table()
        if name not in table:
            raise DataError(f"the image set has no column {name!r}; it has {', '.join(table.columns)}")
        values = table[name].iloc[images.rows]
        return [None if pd.isna(v) else str(v) for v in values]

    def weights(self) -> Path | None:
        """Return the folder of weights from the adapter's own fit stage; None without one."""
        return self.artefact("weights").folder / "weights" if "weights" in self.job.inputs else None

    def run_with_encoder(self) -> Run:
        """Return the run with the weights of the nested encoder, if it is trained."""
        if "encoder_weights" not in self.job.inputs:
            return self.run
        return replace(self.run, encoder_weights=self.artefact("encoder_weights").folder / "weights")


def labels_of(images: Prepared) -> Labels:
    """Return the true classes of images opened with labels."""
    assert images.labels is not None
    return images.labels


def selected_rows(table: pd.DataFrame, params: Mapping[str, Any], part: Part) -> NDArray[np.int64] | None:
    """Return the rows of an image set that the parameters of a stage or record select; None for all."""
    from bench.imaging.selection import Selection, rows

    chosen = dict(params.get(part) or {})
    seed = chosen.pop("split_seed", 0)
    chosen.pop("part", None)
    return rows(table, Selection(**chosen), part=part, seed=seed) if chosen else None
