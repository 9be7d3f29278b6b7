"""Values that change over a training."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cosine:
    """A linear warm-up from `start` to `peak`, then half a cosine down (or up) to `end`.

    `warmup` is a share of all steps, so the same settings serve one epoch and a hundred. Caron et al.
    2021 (DINO) warm up for 10 of 100 epochs: .1; fixed numbers of epochs fail for short trainings.
    """

    peak: float
    end: float
    warmup: float = 0.0
    """In [0, 1)."""
    start: float = 0.0

    def at(self, step: int, steps: int) -> float:
        """Return the value at step 0 .. steps - 1; the last step has `end` but for a single one."""
        warm = min(math.ceil(self.warmup * steps), steps - 1)
        if step < warm:
            return self.start + (self.peak - self.start) * step / warm
        if steps - 1 == warm:
            return self.peak
        share = (step - warm) / (steps - 1 - warm)
        return self.end + 0.5 * (self.peak - self.end) * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class Linear:
    """A straight line from `start` to `end` over a share of all steps, then `end`."""

    start: float
    end: float
    share: float = 1.0

    def at(self, step: int, steps: int) -> float:
        """Return the value at step 0 .. steps - 1."""
        over = self.share * (steps - 1)
        return self.end if step >= over else self.start + (self.end - self.start) * step / over
