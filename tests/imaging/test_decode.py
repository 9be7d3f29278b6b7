from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from bench.images import BadImage
from bench.imaging.decode import decode


def picture(height: int = 37, width: int = 53, channels: int = 3, dtype: Any = np.uint8) -> NDArray[Any]:
    """Smooth, so that JPEG keeps it, and different in every channel."""
    y, x, c = np.ogrid[:height, :width, :channels]
    waves = np.sin(y / 9 + c) + np.cos(x / 7 - 2 * c)
    scaled: NDArray[Any] = ((waves + 2) / 4 * np.iinfo(dtype).max).astype(dtype)
    return scaled


def encoded(kind: str, image: NDArray[Any]) -> bytes:
    if kind.startswith("tif"):
        out = io.BytesIO()
        compression = {"tif": None, "tif-lzw": "lzw", "tif-zlib": "zlib", "tif-zstd": "zstd"}[kind]
        photometric = "rgb" if image.shape[2] == 3 else "minisblack"
        tifffile.imwrite(out, image.squeeze(), compression=compression, photometric=photometric)
        return out.getvalue()
    bgr = image[..., ::-1] if image.shape[2] == 3 else image
    return bytes(cv2.imencode("." + kind, bgr)[1].tobytes())


LOSSLESS_8 = ["png", "bmp", "tif", "tif-lzw", "tif-zlib", "tif-zstd"]
LOSSLESS_16 = ["png", "tif", "tif-lzw", "tif-zlib", "tif-zstd"]
ALL = ["jpg", *LOSSLESS_8]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "dtype"), [*((k, np.uint8) for k in LOSSLESS_8), *((k, np.uint16) for k in LOSSLESS_16)]
)
def test_what_was_stored_comes_back(kind: str, dtype: Any, channels: int):
    image = picture(channels=channels, dtype=dtype)
    read = decode(encoded(kind, image), grey=channels == 1)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_becomes_weighted_grey_and_grey_becomes_equal_channels(kind: str, dtype: Any):
    image = picture(dtype=dtype)
    grey = decode(encoded(kind, image), grey=True)
    assert grey.shape == (37, 53, 1)
    weighted = image.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(grey[..., 0] - weighted).max() <= 1 + np.iinfo(dtype).max * 1e-4
    rgb = decode(encoded(kind, image[..., :1]), grey=False)
    np.testing.assert_array_equal(rgb, np.repeat(image[..., :1], 3, axis=2))


def test_jpeg_is_read_in_the_order_rgb():
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 255
    read = decode(encoded("jpg", image), grey=False)
    assert np.abs(read.astype(int) - image).max() < 5
    assert abs(int(decode(encoded("jpg", image), grey=True).mean()) - 76) <= 2


def test_the_content_decides_not_the_name(tmp_path: Path):
    image = picture(channels=1)
    (tmp_path / "a.jpg").write_bytes(encoded("png", image))
    np.testing.assert_array_equal(decode(tmp_path / "a.jpg", grey=True), image)


@pytest.mark.parametrize("kind", [*ALL, "png16", "tif16"])
def test_a_file_cut_off_anywhere_is_noticed(kind: str, tmp_path: Path):
    whole = encoded(kind.removesuffix("16"), picture(40, 40, 3, np.uint16 if "16" in kind else np.uint8))
    path = tmp_path / "cut.img"
    for length in [*range(0, len(whole) - 1, max(10, len(whole) // 300)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(BadImage, match=r"cut\.img: "):
            decode(path, grey=True)


@pytest.mark.parametrize("kind", ALL)
def test_a_flipped_byte_gives_an_image_or_a_bad_image(kind: str):
    whole = encoded(kind, picture(24, 20, 1))
    rng = np.random.default_rng(0)
    places = {*range(min(64, len(whole))), *rng.integers(0, len(whole), 150).tolist()}
    places |= set(range(max(0, len(whole) - 250), len(whole)))
    for at in sorted(places):
        broken = bytearray(whole)
        broken[at] ^= int(rng.integers(1, 256))
        try:
            image = decode(bytes(broken), grey=True, max_pixels=1_000_000)
        except BadImage:
            continue
        assert image.ndim == 3
        assert image.shape[2] == 1
        assert image.dtype in (np.uint8, np.uint16)


def test_a_flipped_byte_of_a_png_is_never_pixels():
    image = picture(24, 20, 1)
    whole = encoded("png", image)
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] ^= 1
        with pytest.raises(BadImage):
            decode(bytes(broken), grey=True)


@settings(max_examples=200)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*"]),
    st.binary(max_size=200),
)
def test_noise_is_a_bad_image(start: bytes, rest: bytes):
    with pytest.raises(BadImage):
        decode(start + rest, grey=True, max_pixels=10_000)


def declaring(kind: str, width: int, height: int) -> bytes:
    """A small file whose header declares another size."""
    data = bytearray(encoded(kind, picture(8, 8, 1)))
    if kind == "jpg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif kind == "png":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "bmp":
        data[18:26] = struct.pack("<ii", width, height)
    else:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            places = [tiff.pages.first.tags[t].valueoffset for t in (256, 257)]
            wide = [tiff.pages.first.tags[t].dtype == 4 for t in (256, 257)]
        for at, value, long in zip(places, (width, height), wide, strict=True):
            data[at : at + (4 if long else 2)] = struct.pack("<I" if long else "<H", value)
    return bytes(data)


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "tif"])
def test_a_huge_declared_size_is_refused_before_decoding(kind: str, monkeypatch: pytest.MonkeyPatch):
    data = declaring(kind, 65_000, 60_000)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", never)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", never)
    expected = "cut off" if kind == "bmp" else "65000 x 60000 pixels; the limit is 100000000"
    with pytest.raises(BadImage, match=expected):
        decode(data, grey=True, name="bomb")


