import errno
import os
import socket

import pytest

from stepforward.errors import StepforwardError
from stepforward.files import check_regular, clear_temporary, read_file, refuse_to_replace, write_atomically


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"first", b"", b"second"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "os.chmod"])
def test_what_was_there_survives_a_failure_at_any_point(tmp_path, monkeypatch, call):
    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    write_atomically(path, b"first")
    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        with pytest.raises(StepforwardError, match="No space left") as caught:
            write_atomically(path, b"second")
    assert "disk space" in caught.value.remedy
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writers_temporary_file_is_removed_and_a_living_ones_is_not(tmp_path, monkeypatch):
    path = tmp_path / "file [1]"
    left, others = tmp_path / ".file [1].abc.tmp", tmp_path / ".another.abc.tmp"
    left.touch()
    others.touch()

    def meanwhile(*args):
        (living,) = tmp_path.glob(".file*")  # the one being written
        clear_temporary(path)
        assert living.exists()

    with monkeypatch.context() as patch:
        patch.setattr("os.chmod", meanwhile)
        write_atomically(path, b"content")
    assert {*tmp_path.iterdir()} == {path, others}
    assert path.read_bytes() == b"content"


def test_a_missing_folder_is_not_called_a_full_disk(tmp_path):
    with pytest.raises(StepforwardError, match="No such file") as caught:
        write_atomically(tmp_path / "none" / "file", b"")
    assert "disk space" not in caught.value.remedy


def test_an_output_is_never_an_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_to_replace(None, "model.onnx")
    refuse_to_replace("out.onnx", "model.onnx", object())
    (tmp_path / "link.onnx").symlink_to(tmp_path / "model.onnx")
    for out in ("model.onnx", tmp_path / "model.onnx", "./x/../model.onnx", "link.onnx"):
        with pytest.raises(StepforwardError, match="given to read"):
            refuse_to_replace(out, "data", "model.onnx")


def test_an_ordinary_file_is_read_through_links(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link") == b"content"
    check_regular(str(tmp_path / "file"))


def test_what_is_no_ordinary_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("pipe", "link", "socket", "/dev/zero"):
            with pytest.raises(StepforwardError, match="a pipe, a device or a socket"):
                read_file(tmp_path / name)
    with pytest.raises(StepforwardError, match="is a folder"):
        read_file(tmp_path)
    with pytest.raises(StepforwardError, match="cannot find"):
        read_file(tmp_path / "missing")
    for name in ("loop", "a" * 5000, "null\0byte"):
        with pytest.raises(StepforwardError, match="cannot read"):
            read_file(tmp_path / name)
