from __future__ import annotations

from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest
from bench.datasets.synthetic.drawing.organoids import STYLES, OrganoidStyle, draw


def some(style: OrganoidStyle, n: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    return [draw(style, np.random.default_rng([7, i])) for i in range(n)]


@pytest.mark.parametrize("kind", sorted(STYLES))
def test_images_are_16_bit_colour_on_black(kind: int):
    sizes = []
    for image, mask in some(STYLES[kind]):
        assert image.dtype == np.uint16
        assert image.shape == (*mask.shape, 3)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 255}
        assert (image[mask == 0] == 0).all()
        assert (image[mask > 0] >= 256).all()  # so that clipping at 255 leaves the silhouette only
        assert image.max() > 5_000
        assert (image == 65535).mean() < 0.02
        assert 0.4 < (mask > 0).mean() <= 0.95
        assert cv2.connectedComponents(mask)[0] == 2  # background and one object
        assert not (image[..., 0] == image[..., 2]).all()
        sizes.append(max(mask.shape))
    assert min(sizes) >= 40
    assert max(sizes) <= 300
    assert len(set(sizes)) > 4


def test_same_seed_same_bits_other_seed_other_image():
    style = STYLES[8]
    first, again, other = (draw(style, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape != other[0].shape or (first[0] != other[0]).any()


def test_classes_differ_and_unseen_outlines_are_new():
    assert sorted(STYLES) == list(range(1, 14))
    assert len(set(STYLES.values())) == 13
    assert {STYLES[c].outline for c in range(1, 11)} == {"round", "lobed"}
    assert {STYLES[c].outline for c in range(11, 14)} == {"budded"}
    assert min(Counter(style.lumen for style in STYLES.values()).values()) > 1


def middle(image: np.ndarray) -> float:
    """Return how bright the middle of an organoid is, relative to all of it."""
    light = image.astype(float).sum(2)
    h, w = light.shape
    part = light[round(0.4 * h) : round(0.6 * h), round(0.4 * w) : round(0.6 * w)]
    return float(part.mean() / light[light > 0].mean())


def test_cavities_are_dark():
    solid = [middle(i) for i, _ in some(OrganoidStyle("none", "round", "diffuse"))]
    hollow = [middle(i) for i, _ in some(OrganoidStyle("thin", "round", "diffuse"))]
    assert max(h / s for h, s in zip(hollow, solid, strict=True)) < 0.9
    assert np.mean(hollow) < 0.65
    assert np.mean(solid) > 0.9


def solidity_of(mask: np.ndarray) -> float:
    """Return the area of an organoid relative to that of its convex hull."""
    outline = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    return cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline))


def test_outlines_differ():
    outlines: Any = ("round", "lobed", "budded")
    solidity = {
        o: np.mean([solidity_of(m) for _, m in some(OrganoidStyle("none", o, "diffuse"))]) for o in outlines
    }
    assert solidity["round"] > 0.97
    assert solidity["lobed"] < 0.955
    assert solidity["budded"] < 0.955


def test_markers_are_where_they_should_be():
    def red_near_outside(marker: Any) -> float:
        shares = []
        for image, mask in some(OrganoidStyle("thick", "round", marker)):
            depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
            red = image[..., 0].astype(float)
            shares.append(red[(depth > 0) & (depth < 6)].mean() / red[mask > 0].mean())
        return float(np.mean(shares))

    assert red_near_outside("rim") > red_near_outside("diffuse") > red_near_outside("apical")

    def red_spread(marker: Any) -> float:
        pairs = some(OrganoidStyle("none", "round", marker))
        return float(np.mean([i[..., 0][m > 0].std() / i[..., 0][m > 0].mean() for i, m in pairs]))

    assert red_spread("spots") > 1.5 * red_spread("diffuse")
