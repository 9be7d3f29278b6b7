from __future__ import annotations

from bench.interfaces import NO_FILES, NONE_USABLE, NOT_READ
from bench.records.leftout import LeftOut, from_json, left_out


def bad(*what: str) -> list[dict[str, str]]:
    return [{"where": "x", "what": w} for w in what]


def test_nothing_left_out_is_nothing() -> None:
    assert left_out([], {"files that are no images": {"count": 3, "first": ["a"]}}, 10) is None
    assert from_json({}) is None


def test_reasons_are_counted_by_kind_and_the_sentence_says_how_many_of_how_many() -> None:
    lost = left_out(bad(*["is cut off: a PNG without its end"] * 3, "is empty", "is cut off: x"), {}, 5)
    assert lost is not None
    assert (lost.images, lost.bad, dict(lost.reasons)) == (10, 5, {"is cut off": 4, "is empty": 1})
    assert lost.loud
    assert lost.brief() == "5 of 10 images left out"
    assert lost.sentence() == (
        "5 of 10 images are left out: is cut off (4), is empty (1); `on_bad_image: refuse` ends the run at "
        "the first such image instead"
    )
    assert from_json(lost.as_json()) == lost


def test_up_to_two_per_cent_it_is_told_but_not_loud() -> None:
    for n, loud in ((2, False), (3, True)):
        lost = left_out(bad(*["is empty"] * n), {}, 100 - n)
        assert lost is not None
        assert lost.loud == loud
        assert ("refuse" in lost.sentence()) == loud


def test_classes_without_images_and_formats_that_are_not_read_are_told() -> None:
    notes = {
        NO_FILES: {"count": 1, "first": ["b"]},
        NONE_USABLE: {"count": 1, "first": ["c"]},
        NOT_READ: {"count": 4, "first": ["b/1.gif", "b/2.heic"]},
    }
    lost = left_out([], notes, 196)
    assert lost is not None
    assert lost.loud
    assert lost.brief() == "4 of 200 images left out, 2 classes without images"
    assert lost.sentence().startswith(
        "4 of 200 images are left out: a format that is not read (.gif, .heic) (4); 2 classes without an "
        "image that can be used: b, c"
    )


def test_records_that_did_not_hold_the_number_of_images() -> None:
    assert LeftOut(None, 3, {"is empty": 3}).sentence().startswith("3 images are left out: is empty (3)")
