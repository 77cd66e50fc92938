"""What a person should know about the data reaches them through every verb that reads it."""

import json

import numpy as np
import pytest
from onnx_graphs import parse, ramp
from PIL import Image

from stepforward.cli.main import main
from stepforward.graph.metadata import set_class_names, set_preprocessing
from stepforward.sources.onnx.file import save_onnx

SETTINGS = {"kind": "image", "height": 4, "width": 4, "channels": 1, "mean": [0.5], "std": [0.5]}


@pytest.fixture
def task(tmp_path):
    body = "f = Flatten(x)\ny = Gemm<transB = 1>(f, w, b)"
    model = parse(body, "N,1,4,4", "N,2", w=ramp(2, 16, scale=1.0), b=ramp(2))
    set_class_names(model, ["cat", "dog"])
    set_preprocessing(model, SETTINGS)
    save_onnx(model, tmp_path / "net.onnx")
    for name, value in (("cat", 20), ("dog", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for take in range(4):
            Image.fromarray(np.full((4, 4), value + take, np.uint8)).save(
                tmp_path / "data" / name / f"{take}.png"
            )
    (tmp_path / "data" / "dog" / "phone.heic").write_bytes(b"not an image")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "evaluate net.onnx --data data",
        "quantize net.onnx --data data --out q.onnx",
        "adapt net.onnx --data data --steps 2 --out run",
    ],
)
def test_skipped_files_are_said(task, capsys, monkeypatch, words):
    monkeypatch.chdir(task)
    assert main(words.split()) == 0
    assert "1 file is skipped (1 .heic)" in " ".join(capsys.readouterr().out.split())
    if words.startswith("adapt"):
        assert "1 .heic" in " ".join(json.loads((task / "run" / "result.json").read_text())["notes"])
