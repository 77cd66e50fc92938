import io
import struct

import numpy as np
import pytest
from PIL import Image

from stepforward.data.images import fit_image, read_image, share_cut
from stepforward.errors import StepforwardError

PLAIN = {"kind": "image", "height": 4, "width": 4, "channels": 1, "mean": [0.0], "std": [1.0]}


def test_grey_and_colour(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 3), pixels)
    grey = read_image(tmp_path / "a.png", 1)
    assert grey.shape == (4, 4, 1)
    assert grey.dtype == np.uint8


def test_sixteen_bit_grey_keeps_all_its_bits(tmp_path):
    deep = (np.arange(16, dtype=np.uint16) * 4096 + 99).reshape(4, 4)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    pixels = read_image(tmp_path / "deep.png", 1)
    np.testing.assert_array_equal(pixels[..., 0], deep)
    np.testing.assert_array_equal(fit_image(pixels, PLAIN)[0], (deep / 65535).astype(np.float32))
    assert read_image(tmp_path / "deep.png", 3).shape == (4, 4, 3)


def test_levels_say_what_white_is():
    deep = np.tile(np.uint16([0, 1000, 4095, 5000]), (4, 1))[..., None]
    x = fit_image(deep, PLAIN | {"levels": 4095})
    np.testing.assert_allclose(x[0], np.tile([0, 1000 / 4095, 1, 1], (4, 1)), rtol=1e-6)


@pytest.mark.parametrize("mode", ["I", "I;16B", "F"])
def test_tiffs_of_deep_pixels(tmp_path, mode):
    kind = {"I": np.int32, "I;16B": np.dtype(">u2"), "F": np.float32}[mode]
    values = np.arange(16).reshape(4, 4).astype(kind)
    Image.fromarray(values if mode != "F" else values / 15).save(tmp_path / "a.tif")
    expected = values.astype(float) / (15 if mode == "F" else 65535)
    x = fit_image(read_image(tmp_path / "a.tif", 1), PLAIN)
    np.testing.assert_allclose(x[0], expected, rtol=1e-6)


