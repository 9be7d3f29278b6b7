"""Every kind, from a real run, as PNG and SVG."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from bench.errors import DataError
from bench.report.drawing.figure import FIGURES
from bench.report.drawing.style import DrawOptions, applied, write
from bench.stages.finished import FinishedCell
from tests.report.figures.runs import figure_of as kind

DRAWN_OF = {"attention": "dino", "similarity": "dino", "map": "dino", "frequencies": "dino", "curves": "dino"}
DRAWN_OF |= {"montage": "pixels", "reliability": "twin", "clusters": "twin", "feature_maps": "cnn"}


OF_TWO_CLASSES = {"precision_recall"}
OF_SUITES = {"critical_difference"}
"""Drawn in their own tests."""


def test_no_kind_is_forgotten() -> None:
    assert DRAWN_OF.keys() | OF_TWO_CLASSES | OF_SUITES == set(FIGURES.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DRAWN_OF))
def test_each_kind_is_drawn_and_drawn_the_same_again(
    by_method: dict[str, FinishedCell], name: str, tmp_path: Path
) -> None:
    cell = by_method[DRAWN_OF[name]]
    assert kind(name).unavailable_because(cell) is None
    contents = []
    for folder in ("once", "again"):
        with applied():
            files = write(kind(name).draw(cell, DrawOptions()), tmp_path / folder / name)
        contents.append([f.read_bytes() for f in files])
    assert contents[0] == contents[1]
    png, svg, *gif = contents[0]
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert min(pixels.shape[:2]) > 300
    assert pixels.std() > 5
    assert (pixels[[0, -1]] == 255).all()  # nothing is cut off at the edges
    assert (pixels[:, [0, -1]] == 255).all()
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    assert b"<dc:date>" not in svg
    assert bool(gif) == (name == "frequencies")


def texts(cell: FinishedCell, name: str, options: DrawOptions | None = None) -> str:
    from matplotlib.text import Text

    with applied():
        figure = kind(name).draw(cell, options or DrawOptions()).figure
    return "\n".join(t.get_text() for t in figure.findobj(Text) if isinstance(t, Text))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DRAWN_OF))
def test_captions_say_what_is_shown_and_that_it_was_generated(
    by_method: dict[str, FinishedCell], name: str
) -> None:
    method = DRAWN_OF[name]
    said = " ".join(texts(by_method[method], name).split())
    assert f"Made: 1/2 $x$ · {method} · seed 0 · generated data" in said


def test_a_method_that_lacks_what_a_figure_needs_says_so(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["pixels"]
    assert "has no pair model" in str(kind("reliability").unavailable_because(cell))
    assert "encoder pixels" in str(kind("attention").unavailable_because(cell))
    assert "trained nothing" in str(kind("curves").unavailable_because(cell))
    with pytest.raises(DataError, match="pixels: has no pair model"), applied():
        kind("reliability").draw(by_method["twin"], DrawOptions(against=by_method["pixels"]))


def test_reliability_and_curves_are_those_of_the_record(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["twin"]
    facts = {k: v for s in cell.record.stages for k, v in s.facts.items()}
    with applied():
        figure = kind("reliability").draw(cell, DrawOptions()).figure
        curves = kind("curves").draw(cell, DrawOptions()).figure
    _, *lines = figure.axes[0].lines
    held = facts["held_out_reliability"]
    for line, curve in zip(lines, [facts["reliability"], held["before"], held["after"]], strict=True):
        np.testing.assert_allclose(np.array(line.get_data()), [curve["predicted"], curve["joined"]])
    titles = [ax.get_title(loc="left") for ax in curves.axes]
    assert "dino: loss" in titles
    assert "twin: loss" in titles
    loss = curves.axes[titles.index("twin: loss")].lines[0]
    np.testing.assert_allclose(np.stack(loss.get_data()).T, facts["curve"]["loss"])


def test_an_artefact_that_was_collected_is_named_with_the_remedy(
    by_method: dict[str, FinishedCell], tmp_path: Path
) -> None:
    from bench.records.store import Store

    cell = FinishedCell(by_method["pixels"].record, Store(tmp_path))
    with (
        pytest.raises(
            DataError, match=r"the artefact of stage cluster .* no longer in the store .* --only \w{12}`"
        ),
        applied(),
    ):
        kind("montage").draw(cell, DrawOptions())
