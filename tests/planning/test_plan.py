"""Every real input of a stage changes its key and all downstream keys; nothing else changes any."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.adapters import registry
from bench.interfaces import Clusterer
from bench.planning import plan as plan_module
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, Plan, make_plan
from bench.suite import suitefile
from tests.conftest import snapshot, write_suite
from tests.planning.worlds import KEYS, OWN, SUITE, World


@pytest.fixture
def world(tmp_path: Path, few_images: Path) -> World:
    return World(tmp_path, few_images)


def changed(before: KEYS, after: KEYS) -> set[tuple[str, str]]:
    """Return (method, stage) of the keys that differ, for both seeds alike."""
    assert before.keys() == after.keys()
    found = {
        seed: {(m, s) for (m, n, s) in before if n == seed and before[m, n, s] != after[m, n, s]}
        for seed in (0, 1)
    }
    assert found[0] == found[1]
    return found[0]


def stages_of(keys: KEYS, *methods: str) -> set[tuple[str, str]]:
    return {(m, s) for m, _, s in keys if not methods or m in methods}


def after_prepare(keys: KEYS) -> set[tuple[str, str]]:
    return {(m, s) for m, s in stages_of(keys) if s != "prepare"}


def scores(keys: KEYS) -> set[tuple[str, str]]:
    return {(m, s) for m, s in stages_of(keys) if s == "score"}


def test_the_chains(world: World):
    keys = world.keys()
    assert {s for m, s in stages_of(keys, "A")} == {"prepare", "encode", "reduce", "cluster", "score"}
    assert {s for m, s in stages_of(keys, "E")} == {"prepare", "fit", "predict", "score"}
    assert {m for m, _ in stages_of(keys)} == {
        *"ABCDE", "all in one", "each alone", "random sizes", "majority"
    }  # fmt: skip
    plan = world.plan()
    for cell in plan.cells:
        for at, key in enumerate(cell.stages):  # in topological order
            assert set(plan.stages[key].inputs.values()) <= set(cell.stages[:at])
    order = list(plan.stages)
    assert all(order.index(i) < order.index(k) for k, s in plan.stages.items() for i in s.inputs.values())


def test_equal_stages_are_one(world: World):
    keys = world.keys()
    assert len({k for (_, _, s), k in keys.items() if s == "prepare"}) == 1
    assert keys["A", 0, "encode"] == keys["A", 1, "encode"]  # pixels ignore the seed
    assert keys["A", 0, "reduce"] != keys["A", 1, "reduce"]
    assert keys["B", 0, "score"] == keys["B", 1, "score"]
    assert keys["C", 0, "encode"] == keys["C", 1, "encode"]
    assert keys["D", 0, "encode"] == keys["D", 1, "encode"]  # so do weights from a file
    assert keys["random sizes", 0, "cluster"] != keys["random sizes", 1, "cluster"]
    assert keys["all in one", 0, "cluster"] == keys["all in one", 1, "cluster"]
    assert len(set(world.plan().stages)) == len(set(keys.values()))


def test_random_weights_depend_on_the_seed(world: World):
    world.text = SUITE.replace("weights: file, weights_file: w.safetensors", "weights: random")
    keys = world.keys()
    assert keys["D", 0, "encode"] != keys["D", 1, "encode"]
    assert keys["A", 0, "encode"] == keys["A", 1, "encode"]


def test_keys_are_the_same_next_time(world: World):
    assert world.keys() == world.keys()
    assert [c.key for c in world.plan().cells] == [c.key for c in world.plan().cells]


# Everything in the file, one at a time

ALL = "everything"
IN_FILE: dict[str, tuple[str, str, set[tuple[str, str]] | str]] = {
    "dataset size": ("size: 32", "size: 33", ALL),
    "dataset shape": ("size: 32", "size: 32, shape: stretch", ALL),
    "dataset on_bad_image": ("size: 32", "size: 32, on_bad_image: refuse", ALL),
    "dataset classes": ("size: 32", "size: 32, classes: ['*']", ALL),
    "score selection": ("size: 32", "size: 32, score: {max_images: 15}", "after prepare"),
    "fit selection": ("size: 32", "size: 32, fit: {fraction: 0.5}", "fit"),
    "reducer": ("n_neighbors: 5", "n_neighbors: 6", {("A", s) for s in ("reduce", "cluster", "score")}),
    "reducer metric": (
        "n_neighbors: 5",
        "n_neighbors: 5, metric: cosine",
        {("A", s) for s in ("reduce", "cluster", "score")},
    ),
    "encoder": ("encoder: pixels", "encoder: {use: pixels, side: 16}", "all of A"),
    "clusterer": ("clusterer: ward", "clusterer: {use: ward, k: 3}", {("B", "cluster"), ("B", "score")}),
    "k": ("k: 2", "k: 3", {("C", "cluster"), ("C", "score")}),
    "own parameter": ("encoder: ./own.py", "encoder: {use: ./own.py, power: 3}", "all of C"),
    "precision": ("seeds", "precision: bfloat16\nseeds", "models"),
    "noise": ("seeds", "noise: drop\nseeds", "scores"),
    "bootstrap replicates": ("seeds", "bootstrap: {replicates: 999}\nseeds", "scores"),
    "bootstrap level": ("seeds", "bootstrap: {level: 0.9}\nseeds", "scores"),
}  # fmt: skip


@pytest.mark.parametrize("what", IN_FILE)
def test_a_change_in_the_file_changes_what_depends_on_it(world: World, what: str):
    old, new, expected = IN_FILE[what]
    before = world.keys()
    assert SUITE.count(old) == 1
    world.text = SUITE.replace(old, new)
    found = changed(before, world.keys())
    if expected == ALL:
        assert found == stages_of(before)
    elif expected == "after prepare":
        assert found == after_prepare(before)
    elif expected == "fit":
        assert found == {(m, s) for m, s in after_prepare(before) if m in ("E", "majority")}
    elif expected == "models":  # whatever a network may compute, and everything downstream
        assert found == {(m, s) for m, s in after_prepare(before) if m in (*"ABCDE", "majority")}
    elif expected in ("all of A", "all of C"):
        assert found == {(m, s) for m, s in after_prepare(before) if m == str(expected)[-1]}
    elif expected == "scores":
        assert found == scores(before)
    else:
        assert found == expected


NOT_INPUTS: dict[str, Callable[[str], str]] = {
    "a comment": lambda t: t.replace("seeds", "# a comment\nseeds"),
    "the title": lambda t: "title: Another\n" + t,
    "the order of methods": lambda t: (
        t[: t.index("methods:")]
        + "methods:\n"
        + "\n".join(reversed([x for x in t.splitlines() if x.startswith("  - {name") and "Kaggle" not in x]))
        + "\n"
    ),
    "the order of seeds": lambda t: t.replace("[0, 1]", "[1, 0]"),
    "the order of keys": lambda t: t.replace("use: kmeans, k: 2", "k: 2, use: kmeans").replace(
        "use: kaggle_plankton, size: 32", "size: 32, use: kaggle_plankton"
    ),
    "a default written out": lambda t: t.replace("encoder: pixels", "encoder: {use: pixels, side: null}"),
    "a number's spelling": lambda t: t.replace("./own.py", "{use: ./own.py, power: 2}").replace("32", "0x20"),
    "limits": lambda t: "limits: {wall_s: 7, memory_gib: 1}\n" + t,
    "a method's limits": lambda t: t.replace("{name: A,", "{name: A, limits: {wall_s: 7},"),
    "metrics shown": lambda t: "metrics: [vi]\n" + t,
    "tables": lambda t: "tables: [{id: t}]\n" + t,
    "a split seed where nothing is split": lambda t: t.replace("size: 32", "size: 32, split_seed: 5"),
    "an empty selection": lambda t: t.replace("size: 32", "size: 32, score: {}"),
    "the dataset's name": lambda t: t.replace("name: Kaggle", "name: Other"),
    "a profile": lambda t: t + "profiles: {p: {seeds: [5]}}\n",
}


@pytest.mark.parametrize("what", NOT_INPUTS)
def test_what_is_no_input_changes_no_stage(world: World, what: str):
    before = world.keys()
    world.text = NOT_INPUTS[what](SUITE)
    assert world.text != SUITE
    assert world.keys() == before


def test_the_order_of_selected_classes_is_irrelevant(world: World):
    a, b = sorted(p.name for p in (world.data / "kaggle_plankton" / "train").iterdir())
    found = []
    for names in ([a, b], [b, a]):
        world.text = SUITE.replace("size: 32", f"size: 32, score: {{classes: [{', '.join(names)}]}}")
        found.append(world.keys())
    assert found[0] == found[1]


def test_a_split_seed_matters_for_random_selections(world: World):
    for part, stage in (("fit", "fit"), ("score", "encode")):
        world.text = SUITE.replace("size: 32", f"size: 32, {part}: {{fraction: 0.5}}")
        before = world.keys()
        world.text = world.text.replace("fraction: 0.5}", "fraction: 0.5}, split_seed: 1")
        found = changed(before, world.keys())
        assert {s for _, s in found} >= {stage, "score"}
        assert ("A", "encode") in found or part == "fit"
        assert not any(s == "prepare" for _, s in found)


def test_a_name_changes_the_cell_only(world: World):
    before, stages = {c.method: c.key for c in world.plan().cells}, set(world.plan().stages)
    world.text = SUITE.replace("name: A,", "name: Z,")
    after = world.plan()
    assert set(after.stages) == stages
    keys = {c.method: c.key for c in after.cells}
    assert keys.pop("Z") != before.pop("A")
    assert keys == before


# Everything outside the file, one at a time


def test_the_content_of_one_image(world: World):
    before = world.keys()
    image = world.images()[7]
    stamp = image.stat()
    image.write_bytes(image.read_bytes()[:-1] + b"\0")
    os.utime(image, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert changed(before, world.keys()) == stages_of(before)


def test_the_name_of_an_image(world: World):
    before = world.keys()
    image = world.images()[7]
    image.rename(image.with_name("renamed.jpg"))
    assert changed(before, world.keys()) == stages_of(before)


def test_the_class_of_an_image(world: World):
    before = world.keys()
    image, other = world.images()[0], world.images()[-1]
    image.rename(other.parent / image.name)
    assert changed(before, world.keys()) == stages_of(before)


def test_an_added_and_a_removed_image(world: World):
    before = world.keys()
    image = world.images()[0]
    shutil.copyfile(image, image.with_name("added.jpg"))
    added = world.keys()
    assert changed(before, added) == stages_of(before)
    image.with_name("added.jpg").unlink()
    assert world.keys() == before


def test_a_file_that_is_not_an_image_of_the_set(world: World):
    before = world.keys()
    (world.images()[0].parent / "notes.txt").write_text("x")
    assert world.keys() == before


def test_the_location_and_timestamps_of_the_data(world: World, tmp_path: Path):
    before = world.keys()
    shutil.copytree(world.data, tmp_path / "elsewhere")
    world.data = tmp_path / "elsewhere"
    for image in world.images():
        os.utime(image, (1, 1))
    assert world.keys() == before


def test_the_location_of_the_suite(world: World, tmp_path: Path):
    before = [c.key for c in world.plan().cells]
    moved = World(write_suite(tmp_path / "other").parent, world.data)
    assert [c.key for c in moved.plan().cells] == before


@pytest.mark.parametrize(("file", "method"), [("features.npy", "B"), ("w.safetensors", "D")])
def test_the_content_of_a_file_parameter_but_not_its_path(world: World, file: str, method: str):
    before = world.keys()
    path = world.folder / file
    path.rename(world.folder / f"renamed-{file}")
    world.text = SUITE.replace(file, f"renamed-{file}")
    assert world.keys() == before
    data = bytearray((world.folder / f"renamed-{file}").read_bytes())
    data[-1] ^= 1
    (world.folder / f"renamed-{file}").write_bytes(data)
    assert changed(before, world.keys()) == {(method, s) for s in ("encode", "cluster", "score")}


def test_the_content_of_a_users_adapter_but_not_its_path(world: World):
    before = world.keys()
    (world.folder / "own.py").rename(world.folder / "renamed.py")
    world.text = SUITE.replace("own.py", "renamed.py")
    assert world.keys() == before
    (world.folder / "renamed.py").write_text(OWN + "# other\n")
    assert changed(before, world.keys()) == {("C", s) for s in ("encode", "cluster", "score")}


VERSIONS = {
    ("dataset", "kaggle_plankton"): lambda m, s: True,
    ("encoder", "pixels"): lambda m, s: m == "A" and s != "prepare",
    ("reducer", "umap"): lambda m, s: m == "A" and s in ("reduce", "cluster", "score"),
    ("clusterer", "kmeans"): lambda m, s: m in "ACD" and s in ("cluster", "score"),
    ("clusterer", "ward"): lambda m, s: m == "B" and s in ("cluster", "score"),
    ("clusterer", "random_sizes"): lambda m, s: m == "random sizes" and s in ("cluster", "score"),
    ("classifier", "majority"): lambda m, s: m == "majority" and s != "prepare",
}


@pytest.mark.parametrize("adapter", VERSIONS)
def test_the_version_of_an_adapter(world: World, monkeypatch: pytest.MonkeyPatch, adapter: tuple[str, str]):
    before = world.keys()
    monkeypatch.setattr(registry.load(*adapter), "version", 99)
    assert changed(before, world.keys()) == {x for x in stages_of(before) if VERSIONS[adapter](*x)}


def test_the_version_of_metrics(world: World, monkeypatch: pytest.MonkeyPatch):
    before = world.keys()
    monkeypatch.setattr(plan_module, "METRICS_VERSION", 99)
    assert changed(before, world.keys()) == scores(before)


@pytest.mark.parametrize(
    ("step", "expected"),
    [("prepare", stages_of), ("select", after_prepare), ("score", scores)],
)
def test_the_version_of_the_harness_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, expected: Any
):
    before = world.keys()
    monkeypatch.setitem(plan_module.STAGE_VERSIONS, step, 99)
    assert changed(before, world.keys()) == expected(before)


@pytest.mark.parametrize("parameter", ["images: 21", "seed: 5, images: 20", "balance: 0.5, images: 20"])
def test_generated_data_depends_on_the_generators_parameters(tmp_path: Path, parameter: str):
    def keys(synthetic: str) -> set[str]:
        text = f"datasets: [{{name: a, use: kaggle_plankton, synthetic: {{{synthetic}}}}}]\n"
        text += "methods: [{encoder: pixels, clusterer: kmeans}]\n"
        plan = make_plan(suitefile.load(write_suite(tmp_path, text)), Fingerprints(tmp_path / "db"))
        assert all(c.synthetic and c.stages for c in plan.cells)
        return set(plan.stages)

    assert keys("images: 20") == keys("images: 20, seed: 0")
    assert keys("images: 20").isdisjoint(keys(parameter))


# What cannot run


def test_missing_data_blocks_its_cells_and_no_others(world: World, tmp_path: Path):
    world.text = SUITE.replace(
        "methods:", "  - {name: Gone, use: image_folder, root: no/such/folder}\nmethods:"
    )
    plan = world.plan()
    assert {c.dataset: c.blocked is not None for c in plan.cells} == {"Kaggle": False, "Gone": True}
    missing = [c for c in plan.cells if c.dataset == "Gone"]
    assert all(c.stages == () and str(tmp_path / "no/such/folder") in str(c.blocked) for c in missing)
    assert len({c.key for c in plan.cells}) == len(plan.cells)


@pytest.mark.parametrize("file", ["features.npy", "w.safetensors"])
def test_a_missing_file_blocks_its_method_and_no_others(world: World, file: str):
    (world.folder / file).unlink()
    plan = world.plan()
    method = "B" if file == "features.npy" else "D"
    assert {c.method for c in plan.cells if c.blocked} == {method}
    assert all(file in str(c.blocked) for c in plan.cells if c.blocked)


def test_a_cell_blocked_for_another_reason_has_another_key(world: World):
    (world.folder / "features.npy").unlink()
    missing = _cell(world.plan(), "B")
    (world.folder / "features.npy").mkdir()
    assert _cell(world.plan(), "B").blocked != missing.blocked
    assert _cell(world.plan(), "B").key != missing.key


def test_a_dataset_adapter_that_raises_blocks_its_cells_only(world: World):
    (world.folder / "bad.py").write_text(
        "from bench.interfaces import Dataset\n"
        'class Bad(Dataset):\n    """Raises."""\n    def files(self, root): return {}[5]\n'
    )
    world.text = SUITE.replace("methods:", "  - {name: Bad, use: ./bad.py, root: .}\nmethods:")
    plan = world.plan()
    assert {c.dataset for c in plan.cells if c.blocked} == {"Bad"}
    assert "KeyError: 5" in str(next(c.blocked for c in plan.cells if c.blocked))


def test_planning_changes_nothing(world: World):
    world.plan()
    before = snapshot(world.folder, world.data)
    world.plan()
    after = snapshot(world.folder, world.data)
    assert {k for k in after if before.get(k) != after[k]} == {
        str(world.folder / "suite.yaml")
    }  # written by us
    assert before.keys() == after.keys()


def test_an_adapter_is_the_same_in_another_process(world: World):
    plan = world.plan()
    for stage in plan.stages.values():
        if stage.adapter is not None:
            assert stage.spec is not None
            built = stage.spec.build()
            own = ("reduce",) if isinstance(stage.adapter, Clusterer) else ()
            assert built.model_dump(exclude={*own}) == stage.adapter.model_dump(exclude={*own})
            assert type(built).use == type(stage.adapter).use or type(built).use.endswith("own.py")


def _cell(plan: Plan, method: str) -> Cell:
    return next(c for c in plan.cells if c.method == method)
