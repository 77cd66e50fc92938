"""Pictures: reading and fitting them to the network's input."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from stepforward.errors import StepforwardError


def read_image(path: str | Path, channels: int) -> NDArray[np.uint8]:
    """Read a PNG or JPEG file upright, as grey (`channels` 1) or RGB (3).

    Transparency is dropped; 16-bit grey keeps its upper 8 bits.

    Returns:
        uint8, shape (H, W, channels).

    Raises:
        StepforwardError: the file cannot be read or is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as image:
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I"):
                    upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
                pixels = np.asarray(upright.convert("L" if channels == 1 else "RGB"))
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise StepforwardError(
            f"{path} is not a readable PNG or JPEG file ({error})", "save the picture again, or delete it"
        ) from error
    return pixels.reshape(*pixels.shape[:2], channels)


def fit_image(pixels: NDArray[np.uint8], settings: dict) -> NDArray[np.float32]:
    """Cut the centre to the network's aspect ratio, resize (Pillow's bilinear filter) and normalise.

    Args:
        pixels: uint8, shape (H, W, C).
        settings: checked preprocessing settings of kind "image".

    Returns:
        float32, shape (channels, height, width): `(pixels / 255 - mean) / std`.
    """
    height, width = settings["height"], settings["width"]
    if pixels.shape[:2] != (height, width):
        # channel by channel: Pillow has no one-channel images with a channel axis
        planes = [
            ImageOps.fit(
                Image.fromarray(np.ascontiguousarray(plane)), (width, height), Image.Resampling.BILINEAR
            )
            for plane in np.moveaxis(pixels, -1, 0)
        ]
        pixels = np.stack([np.asarray(plane) for plane in planes], axis=-1)
    mean, std = np.asarray(settings["mean"], np.float64), np.asarray(settings["std"], np.float64)
    return np.moveaxis((pixels / 255.0 - mean) / std, -1, 0).astype(np.float32)