def test_pixels_of_unknown_range_need_levels(tmp_path):
    values = np.linspace(0, 5000, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(values).save(tmp_path / "depth.tif")
    with pytest.raises(StepforwardError, match=r"depth\.tif has 32-bit pixels from 0 to 5000") as caught:
        read_image(tmp_path / "depth.tif", 1)
    assert '"levels"' in caught.value.remedy
    np.testing.assert_allclose(read_image(tmp_path / "depth.tif", 1, levels=10000)[..., 0], values / 10000)
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(StepforwardError, match=r"nan\.tif holds NaN"):
        read_image(tmp_path / "nan.tif", 1, levels=10000)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read(tmp_path, mode, channels):
    Image.new(mode, (6, 5)).save(tmp_path / "a.tif")
    pixels = read_image(tmp_path / "a.tif", channels)
    assert pixels.shape == (5, 6, channels)
    assert pixels.dtype == np.uint8


def test_transparency_is_dropped_and_said(tmp_path):
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    palette = Image.new("P", (4, 4))
    palette.putpalette([10, 20, 30, 0, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=bytes([0, 255]))
    for name in ("clear.png", "palette.png"):
        remarks = []
        assert (read_image(tmp_path / name, 3, remarks=remarks) == [10, 20, 30]).all()
        assert remarks == ["transparent parts count with the colour stored under them"]


def test_the_first_of_several_images_is_read_and_said(tmp_path):
    pages = [Image.new("L", (4, 4), value) for value in (50, 200)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    remarks = []
    assert (read_image(tmp_path / "pages.tif", 1, remarks=remarks) == 50).all()
    assert remarks == ["of several images in one file the first is read"]


def test_phone_images_are_turned_upright(tmp_path):
    lying = np.zeros((8, 16, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees to view
    Image.fromarray(lying).save(tmp_path / "phone.jpg", exif=exif)
    assert read_image(tmp_path / "phone.jpg", 3).shape == (16, 8, 3)


def exif_block(*entries):
    """An EXIF block of inline entries (tag, type, four bytes) after the orientation "turn by 90 degrees"."""
    rows = sorted([(0x0112, 3, struct.pack("<HH", 6, 0)), *entries])
    packed = b"".join(struct.pack("<HHI", tag, kind, 1) + value for tag, kind, value in rows)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(rows)) + packed + bytes(4)


def save_jpeg(path, exif):
    content = io.BytesIO()
    Image.new("RGB", (16, 8)).save(content, "JPEG")
    plain = content.getvalue()
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])


@pytest.mark.parametrize(
    "entry",
    [(0x0128, 1, b"\2\0\0\0"), (0x011A, 2, bytes(4)), (0x010F, 11, bytes(4))],
    ids=["unit", "xres", "make"],
)
def test_tags_of_odd_types_do_not_keep_an_image_from_being_turned(tmp_path, entry):
    save_jpeg(tmp_path / "phone.jpg", exif_block(entry))
    assert read_image(tmp_path / "phone.jpg", 3).shape == (16, 8, 3)


def test_no_damage_in_the_exif_block_refuses_the_image(tmp_path):
    whole = exif_block((0x8769, 4, struct.pack("<I", 60)), (0x011A, 5, struct.pack("<I", 200)))
    for position in range(6, len(whole)):
        for value in (0, 1, 255):
            save_jpeg(tmp_path / "a.jpg", whole[:position] + bytes([value]) + whole[position + 1 :])
            assert read_image(tmp_path / "a.jpg", 3).size == 16 * 8 * 3
        save_jpeg(tmp_path / "a.jpg", whole[:position])
        assert read_image(tmp_path / "a.jpg", 3).size == 16 * 8 * 3


def test_same_size_is_only_normalised():
    pixels = np.arange(32, dtype=np.uint8).reshape(4, 4, 2)[..., :1]
    settings = PLAIN | {"mean": [0.5], "std": [0.25]}
    x = fit_image(pixels, settings)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[0], ((pixels[..., 0] / 255.0 - 0.5) / 0.25).astype(np.float32))


def test_wide_images_lose_their_sides_not_their_proportions():
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 6:18] = 255  # the square in the middle, and what the filter sees beyond it
    settings = PLAIN | {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
    x = fit_image(pixels, settings)
    assert x.shape == (3, 4, 4)
    np.testing.assert_allclose(x, 1.0)


@pytest.mark.parametrize("shape", [(16, 48, 3), (48, 16, 3)])
def test_squash_and_letterbox_show_the_border(shape):
    pixels = np.full(shape, 255, np.uint8)
    settings = PLAIN | {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "height": 12, "width": 12}
    np.testing.assert_array_equal(fit_image(pixels, settings | {"fit": "squash"}), 1.0)
    boxed = fit_image(pixels, settings | {"fit": "letterbox"})
    bright = boxed[0] if shape[0] < shape[1] else boxed[0].T
    np.testing.assert_array_equal(bright, np.repeat([0.0, 1.0, 0.0], 4)[:, None].repeat(12, 1))


def test_what_the_crop_cuts_away():
    assert share_cut((16, 48, 3), PLAIN) == pytest.approx(2 / 3)
    assert share_cut((48, 16, 3), PLAIN) == pytest.approx(2 / 3)
    assert share_cut((16, 48, 3), PLAIN | {"fit": "squash"}) == 0


def test_truncated_image_is_named(tmp_path):
    Image.fromarray(_noise()).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for length in (0, 10, len(whole) // 2):
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(StepforwardError, match=r"cut\.png"):
            read_image(tmp_path / "cut.png", 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_formats_are_told_by_content_whatever_the_name(tmp_path, kind):
    Image.fromarray(_noise()).save(tmp_path / "a.jpg", format=kind)
    assert read_image(tmp_path / "a.jpg", 3).shape == (64, 64, 3)


def _noise():
    return (np.arange(64 * 64 * 3, dtype=np.int64) * 7919 % 251).astype(np.uint8).reshape(64, 64, 3)
