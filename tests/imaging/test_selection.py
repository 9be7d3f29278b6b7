from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.errors import DataError
from bench.imaging.selection import Selection, match_names, rows

Part = Literal["fit", "score"]
PARTS: tuple[Part, Part] = ("fit", "score")


def table_of(sizes: dict[str | None, int], seed: int = 0) -> pd.DataFrame:
    labels = [label for label, n in sizes.items() for _ in range(n)]
    table = pd.DataFrame(
        {"id": [f"{i:05d}" for i in range(len(labels))], "label": pd.array(labels, dtype="str")}
    )
    return table.iloc[np.random.default_rng(seed).permutation(len(table))].reset_index(drop=True)


tables = st.builds(
    table_of,
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", None]), st.integers(1, 25), min_size=1),
    st.integers(0, 5),
)
percent = st.integers(1, 99)
seeds = st.integers(-(2**31), 2**32)


def counts(table: pd.DataFrame, chosen: Any) -> dict[str | None, int]:
    return {
        (None if pd.isna(k) else k): int(v)
        for k, v in table["label"].iloc[chosen].value_counts(dropna=False).items()
    }


@given(tables, percent, percent, seeds)
def test_fractions_that_fit_into_one_are_disjoint_and_reach_every_class(
    table: pd.DataFrame, fit: int, score: int, seed: int
):
    score = min(score, 100 - fit)
    if len(table) < 2 or max(counts(table, slice(None)).values()) < 2:
        return
    shares = {"fit": fit / 100, "score": score / 100}
    chosen = {p: rows(table, Selection(fraction=shares[p]), part=p, seed=seed) for p in PARTS}
    assert not set(chosen["fit"]) & set(chosen["score"])
    for label, n in counts(table, slice(None)).items():
        for part in PARTS:
            taken = counts(table, chosen[part]).get(label, 0)
            assert abs(taken - shares[part] * n) <= (1 if n > 1 else 0.999)
            assert n < 2 or 1 <= taken < n
    if fit + score == 100:
        assert len(chosen["fit"]) + len(chosen["score"]) == len(table)


def test_every_percentage_and_its_rest_share_each_class_out_exactly():
    table = table_of({f"{n:02d}": n for n in range(1, 31)})
    labels = table["label"].to_numpy(dtype=object)
    for percentage in range(1, 100):
        fit = rows(table, Selection(fraction=percentage / 100), part="fit", seed=0)
        score = rows(table, Selection(fraction=(100 - percentage) / 100), part="score", seed=0)
        np.testing.assert_array_equal(np.sort(np.concatenate([fit, score])), np.arange(len(table)))
        for n in range(2, 31):
            half_up = (2 * percentage * n + 100) // 200
            assert (labels[fit] == f"{n:02d}").sum() == min(max(half_up, 1), n - 1)


@given(tables, seeds, st.sampled_from(PARTS))
def test_the_whole_set_by_default_and_at_fraction_one(table: pd.DataFrame, seed: int, part: Part):
    for selection in (Selection(), Selection(fraction=1)):
        np.testing.assert_array_equal(rows(table, selection, part=part, seed=seed), np.arange(len(table)))


@given(tables, percent, percent, seeds, st.sampled_from(PARTS))
def test_a_larger_fraction_contains_a_smaller_one(table: pd.DataFrame, a: int, b: int, seed: int, part: Part):
    table = pd.concat([table, table.assign(id="+" + table["id"])], ignore_index=True)  # no class of one
    small, large = (rows(table, Selection(fraction=f / 100), part=part, seed=seed) for f in sorted((a, b)))
    assert set(small) <= set(large)
    assert (np.diff(large) > 0).all()
    assert large.dtype == np.int64


