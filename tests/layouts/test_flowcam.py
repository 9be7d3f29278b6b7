from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench.layouts.flowcam
from bench.errors import DataError
from bench.layouts.flowcam import Particles, is_export, read_particles, stuck
from bench.layouts.runtables import Findings

FIELDS = ["id", "image_x", "image_y", "image_w", "image_h", "src_x", "src_y"]
FIELDS += ["raw_area", "intensity", "collage_file", "image_id"]
HEAD = [b"017", b"num-fields|%d" % len(FIELDS), *(f"{name}|int32".encode() for name in FIELDS)]
FIRST = len(HEAD) + 1


def record(i: int, **values: Any) -> bytes:
    known: dict[str, Any] = {
        "id": i,
        "image_x": 3 * i,
        "image_y": 7,
        "image_w": 5,
        "image_h": 6,
        "src_x": 50 * i,
        "src_y": 9,
    }
    known |= {
        "raw_area": "12.0000",
        "intensity": "100.5",
        "collage_file": "r_000001.tif",
        "image_id": f"ab-{i}",
    }
    return "|".join(str((known | values)[name]) for name in FIELDS).encode()


def read(path: Path, data: bytes | list[bytes]) -> tuple[Particles, Findings]:
    path.write_bytes(data if isinstance(data, bytes) else b"\n".join(data) + b"\n")
    findings = Findings()
    return read_particles(path, f"runs/{path.name}", findings), findings


def test_fields_are_read_by_name(tmp_path: Path):
    particles, findings = read(tmp_path / "r.lst", [*HEAD, record(1), record(2, collage_file="other.tif")])
    assert not findings.counts
    assert particles.ids.tolist() == [1, 2]
    assert particles.boxes.tolist() == [[3, 7, 5, 6], [6, 7, 5, 6]]
    assert particles.camera is not None
    assert particles.camera.tolist() == [[50, 9], [100, 9]]
    assert [particles.files[i] for i in particles.file] == ["r_000001.tif", "other.tif"]
    assert particles.image_ids == ["AB-1", "AB-2"]
    assert particles.raw_area.tolist() == [12, 12]
    assert particles.intensity.tolist() == [100.5, 100.5]
    assert np.isnan(particles.diameter).all()
    assert particles.lines.tolist() == [FIRST, FIRST + 1]


@pytest.mark.slow
@given(order=st.permutations(range(len(FIELDS))))
def test_the_order_of_fields_means_nothing(order: list[int], tmp_path_factory: pytest.TempPathFactory):
    def shuffled(line: bytes) -> bytes:
        values = line.split(b"|")
        return b"|".join(values[i] for i in order)

    path = tmp_path_factory.mktemp("x") / "r.lst"
    plain, _ = read(path, [*HEAD, record(1), record(2)])
    head = [*HEAD[:2], *(HEAD[2 + i] for i in order)]
    other, _ = read(path, [*head, shuffled(record(1)), shuffled(record(2))])
    for name in ("ids", "boxes", "camera", "raw_area", "intensity", "file"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(other, name))
    assert plain.image_ids == other.image_ids
    assert plain.files == other.files


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n \n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_a_byte_order_mark_mean_nothing(tmp_path: Path, end: bytes, last: bytes, mark: bytes):
    particles, findings = read(tmp_path / "r.lst", mark + end.join([*HEAD, record(1), b"", record(2)]) + last)
    assert particles.ids.tolist() == [1, 2]
    assert particles.lines.tolist() == [FIRST, FIRST + 2]
    assert particles.image_ids == ["AB-1", "AB-2"]
    assert not findings.counts


def test_a_bad_record_in_a_table_with_crlf_is_lost_alone(tmp_path: Path):
    lines = [*HEAD, record(1), record(2, image_id="\xe4"), record(3).replace(b"ab", b"\xe4"), record(4)]
    particles, findings = read(tmp_path / "r.lst", b"\r\n".join([*lines, b""]))
    assert particles.ids.tolist() == [1, 2, 4]
    assert particles.image_ids == ["AB-1", "\xc4", "AB-4"]
    assert sum(findings.counts.values()) == 1


