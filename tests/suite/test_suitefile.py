"""A wrong suite file is told all that is wrong with it at once; a right one becomes what it says."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import CutjoinError
from bench.suite import suitefile
from bench.suite.names import shipped
from bench.suite.schema import Suite
from bench.util.yamlfile import FileError
from tests.conftest import TINY, write_suite

SUITE = """\
title: All there is
seeds: [0, 1]
metrics: [acc, ami]
bootstrap: {replicates: 10, level: 0.9}
limits: {wall_s: 60, memory_gib: 1, threads: 1}
datasets:
  - name: K
    use: kaggle_plankton
    size: 32
    fit: {fraction: 0.5}
    score: {classes: [copepod*]}
    synthetic: {images: 50, balance: 0.9}
methods:
  - name: one
    encoder: {use: pixels, grid: {side: [8, 16]}}
    clusterer: {use: hdbscan, reduce: {use: umap, n_neighbors: 5}}
  - grid:
      encoder: [pixels, {use: polar_fft}]
      clusterer.k: [2, classes]
    clusterer: {use: kmeans, n_init: 3}
profiles:
  smoke:
    seeds: [7]
    datasets: {K: {size: 16}}
tables:
  - id: t
    columns: [acc]
    datasets: [K]
"""


def load(tmp_path: Path, text: str = SUITE, profile: str | None = None) -> Suite:
    return suitefile.load(write_suite(tmp_path, text), profile)


def problems(tmp_path: Path, text: str, profile: str | None = None) -> list[tuple[int, str]]:
    with pytest.raises(FileError) as e:
        load(tmp_path, text, profile)
    assert all(str(p).startswith(f"{tmp_path / 'suite.yaml'}:{p.line}: ") for p in e.value.problems)
    return [(p.line, p.message) for p in e.value.problems]


def test_a_right_file(tmp_path: Path):
    suite = load(tmp_path)
    assert suite.name == "suite"
    assert [m.name for m in suite.methods if not m.trivial] == [
        "one side=8",
        "one side=16",
        "pixels + kmeans k=2",
        "pixels + kmeans k=classes",
        "polar_fft + kmeans k=2",
        "polar_fft + kmeans k=classes",
    ]
    assert [m.name for m in suite.methods if m.trivial] == ["all in one", "each alone", "random sizes"]
    assert list(suite.methods[0].parts) == ["encoder", "reducer", "clusterer"]
    assert suite.datasets[0].adapter.size == 32


def test_a_profile(tmp_path: Path):
    suite = load(tmp_path, profile="smoke")
    assert (suite.name, suite.block.seeds, suite.datasets[0].adapter.size) == ("suite-smoke", [7], 16)
    assert suite.block.title == "All there is"


def test_a_profile_may_leave_entries_out_that_tables_name(tmp_path: Path):
    more = SUITE.replace("methods:\n", "  - {name: L, use: kaggle_plankton}\nmethods:\n", 1)
    more = more.replace("datasets: [K]", "datasets: [K, L]").replace("{K: {size: 16}}", "{L: null}")
    assert [d.name for d in load(tmp_path, more).datasets] == ["K", "L"]
    assert [d.name for d in load(tmp_path, more, "smoke").datasets] == ["K"]


def test_a_dataset_may_name_its_methods(tmp_path: Path):
    text = SUITE.replace("size: 32", "size: 32\n    methods: ['polar_fft*', 'one side=8']")
    suite = load(tmp_path, text)
    chosen = [m.name for m in suite.methods_on(suite.datasets[0])]
    assert chosen == [
        "one side=8",
        "polar_fft + kmeans k=2",
        "polar_fft + kmeans k=classes",
        "all in one",
        "each alone",
        "random sizes",
    ]
    wrong = problems(tmp_path, SUITE.replace("size: 32", "methods: [onee]"))
    assert any("datasets.0.methods" in m and "no method named 'onee'" in m for _, m in wrong)


@pytest.mark.slow
def test_shipped_suites_load():
    assert {"quickstart", "kaggle-5c"} <= set(shipped())
    for name, file in shipped().items():
        assert suitefile.find(name) == file
        for profile in (None, *suitefile.load(file).block.profiles):
            assert suitefile.load(file, profile).methods


def test_baselines_can_be_left_out_and_a_classifier_adds_majority(tmp_path: Path):
    assert not any(m.trivial for m in load(tmp_path, SUITE + "baselines: false\n").methods)
    (tmp_path / "learner.py").write_text(
        "from bench.interfaces import Classifier\n"
        'class L(Classifier):\n    """L."""\n    def fit(self, i, w, r): ...\n'
    )
    methods = load(tmp_path, SUITE.replace("profiles:", "  - classifier: ./learner.py\nprofiles:")).methods
    assert [m.name for m in methods if m.trivial][-1] == "majority"


def test_roots(tmp_path: Path):
    text = TINY.replace("synthetic: {images: 60}", "root: {}")
    for written, data, root in (
        ("rel/x", None, tmp_path / "rel/x"),
        (str(tmp_path / "abs"), Path("/elsewhere"), tmp_path / "abs"),
        ("null", Path("/elsewhere"), Path("/elsewhere/kaggle_plankton")),
        ("null", None, None),
    ):
        file = write_suite(tmp_path, text.replace("{}", written))
        assert suitefile.load(file, None, data).datasets[0].root == root


ONE_WRONG: dict[str, tuple[str, str, int, str]] = {
    # what: (old, new, line, message)
    "unknown key": ("title:", "titel:", 1, r"unknown parameter \(got 'All there is'\).*'title'"),
    "wrong type": ("[0, 1]", "zero", 2, r"seeds: input should be a valid list \(got 'zero'\)"),
    "wrong item": ("[0, 1]", "[0, x]", 2, r"seeds\.1: .*valid integer.*'x'"),
    "repeated seed": ("[0, 1]", "[3, 3]", 2, r"seed 3 is already defined"),
    "negative seed": ("[0, 1]", "[-1]", 2, r"seeds\.0: .*greater than or equal to 0 \(got -1\)"),
    "list for a seed": ("[0, 1]", "[[1]]", 2, r"seeds\.0"),
    "no seeds": ("[0, 1]", "[]", 2, r"seeds: .*at least 1"),
    "unknown metric": ("[acc, ami]", "[acc, amii]", 3, r"metrics\.1: no metric.*'amii'.*mean 'ami'"),
    "mapping for a metric": ("[acc, ami]", "[{a: b}]", 3, r"metrics\.0"),
    "level": ("level: 0.9", "level: 1.5", 4, r"bootstrap\.level: .*less than 1 \(got 1\.5\)"),
    "unknown in a block": ("replicates", "replicate", 4, r"did you mean 'replicates'"),
    "infinite limit": ("memory_gib: 1", "memory_gib: .inf", 5, r"finite number \(got inf\)"),
    "not a number": ("wall_s: 60", "wall_s: .nan", 5, r"finite number"),
    "unknown dataset": ("kaggle_plankton", "kagle_plankton", 8, r"use: .*mean 'kaggle_plankton'"),
    "absent adapter file": ("kaggle_plankton", "./no.py", 8, r"there is no file"),
    "empty use": ("kaggle_plankton", "''", 8, r"no dataset named ''"),
    "dataset parameter": ("size: 32", "sizes: 32", 9, r"datasets\.0\.sizes: .*did you mean 'size'"),
    "dataset value": ("size: 32", "size: 2", 9, r"size: .*greater than or equal to 4 \(got 2\)"),
    "selection": ("fraction: 0.5", "fraction: 5", 10, r"fit\.fraction: .*less than or equal to 1 \(got 5\)"),
    "selection key": ("fraction: 0.5", "fractoin: 0.5", 10, r"did you mean 'fraction'"),
    "generator value": ("balance: 0.9", "balance: 0", 12, r"synthetic\.balance: .*greater than 0 \(got 0\)"),
    "encoder": ("{use: pixels", "{use: pixel", 15, r"encoder\.use: .*'pixel'; did you mean 'pixels'"),
    "grid value": ("[8, 16]", "[8, x]", 15, r"methods\.0\.encoder\.grid\.side\.1: .*valid integer.*'x'"),
    "grid type": ("[8, 16]", "8", 15, r"methods\.0\.encoder\.grid\.side: expected a non-empty list"),
    "parameter": ("grid: {side: [8, 16]}", "sde: 8", 15, r"methods\.0\.encoder\.sde: .*did you mean 'side'"),
    "reducer": ("use: umap", "use: umaps", 16, r"reduce\.use: no reducer .*mean 'umap'"),
    "reducer value": ("n_neighbors: 5", "n_neighbors: 1", 16, r"reduce\.n_neighbors: .*\(got 1\)"),
    "grid over parts": ("{use: polar_fft}", "{use: polar_ft}", 18, r"grid\.encoder\.1\.use: .*'polar_fft'"),
    "grid of what": ("clusterer.k:", "cluster.k:", 19, r"'cluster' is not a part.*mean 'clusterer'"),
    "grid over a parameter": ("[2, classes]", "[2, class]", 19, r"grid\.clusterer\.k\.1: .*'classes'"),
    "clusterer value": ("n_init: 3", "n_init: 0", 20, r"n_init: .*greater than 0 \(got 0\)"),
    "table": ("columns: [acc]", "columns: [acx]", 27, r"columns\.0: .*'acx'; did you mean 'acc'"),
    "table id": ("id: t", "id: ../t", 26, r"tables\.0\.id"),
    "table dataset": ("[K]", "[L]", 28, r"tables\.0\.datasets\.0: no dataset named 'L'"),
    "profile": ("smoke:", "s/moke:", 21, r"profiles"),
    "home": ("size: 32", "root: '~no.such.user/x'", 9, r"root: .*home directory"),
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_WRONG)
def test_one_thing_wrong(tmp_path: Path, what: str):
    old, new, line, message = ONE_WRONG[what]
    assert SUITE.count(old) == 1
    found = problems(tmp_path, SUITE.replace(old, new))
    matching = [(n, m) for n, m in found if re.search(message, m)]
    assert matching, found
    assert {n for n, _ in matching} in ({line}, {line + 1}), matching  # the name of a key, or its value
    assert all(n == line for n, _ in found) or what == "profile", f"follow-on errors: {found}"


def test_all_problems_are_told_at_once(tmp_path: Path):
    """Every one of the wrong things above that can stand in one file together."""
    text, wanted = SUITE, []
    for what in (
        "unknown key", "wrong item", "unknown metric", "level", "infinite limit", "dataset value",
        "selection key", "encoder", "reducer value", "grid over parts", "clusterer value", "table",
    ):  # fmt: skip
        old, new, line, message = ONE_WRONG[what]
        text = text.replace(old, new)
        wanted.append((line, message))
    found = problems(tmp_path, text)
    for line, message in wanted:
        assert any(n == line and re.search(message, m) for n, m in found), (line, message, found)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("{encoder: pixels}", r"encoder \+ clusterer.*got encoder"),
        ("{}", "got nothing"),
        ("null", "mapping|dictionary"),
        ("5", "mapping|dictionary"),
        ("{encoder: pixels, clusterer: kmeans, classifier: majority}", "expected encoder"),
        ("{encoder: pixels, clusterer: all_in_one}", "takes nothing, but the encoder gives features"),
        ("{encoder: pixels, clusterer: {use: kmeans, reduce: 5}}", "reducer: expected a name"),
        ("{encoder: {side: 8}, clusterer: kmeans}", "mapping with `use`"),
        ("{encoder: {use: precomputed}, clusterer: kmeans}", r"encoder\.file: required"),
        ("{name: all in one, encoder: pixels, clusterer: kmeans}", "a trivial baseline has this name"),
        (
            "{encoder: pixels, clusterer: kmeans}\n  - {encoder: pixels, clusterer: kmeans}",
            "is already defined on line",
        ),
    ],
)
def test_wrong_methods(tmp_path: Path, methods: str, message: str):
    text = TINY[: TINY.index("methods:")] + f"methods:\n  - {methods}\n"
    assert any(re.search(message, m) for _, m in problems(tmp_path, text))


def test_two_datasets_of_one_name(tmp_path: Path):
    text = SUITE.replace("methods:", "  - {name: K, use: image_folder, root: .}\nmethods:")
    assert problems(tmp_path, text) == [
        (13, "datasets.1: dataset 'K' is already defined on line 7; names must be unique")
    ]


@pytest.mark.parametrize("text", ["", "- a\n", "5\n", "null\n", "# nothing\n", "just text\n"])
def test_no_mapping(tmp_path: Path, text: str):
    assert problems(tmp_path, text) == [(1, "a suite file is a mapping with `datasets` and `methods`")]


def test_an_empty_mapping(tmp_path: Path):
    assert [m for _, m in problems(tmp_path, "{}\n")] == [
        "datasets: required, but missing",
        "methods: required, but missing",
    ]


PROFILES = [
    ("smok", SUITE, r"no profile named 'smok'; did you mean 'smoke'"),
    ("5", SUITE.replace("smoke", "5"), r"no profile named '5'"),
    ("smoke", SUITE.replace("{K: {size: 16}}", "{L: {size: 16}, M: {}}"), r"no entry is named 'L'"),
    ("smoke", SUITE.replace("{K: {size: 16}}", "{K: {size: x}}"), r"datasets\.0\.size: .*'x'"),
    ("smoke", SUITE.replace("seeds: [7]", "seedz: [7]"), r"seedz: unknown.*did you mean 'seeds'"),
    ("smoke", SUITE[: SUITE.index("  smoke:")] + "  smoke: [1, 2]\n", r"profiles\.smoke: .*dictionary"),
    ("smoke", SUITE[: SUITE.index("profiles:")], r"no profile named 'smoke'; there are none"),
]


@pytest.mark.parametrize(("profile", "text", "message"), PROFILES)
def test_wrong_profiles(tmp_path: Path, profile: str, text: str, message: str):
    assert any(re.search(message, m) for _, m in problems(tmp_path, text, profile))


def test_a_wrong_value_of_a_profile_has_the_profiles_line(tmp_path: Path):
    found = problems(tmp_path, SUITE.replace("{K: {size: 16}}", "{K: {size: x}}"), "smoke")
    assert [line for line, _ in found] == [24]


USERS = {
    "syntax": ("def x(:\n", "SyntaxError"),
    "raises": ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
    "exits": ("import sys; sys.exit(0)\n", "SystemExit"),
    "none": ("x = 1\n", "exactly one public Encoder; found none"),
    "two": (
        "from bench.interfaces import Encoder\nclass A(Encoder):\n    'a'\nclass B(Encoder):\n    'b'\n",
        "found A, B",
    ),
    "another kind": ("from bench.interfaces import Clusterer\nclass A(Clusterer):\n    'a'\n", "found none"),
    "not text": ("\0", "cannot be imported"),
}


@pytest.mark.parametrize("what", USERS)
def test_a_users_adapter_that_cannot_be_used(tmp_path: Path, what: str):
    code, message = USERS[what]
    (tmp_path / "own.py").write_text(code)
    found = problems(tmp_path, TINY.replace("[pixels, polar_fft]", "[./own.py]"))
    assert len(found) == 1 or what == "another kind"
    assert message in found[0][1]
    assert found[0][0] == 11


def test_find(tmp_path: Path):
    with pytest.raises(FileError, match="did you mean 'quickstart'"):
        suitefile.find("quikstart")
    with pytest.raises(FileError, match="there is no such file"):
        suitefile.find(str(tmp_path / "none.yaml"))
    assert suitefile.find(str(write_suite(tmp_path))) == (tmp_path / "suite.yaml").resolve()


# Whatever is written, the answer is a suite or a FileError

PIECES = [
    "null", "5", "-1", "1e999", ".nan", "[]", "{}", "[[]]", "{a: {b: c}}", "''", "true", "2020-01-01",
    "!!binary aGk=", "!x y", "&a [*a]", "*a", "use", "./x.py", "~nobody/x.py", "grid", "{use: kmeans}",
    "[1, x, null, {a: 1}]", "'\\0'", "99999999999999999999999999", "? [a]", "<<: {a: 1}", "datasets",
    "methods", "  ", "\n", "#", ":", "-", "name: x",
]  # fmt: skip


def mutated(text: str, rng: random.Random) -> str:
    lines = text.splitlines()
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(lines))
        line = lines[at]
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, line)
            case 2:
                lines[at] = re.sub(r":.*", lambda _: f": {rng.choice(PIECES)}", line, count=1)
            case 3:
                words = re.findall(r"[\w.*]+|\W", line) or [""]
                words[rng.randrange(len(words))] = rng.choice(PIECES)
                lines[at] = "".join(words)
            case 4:
                lines[at] = " " * rng.randrange(7) + line.lstrip()
            case 5:
                lines[at] = line[: rng.randrange(len(line) + 1)]
        if not lines:
            lines = ["a"]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@given(st.randoms(use_true_random=False), st.sampled_from([None, "smoke"]))
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_suite_is_read_or_refused(tmp_path: Path, rng: random.Random, profile: str | None):
    found: Suite | FileError
    try:
        found = load(tmp_path, mutated(SUITE, rng), profile)
    except FileError as e:
        found = e
    if isinstance(found, Suite):
        assert found.datasets
        assert found.methods
    else:
        assert found.problems
        assert isinstance(found, CutjoinError)
        assert all(p.line >= 1 and "\n" not in p.message for p in found.problems)
