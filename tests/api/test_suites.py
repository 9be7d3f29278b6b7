"""`load_suite`: a name, a file or a dict, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cutjoin
from cutjoin import FileError
from tests.conftest import TINY, write_suite

METHODS = [{"encoder": "pixels", "clusterer": "kmeans"}]


def generated(**changes: Any) -> dict[str, Any]:
    """Return a suite on generated plankton."""
    dataset = {"name": "generated", "use": "kaggle_plankton", "size": 16, "synthetic": {"images": 60}}
    return {"datasets": [dataset], "methods": METHODS, **changes}


def test_a_suite_that_ships_with_a_profile() -> None:
    suite = cutjoin.load_suite("quickstart", "smoke")
    assert (suite.name, suite.profile, suite.block.seeds) == ("quickstart-smoke", "smoke", [0])
    assert cutjoin.load_suite("quickstart").block.seeds == [0, 1, 2]


def test_a_file_by_text_and_by_path(tmp_path: Path) -> None:
    path = write_suite(tmp_path, TINY, "mine.yaml")
    assert cutjoin.load_suite(path) == cutjoin.load_suite(str(path))
    assert cutjoin.load_suite(path).name == "mine"


def test_a_dict_means_what_the_file_means(tmp_path: Path) -> None:
    from ruamel.yaml import YAML

    by_file = cutjoin.load_suite(write_suite(tmp_path, TINY))
    by_dict = cutjoin.load_suite(YAML(typ="safe").load(TINY))
    assert by_dict.name == "suite"
    assert (by_dict.block, by_dict.datasets, by_dict.methods) == (
        by_file.block,
        by_file.datasets,
        by_file.methods,
    )


def test_values_that_python_has_and_yaml_has_not(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    dataset = {
        "name": np.str_("mine"),
        "use": "image_folder",
        "root": tmp_path / "images",
        "size": np.int64(32),
        "percentiles": (np.float32(1), 99.5),
        "grey": np.bool_(True),
    }
    method = {"encoder": "pixels", "clusterer": {"use": "kmeans", "grid": {"k": np.arange(2, 5)}}}
    suite = cutjoin.load_suite({"datasets": (dataset,), "methods": [method], "seeds": np.array([1, 0])})
    (entry,) = suite.datasets
    assert (entry.name, entry.root, entry.adapter.size) == ("mine", tmp_path / "images", 32)
    assert entry.adapter.percentiles == (1.0, 99.5)
    assert entry.adapter.model_dump()["grey"] is True
    assert suite.block.seeds == [1, 0]
    assert [m.clusterer.model_dump()["k"] for m in suite.methods if m.clusterer and not m.trivial] == [
        2,
        3,
        4,
    ]


def test_relative_paths_of_a_dict_start_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = {"name": "mine", "use": "image_folder", "root": "images"}
    assert (
        cutjoin.load_suite({"datasets": [dataset], "methods": METHODS}).datasets[0].root
        == tmp_path / "images"
    )


def test_data_gives_datasets_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"datasets": [{"name": "x", "use": "kaggle_plankton"}], "methods": METHODS}
    assert cutjoin.load_suite(given, data=tmp_path).datasets[0].root == tmp_path / "kaggle_plankton"
    monkeypatch.setenv("BENCH_DATA", "/data")
    assert cutjoin.load_suite(given).datasets[0].root == Path("/data/kaggle_plankton")


def test_all_problems_of_a_dict_at_once_each_with_where_it_is() -> None:
    wrong = generated(
        seeds=[-1], methods=[{"encoder": "pixel", "clusterer": {"use": "kmeans", "n_initt": 3}}]
    )
    with pytest.raises(FileError) as caught:
        cutjoin.load_suite(wrong, name="mine")
    assert len(caught.value.problems) == 3
    text = str(caught.value)
    for part in ("mine", "seeds", "did you mean 'pixels'", "n_init", "methods"):
        assert part in text
    assert ":0" not in text  # a dict has no lines


def test_problems_of_a_file_have_lines(tmp_path: Path) -> None:
    path = write_suite(tmp_path, TINY.replace("polar_fft", "polar_ftf"))
    with pytest.raises(FileError, match=r"suite\.yaml:\d+: .*did you mean 'polar_fft'"):
        cutjoin.load_suite(path)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", np.array([1 + 2j])])
def test_values_that_no_suite_can_hold(value: object) -> None:
    with pytest.raises(FileError, match="seeds"):
        cutjoin.load_suite(generated(seeds=value))


def test_names(tmp_path: Path) -> None:
    assert cutjoin.load_suite(generated(), name="my-suite.2").name == "my-suite.2"
    for name in ("", "../x", "a/b", ".hidden"):
        with pytest.raises(FileError, match="letters, digits"):
            cutjoin.load_suite(generated(), name=name)
    with pytest.raises(FileError, match="did you mean 'quickstart'"):
        cutjoin.load_suite("quickstrat")
    with pytest.raises(FileError, match="no such file"):
        cutjoin.load_suite(tmp_path / "absent.yaml")
    with pytest.raises(FileError, match="no profile named 'smok'"):
        cutjoin.load_suite("quickstart", "smok")


def test_what_was_given_is_not_changed() -> None:
    given = generated(profiles={"small": {"seeds": [7]}})
    before = repr(given)
    assert cutjoin.load_suite(given, "small", name="mine").name == "mine-small"
    assert repr(given) == before
