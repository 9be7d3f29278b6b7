"""A method block with grids, expanded to concrete methods with names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bench.errors import CutjoinError
from bench.util.text import suggest
from bench.util.yamlfile import Where

PARTS = ("encoder", "pair_model", "clusterer", "classifier")
MAX_METHODS = 100_000


class GridError(CutjoinError, ValueError):
    """A grid that cannot be expanded: what is wrong, and where inside the method's block."""

    def __init__(self, where: Where, message: str) -> None:
        super().__init__(message)
        self.where = where


_Axis = tuple[Where, Where, list[tuple[int | str, Any]]]
"""What a grid sets, where its values are written, and the values, each with its index or name there."""


@dataclass
class Concrete:
    """One method without grids."""

    name: str
    block: dict[str, Any]
    origin: dict[Where, Where] = field(default_factory=dict)
    """Where in the file a part of `block` was written, if not at the same place."""

    def written(self, where: Where) -> Where:
        """Return where in the method's block of the file the value at `where` was written."""
        for cut in range(len(where), 0, -1):
            if where[:cut] in self.origin:
                return (*self.origin[where[:cut]], *where[cut:])
        return where


def expand(block: dict[str, Any]) -> list[Concrete]:
    """Return one concrete method per combination of the block's grids, in the order written.

    A grid stands in a part (`encoder: {use: x, grid: {lr: [1e-3, 1e-4]}}`) or at
    the method itself, its keys then paths (`grid: {encoder: [pixels, timm], clusterer.k: [5, 10]}`).
    A mapping instead of a list names the values: `grid: {clusterer: {SC: spectral, k-means: kmeans}}`.
    Raises `GridError` for a grid that is not a mapping of lists or mappings, that is inside another grid,
    that sets something which is not a part of a method or which another grid sets too, or that is too large.
    """
    axes = list(_axes(block, ()))
    _check(axes)
    # `clusterer` before `clusterer.k`, whichever is written first; names keep the written order
    outer_first = sorted(range(len(axes)), key=lambda i: len(axes[i][0]))
    concretes = []
    for choice in itertools.product(*(range(len(values)) for _, _, values in axes)):
        body = _without_grids(block)
        origin: dict[Where, Where] = {}
        for i in outer_first:
            target, source, values = axes[i]
            index, value = values[choice[i]]
            _assign(body, target, value)
            origin[target] = (*source, index)
        chosen = [(target, *values[i]) for (target, _, values), i in zip(axes, choice, strict=True)]
        concretes.append(Concrete(_name(block.get("name"), body, chosen), body, origin))
    return concretes


def label(block: Any) -> str:
    """Return a short name for a part: its adapter, and the reducer it works on."""
    if not isinstance(block, dict):
        return PurePosixPath(str(block)).stem
    own = PurePosixPath(str(block.get("use", "?"))).stem
    return f"{own} on {label(block['reduce'])}" if block.get("reduce") else own


def _axes(block: dict[str, Any], where: Where) -> Iterator[_Axis]:
    grid = block.get("grid", {})
    if not isinstance(grid, dict):
        raise GridError((*where, "grid"), "expected a mapping from parameters to lists of values")
    for key, values in grid.items():
        source = (*where, "grid", key)
        if not isinstance(values, list | dict) or not values:
            raise GridError(source, "expected a non-empty list of values, or a mapping from names to them")
        named = enumerate(values) if isinstance(values, list) else values.items()
        indexed: list[tuple[int | str, Any]] = list(named)
        for index, value in indexed:
            if _holds_grid(value):
                raise GridError((*source, index), "a grid inside a grid is not expanded; list its values")
        yield (*where, *str(key).split(".")), source, indexed
    for key, value in block.items():
        if isinstance(value, dict) and key != "grid":
            yield from _axes(value, (*where, key))


def _check(axes: list[_Axis]) -> None:
    seen: set[Where] = set()
    for target, source, _ in axes:
        if target[0] not in PARTS:
            raise GridError(
                source, f"{target[0]!r} is not a part of a method; {suggest(str(target[0]), list(PARTS))}"
            )
        if target in seen:
            raise GridError(source, f"another grid sets {'.'.join(map(str, target))} too")
        seen.add(target)
    count = math.prod(len(values) for _, _, values in axes)
    if count > MAX_METHODS:
        raise GridError(axes[0][1][:-1], f"{count:,} methods are more than {MAX_METHODS:,}")


def _holds_grid(value: Any) -> bool:
    return isinstance(value, dict) and ("grid" in value or any(map(_holds_grid, value.values())))


def _without_grids(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_grids(v) for k, v in value.items() if k != "grid"}
    return value


def _assign(body: dict[str, Any], target: Where, value: Any) -> None:
    for part in target[:-1]:
        inner = body.get(str(part))
        if isinstance(inner, str):  # `encoder: pixels` is short for `encoder: {use: pixels}`
            inner = {"use": inner}
        body[str(part)] = inner if isinstance(inner, dict) else {}
        body = body[str(part)]
    body[str(target[-1])] = _without_grids(value)


def _name(given: Any, body: dict[str, Any], chosen: list[tuple[Where, int | str, Any]]) -> str:
    parts = [label(body[p]) for p in PARTS if p in body]
    named = [p if isinstance(p, str) else label(v) for t, p, v in chosen if t[-1] in PARTS]
    base = " ".join([str(given), *named]) if given else " + ".join(parts)
    values = [f"{t[-1]}={p if isinstance(p, str) else _short(v)}" for t, p, v in chosen if t[-1] not in PARTS]
    return " ".join([base, *values])


def _short(value: Any) -> str:
    return label(value) if isinstance(value, dict) else str(value)
