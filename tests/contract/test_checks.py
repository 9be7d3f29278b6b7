"""Each check finds what it is for, and nothing else: a bad adapter for each fails that one alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.adapters.registry import KINDS
from bench.contract.check import CheckOutcome, CheckStatus, checks
from bench.contract.finding import TESTED, find, load
from bench.contract.running import run
from bench.contract.subject import Sizes
from tests.contract.bad import BAD, GOOD_METRIC, METRICS, OTHERS, Bad, encoder, other, trained

SIZES = Sizes(images=24, size=16)


def outcomes(folder: Path, text: str, *, slow: bool = False, **params: object) -> dict[str, CheckOutcome]:
    """Run the checks on a user's file; `slow`: also that which starts a process."""
    file = folder / "mine.py"
    file.write_text(text)
    kind, use = find([str(file)])
    chosen = [c for c in checks(kind) if slow or c.name != "importing"]
    (folder / "work").mkdir()
    subject = load(kind, use, params, folder / "work", SIZES)
    return {o.check: o for o in run(subject, chosen)}


def failed(found: dict[str, CheckOutcome]) -> list[str]:
    return [name for name, o in found.items() if o.status is CheckStatus.FAILED]


CASES = [
    pytest.param(b, id=f"{b.check}-{b.message[:20]}", marks=[pytest.mark.slow] * (b.check == "importing"))
    for b in BAD  # what is imported in a process of its own takes its time
]


@pytest.mark.parametrize("bad", CASES)
def test_a_bad_encoder_fails_the_check_it_is_for(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one writes where it is imported
    monkeypatch.setattr(os, "environ", os.environ.copy())  # and one changes this
    found = outcomes(tmp_path, bad.file, slow=bad.check == "importing")
    assert failed(found) == [bad.check], found
    assert bad.message in found[bad.check].message
    assert bad.line in found[bad.check].line
    if bad.line:
        assert found[bad.check].line.startswith("mine.py, line ")


@pytest.mark.parametrize(("kind", "check", "text", "message"), OTHERS, ids=lambda v: str(v)[:15])
def test_a_bad_part_of_a_method_too(kind: str, check: str, text: str, message: str, tmp_path: Path) -> None:
    found = outcomes(tmp_path, text)
    assert failed(found) == [check]
    assert message in found[check].message


def test_every_check_of_a_method_has_a_bad_adapter() -> None:
    tried = {b.check for b in BAD} | {check for _, check, _, _ in OTHERS}
    assert {c.name for kind in KINDS for c in checks(kind) if kind == "encoder"} - tried == {"source"}


@pytest.mark.slow
def test_a_good_encoder_passes_all(tmp_path: Path) -> None:
    found = outcomes(tmp_path, trained(declared="seeded: ClassVar[bool] = True"), slow=True)
    assert {o.status for o in found.values()} == {CheckStatus.PASSED, CheckStatus.SKIPPED}
    assert [name for name, o in found.items() if o.status is CheckStatus.SKIPPED] == ["seed"]
    assert all(o.seconds >= 0 for o in found.values())


def test_what_depends_on_a_failed_check_is_skipped(tmp_path: Path) -> None:
    found = outcomes(tmp_path, encoder(start="raise ValueError"))
    assert found["shape"].message == "needs runs to pass"
    assert found["order"].message == "needs deterministic to pass"


def test_a_training_that_starts_anew_resumes_too(tmp_path: Path) -> None:
    text = trained(saved="step + 1").replace("if file.exists()", "if False")
    assert outcomes(tmp_path, text)["resumes"].status is CheckStatus.PASSED


def test_trained_encoders_may_learn_otherwise_with_another_batch(tmp_path: Path) -> None:
    text = trained(last="total = total + self.batch")
    assert outcomes(tmp_path, text)["batch"].status is CheckStatus.PASSED


def test_a_refusal_by_a_sentence_is_an_answer(tmp_path: Path) -> None:
    start = 'if images.shape[0] > 1 or len(images) < 5: raise DataError("grey ones, five")'
    assert not failed(outcomes(tmp_path, encoder(start=start)))


def test_parameters_are_those_given(tmp_path: Path) -> None:
    text = encoder(end="found = found / self.scale")
    assert failed(outcomes(tmp_path, text, scale=0.0)) == ["values"]


def test_a_users_file_need_not_name_a_source(tmp_path: Path) -> None:
    text = encoder().replace("none: a test", "")
    found = outcomes(tmp_path, text)["source"]
    assert found.status is CheckStatus.SKIPPED
    assert "Caron" in found.message


def test_clusterers_are_tried_on_all_that_they_take(tmp_path: Path) -> None:
    declared = 'takes: ClassVar = ("features", "join_probabilities")'
    text = other("clusterer", "return np.arange(len(data.features))", declared=declared)
    found = outcomes(tmp_path, text)
    assert failed(found) == ["runs"]
    assert found["runs"].line.endswith("return np.arange(len(data.features))")


@pytest.mark.parametrize(("check", "text", "message"), METRICS, ids=[m[0] for m in METRICS])
def test_a_bad_metric_fails_the_check_it_is_for(check: str, text: str, message: str, tmp_path: Path) -> None:
    found = outcomes(tmp_path, text)
    assert failed(found) == [check], found
    assert message in found[check].message


def test_a_good_metric_passes(tmp_path: Path) -> None:
    assert not failed(outcomes(tmp_path, GOOD_METRIC))


@pytest.mark.parametrize("kind", TESTED)
def test_every_check_says_in_a_line_what_must_hold_and_then_why(kind: str) -> None:
    found = checks(kind)
    assert len(found) > 5
    for c in found:
        assert c.title.endswith(".")
        assert len(c.title) < 100
        assert len(c.why) > 20
    names = [c.name for c in found]
    assert len(set(names)) == len(names)
    for c in found:  # what it needs comes before it
        assert all(n in names[: names.index(c.name)] for n in c.needs)
