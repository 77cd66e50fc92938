"""Rows of the table of found files."""

import found_files
import numpy as np
import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp


def row(path, **of):
    return found_files.row(found_files.Found("package==1", path.name, **of), path)


def saved(path, body, **weights):
    ir.save(parse(body, **weights), path)
    return path


def test_a_file_that_opens_is_compared_with_its_runtime(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")
    body = "f = Flatten(x) g = Gemm<transB=1>(f, w, b) y = Softmax(g)"
    made = row(saved(tmp_path / "a.onnx", body, w=ramp(3, 72), b=ramp(3)))
    assert made["opened"] and made["outcome"].startswith("opens (2 x 6 x 6 to 3): float32 within ")
    assert float(made["outcome"].split("within ")[1].split()[0]) < 1e-5


def test_a_file_that_is_refused_says_why_without_its_path(tmp_path):
    body = "h = Hardmax(x) f = Flatten(h) y = Gemm<transB=1>(f, w, b)"
    made = row(saved(tmp_path / "a.onnx", body, w=ramp(3, 72), b=ramp(3)))
    assert not made["opened"] and made["outcome"].startswith("refused: Hardmax node")
    (tmp_path / "b.onnx").write_bytes(b"\x08\x07nothing")
    assert str(tmp_path) not in row(tmp_path / "b.onnx")["outcome"]


def test_what_opens_stands_first():
    rows = [
        {"package": p, "file": p, "size": "", "outcome": "", "seconds": "", "opened": p == "b"} for p in "ab"
    ]
    assert found_files.shown(rows).splitlines()[2].startswith("| b |")


def test_one_logit_is_read_as_the_second_of_two_probabilities():
    logits = np.float32([[0.0, 2.0]])
    assert len(found_files._readings(logits, (1, 1))) == 1
    assert len(found_files._readings(logits, (1, 2))) == 2
