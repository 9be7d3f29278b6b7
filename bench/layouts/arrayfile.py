"""Tables and matrices that were computed elsewhere, and how their rows are matched to images.

Imports nothing heavy, since adapter files import it. The `field` in these signatures is the
parameter that error messages name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_HEAD = 1 << 20
"""How many bytes of a table decide how it is read."""
_ANSI = "the text is read as Windows-1252, for it is not UTF-8"
_GAPS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None")


def file_ending(path: Path, known: Sequence[str], field: str = "file") -> str:
    """Return the ending of an existing file, in lower case; `DataError` if it is not one of `known`."""
    ending = path.suffix.lower()
    if ending not in known:
        raise DataError(f"{field}: {path} does not end in {' or '.join(known)}")
    if not path.is_file():
        raise DataError(f"{field}: {path} does not exist")
    return ending


def load_npy(path: Path, field: str = "file") -> NDArray[Any]:
    """Return a read-only memory map of a npy file. Objects are refused, never unpickled."""
    import numpy as np

    with _errors_as_data_error(path, field, "a npy array of numbers or text"):
        # Unlike np.load, this knows neither pickles nor zip archives.
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))


def read_csv(path: Path, field: str = "file", **options: Any) -> pd.DataFrame:
    """Return `pandas.read_csv(path, **options)`; `DataError` instead of any of its errors.

    Separators, decimals and the encoding are those of the file, by the rules of `textvalues`; a warning says
    what is not plain.
    """
    import pandas as pd

    with _errors_as_data_error(path, field, "csv"):
        options = {**_dialect(path), **options}
        table: pd.DataFrame = pd.read_csv(path, low_memory=False, **options)
    if not isinstance(table.index, pd.RangeIndex):
        # Lines longer than the header: pandas would take their first values as an index and shift the rest.
        raise DataError(f"{field}: {path} has lines with more values than its header has columns")
    return table


def _dialect(path: Path) -> dict[str, Any]:
    """Return the options of `pandas.read_csv` that the beginning of a csv file asks for."""
    from bench.layouts.textvalues import decimal_comma, decode, separator, separator_note

    with path.open("rb") as f:
        head = f.read(_HEAD)
        head += f.readline(_HEAD)  # not in the middle of a character
        is_utf8 = _is_utf8(head) and all(_is_utf8(chunk) for chunk in f)
    text, notes = decode(head, path) if is_utf8 or b"\0" in head else (head.decode("cp1252"), [_ANSI])
    options: dict[str, Any] = {}
    if notes:
        options["encoding"] = "utf-16" if "UTF-16" in notes[0] else "cp1252"
    lines = text.splitlines()
    if not lines:
        return {}
    if (found := separator(lines[0], ",")) != ",":
        notes = [*notes, separator_note(found)]
        options["sep"] = found
        try:
            if decimal_comma([line.split(found) for line in lines[1:]]):
                notes = [*notes, "decimals follow a comma"]
                options["decimal"] = ","
        except ValueError as e:
            raise DataError(f"{path}: {e}; write decimals with a point") from None
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}", stacklevel=3)
    return options


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def csv_header(path: Path) -> list[str]:
    """Return the first line of a csv file, as it stands."""
    return list(read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0])


def gaps_but_in(columns: Iterable[Any], ids: Sequence[Any]) -> dict[str, Any]:
    """Return the options of `read_csv` for NaN where numbers are missing, while "NA" can be an id."""
    return {"keep_default_na": False, "na_values": {c: _GAPS for c in columns if c not in ids}}


def read_table(path: Path, ids: Sequence[str], numbers: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the columns `ids`, as text, then `numbers` (None: all others) of a csv or parquet file.

    Raises `DataError` for columns that are absent or not numbers. Missing numbers are NaN.
    """
    import pandas as pd

    if path.suffix.lower() == ".csv":
        table = read_csv(path, dtype=dict.fromkeys(ids, str), **gaps_but_in(csv_header(path), ids))
    else:
        with _errors_as_data_error(path, "file", "parquet"):
            table = pd.read_parquet(path)
    wanted = [c for c in table.columns if c not in ids] if numbers is None else list(numbers)
    absent = [c for c in (*ids, *wanted) if c not in table.columns]
    if absent:
        raise DataError(f"file: {path} has no column {absent[0]!r}; it has {list(table.columns)[:8]}")
    twice = [c for c in ids if [*ids, *wanted].count(c) > 1]
    if twice:
        raise DataError(f"file: column {twice[0]!r} of {path} is used for ids and again; choose another")
    text = [c for c in wanted if not pd.api.types.is_numeric_dtype(table[c])]
    if text:
        raise DataError(f"file: column {text[0]!r} of {path} is not numbers; name the columns to use")
    table = table[[*ids, *wanted]]
    return table.assign(**{name: table[name].map(str) for name in ids})


