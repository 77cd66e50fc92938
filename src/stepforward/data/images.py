"""Images: reading them from files and fitting them to the network's input."""

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from stepforward.errors import StepforwardError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF", "PPM")
FITS = ("crop", "squash", "letterbox")
"""How an image of another aspect ratio gets the network's: see `fit_image`."""

_JPEG = b"\xff\xd8\xff"
_ORIENTATION = 0x0112  # the one EXIF tag that concerns the pixels
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def suffixes() -> tuple[str, ...]:
    """File name endings of the formats that this installation of Pillow decodes."""
    optional = {"webp": (".webp",), "avif": (".avif",)}
    known = [".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"]
    return (*known, *(suffix for name, found in optional.items() if features.check(name) for suffix in found))


def starts_like_an_image(head: bytes) -> bool:
    """Whether a file of one of the formats that are read starts with these 16 bytes, whatever its name.

    >>> starts_like_an_image(b"\\xff\\xd8\\xff\\xe0" + bytes(12)), starts_like_an_image(b"some text")
    (True, False)
    """
    if head[4:8] == b"ftyp":
        return bool(features.check("avif")) and head[8:12] in (b"avif", b"avis")
    if head[:4] == b"RIFF":
        return bool(features.check("webp")) and head[8:12] == b"WEBP"
    return head.startswith((_JPEG, b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*"))


def read_image(
    path: str | Path, channels: int, levels: int | None = None, remarks: list[str] | None = None
) -> NDArray:
    """Read an image file upright, as grey (`channels` 1) or RGB (3); of several images in a file the first.

    Grey images of 16 bits keep all of them. Transparency is dropped, as in the usual training pipelines: a
    transparent pixel counts with the colour stored under it. CMYK and palettes become RGB.

    Args:
        levels: the value that becomes 1.0, for images of more than 8 bits.
        remarks: takes what a person should know about this file.

    Returns:
        Shape (H, W, channels): uint8; uint16 for 16-bit grey; float32 in [0, 1] for 32-bit pixels.

    Raises:
        StepforwardError: the file cannot be read or is damaged, or has 32-bit pixels of unknown range.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with _open(path) as image:
                turn, seen = _orientation(image), _remarks(image)
                image.load()
                if image.has_transparency_data and _lowest_alpha(image) < 255:
                    seen.append("transparent parts count with the colour stored under them")
                if remarks is not None:
                    remarks += seen
                pixels = _pixels(image.transpose(turn) if turn is not None else image, channels, levels)
    except StepforwardError as error:
        raise StepforwardError(f"{path} {error.what}", error.remedy) from error
    except Exception as error:  # a decoder of somebody else's, on bytes of somebody else's
        raise StepforwardError(
            f"{path} is not a readable image ({error})",
            "save the image again as PNG or JPEG, or delete it",
        ) from error
    return np.broadcast_to(pixels[..., None], (*pixels.shape, channels)) if pixels.ndim == 2 else pixels


def _open(path: str | Path) -> Image.Image:
    try:
        return Image.open(path, formats=FORMATS)
    except Exception:
        with open(path, "rb") as file:
            start = file.read(len(_JPEG))
            if start != _JPEG:
                raise
            return Image.open(io.BytesIO(_without_exif(start + file.read())), formats=FORMATS)


def _without_exif(jpeg: bytes) -> bytes:
    """The file without its APP1 segments: Pillow looks for the resolution there and gives up where they are damaged."""
    kept, at = [jpeg[:2]], 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] != b"\xda":  # until the pixels start
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1 : at + 2] != b"\xe1":
            kept.append(jpeg[at:end])
        at = end
    return b"".join(kept) + jpeg[at:]


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """How to turn the image; None also where its EXIF block is damaged, since the pixels need not be."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # whatever a damaged block makes Pillow raise
        return None


def _remarks(image: Image.Image) -> list[str]:
    """What is left out of this file, before it is decoded."""
    remarks = []
    if image.format in ("GIF", "TIFF", "WEBP", "PNG", "AVIF") and _frames(image) > 1:
        remarks.append("of several images in one file the first is read")
    if image.mode.startswith("RGB") and any(";16" in str(tile.args) for tile in getattr(image, "tile", ())):
        remarks.append("of 16-bit colour the upper 8 bits are read")
    return remarks


def _frames(image: Image.Image) -> int:
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # damage in what is not read
        return 1


def _lowest_alpha(image: Image.Image) -> int:
    return int(np.asarray(image.convert("RGBA").getchannel("A")).min())


def _pixels(image: Image.Image, channels: int, levels: int | None) -> NDArray:
    """Pixels as `read_image` returns them; grey ones without a channel axis."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep(np.asarray(image), levels)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.asarray(image.convert("L" if channels == 1 else "RGB"))


def _deep(values: NDArray, levels: int | None) -> NDArray:
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise StepforwardError("holds NaN or Inf", "save the image again, or delete it")
    if values.dtype.kind in "iu" and low >= 0 and high < 2**16:
        return values.astype(np.uint16)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return values.astype(np.float32)
    if levels is None:
        raise StepforwardError(
            f"has 32-bit pixels from {low:g} to {high:g}, and what white is cannot be known",
            'add "levels": the value that becomes 1.0, to the image preprocessing of the model',
        )
    return (np.clip(values, 0, levels) / levels).astype(np.float32)


def fit_image(pixels: NDArray, settings: dict) -> NDArray[np.float32]:
    """Bring an image to the network's size (Pillow's bilinear filter) and normalise it.

    `settings["fit"]` says how an image of another aspect ratio gets there: "crop" (default) cuts the centre out,
    "squash" stretches, "letterbox" shrinks the whole image and leaves black bars.

    Args:
        pixels: shape (H, W, C): uint8; uint16, of which `settings["levels"]` (default 65535) and all above become
            1.0; or float32 in [0, 1].
        settings: checked preprocessing settings of kind "image".

    Returns:
        float32, shape (channels, height, width): `(value - mean) / std` with values in [0, 1].
    """
    height, width = settings["height"], settings["width"]
    if pixels.dtype == np.uint16:
        levels = settings.get("levels", 65535)
        pixels = (np.minimum(pixels, levels) / levels).astype(np.float32)
    if pixels.shape[:2] != (height, width):
        # channel by channel: Pillow has no one-channel images with a channel axis
        fit = settings.get("fit", "crop")
        planes = [
            _fit_plane(np.ascontiguousarray(plane), fit, height, width)
            for plane in np.moveaxis(pixels, -1, 0)
        ]
        pixels = np.stack(planes, axis=-1)
    if pixels.dtype == np.uint8:
        pixels = pixels / 255.0
    mean, std = np.asarray(settings["mean"], np.float64), np.asarray(settings["std"], np.float64)
    return np.moveaxis((pixels - mean) / std, -1, 0).astype(np.float32)


def _fit_plane(plane: NDArray, fit: str, height: int, width: int) -> NDArray:
    image, bilinear = Image.fromarray(plane), Image.Resampling.BILINEAR
    if fit == "crop":
        return np.asarray(ImageOps.fit(image, (width, height), bilinear))
    if fit == "squash":
        return np.asarray(image.resize((width, height), bilinear))
    scale = min(height / image.height, width / image.width)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    canvas = np.zeros((height, width), plane.dtype)
    top, left = (height - inner[1]) // 2, (width - inner[0]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = np.asarray(image.resize(inner, bilinear))
    return canvas


def share_cut(shape: tuple[int, ...], settings: dict) -> float:
    """The share of an image's area, (H, W, ...), that `fit_image` cuts away.

    >>> share_cut((20, 30, 3), {"height": 8, "width": 8})
    0.33333333333333337
    """
    if settings.get("fit", "crop") != "crop":
        return 0.0
    ratio = shape[1] * settings["height"] / (shape[0] * settings["width"])
    return 1 - min(ratio, 1 / ratio)
