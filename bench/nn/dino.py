"""Self-distillation without labels (DINO): Caron et al., Emerging Properties in Self-Supervised Vision
Transformers, ICCV 2021, arXiv 2104.14294. The student sees all crops, the teacher the large ones; the
teacher is an average of past students, centred and sharpened."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.nn.augment import Geometry, IntensityChanges, geometry, intensity
from bench.nn.backbone import Backbone
from bench.nn.inputs import take, tensor
from bench.nn.schedules import Cosine, Linear
from bench.nn.training import Draw, Epochs, Task
from bench.nn.weights import write_tensors

if TYPE_CHECKING:
    from bench.images import Prepared


class Head(nn.Module):
    """Projection head: three layers to a bottleneck, normalised, then prototypes of length 1 (no bias).

    (b, width) -> (b, outputs); Caron et al., appendix C. `outputs` is out_dim there.
    """

    def __init__(
        self, width: int, outputs: int, hidden: int = 2048, bottleneck: int = 256, *, batch_norm: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in (width, hidden):
            layers += [nn.Linear(size, hidden), *([nn.BatchNorm1d(hidden)] if batch_norm else []), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(outputs, bottleneck) / math.sqrt(bottleneck))

    def forward(self, x: Tensor) -> Tensor:
        """Return the cosine of every image with every prototype."""
        return F.linear(F.normalize(self.layers(x), dim=1), F.normalize(self.prototypes, dim=1))


def dino_loss(
    student: Tensor,
    teacher: Tensor,
    views: int,
    *,
    temperature: float,
    teacher_temperature: float,
    centre: Tensor,
) -> Tensor:
    """Return the mean cross-entropy of the teacher's view of an image and the student's other views.

    Parameters
    ----------
    student : (views * b, k), view by view, the large crops first.
    teacher : (2 * b, k), the large crops.
    centre : (k,), subtracted from the teacher.

    Notes
    -----
    Equation 3 of the paper: the mean over all pairs of a large crop and a different crop.
    """
    log_q = F.log_softmax(student.float() / temperature, dim=1).chunk(views)
    p = F.softmax((teacher.float() - centre) / teacher_temperature, dim=1).detach().chunk(2)
    losses = [-(p[t] * log_q[s]).sum(1).mean() for t in range(2) for s in range(views) if s != t]
    return torch.stack(losses).mean()


@dataclass(frozen=True)
class Schedules:
    """What changes over the training, each a function of (step, steps)."""

    rate: Cosine
    """Learning rate."""
    weight_decay: Cosine
    momentum: Cosine
    """Of the teacher: the weight of its own past in its moving average."""
    teacher_temperature: Linear
    freeze_last: float = 0.01
    """Share of the steps in which the prototypes do not change."""


@dataclass(frozen=True)
class Crops:
    """Views of an image."""

    large: int
    """Side of the two large crops, in px."""
    small: int
    """Side of the small crops."""
    small_count: int
    """Small crops of each image (local_crops_number)."""
    large_area: tuple[float, float]
    """Share of the image that a large crop shows, least and most (global_crops_scale)."""
    small_area: tuple[float, float]
    """The same of a small crop (local_crops_scale)."""
    geometry: Geometry
    """Rotation and mirroring of all crops."""
    intensity: IntensityChanges


@dataclass(frozen=True)
class DinoSettings:
    """How a backbone is trained."""

    crops: Crops
    schedules: Schedules
    outputs: int
    """Prototypes (out_dim)."""
    hidden: int
    """Width of the head."""
    bottleneck: int
    """Width of the head's last layer before the prototypes."""
    batch_norm: bool = False
    """In the head."""
    temperature: float = 0.1
    """Of the student."""
    centre_momentum: float = 0.9
    accumulate: int = 1
    """Micro-batches of a step (gradient accumulation)."""


