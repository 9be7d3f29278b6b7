"""`bench data`: what is said of datasets, and what is fetched, generated, counted and drawn."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.adapters import registry
from bench.adapters.origin import STAND_IN_MARKER, stand_in_marker
from bench.adapters.registry import AdapterError
from bench.cli.app import app
from bench.cli.settings import configured, dataset_class
from bench.errors import DataError, UsageError
from tests.cli.commands.datasets import asked, call, write_images
from tests.conftest import bench, snapshot

NAMES = registry.names("dataset")
WITH_SOURCE = [n for n in NAMES if (o := dataset_class(n).origin) and o.parts]
BY_HAND = [n for n in NAMES if (o := dataset_class(n).origin) and not o.parts]


ADAPTER = '''\
"""Four images in two classes."""

import sys

from bench.adapters.origin import Check, Download, Origin
from bench.datasets.image_folder import ImageFolder


class Own(ImageFolder):
    """Reads two classes."""

    origin = Origin(licence="CC0", parts=({parts},))

    def checks(self, root, images):
        return (Check("images", 4, len(images.table)),)
'''


def own_adapter(folder: Path, parts: str) -> Path:
    path = folder / "own.py"
    path.write_text(ADAPTER.format(parts=parts))
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Serve a folder that holds four images as a zip; return the zip's address."""
    place = tmp_path / "served"
    place.mkdir()
    with zipfile.ZipFile(place / "images.zip", "w") as z:
        for name, content in write_images(tmp_path / "original").items():
            z.writestr(name, content)
    handler = functools.partial(
        type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": _silent}), directory=place
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/images.zip"
    server.shutdown()
    thread.join()
    server.server_close()


def _silent(*_: object) -> None:
    pass


# list and describe


def test_list_tells_what_is_here_and_what_is_generated(tmp_path: Path):
    (tmp_path / "image_folder").mkdir()
    call("synthesize", "kaggle_plankton", tmp_path / "kaggle_plankton", "--images", 3, "--seed", 0)
    rows = {r["name"]: r for r in asked("list", "--data", tmp_path)}
    assert list(rows) == NAMES
    assert rows["image_folder"]["root"] == str(tmp_path / "image_folder")
    assert not rows["image_folder"]["stand_in"]
    assert rows["kaggle_plankton"]["stand_in"]
    assert all(r["root"] is None for n, r in rows.items() if n not in ("image_folder", "kaggle_plankton"))
    text = call("list", "--data", tmp_path)[1]
    assert "kaggle_plankton (GENERATED STAND-IN, not the data)\n" in text
    assert "not here" in text
    assert "Set BENCH_DATA" in call("list")[1]


@pytest.mark.parametrize("name", NAMES)
def test_describe_tells_origin_and_parameters(name: str):
    cls = dataset_class(name)
    text = call("describe", name)[1]
    about = asked("describe", name)
    for parameter in cls.model_fields:
        assert f"    {parameter}: " in text
    assert [p["name"] for p in about["parameters"]] == list(cls.model_fields)
    if cls.origin is None:
        assert about["origin"] is None
        assert "not a particular dataset" in text
        return
    squeezed = " ".join(text.split())
    assert " ".join(cls.origin.licence.split()) in squeezed
    assert " ".join(cls.origin.by_hand.split()) in squeezed
    for part, facts in zip(cls.origin.parts, about["origin"]["parts"], strict=True):
        assert facts["name"] == part.name
        assert f"part {part.name}: " in text
        assert part.md5 in text
        assert part.url in text


# parameters


def test_settings_are_read_as_in_a_suite():
    cls = dataset_class("image_folder")
    made = configured(cls, ["size=32", "grey=true", "percentiles=[1, 99]", "shape=stretch"])
    assert (made.size, made.percentiles, made.shape) == (32, (1.0, 99.0), "stretch")
    plankton = configured(dataset_class("kaggle_plankton"), ["classes=[2020-01-01, copepod_*]"])
    assert plankton.model_dump()["classes"] == ("2020-01-01", "copepod_*")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (["sice=3"], "sice: unknown parameter .*did you mean 'size'"),
        (["size=x"], r"size: .*integer.* \(got 'x'\)"),
        (["shape=pat"], "did you mean 'pad'"),
        (["size=3"], "size: .*greater than or equal to 4"),
        (["size"], "expected name=value"),
        (["=3"], "expected name=value"),
        (["size=3", "size=4"], "already given"),
        (["size=[3"], "not a YAML value"),
        (["size=!!python/object:os.system x"], "size"),
        (["sice=1", "grey=5"], "grey: .*\n.*sice|sice: .*\n.*grey"),
    ],
)
def test_wrong_settings_are_named(setting: list[str], said: str):
    with pytest.raises(UsageError, match=said):
        configured(dataset_class("image_folder"), setting)


