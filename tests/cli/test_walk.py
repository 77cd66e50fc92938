"""The four commands of docs/tutorial.md on what a newcomer brings; examples/first_contact.py times them."""

import importlib.util
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "first_contact.py"


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("first_contact", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_ordinary_torch_export_and_a_folder_of_images(example, run_json, tmp_path, monkeypatch):
    import torch

    random = np.random.default_rng(0)
    layers = torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    net = torch.nn.Sequential(*layers, torch.nn.Linear(8, 3)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its exporter
        torch.onnx.export(net, (torch.zeros(1, 3, 32, 32),), tmp_path / "shapes.onnx", verbose=False)
    example.write_images(tmp_path / "photos", 6, random)
    example.write_images(tmp_path / "others", 4, random)
    *_setting_up, check, adapt = example.commands(".")
    assert len(example.commands(".")) == 4
    assert run_json(*shlex.split(check)[1:])[1]["supported"]
    code, result = run_json(*shlex.split(adapt)[1:], "--steps", "3")
    assert (code, result["class_names"]) == (0, list(example.SHAPES))
    code, predicted = run_json("predict", "run/adapted.onnx", "others/cross/000.png")
    assert predicted["predictions"][0]["class"] in example.SHAPES


def test_the_tutorial_shows_these_commands(example):
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    for command in example.commands("."):
        assert f"    {command}" in tutorial
