"""Which images of a prepared set are used, for fitting or for scoring."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bench.errors import DataError
from bench.interfaces import Count
from bench.util.text import suggest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Names = Annotated[tuple[str, ...], Field(min_length=1)]
"""Class names, or patterns with `*`, `?` and `[...]`."""


def _as_set(split: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(split, str):
        return split
    names = tuple(sorted(set(split)))  # neither order nor repetition may change a key
    return names[0] if len(names) == 1 else names


class Selection(BaseModel):
    """A part of an image set; all of it by default. The fields apply in the order of `rows`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: Annotated[str | Names, AfterValidator(_as_set)] | None = None
    """Keep the images of this split, or of any split of a list, as the dataset names them."""
    classes: Names | None = None
    """Keep these classes, by name or pattern; images without a label are then left out."""
    exclude_classes: Names | None = None
    """Leave these classes out, by name or pattern."""
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of each class to keep. Shares to fit and to score that sum to at most 1 never overlap."""
    max_images: Count | None = None
    """Keep at most this many images, classes in proportion."""


def rows(
    table: pd.DataFrame, selection: Selection, *, part: Literal["fit", "score"], seed: int
) -> NDArray[np.int64]:
    """Return the rows of `table` that are selected, sorted.

    Filters apply first (`split`, `classes`, `exclude_classes`), then `fraction`, then `max_images`.
    The images of each class (those without label count as one more) are put in an order that depends
    only on `seed` and their ids; "fit" takes from its front and "score" from its back.

    Parameters
    ----------
    table : columns `id`, `label` and, for `split`, `split`.
    part : which end to take from.
    seed : of the order.

    Notes
    -----
    Of a class of m images "fit" takes round(fraction * m), half upwards; if m >= 2 and fraction < 1,
    at least 1 and at most m - 1. "score" takes what "fit" would leave at 1 - fraction. So two fractions
    that sum to at most 1 (as written in decimals) are disjoint in every class and each has an image of
    every class of two or more; and if they sum to 1 they are all of it.
    `max_images` takes evenly from all classes: at least one of each, as far as it reaches.

    Raises
    ------
    DataError : an unknown class or split, with the nearest known one; or nothing is left.
    """
    import numpy as np
    import pandas as pd

    remaining = np.flatnonzero(_filtered(table, selection))
    order = _shuffled(table["id"].to_numpy()[remaining], seed)
    shuffled = remaining[order if part == "fit" else order[::-1]]
    codes, _ = pd.factorize(table["label"].to_numpy(dtype=object)[shuffled])  # -1 without a label
    chosen: list[NDArray[np.int64]] = []
    urgency: list[NDArray[np.float64]] = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        taken = members[: _share(len(members), selection.fraction, part)]
        chosen.append(taken)
        urgency.append(np.arange(len(taken)) / max(1, len(taken)))
    positions = np.concatenate(chosen or [np.empty(0, np.int64)])
    if selection.max_images is not None and len(positions):
        positions = positions[np.lexsort((positions, np.concatenate(urgency)))][: selection.max_images]
    if not len(positions):
        criteria = selection.model_dump(exclude_none=True)
        raise DataError(f"no images to {part} are left of {len(table)} by {criteria}; select more")
    return np.sort(shuffled[positions]).astype(np.int64)


def match_names(wanted: Sequence[str], known: Collection[str], what: str = "class") -> set[str]:
    """Return the known names that match the given ones: each is a name, or else a pattern.

    Raises `DataError` for one that matches nothing, with the nearest known name.
    """
    found: set[str] = set()
    for name in wanted:
        hits = {name} if name in known else {k for k in known if fnmatch.fnmatchcase(k, name)}
        if not hits:
            raise DataError(f"no {what} named {name!r}; {suggest(name, sorted(known))}")
        found |= hits
    return found


def _filtered(table: pd.DataFrame, selection: Selection) -> NDArray[np.bool_]:
    import numpy as np

    keep = np.ones(len(table), bool)
    labels = table["label"]
    known = set(labels.dropna())
    if selection.split is not None:
        wanted = (selection.split,) if isinstance(selection.split, str) else selection.split
        splits = set(table["split"].dropna()) if "split" in table else set()
        if not splits:
            raise DataError(f"split {', '.join(map(repr, wanted))}: this dataset has no splits; use fraction")
        unknown = [name for name in wanted if name not in splits]
        if unknown:
            raise DataError(f"no split named {unknown[0]!r}; {suggest(unknown[0], sorted(splits))}")
        keep &= table["split"].isin(wanted).to_numpy(dtype=bool)
    if selection.classes is not None:
        keep &= labels.isin(match_names(selection.classes, known)).to_numpy()
    if selection.exclude_classes is not None:
        keep &= ~labels.isin(match_names(selection.exclude_classes, known)).to_numpy()
    return keep


def _shuffled(ids: NDArray[np.object_], seed: int) -> NDArray[np.intp]:
    """Return an order in which the relative order of two images does not depend on the rest of the set."""
    import numpy as np
    import xxhash

    key = seed % 2**64
    draws = np.fromiter((xxhash.xxh3_64_intdigest(str(i).encode(), key) for i in ids), np.uint64, len(ids))
    return np.argsort(draws, kind="stable")


def _share(m: int, fraction: float | None, part: Literal["fit", "score"]) -> int:
    if fraction is None:
        return m
    exact = Decimal(str(fraction))  # 1 - 0.9 is 0.1 in decimals only
    return _front(m, exact) if part == "fit" else m - _front(m, 1 - exact)


def _front(m: int, fraction: Decimal) -> int:
    if fraction in (0, 1):
        return int(fraction) * m
    nearest = math.floor(fraction * m + Decimal("0.5"))
    return min(max(nearest, 1), m - 1) if m >= 2 else nearest