def test_wrong_input_ends_with_2_and_one_sentence(tmp_path: Path, folder: Path):
    def said(*words: object) -> str:
        done = bench("data", *map(str, words), store=tmp_path, results=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    assert "did you mean 'kaggle_plankton'" in said("verify", "kagle_plankton", folder)
    assert "there is no folder" in said("verify", "image_folder", tmp_path / "none")


@pytest.mark.parametrize("command", ["describe", "download", "verify", "show"])
def test_an_unknown_name_suggests_the_nearest(command: str):
    with pytest.raises(AdapterError, match="did you mean 'image_folder'"):
        call(command, "image_folders")


@pytest.mark.parametrize("command", ["verify", "show"])
def test_without_a_root_the_data_folder_decides(command: str, tmp_path: Path):
    with pytest.raises(DataError, match="BENCH_DATA"):
        call(command, "image_folder")
    with pytest.raises(DataError, match="`bench data download image_folder`"):
        call(command, "image_folder", "--data", tmp_path)
    write_images(tmp_path / "image_folder")
    words = ["--out", tmp_path / "sheets"] if command == "show" else []
    assert call(command, "image_folder", "--data", tmp_path, *words)[0] == 0


# download


@pytest.mark.parametrize("name", WITH_SOURCE)
def test_a_dry_run_prints_commands_and_changes_nothing(name: str, tmp_path: Path):
    origin = dataset_class(name).origin
    assert origin is not None
    every = [word for p in origin.parts for word in ("--part", p.name)]
    code, text = call("download", name, "--out", tmp_path / "x y", "--dry-run", *every)
    assert code == 0
    assert origin.licence in text
    commands = [line for line in text.splitlines() if line and not line.startswith("#")]
    for part in origin.parts:
        assert f"# {part.name}: " in text
        program = part.command[0] if part.command else "curl"
        assert any(c.startswith(f"{program} ") and "x y" in c for c in commands)
        assert part.size is None or f"{part.size} bytes" in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BY_HAND)
def test_without_a_public_source_it_says_what_to_do(name: str, tmp_path: Path):
    origin = dataset_class(name).origin
    assert origin is not None
    for words in ([], ["--dry-run"]):
        code, text = call("download", name, "--out", tmp_path / "x", *words)
        assert code == 2
        assert origin.by_hand in text
    assert not list(tmp_path.iterdir())
    assert call("download", "image_folder")[0] == 2


def test_download_unpacks_verifies_and_repeats(served: str, tmp_path: Path):
    data = (tmp_path / "served" / "images.zip").read_bytes()
    known = f"size={len(data)}, md5={hashlib.md5(data).hexdigest()!r}"
    part = f"Download('images', url={served!r}, {known}, unpack=True)"
    own = own_adapter(tmp_path, f"{part}, Download('more', url='https://example.org/x', optional=True)")
    first = asked("download", own, "--data", tmp_path / "all")
    out = tmp_path / "all" / "own"
    assert first["parts"][0] | {"file": ""} == {
        "part": "images",
        "state": "fetched",
        "file": "",
        "bytes": len(data),
        "checked": "md5",
        "unpacked": {"images.zip": 4},
    }
    assert len(first["parts"]) == 1
    assert asked("verify", own, "--data", tmp_path / "all")["ok"]
    before = snapshot(out)
    assert "already there" in call("download", own, "--out", out)[1]
    assert snapshot(out) == before


