import numpy as np
import pytest
from PIL import Image

from stepforward.data.images import fit_image, read_image
from stepforward.errors import StepforwardError

PLAIN = {"kind": "image", "height": 4, "width": 4, "channels": 1, "mean": [0.0], "std": [1.0]}


def test_grey_and_colour(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 3), pixels)
    grey = read_image(tmp_path / "a.png", 1)
    assert grey.shape == (4, 4, 1)
    assert grey.dtype == np.uint8


def test_sixteen_bit_grey_keeps_its_upper_half(tmp_path):
    deep = (np.arange(16, dtype=np.uint16) * 4096 + 99).reshape(4, 4)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", 1)[..., 0], deep >> 8)


def test_phone_pictures_are_turned_upright(tmp_path):
    lying = np.zeros((8, 16, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: rotate by 90 degrees to view
    Image.fromarray(lying).save(tmp_path / "phone.jpg", exif=exif)
    assert read_image(tmp_path / "phone.jpg", 3).shape == (16, 8, 3)


def test_same_size_is_only_normalised():
    pixels = np.arange(32, dtype=np.uint8).reshape(4, 4, 2)[..., :1]
    settings = PLAIN | {"mean": [0.5], "std": [0.25]}
    x = fit_image(pixels, settings)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[0], ((pixels[..., 0] / 255.0 - 0.5) / 0.25).astype(np.float32))


def test_wide_pictures_lose_their_sides_not_their_proportions():
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 6:18] = 255  # the square in the middle, and what the filter sees beyond it
    settings = PLAIN | {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
    x = fit_image(pixels, settings)
    assert x.shape == (3, 4, 4)
    np.testing.assert_allclose(x, 1.0)


def test_truncated_picture_is_named(tmp_path):
    Image.fromarray(_noise()).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for length in (0, 10, len(whole) // 2):
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(StepforwardError, match=r"cut\.png"):
            read_image(tmp_path / "cut.png", 3)


def test_other_formats_are_refused_whatever_their_name(tmp_path):
    Image.fromarray(_noise()).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(StepforwardError, match="not a readable PNG or JPEG"):
        read_image(tmp_path / "a.png", 3)


def _noise():
    return (np.arange(64 * 64 * 3, dtype=np.int64) * 7919 % 251).astype(np.uint8).reshape(64, 64, 3)
