"""Stand-in for flowcam: runs of drawn particles, several bags over several days."""

from __future__ import annotations

import math
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from bench.interfaces import Generator

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Run

_GOLDEN = (math.sqrt(5) - 1) / 2
_WIDTH, _HEIGHT = 1292, 964
_UM_PER_PX = 0.5544
_GAP = 2
_START = datetime(2024, 4, 8, 11, 10, 51)  # in no time zone, like the real tables
_LIGHT = (168, 166, 165)
_DARKER = 0.9
_TINTS = (
    (1.0, 0.96, 1.0),
    (0.97, 0.99, 1.03),
    (1.0, 1.0, 1.0),
    (0.96, 0.99, 1.04),
    (0.99, 0.95, 1.03),
    (1.03, 1.0, 0.97),
)
"""How much a class absorbs of red, green and blue; single particles vary by as much."""


class Flowcam(Generator):
    """Writes runs as VisualSpreadsheet 4.19 does, `images` particles in all, spread evenly over the runs.

    Each run is a folder: `.lst`, `.csv` export, `_summary.csv`, RGB collages with masks, background image.
    Beside them `runs.csv` (run, bag, day) and `labels.csv` (run, image_id, class). Which classes are
    frequent drifts over the days and differs between bags. Particle j of a run depends on `seed`, bag, day
    and j only.
    """

    bags: Annotated[int, Field(ge=1, le=99)] = 2
    """Number of bags; each has one run a day."""
    days: Annotated[int, Field(ge=1, le=99)] = 3
    """Number of days."""
    stuck_every: Annotated[int, Field(ge=0)] = 20
    """In each run one particle sticks to the glass and is every n-th image. 0: none does."""

    def write(self, root: Path, run: Run) -> None:
        """Write all runs; one that would have no particle is left out."""
        mapping, labels = ["run,bag,day"], ["run,image_id,class"]
        runs = [(bag, day) for bag in range(1, self.bags + 1) for day in range(1, self.days + 1)]
        done = 0
        for i, (bag, day) in enumerate(runs):
            n = self.images // len(runs) + (i < self.images % len(runs))
            if n:
                name = f"Mesocosm-bag{bag} (day{day:02d})"
                mapping.append(f"{name},{bag},{day}")
                particles = [self._particle(bag, day, j) for j in range(n)]
                labels += _write_run(root / name, name, particles, day)
                done += n
                run.report(done, self.images, "images drawn")
        for file, lines in (("runs.csv", mapping), ("labels.csv", labels)):
            (root / file).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _particle(self, bag: int, day: int, j: int) -> dict[str, Any]:
        """Draw one particle, and say where the camera saw it and when."""
        import numpy as np

        from .drawing.sprites import KINDS

        kinds = list(KINDS)
        seeds = [self.seed % 2**64, bag, day]
        period = self.stuck_every
        shown = period // 2 if period and j % period == period // 2 else j  # the stuck one comes again
        rng, again = np.random.default_rng([*seeds, shown, 0]), np.random.default_rng([*seeds, j, 1])
        ends = np.cumsum(_shares(bag, day, len(kinds)))
        # Multiples of the golden ratio fill 0..1 evenly: also a short run has about these shares.
        kind = int(np.searchsorted(ends, ends[-1] * ((shown + 0.5) * _GOLDEN % 1), side="right"))
        rgb, mask = _drawn(kinds[kind], _TINTS[kind], rng, again)
        height, width = mask.shape
        return {
            "rgb": rgb,
            "mask": mask,
            "class": kinds[kind],
            "src_x": int(rng.integers(0, _WIDTH - width)),
            "src_y": int(rng.integers(0, _HEIGHT - height)),
            "image_id": str(uuid.UUID(bytes=again.bytes(16), version=4)).upper(),
        }


def _shares(bag: int, day: int, n: int) -> list[float]:
    """Return weights of the classes: they drift with a period of ten days, and bags differ."""
    drift = (math.sin(2 * math.pi * (k / n + day / 10)) for k in range(n))
    own = (0.6 * math.sin(2 * math.pi * (2 * k / n + 0.31 * bag)) for k in range(n))
    return [math.exp(a + b) for a, b in zip(drift, own, strict=True)]


