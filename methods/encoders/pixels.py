"""The pixels themselves as features: the baseline every learned feature must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from bench.errors import DataError
from bench.interfaces import Count, Encoder, Unit

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Pixels(Encoder):
    """Flattened pixels, scaled to [0, 1] by the range of their type (255 or 65535)."""

    source: ClassVar[str] = "none: the plain baseline"
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    side: Annotated[Count, Unit("px")] | None = None
    """Average square blocks first, so that the image has this side; must divide the prepared size."""
    subtract_mean: bool = False
    """Subtract from every image the mean over all its pixels and channels (brightness)."""
    normalise: bool = False
    """Scale every image's features to Euclidean length 1 (contrast); an all-zero image stays zero."""
    batch: Annotated[Count, Unit("images")] = 1024
    """Images handled at a time; the features do not depend on it."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return features of shape (n, channels * side * side), channel by channel, row by row."""
        import numpy as np

        channels, size, _ = images.shape
        side = self.side or size
        if size % side:
            raise DataError(
                f"side: {side} does not divide the prepared size, {size}; use a divisor of {size}"
            )
        features = np.empty((len(images), channels * side * side), np.float32)
        done = 0
        for pixels in images.batches(self.batch):
            features[done : done + len(pixels)] = self._encode_batch(pixels, side)
            done += len(pixels)
            run.report(done, len(images), "images")
        return features

    def _encode_batch(self, pixels: NDArray[Any], side: int) -> NDArray[np.float32]:
        import numpy as np

        n, channels, size, _ = pixels.shape
        block = size // side
        scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
        blocks = scaled.reshape(n, channels, side, block, side, block).mean(axis=(3, 5))
        flat = blocks.reshape(n, -1)
        if self.subtract_mean:
            flat = flat - flat.mean(axis=1, keepdims=True)
        if self.normalise:
            length = np.linalg.norm(flat, axis=1, keepdims=True)
            flat = flat / np.where(length > 0, length, np.float32(1))
        return np.asarray(flat, np.float32)
