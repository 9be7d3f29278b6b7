"""Checks on unusual images: few, equal, or of other types. A `DataError` that says why is an answer too."""

from __future__ import annotations

import numpy as np

from bench.contract.check import METHODS, Broken, check
from bench.contract.material import blank, drawn
from bench.contract.subject import MethodSubject
from bench.errors import DataError


@check(*METHODS, needs=("runs", "shape", "values"))
def two_images(subject: MethodSubject) -> None:
    """It handles two images, or refuses them with a `DataError`.

    Smoke runs and rare classes are small; a sentence in the record is better than a traceback.
    """
    two = subject.material.taken(np.arange(2))
    try:
        result = subject.apply(two, subject.trained).result
    except DataError:
        pass
    else:
        subject.verify(result, two)
    if subject.learns:
        subject.accepts("when it learns from two images", two)


@check(*METHODS, needs=("runs", "shape", "values"))
def equal_images(subject: MethodSubject) -> None:
    """It handles images that are all of one value, and images that occur twice.

    Blank fields and copies are in every real dataset; a division by a deviation of 0 makes NaN of them.
    """
    material = subject.material
    subject.accepts("of images all of one value", blank(material))
    subject.accepts("of images that occur twice", material.taken(np.arange(len(material)) // 2))


@check("encoder", "pair_model", "classifier", needs=("runs", "shape", "values"))
def pixel_types(subject: MethodSubject) -> None:
    """It handles grey and colour images of 8 and 16 bits, or refuses them with a `DataError`.

    Datasets of all of these ship, and microscopes write 16 bits.
    """
    n, size = len(subject.material), subject.sizes.size
    for channels, dtype in ((1, np.uint16), (3, np.uint8), (3, np.uint16)):
        what = f"of {channels} channel{'s' * (channels > 1)} of {np.dtype(dtype)}"
        try:
            subject.accepts(what, drawn(n, size, channels, dtype))
        except (Broken, DataError):
            raise
        except Exception as e:
            e.add_note(what)
            raise
