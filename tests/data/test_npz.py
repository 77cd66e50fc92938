import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from stepforward.data import npz, room
from stepforward.data.load import load
from stepforward.data.npz import members, read_member, rows_of_member
from stepforward.errors import StepforwardError

ARRAY = {"kind": "array"}


def header(text):
    content = text.encode().ljust(118 - 10) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(content)) + content


def archive(path, content, kind=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("x.npy", content)
        file.writestr("y.npy", content)
    return path


def plain(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 1, 8, 8",  # not closed
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (100, 100)}",  # more than there is
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (3,)}",
        "(" * 60,
        "\\x00",
    ],
)
def test_headers_that_lie_are_refused(tmp_path, text):
    path = archive(tmp_path / "a.npz", header(text) + bytes(64))
    with pytest.raises(StepforwardError, match=r"a\.npz") as caught:
        load(path, ARRAY)
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_anywhere_in_a_packed_array_is_one_line(tmp_path, kind):
    path = archive(tmp_path / "a.npz", plain(np.arange(64, dtype=np.float32).reshape(16, 1, 2, 2)), kind)
    whole = path.read_bytes()
    for position in range(30, len(whole), 5):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
        try:
            load(path, ARRAY)
        except StepforwardError as error:
            assert "\n" not in error.what


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_BOMB", (2**20, 500))
    np.savez_compressed(
        tmp_path / "bomb.npz", x=np.zeros((2000, 1, 32, 32), np.float32), y=np.zeros(2000, int)
    )
    with pytest.raises(StepforwardError, match=r"x takes 8\.2 MB unpacked from 0\.0 MB"):
        load(tmp_path / "bomb.npz", ARRAY)


def test_samples_that_do_not_fit_are_refused_with_both_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "available_bytes", lambda: 10_000_000)
    monkeypatch.setattr(npz, "available_bytes", lambda: 10_000_000)
    x, y = np.zeros((3000, 1, 32, 32), np.float16), np.zeros(3000, int)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    with pytest.raises(
        StepforwardError, match=r"3,000 samples of 1 x 32 x 32 take 15\.4 MB .* 10\.0 MB are free"
    ):
        load(tmp_path / "a.npz", ARRAY)
    np.savez(tmp_path / "b.npz", x=np.asfortranarray(np.zeros((3000, 1, 32, 32))), y=y)
    with pytest.raises(StepforwardError, match=r"x takes 24\.6 MB of memory, and 10\.0 MB are free"):
        load(tmp_path / "b.npz", ARRAY)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_loading_takes_the_array_once_and_a_block(tmp_path, kind):
    x = np.zeros((3000, 1, 64, 64), kind)  # 49 MB as float32
    x[7, 0, 3, 4] = 1.5
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(3000) % 2)
    del x
    tracemalloc.start()
    data = load(tmp_path / "a.npz", ARRAY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.x[7, 0, 3, 4] == 1.5
    assert peak < data.x.nbytes + 4 * 2**24


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_together_are_the_array(tmp_path, monkeypatch, order):
    monkeypatch.setattr("stepforward.data.rows.BLOCK_BYTES", 100)
    x = np.asarray(np.arange(7 * 12.0).reshape(7, 3, 4), order=order)
    np.savez_compressed(tmp_path / "a.npz", x=x)
    member = members(tmp_path / "a.npz")["x"]
    np.testing.assert_array_equal(np.concatenate(list(rows_of_member(member).blocks())), x)
    np.testing.assert_array_equal(read_member(member), x)


def test_available_memory_is_known_here():
    assert room.available_bytes() is None or room.available_bytes() > 1e6
