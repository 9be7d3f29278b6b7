"""Images that a dataset holds and a run did not use: how many of how many, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.interfaces import NO_FILES, NONE_USABLE, NOT_READ

LOUD_SHARE = 0.02
"""Above this share of the images a run warns."""
_SHOWN = 3


@dataclass(frozen=True)
class LeftOut:
    """What of one dataset was left out."""

    images: int | None
    """Images of the dataset, those left out included; None in records that did not hold it."""
    bad: int
    """Images left out."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason -> images, the most frequent first."""
    classes: Sequence[str] = ()
    """The first of the classes without a usable image."""
    n_classes: int = 0

    @property
    def loud(self) -> bool:
        """Whether it is too much to pass over: classes, or more than `LOUD_SHARE` of the images."""
        return self.n_classes > 0 or (self.bad > 0 and self.bad > LOUD_SHARE * (self.images or 0))

    def brief(self) -> str:
        """Say how many of how many, for headings: "15 of 30 images left out"."""
        parts = []
        if self.bad:
            of = f" of {self.images:,}" if self.images is not None else ""
            parts.append(f"{self.bad:,}{of} images left out")
        if self.n_classes:
            parts.append(f"{_classes(self.n_classes)} without images")
        return ", ".join(parts)

    def sentence(self) -> str:
        """Say how many of how many, why, and if it is much what to do about it."""
        why = ", ".join(f"{reason} ({n:,})" for reason, n in list(self.reasons.items())[:_SHOWN])
        more = ", ..." if len(self.reasons) > _SHOWN else ""
        parts = []
        if self.bad:
            of = f" of {self.images:,}" if self.images is not None else ""
            parts.append(f"{self.bad:,}{of} images are left out: {why}{more}")
        if self.n_classes:
            names = ", ".join(self.classes[:_SHOWN]) + (", ..." if self.n_classes > _SHOWN else "")
            count = _classes(self.n_classes)
            parts.append(f"{count} without an image that can be used: {names}")
        if self.bad and self.loud:
            parts.append("`on_bad_image: refuse` ends the run at the first such image instead")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {**asdict(self), "classes": list(self.classes)}


def from_json(stored: Mapping[str, Any]) -> LeftOut | None:
    """Return what `LeftOut.as_json` wrote; None for nothing."""
    return LeftOut(**stored) if stored else None


def left_out(bad: Sequence[Mapping[str, str]], notes: Mapping[str, Any], used: int | None) -> LeftOut | None:
    """Sum up what a prepared set left out; None if that is nothing.

    Parameters
    ----------
    bad : `what` is wrong with each bad image.
    notes : of the set, by name.
    used : images that were not left out, if known.
    """
    reasons = Counter(reason(one["what"]) for one in bad)
    not_read = _noted(notes, NOT_READ)
    if not_read[0]:
        endings = sorted({name.rpartition(".")[2].lower() for name in not_read[1]})
        reasons[f"a format that is not read (.{', .'.join(endings)})"] = not_read[0]
    n_bad = len(bad) + not_read[0]
    empty = [_noted(notes, NO_FILES), _noted(notes, NONE_USABLE)]
    classes = [name for _, names in empty for name in names]
    n_classes = sum(n for n, _ in empty)
    if not n_bad and not n_classes:
        return None
    images = None if used is None else used + n_bad
    return LeftOut(images, n_bad, dict(reasons.most_common()), classes, n_classes)


def reason(what: str) -> str:
    """Return the part of a message about a bad image that others of its kind share."""
    return what.partition(": ")[0].partition("; ")[0]


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count:,} classes"


def _noted(notes: Mapping[str, Any], name: str) -> tuple[int, list[str]]:
    found = notes.get(name)
    return (int(found["count"]), list(found["first"])) if isinstance(found, Mapping) else (0, [])
