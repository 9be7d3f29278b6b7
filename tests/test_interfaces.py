"""What adapters say that they can do, without being run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.adapters import registry
from bench.interfaces import (
    Adapter,
    Clusterer,
    Encoder,
    HasAttention,
    HasCheckpoints,
    HasFeatureMaps,
    HasNetwork,
    Reducer,
    Run,
    StartsFromWeights,
)

CAPABILITIES = (HasNetwork, HasCheckpoints, HasAttention, HasFeatureMaps, StartsFromWeights)


def having(capability: type, *kinds: str) -> set[str]:
    return {cls.use for kind in kinds for cls in registry.built_in(kind) if issubclass(cls, capability)}


def test_capabilities_are_those_that_adapters_have() -> None:
    models = ("encoder", "pair_model", "classifier")
    assert having(HasAttention, *models) == {"dino", "timm", "twin"}
    assert having(HasCheckpoints, *models) == {"dino"}
    assert having(HasFeatureMaps, *models) == {"simple_cnn", "seg_cnn"}
    assert having(StartsFromWeights, *models) == {"dino", "timm", "twin"}
    assert {"dino", "timm", "simclr", "dec", "patch_context"} <= having(HasNetwork, "encoder")
    assert not having(HasNetwork, "pair_model", "classifier")


@pytest.mark.parametrize(
    ("kind", "learning", "others"),
    [
        ("encoder", {"dino", "dec", "patch_context"}, {"timm", "pixels", "precomputed"}),
        ("pair_model", {"twin"}, {"precomputed"}),
        ("classifier", {"majority", "knn_probe", "seg_cnn"}, set()),
        ("clusterer", set(), {"kmeans", "dec"}),
    ],
)
def test_what_has_a_fit_of_its_own_learns(kind: str, learning: set[str], others: set[str]) -> None:
    found = {cls.use: cls.learns() for cls in registry.built_in(kind)}
    assert all(found[name] for name in learning)
    assert not any(found[name] for name in others)
    base: type[Adapter] = registry.KINDS[kind][1]
    assert not base.learns()


def test_an_encoder_that_inherits_its_fit_learns() -> None:
    class Inner(Encoder):
        def fit(self, images: object, weights: Path, run: Run) -> None:
            pass

    class Outer(Inner):
        pass

    assert Outer.learns()


def test_one_reducer_is_for_maps() -> None:
    found = [cls for cls in registry.built_in("reducer") if issubclass(cls, Reducer) and cls.for_maps]
    assert [cls.use for cls in found] == ["umap"]
    assert found[0]().model_dump()["dims"] == 2


def test_trivial_clusterers_need_nothing() -> None:
    found = [cls for cls in registry.built_in("clusterer") if issubclass(cls, Clusterer) and cls.trivial]
    assert {cls.use for cls in found} == {"all_in_one", "each_alone", "random_sizes"}
    assert all(cls.takes == ("nothing",) for cls in found)


def test_a_detached_run_reports_to_nobody_and_keeps_nothing() -> None:
    run, other = Run.detached(), Run.detached(seed=7, threads=2)
    run.report(1, None, "images")
    run.facts["some"] = 1
    assert other.facts == {}
    assert (run.seed, run.threads, run.device, run.precision) == (0, 1, "cpu", "float32")
    assert (other.seed, other.threads) == (7, 2)
    assert Run.detached().rng().integers(1 << 30) == run.rng().integers(1 << 30)
