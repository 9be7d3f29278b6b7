"""Colours that everyone can tell apart, in both themes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.report.site.html import asset

_SIGHT = {
    "usual": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""


def colours(theme: int) -> dict[str, NDArray[np.float64]]:
    """Return the named colours as linear RGB; theme 0 is light, 1 dark."""
    found = {}
    for name, *both in re.findall(r"--(\w+): light-dark\(#(\w{6}), #(\w{6})\)", asset("site.css")):
        stored = np.array([int(both[theme][i : i + 2], 16) for i in (0, 2, 4)]) / 255
        found[name] = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    return found


def contrast(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the ratio of WCAG 2."""
    low, high = sorted(float(c @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Oklab (Ottosson 2020) of linear RGB."""
    to_cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]]
    to_cones.append([0.0883024619, 0.2817188376, 0.6299787005])
    to_lab = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099]]
    to_lab.append([0.0259040371, 0.7827717662, -0.808675766])
    cones = np.cbrt(np.clip(linear, 0, 1) @ np.array(to_cones).T)
    return np.asarray(cones @ np.array(to_lab).T)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_marks_stand_out(theme: int) -> None:
    named = colours(theme)
    assert len(named) > 25
    for ground in ("back", "panel"):
        for name in ("text", "soft", "link", "warn", "best"):
            assert contrast(named[name], named[ground]) >= 4.5, (name, ground)
    for name in ("edge", "none", *(f"g{i}" for i in range(7)), *(f"r{i}" for i in range(8))):
        assert contrast(named[name], named["back"]) >= 2.95, name


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("sight", list(_SIGHT))
def test_groups_are_told_apart_with_any_kind_of_colour_vision(theme: int, sight: str) -> None:
    named = colours(theme)
    seen = oklab(np.array([named[f"g{i}"] for i in range(7)]) @ np.array(_SIGHT[sight]).T)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(7, 1)]
    assert apart.min() > 0.12


@pytest.mark.parametrize("theme", [0, 1])
def test_the_darkest_cells_can_be_read(theme: int) -> None:
    named = colours(theme)
    stored = {
        k: np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055) for k, v in named.items()
    }
    mixed = 0.6 * stored["shade"] + 0.4 * stored["back"]
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    assert contrast(named["text"], linear) >= 4.5
