"""Finds the packages. Everything else is in pyproject.toml."""

from setuptools import find_packages, setup

# `datasets` would collide with a well-known package of that name: these folders become part of `bench`.
FOLDERS = ["datasets", "datasets.*", "methods", "methods.*", "suites"]
INSIDE = [f"bench.{name}" for name in find_packages(include=FOLDERS)]

setup(
    packages=[
        *find_packages(include=["bench", "bench.*", "cutjoin", "cutjoin.*"]),
        *INSIDE,
        "bench.reference",
    ]
)