def test_a_wrong_sum_is_no_dataset(served: str, tmp_path: Path):
    own = own_adapter(tmp_path, f"Download('images', url={served!r}, md5={'0' * 32!r}, unpack=True)")
    with pytest.raises(DataError, match=r"images.zip.bad: its MD5 sum"):
        call("download", own, "--out", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["images.zip.bad"]


def test_commands_are_run_without_a_shell_and_what_they_leave_is_unpacked(tmp_path: Path, served: str):
    inner = tmp_path / "served" / "images.zip"
    code = (
        "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1] + '/all.zip', 'w'); "
        f"z.write({str(inner)!r}, 'images.zip'); z.close(); print('$(touch evil); said')"
    )
    own = own_adapter(
        tmp_path, f"Download('all', command=(sys.executable, '-c', {code!r}, '{{out}}'), unpack=True)"
    )
    out = tmp_path / "o u;t"
    said = bench("data", "download", str(own), "--out", str(out), "--json", store=tmp_path, results=tmp_path)
    assert json.loads(said.stdout)["parts"][0]["unpacked"] == {"all.zip": 1, "images.zip": 4}
    assert "said" in said.stderr
    assert call("verify", own, out)[0] == 0


def test_commands_that_cannot_run_or_fail_are_one_sentence(tmp_path: Path):
    own = own_adapter(
        tmp_path,
        "Download('a', command=('no-such-program', '{{out}}'))".replace("{{", "{").replace("}}", "}"),
    )
    with pytest.raises(DataError, match="'no-such-program', which is not installed"):
        call("download", own, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    own = own_adapter(tmp_path, "Download('a', command=(sys.executable, '-c', 'import sys; sys.exit(3)'))")
    with pytest.raises(DataError, match="ended with exit code 3"):
        call("download", own, "--out", tmp_path / "out")
    with pytest.raises(UsageError, match="no part 'b'"):
        call("download", own, "--part", "b", "--out", tmp_path / "out")
    with pytest.raises(UsageError, match="give --out"):
        call("download", own)


def test_real_data_never_go_into_a_stand_in(served: str, tmp_path: Path):
    call("synthesize", "kaggle_plankton", tmp_path / "s", "--images", 2, "--seed", 0)
    own = own_adapter(tmp_path, f"Download('images', url={served!r}, unpack=True)")
    for out in (tmp_path / "s", tmp_path / "s" / "train"):
        with pytest.raises(DataError, match="generated stand-in"):
            call("download", own, "--out", out)


# synthesize


def test_a_stand_in_says_what_it_is_wherever_it_is_read(tmp_path: Path):
    out = tmp_path / "deep" / "s"
    facts = asked("synthesize", "kaggle_plankton", out, "--images", 7, "--seed", 5, "--set", "balance=0.9")
    assert facts["parameters"] == {"images": 7, "seed": 5, "balance": 0.9}
    marker = json.loads((out / STAND_IN_MARKER).read_text())
    assert marker == {k: v for k, v in facts.items() if k != "root"}
    assert [p.name for p in out.parent.iterdir()] == ["s"]
    code, text = call("verify", "kaggle_plankton", out)
    assert code == 1  # it has not the numbers of the real data
    assert text.startswith("GENERATED STAND-IN")
    for root in (out, out / "train"):
        assert asked("verify", "kaggle_plankton", root)["stand_in"] == str(out / STAND_IN_MARKER)
    assert asked("verify", "kaggle_plankton", out)["images"] == 7
    assert call("show", "kaggle_plankton", out, "--out", tmp_path / "x.png")[1].startswith(
        "GENERATED STAND-IN"
    )


def test_a_marker_is_found_through_links_and_below(tmp_path: Path):
    call("synthesize", "kaggle_plankton", tmp_path / "s", "--images", 2, "--seed", 0)
    (tmp_path / "real").mkdir()
    assert stand_in_marker(tmp_path / "real") is None
    (tmp_path / "real" / "train").symlink_to(tmp_path / "s" / "train")
    found = stand_in_marker(tmp_path / "real", [tmp_path / "real" / "train" / "copepod" / "1.jpg"])
    assert found == tmp_path / "s" / STAND_IN_MARKER


def test_same_seed_same_stand_in(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        call("synthesize", "kaggle_plankton", tmp_path / name, "--images", 5, "--seed", seed)
    a, b, c = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.jpg")} for n in "abc"
    )
    assert a == b
    assert a != c


def test_synthesize_overwrites_nothing(tmp_path: Path, folder: Path):
    before = snapshot(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in (folder, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(UsageError, match="not an empty folder"):
            call("synthesize", "kaggle_plankton", out, "--images", 2, "--seed", 0)
    assert snapshot(folder) == {k: v for k, v in before.items() if k.startswith(f"{folder}/")}
    with pytest.raises(UsageError, match="has no generator"):
        call("synthesize", "image_folder", tmp_path / "x", "--images", 2, "--seed", 0)
    with pytest.raises(UsageError, match="already given"):
        call("synthesize", "kaggle_plankton", tmp_path / "x", "--images", 2, "--seed", 0, "--set", "seed=3")
    (tmp_path / "empty").mkdir()
    assert call("synthesize", "kaggle_plankton", tmp_path / "empty", "--images", 2, "--seed", 0)[0] == 0


def test_an_interrupted_stand_in_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    generator = registry.load("generator", "plankton")

    def stop(self: object, root: Path, run: object) -> None:
        (root / "train").mkdir()
        assert stand_in_marker(root / "train") is not None  # marked from the start
        raise KeyboardInterrupt

    monkeypatch.setattr(generator, "write", stop)
    done = CliRunner().invoke(
        app, ["data", "synthesize", "kaggle_plankton", str(tmp_path / "s"), "--images", "2", "--seed", "0"]
    )
    assert done.exit_code == 130
    assert not list(tmp_path.iterdir())


# duplicates


def test_duplicates_are_found(folder: Path):
    (folder / "two" / "copy.png").write_bytes((folder / "one" / "0.png").read_bytes())
    facts = asked("duplicates", "image_folder", folder, "--distance", 1)
    assert [g["ids"] for g in facts["groups"]] == [["one/0.png", "two/copy.png"]]
    assert facts["distance"] == 1