def test_records_that_cannot_be_used_are_listed_with_file_and_line(tmp_path: Path):
    bad = [
        record(1)[:20],
        record(2) + b"|7",
        record(3, collage_file="\x81.tif").decode().encode("latin-1"),
        record(4, image_id="a\0b"),
        record(5, image_id="a\rb"),
        record(6, image_id="x" * 70_000),
        record(7, image_w=0),
        record(8, image_x=-1),
        record(9, image_h=2**31),
        record(10, image_y="1e3"),
        record(11, image_w="99999999999999999999"),
        record(12, id="x" * 50),
        record(99),
    ]
    particles, findings = read(tmp_path / "r.lst", [*HEAD, record(99), *bad, record(100)])
    assert particles.ids.tolist() == [99, 100]
    assert particles.lines.tolist() == [FIRST, FIRST + 14]
    assert particles.boxes[1].tolist() == [300, 7, 5, 6]
    assert findings.counts == {
        "records with missing or damaged fields": 6,
        "records without a usable number": 6,
        "records whose id repeats": 1,
    }
    places = [f"runs/r.lst:{line}" for line in range(FIRST + 1, FIRST + 14)]
    first = findings.first
    assert [p.split(": ")[0] for p in first["records with missing or damaged fields"]] == places[:6]
    assert first["records with missing or damaged fields"][:2] == [
        f"{places[0]}: has 8 fields of 11",
        f"{places[1]}: has 12 fields of 11",
    ]
    assert sorted(first["records without a usable number"]) == sorted(
        [
            f"{places[6]}: image_w is '0'",
            f"{places[7]}: image_x is '-1'",
            f"{places[8]}: image_h is '2147483648'",
            f"{places[9]}: image_y is '1e3'",
            f"{places[10]}: image_w is '99999999999999999999'",
            f"{places[11]}: id is '{'x' * 39}...",
        ]
    )
    assert first["records whose id repeats"] == [f"{places[12]}: id 99 was there before"]


def test_many_bad_records_are_counted_and_the_first_ten_shown(tmp_path: Path):
    _, findings = read(tmp_path / "r.lst", [*HEAD, record(0), *[b"1|2"] * 500])
    what = "records with missing or damaged fields"
    assert findings.counts == {what: 500}
    assert len(findings.first[what]) == 10
    assert findings.notes() == {what: {"count": 500, "first": findings.first[what]}}


def test_optional_numbers_that_are_none_are_unknown(tmp_path: Path):
    lines = [record(1, raw_area="many"), record(2, raw_area=""), record(3, raw_area="4.5")]
    particles, findings = read(tmp_path / "r.lst", [*HEAD, *lines])
    np.testing.assert_array_equal(particles.raw_area, [np.nan, np.nan, 4.5])
    assert findings.notes() == {
        "measured values that are no numbers, taken as unknown": {
            "count": 1,
            "first": ["runs/r.lst: raw_area 'many' is no number"],
        }
    }


def test_decimals_may_follow_a_comma(tmp_path: Path):
    lines = [record(1, raw_area="12,5", intensity="1,234"), record(2, raw_area="0,25", intensity="99,000")]
    particles, findings = read(tmp_path / "r.lst", [*HEAD, *lines])
    assert particles.raw_area.tolist() == [12.5, 0.25]
    assert particles.intensity.tolist() == [1.234, 99.0]
    assert findings.counts == {"tables whose decimals follow a comma": 1}


def test_commas_that_may_separate_thousands_are_not_guessed(tmp_path: Path):
    lines = [record(1, raw_area="1,234", intensity="7"), record(2, raw_area="2,500", intensity="1,5.0")]
    particles, findings = read(tmp_path / "r.lst", [*HEAD, *lines])
    np.testing.assert_array_equal(particles.raw_area, [np.nan, np.nan])
    np.testing.assert_array_equal(particles.intensity, [7, np.nan])
    what = "measured values that are no numbers, taken as unknown"
    assert findings.counts == {what: 3}
    assert (
        "may be a number with decimals or one of thousands; write decimals with a point"
        in findings.first[what][0]
    )


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path):
    particles, findings = read(tmp_path / "r.lst", [*HEAD, record(1, image_x="4.0", id="7,00")])
    assert (particles.ids.tolist(), particles.boxes[0].tolist()) == ([7], [4, 7, 5, 6])
    assert not findings.counts


def test_tables_of_windows_are_read_and_said(tmp_path: Path):
    line = record(1, collage_file="Stroem.tif").replace(b"oe", b"\xf6")
    particles, findings = read(tmp_path / "r.lst", [*HEAD, line, record(2)])
    assert [particles.files[i] for i in particles.file] == ["Ström.tif", "r_000001.tif"]
    assert list(findings.counts) == [
        "tables with a note: the text is read as Windows-1252, for it is not UTF-8"
    ]


def test_exports_may_separate_columns_by_semicolons(tmp_path: Path):
    header = f"{MODERN},Diameter (ABD) [µm]".replace(" [µm]", "").replace(",", ";")
    path = tmp_path / "r.csv"
    particles, findings = read(path, f"{header};µm\r\n1;0;1;5;6;r.tif;7;8;99,5;3,25;\r\n".encode("cp1252"))
    assert is_export(path)
    assert (particles.intensity.tolist(), particles.diameter.tolist()) == ([99.5], [3.25])
    assert findings.counts == {
        "tables whose decimals follow a comma": 1,
        "tables with a note: columns are separated by semicolons": 1,
        "tables with a note: the text is read as Windows-1252, for it is not UTF-8": 1,
    }


