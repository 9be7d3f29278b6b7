"""A small convolutional network that classifies whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bench.interfaces import Unit
from bench.nn.classifying import CnnClassifier

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Run
    from bench.nn.simple_cnn import ClassifierInputs


class SimpleCnnClassifier(CnnClassifier):
    """Two convolutions and two linear layers on whole images, of two classes or more.

    268,510,977 parameters at 256 px, grey, for two classes: 4 GiB with Adam's state. Reduce `image_size` or
    `width` for machines without a GPU. With `faithful: true` it is trained as published, which collapses on
    16-bit images: the published losses, 17.6877 to 17.8241 in 19 of 20 epochs, are those of a constant 1.
    """

    source: ClassVar[str] = "Tang, Project 2 of Applied Data Science, 2024 (SimpleCNN)"

    image_size: Annotated[int, Field(ge=4, le=1024, multiple_of=4), Unit("px")] = 256
    """Side that images are resized to."""

    def shown(self, images: Prepared, run: Run) -> ClassifierInputs:
        """Return the whole images."""
        from bench.nn.simple_cnn import Whole

        return Whole(images)

    def _side(self) -> int:
        return self.image_size
