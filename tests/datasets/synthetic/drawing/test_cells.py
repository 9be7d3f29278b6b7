from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from bench.datasets.synthetic.drawing.cells import CELL_TYPES, STAINS, Batch, draw

NONE = Batch(np.ones(6, np.float32), np.zeros(6, np.float32))


@pytest.mark.parametrize("kind", sorted(CELL_TYPES))
@pytest.mark.parametrize("side", [48, 128, 200])
def test_nuclei_lie_in_cells_and_stains_differ(kind: str, side: int):
    light = draw(CELL_TYPES[kind], side, np.random.default_rng(1))
    assert light.shape == (6, side, side)
    assert light.dtype == np.float32
    assert np.isfinite(light).all()
    assert light.min() >= -1e-6
    assert 0.4 < light.max() < 2
    nuclei = light[STAINS.index("nuclei")] > 0.4
    body = light[STAINS.index("actin")] > 0.03
    assert nuclei.any()
    assert body[nuclei].mean() > 0.9
    mito = light[STAINS.index("mitochondria")]
    assert mito[nuclei].mean() < 0.5 * mito[body & ~nuclei].mean()
    spots = light[STAINS.index("nucleoli")]
    assert spots[nuclei].mean() > spots[body & ~nuclei].mean()
    flat = light.reshape(6, -1)
    assert np.asarray(np.corrcoef(flat))[np.triu_indices(6, 1)].max() < 0.97


def test_density_and_nuclei_follow_the_look():
    look = CELL_TYPES["HUVEC"]

    def nuclei(**factors: float) -> tuple[float, float]:
        counts, areas = [], []
        for seed in range(12):
            light = draw(look.scaled(factors), 128, np.random.default_rng(seed))
            mask = (light[0] > 0.35).astype(np.uint8)
            n, _, stats, _ = cv2.connectedComponentsWithStats(mask)
            counts.append(n - 1)
            areas.extend(stats[1:, cv2.CC_STAT_AREA].tolist())
        return float(np.mean(counts)), float(np.median(areas))

    usual, many, large = nuclei(), nuclei(density=1.8), nuclei(nucleus=1.5)
    assert many[0] > 1.2 * usual[0]
    assert large[1] > 1.6 * usual[1]


def test_factors_stay_within_what_can_be_drawn():
    look = CELL_TYPES["U2OS"].scaled({"density": 1e9, "radius": 1e9, "spread": 1e9, "nucleus": 0.0})
    assert np.isfinite(draw(look, 32, np.random.default_rng(0))).all()
    assert np.isfinite(draw(look.scaled({"density": 0, "radius": 0}), 32, np.random.default_rng(0))).all()


def test_same_seed_same_bits():
    one, two = (draw(CELL_TYPES["RPE"], 64, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, draw(CELL_TYPES["RPE"], 64, np.random.default_rng(6)))


def test_a_batch_changes_gain_and_offset_by_its_strength():
    none = Batch.drawn(np.random.default_rng(0), 0)
    np.testing.assert_array_equal(none.gain, np.ones(6))
    strong = [Batch.drawn(np.random.default_rng(k), 1).gain for k in range(200)]
    assert 0.3 < np.log(strong).std() < 0.4
    light = np.full((6, 8, 8), 0.5, np.float32)
    double = Batch(np.full(6, 2, np.float32), np.full(6, 0.25, np.float32))
    values = double.expose(light, 1000, 65_535, np.random.default_rng(0))
    assert values.dtype == np.uint16
    assert values.mean() == pytest.approx(1250, rel=0.02)
    assert NONE.expose(light * 1000, 1000, 255, np.random.default_rng(0)).max() == 255


def test_importing_the_adapters_loads_nothing_heavy():
    code = (
        "import sys, bench.datasets.rxrx1, bench.datasets.cpjump1;"
        "import bench.datasets.synthetic.rxrx1, bench.datasets.synthetic.cpjump1;"
        "print([m for m in ('numpy', 'pandas', 'cv2') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
