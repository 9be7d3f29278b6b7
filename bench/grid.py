"""A method block with grids, expanded to concrete methods with names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bench.yamlfile import Where

PARTS = ("encoder", "pair_model", "clusterer", "classifier")


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
    Raises `ValueError` for a grid that is no mapping of lists.
    """
    axes = list(_axes(block, ()))
    concretes = []
    for choice in itertools.product(*(range(len(values)) for _, _, values in axes)):
        body = _without_grids(block)
        origin: dict[Where, Where] = {}
        for (target, source, values), index in zip(axes, choice, strict=True):
            _assign(body, target, values[index])
            origin[target] = (*source, index)
        chosen = [(target, values[i]) for (target, _, values), i in zip(axes, choice, strict=True)]
        concretes.append(Concrete(_name(block.get("name"), body, chosen), body, origin))
    return concretes


def label(block: Any) -> str:
    """Return a short name for a part: its adapter, and the reducer it works on."""
    if not isinstance(block, dict):
        return PurePosixPath(str(block)).stem
    own = PurePosixPath(str(block.get("use", "?"))).stem
    return f"{own} on {label(block['reduce'])}" if block.get("reduce") else own


def _axes(block: dict[str, Any], where: Where) -> Iterator[tuple[Where, Where, list[Any]]]:
    grid = block.get("grid", {})
    if not isinstance(grid, dict) or not all(isinstance(v, list) and v for v in grid.values()):
        raise ValueError("grid: a mapping from parameters to non-empty lists of values is wanted")
    for key, values in grid.items():
        yield (*where, *str(key).split(".")), (*where, "grid", key), values
    for key, value in block.items():
        if isinstance(value, dict) and key != "grid":
            yield from _axes(value, (*where, key))


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


def _name(given: Any, body: dict[str, Any], chosen: list[tuple[Where, Any]]) -> str:
    parts = [label(body[p]) for p in PARTS if p in body]
    picked = [label(v) for t, v in chosen if t[-1] in PARTS]
    base = " ".join([str(given), *picked]) if given else " + ".join(parts)
    values = [f"{t[-1]}={_short(v)}" for t, v in chosen if t[-1] not in PARTS]
    return " ".join([base, *values])


def _short(value: Any) -> str:
    return label(value) if isinstance(value, dict) else str(value)
