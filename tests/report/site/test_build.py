from __future__ import annotations

import re
import shutil
from collections import Counter
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from bench.records.record import CellRecord, put
from bench.records.store import Store
from bench.util.durable import seal, unseal, write_whole
from tests.conftest import snapshot
from tests.report.site.conftest import built, page
from tests.report.site.made import Made, Wish, make
from tests.util.test_html import Reader


@pytest.fixture
def own(tmp_path: Path) -> Made:
    return make(tmp_path, Wish())


def words(file: Path) -> str:
    """Return what a page says."""
    return " ".join(
        Reader(re.sub(r"<style>.*?</style>", "", file.read_text("utf-8"), flags=re.DOTALL)).text.split()
    )


def seeds(file: Path) -> list[str]:
    """Return the seeds that the map of a page offers."""
    (select,) = re.findall(r'<select id="map-seed">(.*?)</select>', file.read_text("utf-8"))
    return re.findall(r">(\d+)<", select)


def test_the_same_records_give_the_same_bytes(own: Made, tmp_path: Path) -> None:
    first, second = (built(own, Wish(), tmp_path / name) for name in ("a", "b"))
    assert first == second
    a, b = (
        {k.removeprefix(str(tmp_path / name)): v[2] for k, v in snapshot(tmp_path / name).items()}
        for name in ("a", "b")
    )
    assert a == b
    assert first.files == sum(p.is_file() for p in (tmp_path / "a").rglob("*")) - 1  # less the list
    again = built(own, Wish(), tmp_path / "a")
    assert again == first
    assert {k.removeprefix(str(tmp_path / "a")): v[2] for k, v in snapshot(tmp_path / "a").items()} == b


def test_every_link_leads_to_a_file_or_a_place_on_the_page(site: Path) -> None:
    for file in site.rglob("*.html"):
        read = Reader(file.read_text("utf-8"))
        ids = Counter(v for k, v in read.attributes if k == "id")
        assert max(ids.values()) == 1, ids
        for key, value in read.attributes:
            if key in ("href", "src") and value and not value.startswith("data:"):
                if value.startswith("#"):
                    assert value[1:] in ids, (file, value)
                else:
                    assert (file.parent / value).resolve().is_file(), (file, value)
                    assert (file.parent / value).resolve().is_relative_to(site.resolve())


def test_every_control_has_a_name_and_every_image_words(site: Path) -> None:
    for file in site.rglob("*.html"):
        text = file.read_text("utf-8")
        assert "<html lang=" in text
        for image in re.findall(r"<img [^>]*>", text):
            assert re.search(r'alt="[^"]+"', image)
            assert "width=" in image
        for figure in re.findall(r'<svg [^>]*role="img"[^>]*>', text):
            assert "aria-label=" in figure
        for kind in ("input", "select"):
            assert len(re.findall(f"<{kind} ", text)) == len(re.findall(rf"<label>[^<]*<{kind} ", text))
        heads = [int(h) for h in re.findall(r"<h([1-6])>", text)]
        assert heads[0] == 1
        assert heads.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(heads))


def test_every_number_and_all_provenance_is_on_the_page(own: Made, tmp_path: Path) -> None:
    built(own, Wish(), tmp_path / "out")
    said = words(page(tmp_path / "out", "good"))
    for seed in (0, 1):
        record = own.records["good", seed]
        for stage in record.stages:
            assert stage.key in said
            assert f"{stage.stage} {stage.adapter} {stage.wall_s:.1f} s" in said
        assert record.key in said
        assert f"bench run made.yaml --only {record.key[:12]}" in said
        assert all(f"{v:.4f}" in said for v in record.metrics.values())
    for part in ("f" * 32, "commit 0123abc with changes", "numpy 2.0", "all went well", "h, p", "2026-01-02"):
        assert part in said, part


