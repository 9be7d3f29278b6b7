"""What the convolutions of a small network respond to: its feature maps."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.figure import Figure as Page
from numpy.typing import NDArray

from bench.errors import CutjoinError
from bench.interfaces import FeatureMaps, HasFeatureMaps, Run
from bench.report.drawing.checkpoints import examples
from bench.report.drawing.figure import Figure
from bench.report.drawing.rebuilt import code, rebuild
from bench.report.drawing.style import Drawing, DrawOptions, headed, new, short
from bench.stages.finished import FinishedCell
from bench.suite.grid import label

_KINDS = ("classifier", "encoder")
_IMAGES = 2
_ROWS, _COLUMNS = 3, 7
"""The published study draws 21 maps."""
_THREADS = min(4, os.cpu_count() or 1)


class OfConvolutions(Figure):
    """Two images of different classes and the maps of both convolutions."""

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say why a method has no maps to draw."""
        try:
            found = {kind: code(cell, kind) for kind in _KINDS}
        except CutjoinError as e:
            return f"cannot be looked into: {e}"
        classes = {kind: cls for kind, cls in found.items() if cls is not None}
        if any(issubclass(cls, HasFeatureMaps) for cls in classes.values()):
            return None
        models = [f"{kind} {label(cls.use)}" for kind, cls in classes.items()]
        return (
            f"has the {' and the '.join(models)}, which shows no feature maps"
            if models
            else "has no classifier"
        )

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw two images of different classes, each with maps of both convolutions.

        Of each convolution those 21 maps are drawn that differ most over the image; of segmented images the
        largest cell is. Raises `DataError` for other methods, or weights that are no longer there.
        """
        self.require(cell)
        rows = _examples(cell.truth)
        found = _maps(cell, rows)
        figure = new(11.4, 1.95 * len(rows) + 0.9)
        grid = figure.subplots(len(rows), 4, squeeze=False, width_ratios=[1, 1, 7 / 3, 7 / 3])
        for ax in grid[:, [0, 2, 3]].ravel():
            ax.set_axis_off()
        for y, row in enumerate(rows):
            name = cell.classes[cell.truth[row]] if cell.truth[row] >= 0 else str(cell.images.ids[row])
            grid[y, 0].imshow(cell.picture(int(row)))
            grid[y, 0].set_title(short(name, 20), fontsize=8, loc="left")
            grid[y, 1].imshow(found.inputs[y], cmap="gray", vmin=-1, vmax=1)
            grid[y, 1].set_title("as the network sees it", fontsize=8, loc="left")
            grid[y, 1].set(xticks=[], yticks=[])
            grid[y, 1].spines[:].set(visible=True, color="#bbbbbb")
            for x, maps in enumerate(found.layers, 2):
                grid[y, x].imshow(_mosaic(maps[y]), cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
                title = f"convolution {x - 1}: {maps.shape[1]} maps of {maps.shape[-1]} px"
                grid[y, x].set_title(title, fontsize=8, loc="left")
        notes = [
            f"Up to {_ROWS * _COLUMNS} maps of each convolution, those that vary most over the image; dark "
            "is 0, bright the largest value of the map."
        ]
        if found.note:
            notes.append(found.note)
        headed(figure, "Feature maps", cell, notes)
        _settle(figure)
        return Drawing(figure)


def _settle(figure: Page) -> None:
    """Lay out the axes and round their positions: the solver's last digits vary."""
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


def _maps(cell: FinishedCell, rows: NDArray[np.int64]) -> FeatureMaps:
    for kind in _KINDS:
        cls = code(cell, kind)
        if cls is not None and issubclass(cls, HasFeatureMaps):
            model = rebuild(cell, kind).adapter
            assert isinstance(model, HasFeatureMaps)
            fits = cell.stages("fit")
            weights = cell.artefact(fits[-1]) / "weights" if fits else None
            run = Run.detached(fits[-1].seed or 0 if fits else 0, _THREADS)
            return model.feature_maps(examples(cell.images, rows), weights, run)
    raise AssertionError("a figure is drawn where it is available only")


def _mosaic(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay out the maps that vary most, in the order of the network, in rows; NaN between them."""
    order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")
    side = maps.shape[-1]
    step = side + max(1, side // 16)
    canvas = np.full((_ROWS * step, _COLUMNS * step), np.nan, np.float32)
    for index, i in enumerate(np.sort(order[: _ROWS * _COLUMNS])):
        y, x = (step * k for k in divmod(index, _COLUMNS))
        canvas[y : y + side, x : x + side] = maps[i] / max(float(maps[i].max()), 1e-6)
    return canvas
