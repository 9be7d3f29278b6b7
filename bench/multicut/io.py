"""Read multicut instances from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.multicut.costs import costs_from_probabilities, log_odds
from bench.multicut.instance import DenseCosts, Instance, SparseCosts


def read_instance(
    path: Path, *, probabilities: bool = False, symmetrise: bool = False, prior: float | None = None
) -> Instance:
    """Read an instance; the suffix says which layout.

    - `.npy`: costs, shape (n, n).
    - `.npz`: arrays i, j, cost of one length, and n if nodes without edges come last.
    - `.h5`, `.hdf5`: join probabilities `affinities`, float (n, n), with any diagonal (the organoid
      layout, Presberger et al.).

    With `probabilities`, a `.npy` or `.npz` file holds join probabilities in place of costs. Of a matrix
    of probabilities both directions are averaged; `prior` shifts the costs that probabilities give.

    Raises
    ------
    DataError : not there, another suffix, unreadable, an array missing or not what it should be.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    readers = {".npy": _read_npy, ".npz": _read_npz, ".h5": _read_h5, ".hdf5": _read_h5}
    if path.suffix not in readers:
        raise DataError(
            f"{path}: cannot read {path.suffix or 'a file without suffix'}; use .npy, .npz or .h5"
        )
    try:
        arrays = readers[path.suffix](path)
    except (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        OverflowError,
        MemoryError,
        EOFError,
        KeyError,
    ) as error:
        raise DataError(f"{path}: damaged or not a {path.suffix} file ({error})") from error
    try:
        if path.suffix == ".npz":
            return _sparse(arrays, probabilities, prior)
        name = "costs" if path.suffix == ".npy" else "affinities"
        return _dense(_required(arrays, name), probabilities or name == "affinities", symmetrise, prior)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def hint_of_probabilities(instance: Instance) -> str | None:
    """Return a sentence if all costs could be join probabilities: none is negative, none above 1.

    Without a negative cost one cluster is always best, so that hardly anyone means to solve such costs.
    """
    lowest, highest = instance.range()
    if lowest < 0 or highest > 1 or highest == 0:
        return None
    return (
        "all costs lie from 0 to 1, so one cluster of all nodes is best; if they are join probabilities, "
        "give them as such (--probabilities)"
    )


def _dense(matrix: NDArray[Any], probabilities: bool, symmetrise: bool, prior: float | None) -> DenseCosts:
    if probabilities:
        return DenseCosts(costs_from_probabilities(matrix, prior=prior))
    if prior is not None:
        raise DataError("a prior is for join probabilities; the file holds costs")
    return DenseCosts(matrix, symmetrise=symmetrise)


def _sparse(arrays: dict[str, NDArray[Any]], probabilities: bool, prior: float | None) -> SparseCosts:
    i, j, cost = (_required(arrays, name, "i, j and cost") for name in ("i", "j", "cost"))
    for name, end in (("i", i), ("j", j)):
        if end.size and end.dtype.kind not in "iu":
            raise DataError(
                f"{name} must be integers, the numbers of nodes from 0, and holds {end.dtype}; "
                f"convert it with {name}.astype('int64')"
            )
    if probabilities:
        cost = log_odds(cost, prior)
    elif prior is not None:
        raise DataError("a prior is for join probabilities; the file holds costs")
    if "n" in arrays:
        if arrays["n"].size != 1 or arrays["n"].dtype.kind not in "iu":
            raise DataError(f"n must be one integer, the number of nodes, not {arrays['n']!r}")
        n = int(arrays["n"].item())
    else:
        n = max((int(end.max()) + 1 for end in (i, j) if end.size), default=0)
        if not n:
            raise DataError("there are no edges, and no n that says how many nodes there are")
    return SparseCosts(n, i, j, cost)


def _required(arrays: dict[str, NDArray[Any]], name: str, meant: str = "") -> NDArray[Any]:
    if name not in arrays:
        found = ", ".join(sorted(arrays)[:10]) or "none"
        expected = f", expected {meant}" if meant else ""
        raise DataError(f"there is no array {name!r}; found {found}{expected}")
    return arrays[name]


def _read_npy(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as file:
        return {"costs": np.lib.format.read_array(file, allow_pickle=False)}


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    from zipfile import BadZipFile

    try:
        with np.load(path, allow_pickle=False) as archive:
            known = ("i", "j", "cost", "n")
            return {n: archive[n] if n in known else np.empty(0) for n in archive.files}
    except (BadZipFile, AttributeError) as error:  # AttributeError: a lone array under the wrong suffix
        raise ValueError(str(error)) from error


def _read_h5(path: Path) -> dict[str, NDArray[Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        found = file.get("affinities")
        if not isinstance(found, h5py.Dataset):
            return {name: np.empty(0) for name in file if name != "affinities"}
        affinities = np.asarray(found[()])
    if affinities.ndim == 2 and affinities.shape[0] == affinities.shape[1]:
        np.fill_diagonal(affinities, 0)
    return {"affinities": affinities}
