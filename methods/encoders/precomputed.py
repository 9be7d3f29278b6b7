"""Features that were computed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bench.errors import DataError
from bench.interfaces import Encoder, InputFile
from bench.layouts.arrayfile import (
    file_ending,
    h5_datasets,
    ids_as_text,
    load_npy,
    match_rows,
    read_ids,
    read_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Run


class PrecomputedFeatures(Encoder):
    """Features from a npy, csv, parquet or h5 file, matched to the images by id.

    csv and parquet: one row per image, a column of ids, all other columns (or `columns`) numbers.
    npy and h5: one row per image, and ids in `ids` (npy, h5) or `ids_dataset` (h5); without ids
    the rows must be exactly the images, in their order. Rows of other images are passed over.
    """

    source: ClassVar[str] = "none: features of the user"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pandas", "pyarrow", "h5py")

    file: InputFile
    """The features; what the file is follows from its ending: .npy, .csv, .parquet, .h5 or .hdf5."""
    ids: InputFile | None = None
    """Image ids in the order of the rows: .txt (one a line), .csv (column `id_column`) or .npy (text)."""
    id_column: str = "id"
    """Column of ids in csv and parquet."""
    columns: tuple[str, ...] | None = None
    """Columns of features in csv and parquet; all but the ids unless given."""
    dataset: str = "features"
    """Name of the (n, d) dataset in an h5 file."""
    ids_dataset: str | None = None
    """Name of the dataset of ids in an h5 file."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return the rows of the images, in their order.

        Raises `DataError` for files that cannot be read, images without features, ids that occur
        twice, and values that are not finite numbers.
        """
        import numpy as np

        table, ids = self._read()
        if table.ndim != 2 or table.shape[1] == 0 or table.dtype.kind not in "fiub":
            raise DataError(
                f"file: {self.file} holds {table.dtype} of shape {table.shape}, not numbers (n, d)"
            )
        if self.ids is not None:
            ids = read_ids(self.ids, self.id_column)
        run.facts["matched_by"] = "order" if ids is None else "id"
        run.facts["rows_in_file"] = len(table)
        rows = match_rows(ids, images.ids, len(table), self.file, "features")
        with np.errstate(over="ignore"):
            features = np.asarray(table[rows], np.float32)
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if bad.size:
            raise DataError(
                f"file: {self.file} has values that are not finite float32 for {bad.size} images, "
                f"e.g. {images.ids[int(bad[0])]!r}; drop or fill them"
            )
        return features

    def _read(self) -> tuple[NDArray[Any], Sequence[str] | None]:
        """Return the features and, where the file itself has them, the ids."""
        import numpy as np

        ending = file_ending(self.file, (".npy", ".csv", ".parquet", ".h5", ".hdf5"))
        if ending == ".npy":
            return load_npy(self.file), None
        if ending in (".csv", ".parquet"):
            table = read_table(self.file, [self.id_column], self.columns or None)
            return table.drop(columns=self.id_column).to_numpy(float), list(table[self.id_column])
        with h5_datasets(self.file, self.dataset, self.ids_dataset) as (features, ids):
            return np.asarray(features[()]), None if ids is None else ids_as_text(ids[()])
