"""Loads suites from a name, a file or a dict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.api.folders import default_data
from bench.suite import suitefile
from bench.suite.schema import Suite


def load_suite(
    source: str | Path | Mapping[str, Any],
    profile: str | None = None,
    *,
    data: str | Path | None = None,
    name: str = "suite",
) -> Suite:
    """Read and check a suite; every adapter in it is loaded and every parameter is valid.

    Parameters
    ----------
    source : name of a built-in suite, e.g. "quickstart"; path of a YAML file; or the content of such a file
        as a dict. Paths are relative to the folder of the file, in a dict to the working directory.
    profile : name of a profile of the suite to apply, e.g. "smoke".
    data : folder with one folder per dataset, for datasets without a `root`. Default: `$BENCH_DATA`.
    name : of the suite if `source` is a dict; also of its results folder.

    Raises
    ------
    FileError : all problems of the suite at once, each with its value and (in a file) its line.

    Examples
    --------
    >>> import cutjoin
    >>> suite = cutjoin.load_suite("quickstart", "smoke")
    >>> suite.name
    'quickstart-smoke'
    >>> cutjoin.load_suite({"datasets": [{"name": "mine", "use": "image_foldr"}],
    ...                     "methods": [{"encoder": "pixels", "clusterer": "kmeans"}]})
    Traceback (most recent call last):
    ...
    bench.util.yamlfile.FileError: suite: ...'image_foldr'; did you mean 'image_folder'?
    """
    folder = Path(data) if data is not None else default_data()
    if isinstance(source, Mapping):
        return suitefile.load_mapping(source, name, profile, folder)
    return suitefile.load(suitefile.find(str(source)), profile, folder)
