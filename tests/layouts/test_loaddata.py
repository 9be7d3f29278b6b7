from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.layouts.loaddata import channels_of_index, channels_of_table, sites, suffixes
from bench.layouts.tablefile import read_table

SAMPLES = Path(os.environ.get("CUTJOIN_SAMPLES") or Path(__file__).parents[3] / "shared/samples") / "cpjump1"
real = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no real tables: {SAMPLES} is absent")
FLUORESCENT = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5}


@real
@pytest.mark.parametrize(
    ("name", "others", "plate", "n"),
    [
        (
            "cpjump1_BR00116991_A01_s1s2_from_Image_csv",
            {"HighZBF": 6, "LowZBF": 7, "Brightfield": 8},
            "BR00116991",
            2,
        ),
        (
            "nfcore_cpg0016_BR00117035_url_variant",
            {"HighZBF": 6, "LowZBF": 7, "Brightfield": 8},
            "BR00117035",
            1,
        ),
        ("pe2loaddata_version1_BR00121482_A01", {"Brightfield": 6}, "BR00121482", 1),
    ],
)
def test_the_real_variants(name: str, others: dict[str, int], plate: str, n: int, tmp_path: Path):
    path = SAMPLES / "load_data" / f"{name}.csv"
    if name.startswith("nfcore"):  # its numbers differ from the pilot's
        expected = channels_of_table(path)
        assert set(expected) == {*FLUORESCENT, *others}
    else:
        expected = FLUORESCENT | others
        assert channels_of_table(path) == expected
    packed = tmp_path / "load_data.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert channels_of_table(packed) == expected
    problems: list[str] = []
    found = list(sites(read_table(path), problems))
    assert not problems
    assert [(s.plate, s.well, s.site) for s in found] == [(plate, "A01", k + 1) for k in range(n)]
    for s in found:
        for channel, (folder, file) in s.files.items():
            assert file == f"r01c01f{s.site:02d}p01-ch{expected[channel]}sk1fk1fl1.tiff"
            assert "/" not in file
            assert folder.rstrip("/").lower().endswith("images")


def test_a_table_that_tells_no_channels_is_no_error(tmp_path: Path):
    path = tmp_path / "load_data.csv"
    for text in (
        "",
        "a",
        "FileName_OrigDNA,PathName_OrigDNA\n",
        "URL_OrigDNA\nx.tif\n",
        'a\n"',
        "version https://git",
    ):
        path.write_text(text)
        assert channels_of_table(path) == {}


def test_only_the_beginning_of_an_index_is_read_and_nothing_is_expanded(tmp_path: Path):
    path = tmp_path / "Index.idx.xml"
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    entry = "<ChannelID>7</ChannelID>\r\n  <ChannelName>HOECHST 33342</ChannelName>"
    other = "<ChannelID>8</ChannelID><ChannelName>&b;</ChannelName>"
    path.write_text(bomb + entry + other + entry.replace("7", "9"))
    assert channels_of_index(path) == {"DNA": 7}
    path.write_text(" " * (9 << 20) + entry)
    assert channels_of_index(path) == {}
    with pytest.raises(DataError, match="cannot be read"):
        channels_of_index(tmp_path / "none")


@given(st.text(max_size=60))
def test_suffixes_stay_below(folder: str):
    found = suffixes(folder)
    assert found[-1] == ""
    assert all(".." not in s.split("/") and not s.startswith("/") for s in found)


def test_suffixes_are_few():
    assert suffixes("s3://bucket/a/b") == ["s3:/bucket/a/b", "bucket/a/b", "a/b", "b", ""]
    assert len(suffixes("a/" * 50_000)) == 13
