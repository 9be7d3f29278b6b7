"""A small convolutional network that classifies the cells of an image, which then vote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count, Unit
from bench.nn.classifying import EIGHT_BITS, CnnClassifier

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.imaging.segmentation import Cells
    from bench.interfaces import Run


class SegCnn(CnnClassifier):
    """The network of `simple_cnn` on segmented cells, which have the label of their image.

    An image's probabilities are the means over its cells. An image in which no cell is found counts as one
    cell; the facts say how many there are. Cells are cut out when they are needed, so that memory does not
    grow with their number. With `faithful: true` there is no minimum area, and the segmentation too takes
    values above 255 as white: in most 16-bit images it finds one object, the whole image (the study found
    1.3 cells per image).
    """

    source: ClassVar[str] = "Tang, Project 2 of Applied Data Science, 2024 (SegCNN); Otsu 1979"
    libraries: ClassVar[tuple[str, ...]] = (*CnnClassifier.libraries, "cv2")

    part_shown: ClassVar[str] = "The largest cell of each image."

    segmentation: Literal["otsu", "cellpose"] = "otsu"
    """Otsu's threshold and the outer contours of what is above it, or Cellpose's cyto2 (the extra
    cutjoin[cellpose])."""
    segment_on: Annotated[int, Field(ge=0)] | None = None
    """Channel to segment, from 0; unless given, the median over the channels."""
    min_area: Annotated[float, Field(ge=0), Unit("px²")] = 50.0
    """Smallest cell, in px of the prepared image; faithful: 0, as published."""
    most: Count = 64
    """Cells per image, the largest first: noise segments into thousands of specks."""
    cell_size: Annotated[int, Field(ge=4, le=512, multiple_of=4), Unit("px")] = 64
    """Side that cells are resized to."""

    def shown(self, images: Prepared, run: Run) -> Cells:
        """Return the cells of the images.

        Raises `DataError` for a channel that the images do not have, or Cellpose that is not installed.
        """
        from bench.imaging.segmentation import CellSearch, segment

        search = CellSearch(
            how=self.segmentation,
            on=self.segment_on,
            min_area=0.0 if self.faithful else self.min_area,
            most=self.most,
            clip=EIGHT_BITS if self.faithful else None,
        )
        cells = segment(images, search, self.cell_size, run)
        run.facts["cells"] = len(cells.image)
        run.facts["images_without_cells"] = cells.empty
        return cells

    def _side(self) -> int:
        return self.cell_size