class DinoTraining(Task):
    """The training of a backbone; `teacher` is what is used afterwards."""

    centre: Tensor
    entropy: Tensor

    def __init__(
        self,
        images: Prepared,
        backbone: Backbone,
        settings: DinoSettings,
        *,
        epochs: Epochs,
        steps: int,
        snapshots: Mapping[Path, int] | None = None,
    ) -> None:
        """Prepare a training of `steps` steps.

        `snapshots`: files to write the teacher's backbone to, and after how many steps. A training that
        resumes from a checkpoint does not rewrite those that it has passed: the files must live as long as
        the checkpoints.
        """
        super().__init__()
        s = settings
        self._images, self._epochs, self._steps, self._settings = images, epochs, steps, s
        self._crops, self._schedules = s.crops, s.schedules
        self._snapshots = dict(snapshots or {})
        head = Head(backbone.width, s.outputs, s.hidden, s.bottleneck, batch_norm=s.batch_norm)
        self.student = nn.Sequential(backbone, head)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(s.outputs))
        self.register_buffer("entropy", torch.zeros(3))
        self._sum: Tensor | None = None
        self._seen = 0

    def batch(self, draw: Draw) -> list[Tensor]:
        """Return two large crops of each image as one tensor, and the small ones as another."""
        rows = self._epochs.batch(draw.step).reshape(self._settings.accumulate, -1)[draw.part]
        rows = rows.reshape(draw.world, -1)[draw.rank]
        x = tensor(take(self._images, rows), self.centre.device)
        c = self._crops
        large = _views(x, 2, c.large, c.large_area, c, draw.generator)
        if not c.small_count:
            return [large]
        return [large, _views(x, c.small_count, c.small, c.small_area, c, draw.generator)]

    def forward(self, batch: list[Tensor], draw: Draw) -> Tensor:
        """Return the loss, and accumulate what updates the centre."""
        backbone, head = self.student
        student = head(torch.cat([backbone(views) for views in batch]))
        with torch.no_grad():
            teacher = self.teacher(batch[0]).float()
            self._observe(teacher, self._schedules.teacher_temperature.at(draw.step, self._steps))
        return dino_loss(
            student,
            teacher,
            2 + self._crops.small_count,
            temperature=self._settings.temperature,
            teacher_temperature=self._schedules.teacher_temperature.at(draw.step, self._steps),
            centre=self.centre,
        )

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW; biases and other vectors do not decay."""
        own = [p for p in self.student.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in own if p.ndim > 1], "decays": True},
            {"params": [p for p in own if p.ndim <= 1], "decays": False},
        ]
        return torch.optim.AdamW(groups, lr=self._schedules.rate.at(0, self._steps))

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set learning rate and weight decay."""
        for group in optimizer.param_groups:
            group["lr"] = self._schedules.rate.at(step, self._steps)
            decay = self._schedules.weight_decay.at(step, self._steps)
            group["weight_decay"] = decay if group["decays"] else 0.0

    def before_update(self, step: int) -> None:
        """Freeze the last layer, the prototypes, during the first steps (appendix C)."""
        head = self.student[1]
        assert isinstance(head, Head)
        if step < int(self._schedules.freeze_last * self._steps):
            head.prototypes.grad = None

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Move the teacher towards the student, and the centre towards the teacher's mean output."""
        m = self._schedules.momentum.at(step, self._steps)
        for mean, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(new, 1 - m)
        for old, current in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            old.copy_(current)
        assert self._sum is not None
        total, seen = self._sum, torch.tensor(float(self._seen), device=self._sum.device)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(total)
            dist.all_reduce(seen)
        self.centre.lerp_(total / seen, 1 - self._settings.centre_momentum)
        self._sum, self._seen = None, 0
        self.keep_snapshots(step + 1)

    def keep_snapshots(self, done: int) -> None:
        """Write the snapshots that are due after `done` steps; the first process does."""
        if dist.is_available() and dist.is_initialized() and dist.get_rank():
            return
        for path, after in self._snapshots.items():
            if after == done:
                write_tensors(path, self.teacher[0])

    def watch(self) -> dict[str, float]:
        """Return what reveals a collapse; see `collapsed`."""
        names = ("teacher_entropy", "mean_entropy", "spread")
        return dict(zip(names, (round(float(v), 6) for v in self.entropy), strict=True))

    def _observe(self, teacher: Tensor, temperature: float) -> None:
        total = teacher.sum(0)
        self._sum = total if self._sum is None else self._sum + total
        self._seen += len(teacher)
        p = F.softmax((teacher - self.centre) / temperature, dim=1)
        most = math.log(teacher.shape[1])
        spread = teacher.std(dim=0).mean()
        self.entropy.copy_(torch.stack([_entropy(p).mean() / most, _entropy(p.mean(0)) / most, spread]))


def collapsed(watched: Sequence[tuple[int, dict[str, float]]]) -> str | None:
    """Describe how a teacher collapsed, judged by the last tenth of the curve; None if it did not.

    `teacher_entropy` is the mean entropy of the teacher's outputs, `mean_entropy` that of their mean, both
    over ln k; `spread` the mean standard deviation of its cosines over a batch. A collapse means the same
    output for all images (spread 0, both entropies equal): all on one prototype (0) or uniform (1).
    """
    last = [values for _, values in watched[-max(1, len(watched) // 10) :]]
    if not last:
        return None
    own, mean, spread = (
        sum(v[name] for v in last) / len(last) for name in ("teacher_entropy", "mean_entropy", "spread")
    )
    if spread < 1e-3:
        return f"the teacher gives all images the same output (standard deviation {spread:.1g})"
    if mean < 0.02:
        return f"the teacher uses one prototype for all images (entropy {mean:.3f} of the largest)"
    if own > 0.98:  # trainings that learned stayed below .75, those that did not between .98 and 1
        return f"the teacher's outputs are nearly uniform: it hardly distinguishes images (entropy {own:.3f})"
    return None


def _views(
    x: Tensor, count: int, size: int, area: tuple[float, float], crops: Crops, generator: torch.Generator
) -> Tensor:
    g = crops.geometry
    how = Geometry(area, (3 / 4, 4 / 3), g.degrees, g.quarters, g.flip, g.shift)
    repeated = x.repeat(count, 1, 1, 1)  # view by view
    return intensity(geometry(repeated, how, generator, size), crops.intensity, generator)


def _entropy(p: Tensor) -> Tensor:
    found: Tensor = torch.special.entr(p).sum(-1)
    return found
