"""Grids expand to every combination once, each under a name of its own, or say where they are wrong."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.suite.grid import GridError, expand, label


def bodies(block: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {c.name: {k: v for k, v in c.block.items() if k != "name"} for c in expand(block)}


def test_without_a_grid_there_is_one_method():
    assert bodies({"encoder": "pixels", "clusterer": {"use": "kmeans", "k": 3}}) == {
        "pixels + kmeans": {"encoder": "pixels", "clusterer": {"use": "kmeans", "k": 3}}
    }
    assert list(bodies({"name": "mine", "encoder": "pixels"})) == ["mine"]


def test_a_grid_inside_a_part():
    block = {"encoder": {"use": "net", "grid": {"lr": [1e-3, 1e-4], "width": [8]}}, "clusterer": "kmeans"}
    assert bodies(block) == {
        f"net + kmeans lr={lr} width=8": {
            "encoder": {"use": "net", "lr": lr, "width": 8},
            "clusterer": "kmeans",
        }
        for lr in (0.001, 0.0001)
    }


def test_a_grid_over_parts_and_their_parameters():
    block = {
        "name": "G",
        "encoder": "pixels",
        "grid": {"clusterer": ["kmeans", {"use": "ward"}], "clusterer.k": [3, 4]},
    }
    assert bodies(block) == {
        f"G {use} k={k}": {"encoder": "pixels", "clusterer": {"use": use, "k": k}}
        for use in ("kmeans", "ward")
        for k in (3, 4)
    }


def test_a_part_is_set_before_its_parameters_whatever_is_written_first():
    one = expand({"encoder": "pixels", "grid": {"clusterer": ["kmeans", "ward"], "clusterer.k": [3, 4]}})
    two = expand({"encoder": "pixels", "grid": {"clusterer.k": [3, 4], "clusterer": ["kmeans", "ward"]}})
    assert sorted(map(str, (c.block for c in one))) == sorted(map(str, (c.block for c in two)))


def test_values_are_not_shared_between_methods():
    made = expand({"grid": {"clusterer": [{"use": "kmeans"}], "clusterer.k": [3, 4]}, "encoder": "pixels"})
    assert [c.block["clusterer"]["k"] for c in made] == [3, 4]


def test_a_nested_reducer():
    block = {
        "encoder": "pixels",
        "clusterer": {"use": "ward", "reduce": {"use": "pca", "grid": {"dims": [2, 3]}}},
    }
    assert list(bodies(block)) == ["pixels + ward on pca dims=2", "pixels + ward on pca dims=3"]


def test_named_values_name_the_methods_and_say_where_they_stand():
    block = {
        "name": "Auto",
        "encoder": "net",
        "grid": {"clusterer": {"SC": {"use": "spectral"}, "k-means": "kmeans"}, "encoder.lr": {"slow": 1e-4}},
    }
    assert bodies(block) == {
        "Auto SC lr=slow": {"encoder": {"use": "net", "lr": 1e-4}, "clusterer": {"use": "spectral"}},
        "Auto k-means lr=slow": {"encoder": {"use": "net", "lr": 1e-4}, "clusterer": "kmeans"},
    }
    first = expand(block)[0]
    assert first.written(("clusterer", "k")) == ("grid", "clusterer", "SC", "k")
    assert first.written(("encoder", "lr")) == ("grid", "encoder.lr", "slow")


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=4, unique=True), max_size=4))
def test_every_combination_is_there_once(axes: list[list[int]]):
    grid = {f"p{i}": values for i, values in enumerate(axes)}
    made = expand({"encoder": "pixels", "clusterer": {"use": "c", "grid": grid}})
    found = [tuple(c.block["clusterer"].get(p) for p in grid) for c in made]
    assert found == list(itertools.product(*axes))
    assert len({c.name for c in made}) == len(made)


def test_where_a_value_was_written():
    block = {
        "encoder": {"use": "net", "grid": {"lr": [1, 2]}},
        "grid": {"clusterer": ["kmeans", {"use": "ward", "k": 2}]},
    }
    second = expand(block)[-1]
    assert second.written(("encoder", "lr")) == ("encoder", "grid", "lr", 1)
    assert second.written(("clusterer", "k")) == ("grid", "clusterer", 1, "k")
    assert second.written(("encoder", "use")) == ("encoder", "use")


WRONG: list[tuple[dict[str, Any], tuple[Any, ...], str]] = [
    ({"grid": [1]}, ("grid",), "mapping"),
    ({"encoder": {"use": "x", "grid": None}}, ("encoder", "grid"), "mapping"),
    ({"encoder": {"use": "x", "grid": {"lr": 5}}}, ("encoder", "grid", "lr"), "non-empty list"),
    ({"encoder": {"use": "x", "grid": {"lr": {}}}}, ("encoder", "grid", "lr"), "non-empty list"),
    ({"grid": {"clusterer": {"A": {"use": "b", "grid": {"k": [1]}}}}}, ("grid", "clusterer", "A"), "inside"),
    ({"encoder": {"use": "x", "grid": {"a": [1], "lr": []}}}, ("encoder", "grid", "lr"), "non-empty list"),
    ({"grid": {"encoderr": ["x"]}}, ("grid", "encoderr"), "did you mean 'encoder'"),
    ({"grid": {"name": ["x"]}}, ("grid", "name"), "not a part of a method"),
    ({"grid": {5: ["x"]}}, ("grid", 5), "not a part of a method"),
    (
        {"clusterer": {"use": "x", "grid": {"k": [1]}}, "grid": {"clusterer.k": [2]}},
        ("clusterer", "grid", "k"),
        "another grid sets clusterer.k",
    ),
    (
        {"grid": {"clusterer": ["a", {"use": "b", "grid": {"k": [1]}}]}},
        ("grid", "clusterer", 1),
        "inside a grid",
    ),
    (
        {"grid": {"clusterer": [{"use": "b", "reduce": {"use": "c", "grid": {"k": [1]}}}]}},
        ("grid", "clusterer", 0),
        "inside a grid",
    ),
    (
        {"encoder": {"use": "x", "grid": {f"p{i}": [*range(10)] for i in range(50)}}},
        ("encoder", "grid"),
        "more than",
    ),
]


@pytest.mark.parametrize(("block", "where", "message"), WRONG)
def test_a_wrong_grid_says_where(block: dict[str, Any], where: tuple[Any, ...], message: str):
    with pytest.raises(GridError, match=message) as e:
        expand(block)
    assert e.value.where == where


def test_labels():
    assert label("kmeans") == "kmeans"
    assert label({"use": "./my/own.py", "reduce": "umap"}) == "own on umap"
    assert label({"use": "hdbscan", "reduce": {"use": "pca"}}) == "hdbscan on pca"
    assert label({}) == "?"
