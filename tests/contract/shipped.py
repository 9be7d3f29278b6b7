"""Settings with which shipped adapters are tried in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.contract.material import drawn

_NETWORK = {"width": 2, "batch": 8, "steps": 12}
SMALL: dict[tuple[str, str], dict[str, Any]] = {
    ("encoder", "autoencoder"): _NETWORK,
    ("encoder", "rotation_autoencoder"): _NETWORK,
    ("encoder", "simclr"): {**_NETWORK, "arch": "conv5", "outputs": 8},
    ("encoder", "deepcluster"): {"arch": "conv5", "width": 2, "k": 5, "batch": 8, "epochs": 4},
    ("encoder", "patch_context"): {"width": 4, "image_size": 96, "batch": 8, "steps": 12},
    ("encoder", "timm"): {"model": "test_vit", "weights": "random"},
    ("encoder", "dec"): {
        **{"width": 2, "batch": 8, "steps": 20, "refine_steps": 20, "update": 10, "k": 3},
        **{"embedding": 4, "n_init": 3},
    },
    ("encoder", "dino"): {
        **{"arch": "vit_tiny_patch16_224", "width": 24, "depth": 2, "heads": 2, "patch": 4, "outputs": 32},
        **{"hidden": 32, "bottleneck": 16, "batch": 8, "small_crops": 2, "steps": 12, "epochs": 1},
    },
    ("pair_model", "twin"): {"arch": "test_resnet", "embedding": 16, "batch": 16, "steps": 12},
    ("classifier", "simple_cnn"): {"image_size": 32, "width": 4, "hidden": 8, "batch": 8, "epochs": 5},
    ("classifier", "seg_cnn"): {"cell_size": 16, "width": 4, "hidden": 8, "batch": 8, "epochs": 5},
    ("clusterer", "dec"): {"steps": 40, "update": 20, "n_init": 3},
    ("clusterer", "hdbscan"): {"min_samples": 3},
}
_SIZE = 16


def settings(kind: str, name: str, folder: Path) -> dict[str, Any]:
    """Return parameters of a shipped adapter; files that it reads are written into a folder."""
    if name != "precomputed":
        return SMALL.get((kind, name), {})
    material = drawn(24, _SIZE)
    ids = folder / "ids.npy"
    np.save(ids, np.array(material.images.ids))
    array = material.features if kind == "encoder" else material.join_probabilities
    np.save(folder / "values.npy", array)
    return {"file": str(folder / "values.npy"), "ids": str(ids)}


def data(folder: Path) -> Path:
    """Return a folder of class folders of images, for a dataset that no generator writes."""
    import cv2

    material = drawn(12, _SIZE)
    for i, pixels in enumerate(material.images.pixels):
        assert material.images.labels is not None
        (folder / str(material.images.labels[i])).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / str(material.images.labels[i]) / f"{i}.png"), pixels[0])
    return folder
