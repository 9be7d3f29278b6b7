"""What the tags of a TIFF say about its pixels is what is read, or the file is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from bench.images import BadImage
from bench.imaging.decode import decode
from tests.imaging.test_decode import picture

RAMP = np.tile((np.arange(256) * 257).astype(np.uint16), (3, 1))


def tiff(image: NDArray[Any], **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, image, **options)
    return out.getvalue()


def retagged(data: bytes, tag: int, value: int) -> bytes:
    """Replace the first value of a tag."""
    out = io.BytesIO(data)
    with tifffile.TiffFile(out, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(value)
    return out.getvalue()


def test_planes_tiles_inversion_and_single_bits():
    rgb = picture(dtype=np.uint16)
    planar = tiff(np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(decode(planar, grey=False), rgb)
    white_is_zero = tiff(rgb[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(decode(white_is_zero, grey=True)[..., 0], 65535 - rgb[..., 0])
    mask = rgb[..., 0] > 30000
    for kind, inside in (("minisblack", 255), ("miniswhite", 0)):
        read = decode(tiff(mask, photometric=kind), grey=True)[..., 0]
        np.testing.assert_array_equal(read, np.where(mask, inside, 255 - inside))
    tiled = tiff(rgb[..., 0], tile=(16, 16), compression="zlib")
    np.testing.assert_array_equal(decode(tiled, grey=True)[..., 0], rgb[..., 0])


@pytest.mark.parametrize("alpha", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_channel_that_is_alpha_is_dropped(channels: int, planes: str, alpha: str):
    image = picture(channels=channels)
    stored = np.dstack([image, np.full_like(image[..., :1], 7)])
    stored = np.moveaxis(stored, 2, 0) if planes == "separate" else stored
    kind = "rgb" if channels == 3 else "minisblack"
    data = tiff(stored, photometric=kind, planarconfig=planes, extrasamples=[alpha])
    np.testing.assert_array_equal(decode(data, grey=channels == 1), image)


@pytest.mark.parametrize("channels", [2, 3, 4, 5])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_several_channels_of_data_are_refused_with_their_number(channels: int, planes: str, dtype: Any):
    stored = np.zeros((9, 8, channels), dtype)
    stored = np.moveaxis(stored, 2, 0) if planes == "separate" else stored
    data = tiff(stored, photometric="minisblack", planarconfig=planes)
    zeros = ", ".join("0" * (channels - 1))
    what = rf"ExtraSamples \(tag 338\) is {zeros}: {channels} channels where MINISBLACK has 1"
    for grey in (True, False):
        with pytest.raises(BadImage, match=what):
            decode(data, grey=grey)


def test_a_fourth_channel_of_rgb_that_is_not_said_to_be_alpha_is_refused():
    data = tiff(np.zeros((9, 8, 4), np.uint8), photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(BadImage, match=r"ExtraSamples \(tag 338\) is 0: 4 channels where RGB has 3"):
        decode(data, grey=False)


def test_a_grey_palette_is_grey_and_another_one_is_applied():
    values = picture(channels=1)[..., 0]
    plain = tiff(values, photometric="palette", colormap=RAMP)
    np.testing.assert_array_equal(decode(plain, grey=True)[..., 0], values)
    np.testing.assert_array_equal(decode(plain, grey=False), np.repeat(values[..., None], 3, 2))
    inverted = tiff(values, photometric="palette", colormap=RAMP[:, ::-1])
    np.testing.assert_array_equal(decode(inverted, grey=True)[..., 0], 255 - values)
    colours = np.stack([RAMP[0], RAMP[0, ::-1], np.zeros(256, np.uint16)])
    coloured = decode(tiff(values, photometric="palette", colormap=colours), grey=False)
    np.testing.assert_array_equal(coloured, np.dstack([values, 255 - values, np.zeros_like(values)]))
    of_bytes = tiff(values, photometric="palette", colormap=RAMP // 257)
    np.testing.assert_array_equal(decode(of_bytes, grey=True)[..., 0], values)


def test_a_palette_is_read_as_another_program_writes_and_reads_it():
    image = Image.fromarray(picture()).quantize(16)
    out = io.BytesIO()
    image.save(out, "tiff")
    np.testing.assert_array_equal(decode(out.getvalue(), grey=False), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_few_bits_is_scaled_to_8(bits: int):
    values = (picture(channels=1)[..., 0] >> (8 - bits)).astype(np.uint8)
    data = tiff(values, photometric="minisblack", bitspersample=bits)
    np.testing.assert_array_equal(decode(data, grey=True)[..., 0], values * (255 // (2**bits - 1)))


def test_cmyk_is_converted_with_its_black():
    rgb = picture()
    out = io.BytesIO()
    Image.fromarray(rgb).convert("CMYK").save(out, "tiff")
    np.testing.assert_array_equal(decode(out.getvalue(), grey=False), rgb)
    inks = np.full((4, 5, 4), (0, 51, 255, 102), np.uint8)
    light = [153, 122, 0]  # 255 * (1 - ink) * (1 - .4)
    assert decode(tiff(inks, photometric="separated"), grey=False)[0, 0].tolist() == light
    planes = np.moveaxis(inks.astype(np.uint16) * 257, 2, 0)
    read = decode(tiff(planes, photometric="separated", planarconfig="separate"), grey=False)
    assert np.abs(read[0, 0] / 257 - light).max() < 0.5
    five = np.dstack([inks, inks[..., :1]])
    with_alpha = tiff(five, photometric="separated", planarconfig="contig", extrasamples=["unassalpha"])
    assert decode(with_alpha, grey=False)[0, 0].tolist() == light


def test_colours_within_jpeg():
    image = picture(64, 64)
    as_ycbcr = tiff(image, photometric="rgb", compression="jpeg", compressionargs={"level": 98})
    out = io.BytesIO()
    Image.fromarray(image).save(out, "tiff", compression="jpeg", quality=98)
    for data, photometric in ((as_ycbcr, 6), (out.getvalue(), 2)):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            assert file.pages.first.photometric == photometric
        assert np.abs(decode(data, grey=False).astype(int) - image).max() < 12


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(np.zeros((3, 9, 9), np.uint8), photometric="minisblack"), "several pages"),
        (tiff(np.zeros((6, 9, 9), np.uint8), imagej=True), "several pages"),
        (tiff(np.zeros((9, 9), np.float32)), "tag 258.* is 32: .* pixels of type float32"),
        (tiff(np.zeros((9, 9), np.int16)), r"SampleFormat \(tag 339\) is 2"),
        (tiff(np.zeros((9, 9, 3), np.uint8), photometric="cielab"), "tag 262.* is 8 .CIELAB."),
        (tiff(np.zeros((9, 9), np.uint16), photometric="cfa"), "tag 262.* is 32803 .CFA."),
        (
            tiff(np.zeros((9, 9, 3), np.uint8), photometric="ycbcr"),
            "Compression .tag 259. is 1 .NONE.",
        ),
        (
            tiff(np.zeros((9, 9), np.uint8), photometric="palette", colormap=0 * RAMP),
            "tag 320.* all 0: a palette of 8 bits needs 256 colours",
        ),
        (
            tiff(np.zeros((9, 9, 4), np.uint8), photometric="separated", extratags=[(332, 3, 1, 2)]),
            "InkSet .tag 332. is 2",
        ),
        (
            tiff(np.zeros((9, 9, 4), np.uint8), photometric="separated", extratags=[(336, 3, 2, (16, 235))]),
            "DotRange .tag 336. is .16, 235.",
        ),
        (retagged(tiff(np.zeros((9, 9), np.uint8)), 262, 99), "PhotometricInterpretation .tag 262. is 99:"),
        (tiff(np.zeros((9, 9), np.uint8), subfiletype=1), "NewSubfileType .tag 254. is 1"),
        (
            retagged(tiff(np.zeros((9, 9, 3), np.uint8), photometric="rgb"), 284, 7),
            "PlanarConfiguration .tag 284. is 7",
        ),
    ],
)
def test_a_tiff_that_would_have_to_be_guessed_is_refused(data: bytes, reason: str):
    for grey in (True, False):
        with pytest.raises(BadImage, match=reason):
            decode(data, grey=grey)


def test_the_photometric_interpretation_has_no_default():
    data = tiff(np.zeros((9, 9), np.uint8))
    assert data.count(b"\x06\x01\x03\0") == 1
    with pytest.raises(BadImage, match=r"PhotometricInterpretation \(tag 262\) is missing"):
        decode(data.replace(b"\x06\x01\x03\0", b"\x05\x01\x03\0"), grey=True)