def test_what_is_gone_from_the_store_is_said_and_the_rest_shown(own: Made, tmp_path: Path) -> None:
    store = Store(own.store)
    (encode,) = (s for s in own.records["good", 0].stages if s.stage == "encode")
    shutil.rmtree(store.folder(encode.key))
    done = built(own, Wish(), tmp_path / "a")
    said = words(page(tmp_path / "a", "good"))
    again = f"bench run made.yaml --only {own.records['good', 0].key[:12]}"
    why = f"seed 0: what encode left is no longer in the store; `{again}` makes it again"
    assert said.count(f"Not shown: {why}") == 2  # map and similarity
    assert "framed: the cluster matched" in said
    assert seeds(page(tmp_path / "a", "good")) == ["1"]  # the other seed's map is there
    assert seeds(page(tmp_path / "a", "poor")) == ["0", "1"]
    assert done.not_shown == [f"Made images · good: {name}: {why}" for name in ("map", "similarity")]
    assert str(own.store) not in said
    damaged = next(store.folder(s.key) for s in own.records["poor", 0].stages if s.stage == "cluster")
    content = bytearray((damaged / "labels.npy").read_bytes())
    content[-1] ^= 1
    (damaged / "labels.npy").write_bytes(content)
    assert "what cluster left" in " ".join(built(own, Wish(), tmp_path / "b").not_shown)
    shutil.rmtree(own.store)
    done = built(own, Wish(), tmp_path / "c")
    assert len(done.not_shown) == 2 * (2 + 3)
    assert "0.9" in words(page(tmp_path / "c", "good"))


def test_a_classifier_is_shown_by_the_names_of_classes(tmp_path: Path) -> None:
    wish = Wish(methods=("good", "poor"), seeds=(0,), classifier=True)
    built(make(tmp_path, wish), wish, tmp_path / "out")
    said = words(page(tmp_path / "out", "poor"))
    assert "class \\ prediction" in said
    assert "framed: right" in said
    assert all(f"predicted {name}: " in said for name in wish.classes)
    assert not re.search(r"cluster \d", said)


def test_many_seeds_of_many_images_keep_the_page_small(
    own: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.site.method._MOST_DOTS", 100)
    built(own, Wish(), tmp_path / "out")
    assert seeds(page(tmp_path / "out", "good")) == ["0"]
    assert "1 more seed would make this page too large." in words(page(tmp_path / "out", "good"))


def test_failed_and_missing_cells_are_shown_as_such(own: Made, tmp_path: Path) -> None:
    records = own.results / "made" / "records"
    missing, old = own.records["poor", 0], own.records["poor", 1]
    (records / f"{missing.key}.json").unlink()
    body = old.model_dump() | {"status": "timeout", "error": "after 9 <s>", "metrics": {}, "intervals": {}}
    put(records, CellRecord.model_validate(body | {"stages": body["stages"][:1], "failed_stage": "encode"}))
    built(own, Wish(), tmp_path / "out")
    said = words(page(tmp_path / "out", "poor"))
    assert f"Seed 0 has not run. bench run made.yaml --only {missing.key[:12]} runs it." in said
    assert "Seed 1: timeout" in said
    assert "after 9 <s>" in said
    assert f"bench run made.yaml --only {old.key[:12]}" in said
    assert "0 of 2 seeds: 1 missing, 1 timeout" in words(tmp_path / "out" / "index.html")


def test_marks_are_those_of_the_tables(own: Made, tmp_path: Path) -> None:
    path = own.results / "made" / "plan.json"
    plan = unseal(path.read_bytes(), "plan")
    plan["cells"] = [[k, d, m, s, m == "good", True] for k, d, m, s, _, _ in plan["cells"]]
    write_whole(path, seal(plan))  # the better one counts as a trivial baseline, of generated data
    built(own, Wish(), tmp_path / "out")
    said = words(page(tmp_path / "out", "poor"))
    assert "synthetic data" in said
    assert "not better than trivial" in said
    index = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert '<tr class="trivial"' in index
    assert "synthetic data" in unescape(index)
    assert index.count(">°</abbr>") == 3


def test_a_map_of_some_images_says_so(own: Made, tmp_path: Path) -> None:
    built(own, Wish(), tmp_path / "out", most=20)
    text = page(tmp_path / "out", "good").read_text("utf-8")
    assert "20 of 90 images, drawn by chance with seed 0." in text
    assert '"n":20' in text
