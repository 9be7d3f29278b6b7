"""What the convolutions of a small network see in images: its feature maps."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.adapters import registry
from bench.errors import DataError
from bench.images import Prepared
from bench.interfaces import Run
from bench.nn.classifying import CnnClassifier
from bench.nn.inputs import tensor, threads
from bench.records.record import CellRecord
from bench.report.figures.style import Drawing, Options, headed, new, short
from bench.stages.cell import Cell

_IMAGES = 2
_ROWS, _COLUMNS = 3, 7
"""The published study draws 21 maps."""
_THREADS = min(4, os.cpu_count() or 1)


def unfit(record: CellRecord) -> str | None:
    """Say why a method has no maps to draw."""
    described = record.params.get("classifier")
    if described is None:
        return "has no classifier"
    name = described["adapter"].partition("@")[0]
    if name not in ("simple_cnn", "seg_cnn"):
        return f"has the classifier {name}, but feature maps are those of simple_cnn and seg_cnn"
    return None


def draw(cell: Cell, options: Options) -> Drawing:
    """Draw two images of different classes, each with maps of both convolutions.

    Of each convolution those 21 maps are drawn that differ most over the image; of segmented images the
    largest cell is. Raises `DataError` for other methods, or weights that are no longer there.
    """
    if reason := unfit(cell.record):
        raise DataError(f"{cell.record.method}: {reason}")
    rows = _examples(cell.truth)
    inputs, layers = _maps(cell, rows)
    figure = new(11.4, 1.95 * len(rows) + 0.9)
    grid = figure.subplots(len(rows), 4, squeeze=False, width_ratios=[1, 1, 7 / 3, 7 / 3])
    for ax in grid[:, [0, 2, 3]].ravel():
        ax.set_axis_off()
    for y, row in enumerate(rows):
        name = cell.classes[cell.truth[row]] if cell.truth[row] >= 0 else str(cell.images.ids[row])
        grid[y, 0].imshow(cell.picture(int(row)))
        grid[y, 0].set_title(short(name, 20), fontsize=8, loc="left")
        grid[y, 1].imshow(inputs[y], cmap="gray", vmin=-1, vmax=1)
        grid[y, 1].set_title("as the network sees it", fontsize=8, loc="left")
        grid[y, 1].set(xticks=[], yticks=[])
        grid[y, 1].spines[:].set(visible=True, color="#bbbbbb")
        for x, maps in enumerate(layers, 2):
            grid[y, x].imshow(_mosaic(maps[y]), cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
            title = f"convolution {x - 1}: {maps.shape[1]} maps of {maps.shape[-1]} px"
            grid[y, x].set_title(title, fontsize=8, loc="left")
    notes = [
        f"Up to {_ROWS * _COLUMNS} maps of each convolution, those that vary most over the image; dark is 0, "
        "bright the largest value of the map."
    ]
    if cell.record.params["classifier"]["adapter"].startswith("seg_cnn"):
        notes.append("The largest cell of each image.")
    headed(figure, "Feature maps", cell, notes)
    _settle(figure)
    return Drawing(figure)


def _settle(figure: Figure) -> None:
    """Lay out the axes and round their places: the solver's last digits differ from time to time."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for ax in figure.axes:
        left, bottom, width, height = ax.get_position(original=True).bounds
        ax.set_position((round(left, 5), round(bottom, 5), round(width, 5), round(height, 5)))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((round(x, 5), round(y, 5)))


def _examples(truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one image of each of the first two classes; the first two images if there are no labels."""
    present = np.unique(truth[truth >= 0])[:_IMAGES]
    if not present.size:
        return np.arange(min(_IMAGES, truth.size))
    return np.array([members[members.size // 2] for members in (np.flatnonzero(truth == c) for c in present)])


def _maps(cell: Cell, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return what the network sees, (n, h, w), and the maps of both convolutions, (n, maps, h, w) each."""
    described = cell.record.params["classifier"]
    name, _, version = described["adapter"].partition("@")
    cls = registry.load("classifier", name)
    if version != str(cls.version):
        raise DataError(
            f"{cell.record.method}: classifier {name} was of version {version}, here it is {cls.version}; "
            f"`bench run {cell.record.suite}` makes the results anew"
        )
    classifier = cls.model_validate(described["params"])
    assert isinstance(classifier, CnnClassifier)
    fit = cell.stages("fit")[-1]
    run = Run(fit.seed or 0, 1, "cpu", "float32", logging.getLogger("bench"), Path(), lambda *_: None)
    images = cell.images
    some = Prepared(images.pixels, images.rows[rows], [images.ids[i] for i in rows], images.classes)
    network, view, _ = classifier.network(some, cell.artefact(fit) / "weights", run)
    shown = classifier.shown(some, run)
    first = np.searchsorted(shown.image, np.arange(len(rows)))
    with threads(_THREADS), torch.inference_mode():
        seen = view(tensor(shown.pixels(first), "cpu"))
        found = network.eval().maps(seen)
    return seen.mean(dim=1).numpy(), [m.numpy() for m in found]


def _mosaic(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay out the maps that vary most, in the order of the network, in rows; NaN between them."""
    order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")
    side = maps.shape[-1]
    step = side + max(1, side // 16)
    canvas = np.full((_ROWS * step, _COLUMNS * step), np.nan, np.float32)
    for place, i in enumerate(np.sort(order[: _ROWS * _COLUMNS])):
        y, x = (step * k for k in divmod(place, _COLUMNS))
        canvas[y : y + side, x : x + side] = maps[i] / max(float(maps[i].max()), 1e-6)
    return canvas
