"""The arrays of an .npz, told by their headers before anything is unpacked."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from stepforward.data.room import available_bytes, gigabytes
from stepforward.data.rows import Rows, rows_of, rows_per_block
from stepforward.errors import StepforwardError
from stepforward.files import check_regular

_MOST_ARRAYS = 1000
_BOMB = 2**30, 500  # bytes, and times the packed size: no samples of a real sensor are packed so far
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Member(NamedTuple):
    """An array of the file, not read yet."""

    path: Path
    entry: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    packed: int

    @property
    def nbytes(self) -> int:
        """Bytes of the array once it is unpacked."""
        return self.dtype.itemsize * math.prod(self.shape)


def members(path: Path) -> dict[str, Member]:
    """The arrays of an .npz by name.

    Raises:
        StepforwardError: the file is not an .npz, or a header is damaged or asks for Python objects.
    """
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as archive:
            entries = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if len(entries) > _MOST_ARRAYS:
                raise ValueError(f"{len(entries):,} arrays")
            return {info.filename[:-4]: _member(path, archive, info) for info in entries}
    except StepforwardError:
        raise
    except Exception as error:  # zipfile and NumPy, on bytes of somebody else's
        raise _unreadable(path, error) from error


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file)
        start = file.tell()
    member = Member(path, info.filename, shape, dtype, fortran, info.compress_size)
    if dtype.hasobject:
        raise StepforwardError(
            f"{path}: {info.filename[:-4]} holds Python objects",
            "save plain arrays with numpy.savez(file, x=.., y=..); object arrays are never loaded",
        )
    if min(shape, default=0) < 0 or info.file_size < start + member.nbytes:
        raise ValueError(
            f"{info.filename} claims {shape} of {dtype} and holds {info.file_size - start:,} bytes"
        )
    return member


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the .npy format")
    return _HEADERS[version](file)


def read_member(member: Member) -> NDArray:
    """The whole array.

    Raises:
        StepforwardError: it is damaged, or does not fit into memory.
    """
    _check_size(member)
    try:
        with zipfile.ZipFile(member.path) as archive, archive.open(member.entry) as file:
            return npy.read_array(file, allow_pickle=False)
    except Exception as error:
        raise _unreadable(member.path, error) from error


def rows_of_member(member: Member) -> Rows:
    """The rows of the array, unpacked a block at a time.

    Raises:
        StepforwardError: here or while they are gone through: damage, or no room.
    """
    _check_size(member, whole=member.fortran)
    if member.fortran or member.dtype.itemsize == 0:
        return rows_of(read_member(member))
    return Rows(member.shape, member.dtype, lambda: _blocks(member))


def _blocks(member: Member) -> Iterator[NDArray]:
    step = rows_per_block(member.shape, member.dtype)
    row_bytes = member.dtype.itemsize * math.prod(member.shape[1:])
    try:
        with zipfile.ZipFile(member.path) as archive, archive.open(member.entry) as file:
            _header(file)
            for first in range(0, member.shape[0], step):
                count = min(step, member.shape[0] - first)
                content = file.read(count * row_bytes)
                yield np.frombuffer(content, member.dtype).reshape(count, *member.shape[1:])
            file.read(1)  # the end, where the checksum is compared
    except StepforwardError:
        raise
    except Exception as error:
        raise _unreadable(member.path, error) from error


def _check_size(member: Member, whole: bool = True) -> None:
    size, free = member.nbytes, available_bytes()
    name = f"{member.path}: {member.entry[:-4]}"
    large, times = _BOMB
    if size > large and size > times * member.packed:
        raise StepforwardError(
            f"{name} takes {gigabytes(size)} unpacked from {gigabytes(member.packed)}: no samples pack so far",
            "save the samples again with numpy.savez",
        )
    if whole and free is not None and size > free:
        raise StepforwardError(
            f"{name} takes {gigabytes(size)} of memory, and {gigabytes(free)} are free",
            "give fewer samples at a time, or use a machine with more memory",
        )


def _unreadable(path: Path, error: Exception) -> StepforwardError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return StepforwardError(
        f"{path} cannot be read as an .npz ({reason})",
        "save plain arrays with numpy.savez(file, x=.., y=..); object arrays are never loaded",
    )
