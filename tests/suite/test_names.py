"""What suites are called: their results, and the arguments of `bench run` that select them."""

from __future__ import annotations

import pytest

from bench.suite.names import arguments, results_name


@pytest.mark.parametrize(
    ("name", "profile", "folder"),
    [
        ("quickstart", None, "quickstart"),
        ("quickstart", "smoke", "quickstart-smoke"),
        ("some/where/mine.yaml", None, "mine"),
        ("mine.yml", "cpu", "mine-cpu"),
    ],
)
def test_a_suite_has_one_folder_however_it_is_named(name: str, profile: str | None, folder: str):
    assert results_name(name, profile) == folder


@pytest.mark.parametrize(
    ("suite", "profile", "words"),
    [
        ("quickstart", None, ("quickstart",)),
        ("quickstart", "smoke", ("quickstart", "--profile", "smoke")),
        ("kaggle-5c-smoke", None, ("kaggle-5c", "--profile", "smoke")),
        ("some/where/mine.yml", None, ("some/where/mine.yml",)),
        ("mine", None, ("mine.yaml",)),
        ("quickstarts", None, ("quickstarts.yaml",)),
    ],
)
def test_the_arguments_that_select_a_suite(suite: str, profile: str | None, words: tuple[str, ...]):
    assert arguments(suite, profile) == words
