"""Features that were computed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bench.interfaces import DataError, Encoder, InputFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Precomputed(Encoder):
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
            ids = _read_ids(self.ids, self.id_column)
        run.facts["matched_by"] = "order" if ids is None else "id"
        run.facts["rows_in_file"] = len(table)
        rows = _match(ids, images.ids, len(table), self.file)
        with np.errstate(over="ignore"):
            features = np.asarray(table[rows], np.float32)
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if bad.size:
            raise DataError(
                f"file: {self.file} has values that are no finite float32 for {bad.size} images, "
                f"e.g. {images.ids[int(bad[0])]!r}; drop or fill them"
            )
        return features

    def _read(self) -> tuple[NDArray[Any], Sequence[str] | None]:
        """Return the features and, where the file itself has them, the ids."""
        ending = self.file.suffix.lower()
        readers = {
            ".npy": self._read_npy,
            ".csv": self._read_table,
            ".parquet": self._read_table,
            ".h5": self._read_h5,
            ".hdf5": self._read_h5,
        }
        if ending not in readers:
            raise DataError(f"file: {self.file} ends in none of {', '.join(readers)}")
        if not self.file.is_file():
            raise DataError(f"file: {self.file} does not exist")
        return readers[ending]()

    def _read_npy(self) -> tuple[NDArray[Any], None]:
        return _load_npy(self.file), None

    def _read_table(self) -> tuple[NDArray[Any], Sequence[str]]:
        import pandas as pd

        try:
            if self.file.suffix.lower() == ".csv":
                table = pd.read_csv(self.file, dtype={self.id_column: str}, keep_default_na=True)
            else:
                table = pd.read_parquet(self.file)
        except (ValueError, OSError) as error:
            raise DataError(f"file: cannot read {self.file}: {str(error)[:200]}") from error
        wanted = list(self.columns) if self.columns else [c for c in table.columns if c != self.id_column]
        absent = [c for c in (self.id_column, *wanted) if c not in table.columns]
        if absent:
            raise DataError(
                f"file: {self.file} has no column {absent[0]!r}; it has {list(table.columns)[:8]}"
            )
        text = [c for c in wanted if not pd.api.types.is_numeric_dtype(table[c])]
        if text:
            raise DataError(
                f"file: column {text[0]!r} of {self.file} is not numbers; name the `columns` to use"
            )
        return table[wanted].to_numpy(float), [str(i) for i in table[self.id_column]]

    def _read_h5(self) -> tuple[NDArray[Any], Sequence[str] | None]:
        import h5py
        import numpy as np

        try:
            with h5py.File(self.file) as file:
                for name in (self.dataset, self.ids_dataset):
                    if name is not None and not isinstance(file.get(name), h5py.Dataset):
                        raise DataError(f"file: {self.file} has no dataset {name!r}; it has {list(file)[:8]}")
                ids = None
                if self.ids_dataset is not None:
                    ids = [i.decode() if isinstance(i, bytes) else str(i) for i in file[self.ids_dataset][()]]
                return np.asarray(file[self.dataset][()]), ids
        except OSError as error:
            raise DataError(f"file: cannot read {self.file} as h5: {str(error)[:200]}") from error


def _load_npy(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"file: cannot read {path} as a npy array of numbers or text: {str(error)[:200]}"
        ) from error


def _read_ids(path: Path, column: str) -> list[str]:
    if not path.is_file():
        raise DataError(f"ids: {path} does not exist")
    ending = path.suffix.lower()
    if ending == ".npy":
        return [str(i) for i in _load_npy(path).ravel()]
    if ending == ".csv":
        import pandas as pd

        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if column not in table.columns:
            raise DataError(f"ids: {path} has no column {column!r}; it has {list(table.columns)[:8]}")
        return list(table[column])
    if ending == ".txt":
        return path.read_text(encoding="utf-8").splitlines()
    raise DataError(f"ids: {path} ends in none of .txt, .csv, .npy")


def _match(ids: Sequence[str] | None, wanted: Sequence[str], count: int, path: Path) -> NDArray[np.int64]:
    """Return the row of every wanted image."""
    import numpy as np

    if ids is None:
        if count != len(wanted):
            raise DataError(
                f"file: {path} has {count} rows for {len(wanted)} images and no ids to match by; give `ids`"
            )
        return np.arange(count)
    if len(ids) != count:
        raise DataError(f"ids: {len(ids)} ids for {count} rows of {path}; there must be one for each")
    where = {name: row for row, name in enumerate(ids)}
    if len(where) != count:
        twice = next(name for row, name in enumerate(ids) if where[name] != row)
        raise DataError(f"ids: {twice!r} occurs more than once for {path}; ids must be unique")
    missing = [name for name in wanted if name not in where]
    if missing:
        names = ", ".join(repr(name) for name in missing[:3])
        raise DataError(
            f"file: {path} has no features for {len(missing)} of {len(wanted)} images, e.g. {names}; "
            f"its ids look like {ids[0]!r}"
        )
    return np.array([where[name] for name in wanted], np.int64)