def test_a_table_without_records_has_no_particles(tmp_path: Path):
    particles, findings = read(tmp_path / "r.lst", HEAD)
    assert len(particles) == 0
    assert not findings.counts
    assert not stuck(particles).size


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"r\.lst: is empty"),
        (b"\n \n", r"r\.lst: is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", r"r\.lst:1: is not a \.lst of VisualSpreadsheet"),
        (b"016\nnum-fields|3\n", r"r\.lst:1: has version 016.*017 or later.*VisualSpreadsheet 4"),
        (b"009\n44 fields\n1:2:3\n", "has version 009"),
        (b"017", r"r\.lst:2: is not `num-fields"),
        (b"017\nnum-fields|999999999\nid|int32\n", r"r\.lst:2: is not `num-fields"),
        (b"017\nnum-fields|" + b"9" * 5000, r"r\.lst:2: is not `num-fields"),
        (b"017\nnum-fields|0\n", r"r\.lst:2: is not `num-fields"),
        (b"017\nnum-fields|3\nid|int32\nid|int32\nx|int32\n", r"r\.lst:4: is not .* repeats"),
        (b"017\nnum-fields|3\nid|int32\nimage x\nx|int32\n", r"r\.lst:4: is no"),
        (b"017\nnum-fields|3\nid|int32\nimage_x|int32", "is cut off: 2 of 3 fields"),
        (
            b"017\nnum-fields|2\nid|int32\nimage_x|int32\n1|2\n",
            "has no field 'image_y'; it has 'id', 'image_x'",
        ),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, data: bytes, message: str):
    with pytest.raises(DataError, match=message):
        read(tmp_path / "r.lst", data)


def test_a_later_version_is_read(tmp_path: Path):
    assert len(read(tmp_path / "r.lst", [b"021", *HEAD[1:], record(1)])[0]) == 1


def test_a_file_that_is_too_large_or_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bench.layouts.flowcam, "MAX_LST_BYTES", 100)
    with pytest.raises(DataError, match="larger than 100 bytes"):
        read(tmp_path / "r.lst", [*HEAD, record(1)])
    with pytest.raises(DataError, match="is not a file"):
        read_particles(tmp_path, "r", Findings())
    with pytest.raises(DataError, match="is not a file"):
        read_particles(tmp_path / "none.lst", "r", Findings())


@pytest.mark.slow
def test_a_table_cut_off_anywhere_gives_its_whole_records_or_an_error(tmp_path: Path):
    whole = b"\n".join([*HEAD, *(record(i) for i in range(1, 6))]) + b"\n"
    seen = set()
    for length in range(len(whole)):
        try:
            particles, findings = read(tmp_path / "r.lst", whole[:length])
        except DataError:
            seen.add("error")
            continue
        n = len(particles)
        assert particles.boxes.tolist() == [[3 * i, 7, 5, 6] for i in range(1, n + 1)]
        assert sum(findings.counts.values()) <= 1
        seen.add(str(n))
    assert seen == {"error", "0", "1", "2", "3", "4", "5"}


@pytest.mark.slow
def test_damaged_bytes_give_an_error_or_listed_records(tmp_path: Path):
    whole = b"\n".join([*HEAD, *(record(i) for i in range(1, 40))]) + b"\n"
    rng = random.Random(0)
    errors = listed = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(len(data))] = rng.choice([rng.randrange(256), 0, 10, 13, 34, 124])
        try:
            particles, findings = read(tmp_path / "r.lst", bytes(data))
        except DataError:
            errors += 1
            continue
        listed += bool(findings.counts)
        assert len(particles) + sum(findings.counts.values()) >= 39 - 24
        assert (particles.boxes[:, 2:] >= 1).all()
        assert (particles.boxes >= 0).all()
        assert len(set(particles.ids.tolist())) == len(particles)
    assert errors > 10
    assert listed > 150