@given(tables, percent, seeds, st.sampled_from(PARTS), st.randoms())
def test_the_order_of_the_table_means_nothing(
    table: pd.DataFrame, fraction: int, seed: int, part: Part, random: Any
):
    table = pd.concat([table, table.assign(id="+" + table["id"])], ignore_index=True)
    order = list(range(len(table)))
    random.shuffle(order)
    other = table.iloc[order].reset_index(drop=True)
    selection = Selection(fraction=fraction / 100)
    ids = [set(t["id"].iloc[rows(t, selection, part=part, seed=seed)]) for t in (table, other)]
    assert ids[0] == ids[1]


@given(tables, st.integers(1, 60), seeds, st.sampled_from(PARTS))
def test_a_limit_keeps_classes_in_proportion(table: pd.DataFrame, limit: int, seed: int, part: Part):
    chosen = rows(table, Selection(max_images=limit), part=part, seed=seed)
    assert len(chosen) == min(limit, len(table))
    sizes, taken = counts(table, slice(None)), counts(table, chosen)
    if limit >= len(sizes):
        assert set(taken) == set(sizes)
    for label, n in sizes.items():
        assert abs(taken.get(label, 0) - n * len(chosen) / len(table)) < len(sizes)


@pytest.mark.parametrize("part", PARTS)
def test_a_limit_counts_classes_by_size(part: Part):
    table = table_of({"large": 100, "small": 20, None: 60})
    chosen = rows(table, Selection(max_images=45), part=part, seed=0)
    assert counts(table, chosen) == {"large": 25, "small": 5, None: 15}


def test_both_parts_of_a_limit_differ_within_a_fraction():
    table = table_of({"a": 50, "b": 30})
    fit = rows(table, Selection(fraction=0.9, max_images=20), part="fit", seed=3)
    score = rows(table, Selection(fraction=0.1, max_images=5), part="score", seed=3)
    assert len(fit) == 20
    assert len(score) == 5
    assert not set(fit) & set(score)


def test_seeds_and_ids_draw_evenly():
    table = table_of({"a": 40, "b": 10})
    times = np.zeros(50)
    for seed in range(400):
        times[rows(table, Selection(fraction=0.5), part="fit", seed=seed)] += 1
    assert (np.abs(times / 400 - 0.5) < 0.12).all()  # 4.8 standard deviations


def test_small_classes():
    table = table_of({"one": 1, "two": 2, "nine": 9})
    fit = rows(table, Selection(fraction=0.9), part="fit", seed=0)
    score = rows(table, Selection(fraction=0.1), part="score", seed=0)
    assert counts(table, fit) == {"one": 1, "two": 1, "nine": 8}
    assert counts(table, score) == {"two": 1, "nine": 1}


def test_real_class_sizes_split_nine_to_one():
    sizes: dict[str | None, int] = {"a": 889, "b": 681, "c": 519, "d": 511, "e": 1172}
    table = table_of(sizes)
    score = counts(table, rows(table, Selection(fraction=0.1), part="score", seed=0))
    assert score == {"a": 89, "b": 68, "c": 52, "d": 51, "e": 117}


def test_filters_come_before_the_fraction():
    table = table_of({"copepod_a": 20, "copepod_b": 10, "fish": 30, None: 5})
    table["split"] = np.where(np.arange(65) % 2, "train", "test")

    def labels(**selection: Any) -> set[Any]:
        return set(counts(table, rows(table, Selection(**selection), part="fit", seed=0)))

    assert labels(classes=["copepod_*"]) == {"copepod_a", "copepod_b"}
    assert labels(classes=["fish", "*_b"]) == {"fish", "copepod_b"}
    assert labels(exclude_classes=["copepod_*"]) == {"fish", None}
    assert labels(classes=["copepod_*"], exclude_classes=["copepod_a"]) == {"copepod_b"}
    chosen = rows(table, Selection(split="train", classes=["fish"], fraction=0.5), part="fit", seed=0)
    n = int(((table["split"] == "train") & (table["label"] == "fish")).sum())
    assert len(chosen) == int(n / 2 + 0.5)
    assert set(table["split"].iloc[chosen]) == {"train"}