def _drawn(
    kind: str, tint: tuple[float, ...], rng: np.random.Generator, noise: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an RGB crop on the light grey of a FlowCAM, and its mask (0 or 255)."""
    import cv2
    import numpy as np

    from .drawing.sprites import draw

    sprite = draw(kind, rng).astype(np.float32)
    scale = rng.uniform(0.4, 0.8)
    sides = [max(12, round(side * scale)) for side in sprite.shape]
    small = cv2.resize(sprite, (sides[1], sides[0]), interpolation=cv2.INTER_AREA)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    light = np.minimum(small / np.percentile(border, 75), 1.04)[..., None]
    darker = light[..., 0] < _DARKER
    if not darker.any():
        darker = light[..., 0] == light.min()
    rgb = np.asarray(_LIGHT) * (1 - (1 - light) * rng.normal(tint, 0.04)) + noise.normal(0, 2, (*sides, 3))
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8), darker.astype(np.uint8) * 255


def _write_run(folder: Path, name: str, particles: list[dict[str, Any]], day: int) -> list[str]:
    """Write one run, and return its lines of the table of labels."""
    import numpy as np

    from .drawing.flowcam_tables import export, lst, measure

    folder.mkdir()
    places = _packed([p["mask"].shape for p in particles])
    start = _START + timedelta(days=day - 1)
    records = []
    for j, (p, (page, x, y)) in enumerate(zip(particles, places, strict=True)):
        height, width = p["mask"].shape
        seconds = 1.984 + 0.052 * j
        records.append(
            {
                **measure(p["rgb"], p["mask"], _UM_PER_PX),
                **{"id": j + 1, "image_x": x, "image_y": y, "image_w": width, "image_h": height},
                **{
                    "src_x": p["src_x"],
                    "src_y": p["src_y"],
                    "src_image": 32 + j,
                    "cal_image": 1,
                    "camera": 0,
                },
                **{"cal_const": _UM_PER_PX, "fringe_size": 4.5, "sphere_count": 0, "elapsed_time": seconds},
                "timestamp": (start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds"),
                "collage_file": f"{name}_{page + 1:06d}.tif",
                "image_id": p["image_id"],
            }
        )
    for page in range(places[-1][0] + 1):
        collage = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
        masks = np.zeros((_HEIGHT, _WIDTH), np.uint8)
        for p, (at, x, y) in zip(particles, places, strict=True):
            if at == page:
                height, width = p["mask"].shape
                collage[y : y + height, x : x + width] = p["rgb"]
                masks[y : y + height, x : x + width] = p["mask"]
        _write_tiff(folder / f"{name}_{page + 1:06d}.tif", collage)
        _write_tiff(folder / f"{name}_{page + 1:06d}_bin.tif", masks)
    across, down = np.linspace(-1, 1, _WIDTH), np.linspace(-1, 1, _HEIGHT)[:, None]
    background = np.rint(_LIGHT[1] - 4 * (across**2 + down**2)).astype(np.uint8)
    _write_tiff(folder / "cal_image_000001.tif", background)
    (folder / f"{name}.lst").write_text(lst(records), encoding="ascii", newline="\n")
    (folder / f"{name}.csv").write_text(export(records), encoding="ascii", newline="\n")
    summary = f"List File,{name}.lst\nStart Time,{start:%Y-%m-%d  %H:%M:%S}\n\nCount,{len(records)}\n"
    (folder / f"{name}_summary.csv").write_text(summary, encoding="ascii", newline="\r\n")
    return [f"{name},{p['image_id']},{p['class']}" for p in particles]


def _packed(shapes: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Lay boxes (height, width) out in rows, and return collage, x and y of each."""
    places = []
    page = x = y = row = 0
    for height, width in shapes:
        if x + width > _WIDTH:
            x, y, row = 0, y + row + _GAP, 0
        if y + height > _HEIGHT:
            page, x, y, row = page + 1, 0, 0, 0
        places.append((page, x, y))
        x, row = x + width + _GAP, max(row, height)
    return places


def _write_tiff(path: Path, image: NDArray[np.uint8]) -> None:
    import tifffile

    photometric = "rgb" if image.ndim == 3 else "minisblack"
    tifffile.imwrite(
        path,
        image,
        photometric=photometric,
        compression="lzw",
        predictor=True,
        rowsperstrip=8,
        metadata=None,
        software=False,
    )
