"""What a stage has at hand: its job, its inputs and the folder that it fills."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.errors import DataError
from bench.interfaces import Adapter, Run
from bench.records.store import Artefact, Store

Job = dict[str, Any]
"""JSON that describes one stage to its process; made by `bench.execute.local`."""


class InputGone(Exception):
    """An artefact that the stage needs is damaged or gone and must be made again."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Context:
    """One stage's job, with the inputs opened on demand."""

    def __init__(self, job: Job, store: Store, folder: Path, adapter: Adapter | None, run: Run) -> None:
        self.job, self.store, self.folder, self.adapter, self.run = job, store, folder, adapter, run

    def artefact(self, role: str) -> Artefact:
        key = self.job["inputs"][role]
        artefact = self.store.open(key)
        if artefact is None:
            raise InputGone(key)
        return artefact

    def array(self, role: str, name: str) -> Any:
        return np.load(self.artefact(role).folder / name, allow_pickle=False)

    def images(self, part: Literal["fit", "score"], *, labels: bool) -> Any:
        """Open the prepared images that `fit` or `score` selects."""
        from bench.imaging.prepare import load

        return load(self.artefact("images").folder, self.rows(part), labels=labels)

    def rows(self, part: Literal["fit", "score"]) -> Any:
        """Return the rows of the prepared images that `fit` or `score` selects; None for all."""
        from bench.imaging.selection import Selection, rows

        chosen = dict(self.job["params"].get(part) or {})
        seed = chosen.pop("split_seed", 0)
        chosen.pop("part", None)
        held_out = part == "fit" and self.job["params"].get("held_out")
        if not chosen and not held_out:
            return None
        import pandas as pd

        table = pd.read_parquet(self.artefact("images").folder / "table.parquet")
        if not held_out:
            return rows(table, Selection(**chosen), part=part, seed=seed)
        scored = self.rows("score")
        if scored is None or len(scored) == len(table):
            raise DataError(
                "a classifier is fitted on images that are not scored, and none are left: give the dataset "
                "e.g. fit: {fraction: 0.8} and score: {fraction: 0.2}"
            )
        return np.setdiff1d(np.arange(len(table)), scored)

    def column(self, images: Any, name: str) -> list[str | None]:
        """Return one column of the table of the image set, for the selected images."""
        import pandas as pd

        table = pd.read_parquet(self.artefact("images").folder / "table.parquet")
        if name not in table:
            raise DataError(f"the image set has no column {name!r}; it has {', '.join(table.columns)}")
        values = table[name].iloc[images.rows]
        return [None if pd.isna(v) else str(v) for v in values]

    def weights(self) -> Path | None:
        return self.artefact("weights").folder / "weights" if "weights" in self.job["inputs"] else None

    def run_with_encoder(self) -> Run:
        """Return the run with what the encoder inside the model learned, if there is one that learns."""
        if "encoder_weights" not in self.job["inputs"]:
            return self.run
        return replace(self.run, encoder_weights=self.artefact("encoder_weights").folder / "weights")
