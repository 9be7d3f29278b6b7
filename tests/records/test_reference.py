"""The papers' tables as data: described, readable and consistent."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError
from bench.metrics.names import CLASSIFICATION, METRICS, find
from bench.metrics.score import score
from bench.planning import plan as plans
from bench.records import reference
from bench.report.tables.departures import of_settings
from bench.suite import suitefile
from bench.util.yamlfile import FileError

ALL = sorted(reference.tables())
SIZES = {"Test-100": (10, 3), "Test-30": (3, 1), "Test-100/30": (13, 4)}
"""Classes of ten images each, and the images that the stated tolerance moves."""


def values(name: str) -> list[dict[str, float]]:
    """Return the numbers of a table, without its names."""
    numeric = re.compile(r"[0-9.]+")
    return [
        {c: float(v) for c, v in row.items() if numeric.fullmatch(v)} for row in reference.read(name).rows
    ]


def quantities(name: str) -> dict[str, float]:
    return {row["quantity"]: float(row["value"]) for row in reference.read(name).rows}


def by_method(name: str) -> dict[str, dict[str, float]]:
    return {row["method"]: v for row, v in zip(reference.read(name).rows, values(name), strict=True)}


# Every table


@pytest.mark.parametrize("name", ALL)
def test_every_table_is_described_and_its_numbers_are_in_range(name: str) -> None:
    published = reference.read(name)
    assert published.rows
    for number in published.numbers():
        metric = find(number.metric)
        assert metric.low <= number.value <= metric.high
        assert 0 < number.tolerance < 1
        assert number.dataset
        assert number.method
    for name, column in published.metadata.columns.items():
        assert column.metric is None or name in METRICS or column.metric in {**METRICS, **CLASSIFICATION}
    for text in published.metadata.protocol + [c.why for c in published.metadata.corrections]:
        assert text.endswith("."), text


@pytest.mark.parametrize("name", ALL)
def test_every_table_prints(name: str) -> None:
    text = reference.markdown(name)
    assert text.startswith(f"## As published ({name})")
    assert text.count("\n|") == 2 + len(reference.read(name).rows)
    assert reference.terminal(name).row_count == len(reference.read(name).rows)


def test_the_rows_of_the_paper_are_present() -> None:
    text = reference.markdown("002_table_4")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    assert ["Auto-SC", "0.93", "0.93", "0.81"] in rows
    assert len(rows) == 2 + 10


@pytest.mark.slow
def test_what_the_suites_are_asked_for_is_named_as_they_name_it() -> None:
    wanted = {
        "organoids": ["001_clustering"],
        "plankton": ["002_table_2", "002_table_3", "002_table_4", "002_text"],
        "rxrx1": ["003_text"],
        "cell-painting": ["004_text"],
    }
    for suite, names in wanted.items():
        loaded = suitefile.load(suitefile.find(suite))
        entries = {e.name: {_plain(m.name) for m in loaded.methods_on(e)} for e in loaded.datasets}
        for number in itertools.chain.from_iterable(reference.read(n).numbers() for n in names):
            assert _plain(number.method) in entries[number.dataset], (suite, number)


@pytest.mark.parametrize("suite", ["organoids", "plankton", "rxrx1"])
def test_the_suites_have_the_published_settings(suite: str) -> None:
    loaded = suitefile.load(suitefile.find(suite))
    size = plans._describe_blocked(loaded.datasets[0].adapter)
    for table in loaded.block.tables:
        if table.reference:
            about = reference.read(table.reference).metadata
            theirs = {_plain(n.method) for n in reference.read(table.reference).numbers()}
            params = {
                m.name: {"dataset": size, **{k: plans._describe_blocked(p) for k, p in m.parts.items()}}
                for m in loaded.methods
                if _plain(m.name) in theirs
            }
            assert params
            assert list(of_settings(about, params)) == []


# Files that are wrong


def _write(folder: Path, text: str, table: str = "method,acc\nA,0.5\n") -> Path:
    (folder / "t.csv").write_text(table)
    (folder / "t.yaml").write_text(text)
    return folder / "t.csv"


GOOD = """\
title: T
source: {paper: P, place: table 1}
corrections: []
columns: {method: {}, acc: {metric: acc}}
dataset: D
tolerance: {because: So., default: 0.1}
"""


def test_a_good_pair_of_files(tmp_path: Path) -> None:
    (number,) = reference.read_file(_write(tmp_path, GOOD)).numbers()
    assert (number.dataset, number.method, number.metric, number.value) == ("D", "A", "acc", 0.5)
    assert (number.decimals, number.tolerance) == (1, 0.1)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("title: T\n", "", 1, "title: required"),
        ("acc: {metric: acc}", "acc: {metrik: acc}", 4, "columns.acc.metrik: unknown parameter"),
        (", acc: {metric: acc}", "", 4, "'acc' is here or in the CSV file, not in both"),
        ("dataset: D", "rows: {B: {compare: false}}", 5, "the CSV file has no row 'B'"),
        ("default: 0.1", "default: -1", 6, "greater than 0 (got -1)"),
    ],
)
def test_wrong_files_name_line_and_value(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    path = _write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(FileError, match=re.escape(said)) as caught:
        reference.read_file(path)
    assert [p.line for p in caught.value.problems] == [line]


def test_a_metric_without_tolerance_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    bare = reference.read_file(
        _write(tmp_path, GOOD.replace("tolerance: {because: So., default: 0.1}\n", ""))
    )
    with pytest.raises(DataError, match="none for 'acc'"):
        list(bare.numbers())
    with pytest.raises(DataError, match="did you mean '002_table_4'"):
        reference.read("002_tabel_4")


# 001: organoids


def test_f1_is_the_harmonic_mean_and_vi_the_sum_of_its_parts() -> None:
    rows = values("001_clustering")
    assert len(rows) == 12
    for v in rows:
        for what in ("cuts", "joins"):
            p, r = v[f"precision_{what}"], v[f"recall_{what}"]
            assert v[f"f1_{what}"] == pytest.approx(2 * p * r / (p + r), abs=0.0011), v
        assert v["vi"] == pytest.approx(v["vi_false_cuts"] + v["vi_false_joins"], abs=0.0151), v


def test_whole_numbers_of_pairs_give_every_share_that_is_printed() -> None:
    """So the columns are what they are called here, and each class has ten images."""
    table = reference.read("001_clustering")
    for row, v in zip(table.rows, values("001_clustering"), strict=True):
        classes, _ = SIZES[row["dataset"]]
        joins, cuts = classes * math.comb(10, 2), math.comb(classes, 2) * 100
        found = [
            (tj, tc)
            for tj in _counts(v["recall_joins"], joins)
            for tc in _counts(v["recall_cuts"], cuts)
            if all(abs(v[m] - share) <= 0.0005 + 1e-9 for m, share in _shares(tj, tc, joins, cuts).items())
        ]
        assert 1 <= len(found) <= 2, (row, found)


def test_the_text_repeats_the_table() -> None:
    text = quantities("001_text")
    (ours,) = [
        v
        for row, v in zip(reference.read("001_clustering").rows, values("001_clustering"), strict=True)
        if (row["dataset"], row["method"]) == ("Test-100", "DINO optimal")
    ]
    assert ours["precision_cuts"] > text["precision of cuts"]
    assert round(ours["precision_joins"], 2) == text["precision of joins"]
    assert math.comb(10, 2) * 100 / (10 * math.comb(10, 2)) == text["cuts per join"]


def test_the_tolerance_is_what_it_says() -> None:
    table = reference.read("001_clustering")
    metrics = [c.metric for c in table.metadata.columns.values() if c.metric]
    moved = dict.fromkeys(metrics, 0.0)
    for classes, images in SIZES.values():
        truth = np.repeat(np.arange(classes), 10)
        labels = truth.copy()
        labels[10 * np.arange(images)] = classes - 1 - np.arange(images)
        perfect, worse = score(truth, truth, replicates=0).values, score(truth, labels, replicates=0).values
        moved = {m: max(moved[m], abs(perfect[m] - worse[m])) for m in metrics}
    assert {m: table.tolerance(m) for m in metrics} == {m: math.ceil(100 * v) / 100 for m, v in moved.items()}


def _counts(share: float, pairs: int) -> list[int]:
    return [n for n in range(pairs + 1) if abs(n / pairs - share) <= 0.0005 + 1e-9]


def _shares(tj: int, tc: int, joins: int, cuts: int) -> dict[str, float]:
    pc, rc, pj, rj = tc / (tc + joins - tj), tc / cuts, tj / (tj + cuts - tc), tj / joins
    return {
        "ri": (tj + tc) / (joins + cuts),
        "precision_cuts": pc,
        "precision_joins": pj,
        "f1_cuts": 2 * pc * rc / (pc + rc),
        "f1_joins": 2 * pj * rj / (pj + rj),
    }


# 002: plankton


def test_tables_3_and_4_agree_where_they_overlap() -> None:
    three, four = by_method("002_table_3"), by_method("002_table_4")
    for method in ("Auto-SC", "DC-SC"):
        assert (three[method]["kaggle_5c_acc"], three[method]["kaggle_5c_nmi"]) == (
            four[method]["acc"],
            four[method]["nmi"],
        )


def test_the_conclusion_contradicts_the_tables_by_what_the_tolerance_allows() -> None:
    said, four = by_method("002_text"), by_method("002_table_4")
    assert said["Auto-SC, conclusion"]["value"] == four["Auto-SC"]["acc"]
    off = abs(said["DC-SC, conclusion"]["value"] - four["DC-SC"]["acc"])
    assert 0.01 < off <= reference.read("002_table_4").tolerance("acc")


def test_what_the_text_says_of_table_4_holds() -> None:
    four = by_method("002_table_4")
    for encoder in ("Auto", "DC"):
        ranked = sorted((m for m in four if m.startswith(encoder)), key=lambda m: -four[m]["acc"])
        assert ranked[0] == f"{encoder}-SC"
        assert ranked[-1] == f"{encoder}-DEC"


def test_hundred_images_have_the_tolerance_of_table_2() -> None:
    table = reference.read("002_table_2")
    images = table.metadata.images[table.metadata.dataset or ""]
    assert table.tolerance("acc") == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / images), abs=0.005)
    assert all(round(v["acc"] * images, 9).is_integer() for v in values("002_table_2"))


def test_the_layers_of_table_1_have_its_parameters_with_one_more_layer() -> None:
    rows = {row["layer"]: row for row in reference.read("002_table_1").rows}
    fields = [int(c) // 4 for c in rows["G-Conv and max pool"]["channels"].split()]
    fields.append(int(rows["G-Conv"]["channels"]) // 4)
    units = int(rows["Dense"]["output"])
    up = [int(rows["G-Conv"]["channels"]), *map(int, rows["Trans-Conv"]["channels"].split())]
    lifted = 3 * fields[0] * 9 + sum(4 * a * b * 9 for a, b in itertools.pairwise(fields))
    rest = 4 * sum(fields) + fields[-1] * units + units

    def total(channels: list[int]) -> int:
        convolved = sum(9 * a * b + b for a, b in itertools.pairwise(channels))
        return lifted + rest + convolved + 4 * sum(channels[1:-1])

    printed = int(rows["Number of parameters"]["output"])
    assert total([up[0], up[1], *up[1:]]) == printed
    assert total(up) == 43_439_939


# 003: patch context


def test_layers_have_the_shapes_and_parameters_that_they_ask_for() -> None:
    side, channels, weights = 133, 3, 0
    for row in reference.read("003_table_1").rows:
        layer, own = row["layer"], int(row["parameters"])
        before = channels
        if layer.startswith("Conv2d"):
            channels, kernel, stride = int(row["filters"]), int(row["kernel"]), int(row["stride"])
            side = (side - kernel) // stride + 1
            assert own == kernel * kernel * before * channels + channels
        elif layer == "Batch_normalization":
            assert own == 4 * channels
        elif layer == "Dense":
            channels = int(row["channels"])
            assert own == before * channels + channels
        else:
            side = side // 3 if layer.startswith("Max_pooling") else side
            channels = side * side * channels if layer == "Flatten" else channels
            assert own == 0
        assert int(row["channels"]) == channels
        assert row["height"] == row["width"]
        assert row["height"] in ("", str(side))
        weights += own
    assert weights == 14_036


def test_counts_of_pairs() -> None:
    text = quantities("003_text")
    assert text["pairs of patches per cell type"] == 4 * text["images per cell type"]
    assert text["pairs of patches"] == text["cell types"] * text["pairs of patches per cell type"]
    assert text["accuracy of patch positions by chance"] == 1 / 4
    assert text["side of a patch"] == text["side of an image"] // 3
    assert (text["nearest neighbours of one cell type"] * text["points in that count"]).is_integer()


# 000 and 004


def test_the_flowcam_counts_contradict_each_other_as_said() -> None:
    text = quantities("000_text")
    assert text["sources"] == text["bags"] + 1
    each = text["images per source and day"] * text["sources"] * text["days"]
    assert each == 1_840_000 != text["images"]


def test_all_losses_but_the_first_are_those_of_a_network_that_always_answers_1() -> None:
    """BCELoss clamps the logarithm at -100, so every untreated image costs 100 and every other one 0."""
    trained, untreated, batch = 2293, 407, 32
    full, last = divmod(trained, batch)
    collapsed = {round(100 * ((untreated - k) / batch + k / last) / (full + 1), 4) for k in range(last + 1)}
    losses = [row["train_loss"] for row in values("004_table_1")]
    assert (full + 1, last, len(losses)) == (72, 21, 20)
    assert [i for i, loss in enumerate(losses) if loss not in collapsed] == [0]
    assert {row["train_accuracy"] for row in values("004_table_1")} == {round(1 - untreated / trained, 4)}


def test_the_five_test_images() -> None:
    rows, text = values("004_table_2"), quantities("004_text")
    assert all(row["correct"] == (row["predicted"] == row["truth"]) for row in rows)
    assert {row["predicted"] for row in rows} == {1}
    assert len(rows) == text["test images"]
    assert sum(row["correct"] for row in rows) / len(rows) == text["accuracy in the test"]
    assert round(text["images"] * (1 - text["share held out"])) == 2294  # 2,293 are trained on: stratified
    table = reference.read("004_text")
    assert table.tolerance("accuracy") == pytest.approx(1.96 * math.sqrt(0.8 * 0.2 / len(rows)), abs=0.005)


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
