"""Images and weights that a training cannot use, in a complete run: one sentence each, others finish."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bench.records.record import CellRecord
from tests.execute.runs import Bench

pytestmark = pytest.mark.slow

CONV = "arch: conv5, width: 2, batch: 8, steps: 3"
SHAPES = {
    "autoencoder": "width: 2, batch: 8, steps: 3",
    "rotation_autoencoder": "width: 1, batch: 8, steps: 3",
    "dec": "width: 1, batch: 8, steps: 3, refine_steps: 3, update: 2, k: 3, embedding: 4, n_init: 1",
    "deepcluster": f"{CONV}, k: 3",
    "simclr": f"{CONV}, outputs: 8",
    "dino": "arch: vit_tiny_patch16_224, width: 16, depth: 1, heads: 2, patch: 4, steps: 3, batch: 8, "
    "small_crops: 0, outputs: 16, hidden: 16, bottleneck: 8",
}
NOT_FINITE = "loss is (nan|inf) at step|codes are not finite|features are not finite|NaN or infinite"
WEIGHTS = {
    "other": r"weights_file: .*other.pt does not fit .* tensors differ.*check the architecture",
    "torn": r"weights_file: cannot read .*torn.safetensors as tensors only",
    "hostile": r"weights_file: cannot read .*hostile.pt as tensors only",
}


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def method(name: str, use: str, changes: str = "") -> str:
    inner = f"{{use: {use}, {SHAPES[use]}{changes}}}"
    return f"  - {{name: {name}, encoder: {inner}, clusterer: {{use: kmeans, k: 2}}}}\n"


def draw(folder: Path, counts: dict[str, int], colour: bool = False) -> None:
    """Write noisy, non-square images of increasing brightness per class."""
    rng = np.random.default_rng(0)
    for i, (name, n) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for j in range(n):
            shape = (14, 20, 3) if colour else (14, 20)
            pixels = rng.normal(60 + 90 * i, 20, shape).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{name}{j}.png"), pixels)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, int]:
    bench = Bench(tmp_path_factory.mktemp("bad"))
    draw(bench.root / "grey", {"a": 12, "b": 12})
    draw(bench.root / "one", {"a": 12}, colour=True)
    draw(bench.root / "few", {"a": 2, "b": 1})
    draw(bench.root / "lonely", {"a": 12, "b": 1})
    torch.save({"weight": torch.zeros(3)}, bench.root / "other.pt")
    (bench.root / "torn.safetensors").write_bytes(b"\x40\x00\x00\x00\x00\x00\x00\x00{torn")
    (bench.root / "hostile.pt").write_bytes(pickle.dumps(Hostile(bench.root / "was-run")))
    everywhere = "".join(method(use, use) for use in SHAPES)
    wild = "".join(
        method(f"{use} wild", use, ", rate: 1.0e+30" + (", clip: null" if use == "dino" else ""))
        for use in SHAPES
    )
    greedy = "".join(
        method(f"{use} greedy", use, ", k: 25").replace("k: 3, ", "").replace("k: 3,", "")
        for use in ("dec", "deepcluster")
    )
    native = "".join(method(f"{use} native", use, ", channels: native") for use in SHAPES)
    read = "".join(
        method(f"dino {name}", "dino", f", weights: file, weights_file: {name}.{ending}")
        for name, ending in (("other", "pt"), ("torn", "safetensors"), ("hostile", "pt"))
    )
    pairs = "{use: twin, arch: test_resnet, steps: 2, batch: 4}"
    twin = f"  - {{name: twin, pair_model: {pairs}, clusterer: multicut}}\n"
    roots = "".join(
        f"  - {{name: {name}, use: image_folder, root: {name}, size: 16, methods: [{chosen}]}}\n"
        for name, chosen in (
            ("grey", ", ".join([*SHAPES, "'* wild'", "'* greedy'", *(f"dino {w}" for w in WEIGHTS)])),
            ("one", ", ".join(SHAPES)),
            ("few", ", ".join(SHAPES)),
            ("lonely", "twin"),
        )
    )
    suite = bench.suite(
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 0}\nlimits: {memory_gib: 4, wall_s: 300}\n"
        f"datasets:\n{roots}"
        "  - {name: six, use: rxrx1, channels: all, size: 16, synthetic: {images: 12}, "
        f"methods: [{', '.join(SHAPES)}, '* native']}}\n"
        f"methods:\n{everywhere}{wild}{greedy}{native}{read}{twin}",
        "bad",
    )
    done = bench.run("run", suite, "--jobs", "2", "--device", "cpu", timeout=1200)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return bench, done.returncode


@pytest.fixture(scope="module")
def records(run: tuple[Bench, int]) -> dict[tuple[str, str], CellRecord]:
    return {(r.dataset, r.method): r for r in run[0].all_records("bad")}


def failed(record: CellRecord, why: str) -> bool:
    """Assert that the cell failed with a one-line reason and no crash."""
    error = str(record.error)
    assert record.status == "error", (record.status, error)
    assert "\n" not in error
    assert len(error) < 500
    return bool(re.search(why, error)) or pytest.fail(error)


def test_the_exit_code_reports_failed_cells_and_every_cell_has_a_record(
    run: tuple[Bench, int], records: dict[tuple[str, str], CellRecord]
) -> None:
    assert run[1] == 1
    assert len(records) == 4 * len(SHAPES) + len(SHAPES) * 2 + 2 + len(WEIGHTS) + 1


@pytest.mark.parametrize("use", SHAPES)
@pytest.mark.parametrize("dataset", ["grey", "one"])
def test_oblong_grey_images_and_one_class_in_colour_are_fine(
    records: dict[tuple[str, str], CellRecord], dataset: str, use: str
) -> None:
    assert not records[dataset, use].status.failed, records[dataset, use].error


@pytest.mark.parametrize("use", SHAPES)
def test_six_channels_are_refused_as_colour_and_fine_as_they_are(
    records: dict[tuple[str, str], CellRecord], use: str
) -> None:
    assert failed(records["six", use], "channels: .*6; use native")
    native = records["six", f"{use} native"]
    assert not native.status.failed, native.error


@pytest.mark.parametrize("use", SHAPES)
def test_fewer_images_than_a_batch_are_refused(records: dict[tuple[str, str], CellRecord], use: str) -> None:
    assert failed(records["few", use], "8 images per batch, but only 3 to train on; lower it")


@pytest.mark.parametrize("use", ["dec", "deepcluster"])
def test_fewer_images_than_clusters_are_refused(records: dict[tuple[str, str], CellRecord], use: str) -> None:
    assert failed(records["grey", f"{use} greedy"], "k: 25 clusters.* only 24 images to train on; lower")


@pytest.mark.parametrize("use", SHAPES)
def test_an_absurd_learning_rate_is_an_error(records: dict[tuple[str, str], CellRecord], use: str) -> None:
    assert failed(records["grey", f"{use} wild"], NOT_FINITE)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit_or_are_invalid_are_refused(
    run: tuple[Bench, int], records: dict[tuple[str, str], CellRecord], name: str
) -> None:
    assert failed(records["grey", f"dino {name}"], WEIGHTS[name])
    assert not (run[0].root / "was-run").exists()


def test_a_class_of_one_image_makes_no_pairs(records: dict[tuple[str, str], CellRecord]) -> None:
    assert failed(records["lonely", "twin"], "class 'b' has 1 image to train on; pairs of one class need 2")