def test_several_splits_are_their_union_and_others_stay_out():
    table = table_of({"a": 20, "b": 12, None: 4})
    table["split"] = pd.array(["train", "test", "other", None] * 9, dtype="str")
    for splits in (["train", "test"], ["test"], ["other", "train", "train"]):
        chosen = rows(table, Selection(split=tuple(splits)), part="score", seed=0)
        assert set(chosen) == {i for i in range(36) if table["split"].iloc[i] in splits}
    half = rows(table, Selection(split=("train", "test"), fraction=0.5), part="fit", seed=0)
    assert set(table["split"].iloc[half]) == {"train", "test"}
    assert abs(len(half) - 9) <= 2  # each class, rounded


def test_order_and_repetition_of_splits_do_not_change_a_key():
    def dumped(split: Any) -> dict[str, Any]:
        return Selection(split=split).model_dump(mode="json", exclude_none=True)

    assert dumped(["b", "a", "b"]) == dumped(["a", "b"]) == {"split": ["a", "b"]}
    assert dumped(["a"]) == dumped("a") == {"split": "a"}


def test_other_classes_do_not_move_the_images_of_a_class():
    table = table_of({"a": 30, "b": 30})
    alone = rows(table, Selection(classes=("a",), fraction=0.3), part="fit", seed=1)
    together = rows(table, Selection(fraction=0.3), part="fit", seed=1)
    assert set(alone) == {r for r in together if table["label"].iloc[r] == "a"}


def test_a_class_whose_name_is_a_pattern_is_a_name_first():
    assert match_names(["a[1]"], ["a[1]", "a1"]) == {"a[1]"}
    assert match_names(["a[12]"], ["a[1]", "a1", "a2"]) == {"a1", "a2"}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"classes": ["copepd"]}, "no class named 'copepd'; did you mean 'copepod'?"),
        ({"exclude_classes": ["zz*"]}, "no class named 'zz*'; known: copepod, fish"),
        ({"split": "trian"}, "no split named 'trian'; did you mean 'train'?"),
        ({"split": "tr*"}, "no split named 'tr*'"),
        ({"split": ["train", "tset"]}, "no split named 'tset'; known: train"),
        ({"exclude_classes": ["*"]}, "no images to fit are left of 6"),
    ],
)
def test_errors_name_the_value_and_the_nearest(selection: dict[str, Any], message: str):
    table = table_of({"copepod": 3, "fish": 3}).assign(split="train")
    with pytest.raises(DataError) as e:
        rows(table, Selection(**selection), part="fit", seed=0)
    assert message in str(e.value)


def test_a_set_without_splits_or_images_says_so():
    table = table_of({"a": 3})
    with pytest.raises(DataError, match="has no splits"):
        rows(table, Selection(split="train"), part="fit", seed=0)
    with pytest.raises(DataError, match="split 'a', 'b': this dataset has no splits"):
        rows(table, Selection(split=("b", "a")), part="fit", seed=0)
    with pytest.raises(DataError, match="no images to score are left of 0"):
        rows(table.iloc[:0], Selection(), part="score", seed=0)
    with pytest.raises(DataError, match="no images to score are left of 1"):
        rows(table.iloc[:1], Selection(fraction=0.2), part="score", seed=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fraction": 0},
        {"fraction": 1.01},
        {"fraction": float("nan")},
        {"max_images": 0},
        {"classes": []},
        {"classes": "a"},
        {"split": []},
        {"split": 3},
        {"fracton": 0.5},
    ],
)
def test_wrong_selections_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        Selection(**wrong)


def test_the_schema_of_a_suite_needs_no_numpy():
    heavy = "[m for m in ('numpy', 'pandas', 'cv2') if m in sys.modules]"
    code = f"import sys, bench.imaging.selection; print({heavy})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
