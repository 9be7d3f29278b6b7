"""How a run deviates from a publication: in the images that were scored and the parameters of methods."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from bench.records.reference import TableMetadata
from bench.report.tables.leaderboard import Board


def of_data(about: TableMetadata, boards: Mapping[str, Board]) -> Iterator[str]:
    """Yield a sentence for images that are generated, or other in number than published.

    Parameters
    ----------
    about : what is known of the publication.
    boards : ours, by what the publication's numbers call the dataset.
    """
    generated = [b.dataset for b in boards.values() if b.synthetic]
    if generated:
        yield f"{', '.join(generated)}: generated images, on which published numbers cannot be reproduced."
    for name, count in about.images.items():
        board = boards.get(name)
        if board and not board.synthetic and board.images is not None and board.images != count:
            yield f"{board.dataset}: {board.images:,} images scored, published {count:,}."


def of_settings(about: TableMetadata, params: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield which parameters are not as published; methods alike in that share a sentence.

    Parameters
    ----------
    about : what is known of the publication.
    params : of each of our methods, as its records have them.
    """
    together: dict[str, list[str]] = {}
    for method, own in params.items():
        if sentence := ", ".join(_departures(about, method, own)):
            together.setdefault(sentence, []).append(method)
    for sentence, names in together.items():
        yield f"{', '.join(names)}: {sentence}."


def _departures(about: TableMetadata, method: str, params: Mapping[str, Any]) -> Iterator[str]:
    for pattern, settings in about.settings.items():
        if not fnmatch.fnmatchcase(_words(method), _words(pattern)):
            continue
        for path, values in settings.items():
            allowed = values if isinstance(values, list) else [values]
            value = _parameter(params, path)
            if value not in allowed:
                published = " or ".join(_shown(v) for v in allowed if v is not None)
                yield f"{path} {_shown(value)} (published: {published})"


def _parameter(params: Mapping[str, Any], path: str) -> Any:
    """Return the parameter that a dotted path names in a record; an adapter without its version."""
    here: Any = params
    for part in path.split("."):
        if isinstance(here, Mapping) and part not in here:
            here = here.get("params")
        if not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here.partition("@")[0] if isinstance(here, str) and path.endswith(".adapter") else here


def _words(name: str) -> str:
    return " ".join("".join(c if c.isalnum() or c == "*" else " " for c in name.casefold()).split())


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
