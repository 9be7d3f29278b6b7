"""How all figures look, and how they become files: the same bytes each time."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from bench.stages.finished import FinishedCell
from bench.util.durable import write_whole
from bench.util.text import one_line

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Told apart with any kind of colour vision (Okabe and Ito 2008), without the yellow that white swallows."""
MARKERS = ("o", "s", "^")
"""More than seven groups take the same colours in another shape."""
RIGHT, WRONG, NEUTRAL = "#0072B2", "#D55E00", "#9a9a9a"
SCALE = "viridis"

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": 12,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.dpi": 150,
    "svg.hashsalt": "cutjoin",
    "text.parse_math": False,  # a name may hold dollars
}
_FRAME_DPI = 90
_FRAME_MS, _LAST_FRAME_MS = 1000, 3000


@dataclass
class DrawOptions:
    """What the user asked for in addition to the cell."""

    by: str | None = None
    """A column of the table of the image set."""
    against: FinishedCell | None = None
    """Another cell on the same dataset, to draw beside it."""


@dataclass
class Drawing:
    """A figure, and the frames of its animation if it has one: uint8, shape (height, width, 3)."""

    figure: Figure
    frames: list[NDArray[np.uint8]] = field(default_factory=list)


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save inside: nothing of the user's matplotlib configuration shows."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new(width: float, height: float, gap: float = 0.08) -> Figure:
    """Return an empty figure, all in inches. It belongs to no window and needs no display."""
    return Figure((width, height), layout=ConstrainedLayoutEngine(w_pad=gap, h_pad=gap))


def headed(
    figure: Figure, title: str, cell: FinishedCell, notes: Sequence[str], against: FinishedCell | None = None
) -> None:
    """Write title and caption: dataset, method, seed, whether the data was generated, and the notes."""
    r = cell.record
    sentences = [f"{r.dataset} · {r.method} · seed {r.seed}{' · generated data' if r.synthetic else ''}."]
    if against is not None:
        sentences = [f"{sentences[0][:-1]} · against {against.record.method}."]
    captioned(figure, title, " ".join([*sentences, *notes]))


def captioned(figure: Figure, title: str, caption: str) -> None:
    """Write a title above and a caption below, wrapped to the width of the figure."""
    wide = max(30, int(figure.get_figwidth() * 15.5))
    figure.suptitle(one_line(title), x=0.01, ha="left", fontweight="bold")
    wrapped = textwrap.fill(one_line(caption), wide)
    figure.supxlabel(wrapped, x=0.01, ha="left", fontsize=8, color="#444444")


def write(drawing: Drawing, base: Path) -> list[Path]:
    """Write base.png, base.svg and, of an animation, base.gif; return their paths."""
    written = []
    for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        file = io.BytesIO()
        drawing.figure.savefig(file, format=suffix, metadata=metadata, bbox_inches="tight", pad_inches=0.1)
        written.append(base.with_name(f"{base.name}.{suffix}"))
        write_whole(written[-1], file.getvalue())
    if drawing.frames:
        written.append(base.with_name(f"{base.name}.gif"))
        write_whole(written[-1], _gif(drawing.frames))
    return written


def frame(figure: Figure) -> NDArray[np.uint8]:
    """Render a figure as one frame of an animation."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_FRAME_DPI)
    return np.asarray(Image.open(file).convert("RGB"))


def colour(index: int) -> str:
    """Return the colour of a group by its position in the legend."""
    return COLOURS[index % len(COLOURS)]


def short(text: str, most: int = 26) -> str:
    """Return a name that fits into a legend."""
    text = one_line(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def percent(part: float) -> str:
    """Write a share so that only what is complete reads 100 %, and only nothing 0 %."""
    if 0 < part < 0.01:
        return "<1 %"
    if 0.99 < part < 1:
        return ">99 %"
    return f"{100 * part:.0f} %"


def _gif(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return an animation in the 256 most frequent colours of the last frame, the richest."""
    colours, counts = np.unique(frames[-1].reshape(-1, 3), axis=0, return_counts=True)
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[np.argsort(-counts, kind="stable")[:256]].ravel().tolist())
    images = [Image.fromarray(f).quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    file = io.BytesIO()
    lasting = [_FRAME_MS] * (len(images) - 1) + [_LAST_FRAME_MS]
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=lasting, loop=0)
    return file.getvalue()