@given(data=st.binary(max_size=300))
def test_any_bytes_after_the_head_are_survived(data: bytes, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("x") / "r.lst"
    particles, _ = read(path, b"\n".join([*HEAD, record(1)]) + b"\n" + data)
    assert particles.ids[0] == 1


MODERN = "Particle ID,Image X,Image Y,Image Width,Image Height,Image File,Capture X,Capture Y,Intensity"
OLD = "id,image_x,image_y,image_w,image_h,collage_file,src_x,src_y,intensity"


@pytest.mark.parametrize("header", [MODERN, OLD])
def test_exports_are_read_by_their_columns(tmp_path: Path, header: str):
    path = tmp_path / "r.csv"
    more = ["2,0,1", "1,0,1,5,6,r.tif,7,8,1", "x,0,1,5,6,r.tif,7,8,1", ""]
    particles, findings = read(path, "\r\n".join([header, "1,0,1,5,6,r 1.tif,7,8,99.5", *more]).encode())
    assert is_export(path)
    assert particles.ids.tolist() == [1]
    assert particles.boxes.tolist() == [[0, 1, 5, 6]]
    assert particles.files[particles.file[0]] == "r 1.tif"
    assert particles.image_ids is None
    assert np.isnan(particles.raw_area).all()
    assert findings.first == {
        "records with missing or damaged fields": ["runs/r.csv:3: has 3 fields, the header 9"],
        "records whose id repeats": ["runs/r.csv:4: id 1 was there before"],
        "records without a usable number": ["runs/r.csv:5: id is 'x'"],
    }


def test_tables_that_are_no_exports_are_known_by_their_header(tmp_path: Path):
    path = tmp_path / "r.csv"
    for header in (
        "",
        "List File,x.lst",
        "run,bag,day",
        "run,image_id,class",
        "\0\xff",
        "Particle ID,Image X",
    ):
        path.write_text(header + "\n")
        assert not is_export(path)
    path.write_bytes("Capture ID,Area (ABD) [\xb5m\xb2],UUID,Image X".encode("latin-1"))
    with pytest.raises(DataError, match=r"r\.csv: looks like an export of VisualSpreadsheet 5 or later"):
        is_export(path)
    path.write_text(MODERN.replace("Image X", "Image Q") + "\n")
    with pytest.raises(DataError, match=r"r\.csv:1: has no column 'Image X'"):
        read_particles(path, "r.csv", Findings())
    path.write_bytes(f"{MODERN}\n1,0,1,5,6,\x81.tif,7,8,9\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"r\.csv:2: is not UTF-8"):
        read_particles(path, "r.csv", Findings())


def particles_at(boxes: Any, intensity: Any) -> Particles:
    boxes = np.asarray(boxes, np.int64).reshape(-1, 4)
    n = len(boxes)
    unknown = np.full(n, np.nan)
    corner = np.zeros((n, 2), np.int64)
    return Particles(
        Path("r.lst"),
        "r.lst",
        np.arange(n),
        np.arange(n),
        np.hstack([corner, boxes[:, 2:]]),
        ["c.tif"],
        np.zeros(n, np.int64),
        boxes[:, :2],
        None,
        unknown,
        unknown,
        np.asarray(intensity, float),
    )


def test_stuck_particles_by_hand():
    boxes = [(100, 50, 20, 20), (102, 48, 20, 22), (103, 50, 20, 20), (100, 50, 20, 23), (500, 50, 20, 20)]
    assert stuck(particles_at(boxes, [100] * 5)).tolist() == [True, True, True, False, False]
    assert stuck(particles_at(boxes[:2], [100, 105])).all()
    assert not stuck(particles_at(boxes[:2], [100, 106])).any()
    assert not stuck(particles_at(boxes[:2], [100, np.nan])).any()
    assert stuck(particles_at([boxes[0]] * 3, [100] * 3)).all()
    assert not stuck(particles_at(boxes[:1], [100])).any()


@given(
    points=st.lists(
        st.tuples(
            st.integers(0, 9), st.integers(0, 9), st.integers(10, 14), st.integers(10, 14), st.integers(0, 30)
        ),
        max_size=25,
    )
)
def test_stuck_agrees_with_comparing_all_pairs(points: list[tuple[int, ...]]):
    expected = [
        any(
            i != j
            and abs(a[0] - b[0]) <= 2
            and abs(a[1] - b[1]) <= 2
            and abs(a[0] + a[2] - b[0] - b[2]) <= 2
            and abs(a[1] + a[3] - b[1] - b[3]) <= 2
            and abs(a[4] - b[4]) <= 5
            for j, b in enumerate(points)
        )
        for i, a in enumerate(points)
    ]
    assert stuck(particles_at([p[:4] for p in points], [p[4] for p in points])).tolist() == expected


def test_stuck_survives_crowds_and_wild_numbers():
    n = 20_000
    wild = np.tile([1e300, np.inf, -1e300, np.nan, 7], n // 5)
    assert stuck(particles_at([(2**31 - 1, 0, 2**31 - 1, 1)] * n, wild))[wild == 7].all()
    assert stuck(particles_at([(5, 5, 5, 5)] * n, np.linspace(0, 255, n))).all()
