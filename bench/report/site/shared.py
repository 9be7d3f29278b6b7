"""What several pages share, made once: thumbnails, positions in the plane, similarities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.adapters.keys import digest
from bench.interfaces import Json
from bench.report.site import embedding, pictures
from bench.report.site.embedding import MapSource
from bench.report.site.folder import Folder
from bench.report.site.pictures import SimilarityPicture
from bench.stages.finished import FinishedCell


@dataclass
class Shared:
    """Writes pictures below `images/`, each once."""

    folder: Folder
    projection: str
    max_points: int
    _sheets: dict[str, Json] = field(default_factory=dict)
    _points: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _similar: dict[str, tuple[str, SimilarityPicture]] = field(default_factory=dict)

    def rows(self, cell: FinishedCell) -> NDArray[np.int64]:
        """Return which images of a cell are on its map."""
        return embedding.sample(len(cell.clusters), self.max_points)

    def sheets(self, cell: FinishedCell, rows: NDArray[np.int64]) -> Json:
        """Return where the thumbnails of the images are: folder, number of files, sizes."""
        key = self._images(cell)
        if key not in self._sheets:
            made = pictures.sheets(cell, rows)
            for i, file in enumerate(made.files):
                self.folder.write(f"images/{key}/{i:03d}.jpg", file)
            self._sheets[key] = {
                "folder": f"images/{key}",
                "files": len(made.files),
                "tile": made.tile,
                "across": made.across,
            }
        return self._sheets[key]

    def points(self, cell: FinishedCell, source: MapSource, rows: NDArray[np.int64]) -> tuple[str, str]:
        """Return x and y of the points, packed."""
        key = source.key, self._images(cell)
        if key not in self._points:
            found = embedding.points(cell, source, rows, self.projection)
            self._points[key] = embedding.packed(found[:, 0]), embedding.packed(found[:, 1])
        return self._points[key]

    def similarity(self, cell: FinishedCell, what: str, *, by_class: bool) -> tuple[str, SimilarityPicture]:
        """Return the picture's file and what it shows."""
        stage = cell.stages("pair" if what == "join probabilities" else "encode")[-1]
        groups = cell.truth if by_class else cell.clusters
        order = "class" if by_class else digest(groups.tolist())
        key = digest([stage.key, self._images(cell), order])[:16]
        if key not in self._similar:
            made = pictures.similarity(cell, what, groups)
            name = f"images/similarity-{key}.png"
            self.folder.write(name, made.file)
            self._similar[key] = name, made
        return self._similar[key]

    def _images(self, cell: FinishedCell) -> str:
        """Return the name of the scored images: equal for cells that score the same images."""
        (stage,) = cell.stages("prepare")
        return digest([stage.key, cell.record.params.get("score") or {}, self.max_points])[:16]
