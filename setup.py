"""Finds the packages. All else about the distribution stands in pyproject.toml."""

from setuptools import find_packages, setup

# `datasets` would collide with a well-known package of that name: these folders become part of `bench`.
INSIDE = [f"bench.{name}" for name in find_packages(include=["datasets*", "methods*", "suites*"])]

setup(packages=[*find_packages(include=["bench*"]), *INSIDE, "bench.reference"])