@pytest.mark.parametrize("kind", ["jpg", "png", "bmp", "tif"])
@pytest.mark.parametrize(("width", "height"), [(0, 8), (8, 0), (0, 0)])
def test_an_image_without_pixels_is_refused(kind: str, width: int, height: int):
    with pytest.raises(BadImage):
        decode(declaring(kind, width, height), grey=True)


@pytest.mark.parametrize("kind", ALL)
def test_the_limit_is_in_pixels_and_inclusive(kind: str):
    data = encoded(kind, picture(20, 30, 1))
    assert decode(data, grey=True, max_pixels=600).shape == (20, 30, 1)
    with pytest.raises(BadImage, match="30 x 20 pixels; the limit is 599 pixels"):
        decode(data, grey=True, max_pixels=599)


def test_a_file_longer_than_its_pixels_could_be_is_not_read(tmp_path: Path):
    path = tmp_path / "long.jpg"
    with path.open("wb") as f:
        f.truncate(3 << 30)  # sparse
    with pytest.raises(BadImage, match=r"long\.jpg: 3221225472 bytes are more than"):
        decode(path, grey=True)


def test_what_is_no_image_file_is_refused_with_its_name(tmp_path: Path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not an image, whatever its name says")
    (tmp_path / "gif.jpg").write_bytes(b"GIF89a" + bytes(50))
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in [
        ("folder.jpg", "is not a file"),
        ("pipe.jpg", "is not a file"),
        ("empty.jpg", "is empty"),
        ("text.jpg", "is not a JPEG, PNG, BMP, WebP or TIFF image"),
        ("gif.jpg", "is not a JPEG, PNG, BMP, WebP or TIFF image"),
        ("missing.jpg", "cannot be read: No such file or directory"),
    ]:
        with pytest.raises(BadImage) as e:
            decode(tmp_path / name, grey=True)
        assert str(e.value) == f"{tmp_path / name}: {reason}"


def test_the_end_of_an_embedded_thumbnail_is_not_the_end_of_the_image():
    whole = encoded("jpg", picture(64, 64, 1))
    thumbnail = b"\xff\xe1" + struct.pack(">H", 12) + b"\xff\xd8\xff\xd9" + bytes(6)
    assert decode(whole[:2] + thumbnail + whole[2:], grey=True).shape == (64, 64, 1)
    with pytest.raises(BadImage, match="cut off"):
        decode(whole[:2] + thumbnail + whole[2 : len(whole) // 2 + 100], grey=True)


def test_progressive_jpeg():
    ok, data = cv2.imencode(".jpg", picture(64, 64, 1), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert ok
    assert decode(data.tobytes(), grey=True).shape == (64, 64, 1)
    for length in range(0, len(data) - 1, 10):
        with pytest.raises(BadImage):
            decode(data.tobytes()[:length], grey=True)


WEBP = (2, 75, 101)
"""Quality; above 100 it is without loss."""


@pytest.mark.parametrize("quality", WEBP)
def test_webp(quality: int):
    image = picture(40, 30, 3)
    ok, data = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert ok
    read = decode(data.tobytes(), grey=False)
    assert read.shape == (40, 30, 3)
    assert np.abs(read.astype(int) - image).mean() < (1e-9 if quality > 100 else 30)
    for length in range(0, len(data), 7):
        with pytest.raises(BadImage):
            decode(data.tobytes()[:length], grey=True)
    with pytest.raises(BadImage, match="30 x 40 pixels; the limit is 1199"):
        decode(data.tobytes(), grey=True, max_pixels=1199)


def test_webp_with_transparency_is_read_without_it_and_an_animation_is_refused():
    rgba = np.dstack([picture(20, 20, 3), np.full((20, 20), 99, np.uint8)])
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "webp", lossless=True, exact=True)
    np.testing.assert_array_equal(decode(out.getvalue(), grey=False), rgba[..., :3])
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (0, 200)]
    out = io.BytesIO()
    frames[0].save(out, "webp", save_all=True, append_images=frames[1:])
    with pytest.raises(BadImage, match="is an animation"):
        decode(out.getvalue(), grey=False)
