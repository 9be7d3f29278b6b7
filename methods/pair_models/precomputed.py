"""Join probabilities that were computed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.errors import DataError
from bench.interfaces import InputFile, PairModel
from bench.layouts.arrayfile import (
    csv_header,
    file_ending,
    gaps_but_in,
    h5_datasets,
    ids_as_text,
    load_npy,
    match_rows,
    read_csv,
    read_ids,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import JoinProbabilities, Run

_BLOCK = 2**22
"""Values read from a file at a time."""
_TILE = 1024
"""Side of the tiles in which a matrix and its transpose are combined, in place."""


class PrecomputedProbabilities(PairModel):
    """Join probabilities from a npy, h5 or csv file, matched to the images by id.

    npy and h5: a square matrix, and ids in `ids` (npy, h5) or `ids_dataset` (h5); without ids its
    rows and columns must be exactly the images, in their order. csv: either one row per pair, with
    the columns `id_a`, `id_b` and `probability`, each pair in one direction at least; or a square
    table with ids as its header and first column. Other images are ignored, and so is the
    diagonal: it becomes 1.
    """

    source: ClassVar[str] = "none: join probabilities of the user"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "h5py")

    file: InputFile
    """The probabilities; the suffix says which format: .npy, .h5, .hdf5 or .csv."""
    ids: InputFile | None = None
    """Image ids in the order of a npy or h5 matrix: .txt (one a line), .csv (column `id`) or .npy."""
    dataset: str = "affinities"
    """Name of the (n, n) dataset in an h5 file."""
    ids_dataset: str | None = None
    """Name of the dataset of ids, text or integers, in an h5 file."""
    id_a: str = "id_a"
    """Column of the first image's id in a csv of pairs."""
    id_b: str = "id_b"
    """Column of the second image's id in a csv of pairs."""
    probability: str = "probability"
    """Column of probabilities in a csv of pairs."""
    directions: Literal["mean", "min"] = "mean"
    """How (a, b) and (b, a) are combined: their mean, or the lower of the two."""

    def join_probabilities(self, images: Prepared, weights: Path | None, run: Run) -> JoinProbabilities:
        """Return the probabilities of the images, in their order.

        Raises `DataError` for files that cannot be read, images or pairs without a probability,
        ids that occur twice, and values that are NaN or outside [0, 1].
        """
        ending = file_ending(self.file, (".npy", ".h5", ".hdf5", ".csv"))
        ids = None if self.ids is None else read_ids(self.ids)
        if ending == ".csv":
            if ids is not None:
                raise DataError(
                    f"ids: {self.file} contains its own ids, as every csv file does; leave `ids` out"
                )
            p = self._from_csv(images.ids)
        elif ending == ".npy":
            p = self._from_matrix(load_npy(self.file), ids, images.ids)
        else:
            with h5_datasets(self.file, self.dataset, self.ids_dataset) as (matrix, own):
                if ids is None and own is not None:
                    ids = ids_as_text(own[()])
                p = self._from_matrix(matrix, ids, images.ids)
        run.facts["matched_by"] = "order" if ending != ".csv" and ids is None else "id"
        _combine(p, self.directions)
        return p

    def _from_matrix(
        self, matrix: Any, ids: Sequence[str] | None, requested: Sequence[str]
    ) -> NDArray[np.float32]:
        shape: tuple[int, ...] = matrix.shape or ()  # a null dataset has None
        if len(shape) != 2 or shape[0] != shape[1] or matrix.dtype.kind not in "fiub":
            raise DataError(f"file: {self.file} holds {matrix.dtype} of shape {shape}, not numbers (n, n)")
        rows = match_rows(ids, requested, shape[0], self.file, "join probabilities")
        return _select(matrix, rows, rows, requested, self.file)

    def _from_csv(self, requested: Sequence[str]) -> NDArray[np.float32]:
        header = csv_header(self.file)
        names = (self.id_a, self.id_b, self.probability)
        if set(names) <= set(header):
            return self._from_pairs(requested)
        table = read_csv(
            self.file, header=None, skiprows=1, dtype={0: str}, **gaps_but_in(range(len(header)), [0])
        )
        if table.shape != (len(header) - 1, len(header)):
            raise DataError(
                f"file: {self.file} has neither the columns {', '.join(map(repr, names))} nor a column "
                f"for every row; its first line is {header[:8]}, and {len(table)} lines follow"
            )
        matrix = table.iloc[:, 1:].to_numpy()
        if matrix.dtype.kind not in "fiub":
            raise DataError(f"file: {self.file} has text among its probabilities")
        rows = match_rows(list(table[0]), requested, len(matrix), self.file, "row")
        columns = match_rows(header[1:], requested, len(matrix), self.file, "column")
        return _select(matrix, rows, columns, requested, self.file)

    def _from_pairs(self, requested: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np
        import pandas as pd

        table = read_table(self.file, (self.id_a, self.id_b), (self.probability,))
        codes, known = pd.factorize(pd.concat([table[self.id_a], table[self.id_b]]))
        position = np.full(len(known), -1)
        position[match_rows(list(known), requested, len(known), self.file, "pairs")] = np.arange(
            len(requested)
        )
        a, b = position[codes].reshape(2, -1)
        use = (a >= 0) & (b >= 0) & (a != b)
        a, b, values = a[use], b[use], table[self.probability].to_numpy(float)[use]
        for i in np.flatnonzero(_improper(values))[:1]:
            raise _improper_value(self.file, values[i], requested[a[i]], requested[b[i]])
        values = values.astype(np.float32)
        p = np.full((len(requested), len(requested)), np.nan, np.float32)
        p[a, b] = values
        for i in np.flatnonzero(p[a, b] != values)[:1]:
            raise DataError(
                f"file: {self.file} has {values[i]} and {p[a[i], b[i]]} for {requested[a[i]]!r} and "
                f"{requested[b[i]]!r}, in this direction; drop one of them"
            )
        np.fill_diagonal(p, 1)
        p = np.where(np.isnan(p), p.T, p)
        gaps = np.argwhere(np.triu(np.isnan(p)))
        if gaps.size:
            some = ", ".join(f"{requested[i]!r} and {requested[j]!r}" for i, j in gaps[:3])
            pairs = len(requested) * (len(requested) - 1) // 2
            raise DataError(
                f"file: {self.file} has no probability for {len(gaps)} of {pairs} pairs, e.g. {some}"
            )
        return p


def _select(
    matrix: Any, rows: NDArray[np.int64], columns: NDArray[np.int64], ids: Sequence[str], path: Path
) -> NDArray[np.float32]:
    """Return the rows and columns of the images, reading few rows of a map or h5 dataset at a time."""
    import numpy as np

    n = len(ids)
    p = np.empty((n, n), np.float32)
    order = np.argsort(rows)
    ordered = rows[order]
    step = max(1, _BLOCK // max(1, matrix.shape[1]))
    for start in range(0, matrix.shape[0], step):
        images = order[slice(*np.searchsorted(ordered, [start, start + step]))]
        if not images.size:
            continue
        first, last = int(rows[images[0]]), int(rows[images[-1]])
        block = np.asarray(matrix[first : last + 1])[np.ix_(rows[images] - first, columns)]
        block[np.arange(len(images)), images] = 1
        for i, j in np.argwhere(_improper(block))[:1]:
            raise _improper_value(path, block[i, j], ids[images[i]], ids[j])
        p[images] = block
    return p


def _combine(p: NDArray[np.float32], directions: Literal["mean", "min"]) -> None:
    """Make `p` symmetric with diagonal 1, in place."""
    import numpy as np

    for i in range(0, len(p), _TILE):
        for j in range(i, len(p), _TILE):
            there, back = p[i : i + _TILE, j : j + _TILE], p[j : j + _TILE, i : i + _TILE]
            both = (there + back.T) * np.float32(0.5) if directions == "mean" else np.minimum(there, back.T)
            there[...] = both
            back[...] = both.T
    np.fill_diagonal(p, 1)


def _improper(values: NDArray[Any]) -> NDArray[np.bool_]:
    proper: NDArray[np.bool_] = (values >= 0) & (values <= 1)
    return ~proper


def _improper_value(path: Path, value: Any, a: str, b: str) -> DataError:
    return DataError(
        f"file: {path} has {value} for {a!r} and {b!r}; join probabilities are numbers from 0 to 1"
    )
