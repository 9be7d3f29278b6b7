"""Convolutions over the group P4: shifts and rotations by 90 degrees.

Cohen & Welling, Group Equivariant Convolutional Networks, ICML 2016, arXiv 1602.07576. Feature maps have
shape (b, fields * 4, h, w): four orientations of each field, one after the other. Turning the image turns
every map and moves the four orientations on by one; pooling over them and over the place forgets it.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

_ORIENTATIONS = 4


class GroupConv(nn.Module):
    """A convolution with every filter in four orientations; stride 1, as many pixels out as in, no bias.

    (b, fields_in * 4, h, w) -> (b, fields_out * 4, h, w); the first one (`lifting`) takes an image of
    `fields_in` channels. Longer strides would break equivariance on sides of an even number of pixels:
    shrink by pooling 2 x 2.
    """

    def __init__(self, fields_in: int, fields_out: int, kernel: int = 3, *, lifting: bool = False) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} is even: it has no centre to turn about")
        orientations = 1 if lifting else _ORIENTATIONS
        self.weight = nn.Parameter(torch.empty(fields_out, fields_in, orientations, kernel, kernel))
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return F.conv2d(x, self.filters(), padding=self.weight.shape[-1] // 2)

    def filters(self) -> Tensor:
        """Return the filters in all orientations, shape (fields_out * 4, channels in, kernel, kernel).

        The filter of orientation r is turned by r quarters, and its orientations of the input are moved
        on by r.
        """
        turned = [self.weight.rot90(r, (3, 4)).roll(r, 2) for r in range(_ORIENTATIONS)]
        return torch.stack(turned, dim=1).flatten(0, 1).flatten(1, 2)


class FieldNorm(nn.BatchNorm2d):
    """Batch normalisation with one mean, standard deviation, scale and offset per field.

    Per channel they would differ between the orientations of a field, which breaks equivariance.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise maps of shape (b, fields * 4, h, w)."""
        b, _, h, w = x.shape
        return super().forward(x.reshape(b, self.num_features, _ORIENTATIONS * h, w)).reshape(x.shape)


class GroupPool(nn.Module):
    """The largest or the mean of the four orientations: (b, fields * 4, h, w) -> (b, fields, h, w)."""

    def __init__(self, how: Literal["max", "mean"] = "max") -> None:
        super().__init__()
        self._how = how

    def forward(self, x: Tensor) -> Tensor:
        """Pool."""
        b, channels, h, w = x.shape
        fields = x.reshape(b, channels // _ORIENTATIONS, _ORIENTATIONS, h, w)
        return fields.amax(2) if self._how == "max" else fields.mean(2)