@contextmanager
def h5_datasets(path: Path, *names: str | None) -> Iterator[list[Any]]:
    """Open a h5 file and yield its datasets of these names, unread; None for None.

    Raises `DataError` for names without a dataset, and for datasets kept in another file: its
    content would not enter the key of what is computed from it.
    """
    import h5py

    with _errors_as_data_error(path, "file", "h5"), h5py.File(path, "r") as file:
        found = [name if name is None else file.get(name) for name in names]
        for name, dataset in zip(names, found, strict=True):
            if name is None:
                continue
            if not isinstance(dataset, h5py.Dataset):
                raise DataError(f"file: {path} has no dataset {name!r}; it has {list(file)[:8]}")
            if dataset.file != file or dataset.is_virtual or dataset.external:
                raise DataError(f"file: {path} keeps dataset {name!r} in another file; copy it into this one")
        yield found


def ids_as_text(ids: Any) -> list[str]:
    """Return an array of text, bytes or numbers as text; whole floats as integers."""
    import numpy as np

    if getattr(ids, "dtype", None) is not None and ids.dtype.kind == "f":
        return [str(int(i)) if float(i).is_integer() else str(i) for i in np.ravel(ids).tolist()]
    return [i.decode("utf-8", "backslashreplace") if isinstance(i, bytes) else str(i) for i in np.ravel(ids)]


def read_ids(path: Path, column: str = "id") -> list[str]:
    """Return the ids in a .txt (one a line), .csv (one column of it) or .npy file."""
    ending = file_ending(path, (".txt", ".csv", ".npy"), "ids")
    if ending == ".npy":
        return ids_as_text(load_npy(path, "ids"))
    if ending == ".csv":
        table = read_csv(path, "ids", dtype=str, keep_default_na=False)
        if column not in table.columns:
            raise DataError(f"ids: {path} has no column {column!r}; it has {list(table.columns)[:8]}")
        return list(table[column])
    with _errors_as_data_error(path, "ids", "text"):
        from bench.layouts.textvalues import decode

        text, notes = decode(path.read_bytes(), path)
        if notes:
            warnings.warn(f"{path}: {'; '.join(notes)}", stacklevel=2)
        return text.splitlines()


def match_rows(
    ids: Sequence[str] | None, wanted: Sequence[str], count: int, path: Path, what: str
) -> NDArray[np.int64]:
    """Return the row of every image of `wanted` among the `count` rows of a file.

    Without ids the rows must be exactly these images, in this order. Raises `DataError` for
    ids that are not one per row or occur twice, and for images without a row, saying that the file has no
    `what` for them.
    """
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
        look = f"its ids look like {ids[0]!r}" if ids else "it has no rows"
        raise DataError(
            f"file: {path} has no {what} for {len(missing)} of {len(wanted)} images, e.g. {names}; {look}"
        )
    return np.array([where[name] for name in wanted], np.int64)


@contextmanager
def _errors_as_data_error(path: Path, field: str, kind: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (ValueError, TypeError, OverflowError, OSError, EOFError) as error:
        raise DataError(f"{field}: cannot read {path} as {kind}: {str(error)[:200]}") from error
