import json
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
import stripes

from stepforward.cli.main import main


class Task(NamedTuple):
    """Files the commands work on; nothing in them is ever changed."""

    float_model: Path
    model: Path
    data: Path
    test: Path


@pytest.fixture(scope="session")
def task(tmp_path_factory) -> Task:
    folder = tmp_path_factory.mktemp("task")
    onnx.save(stripes.network(), folder / "float.onnx")
    data = stripes.write_folder(folder / "data", range(8))
    test = stripes.write_folder(folder / "test", range(8, 12))
    code = main(
        ["quantize", str(folder / "float.onnx"), "--data", str(data), "--out", str(folder / "model.onnx")]
    )
    assert code == 0
    return Task(folder / "float.onnx", folder / "model.onnx", data, test)


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    """Run a command in an empty working folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def command(*words) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return code, *capfd.readouterr()

    return command


@pytest.fixture
def run_json(run):
    """Run a command with --json: (exit code, the one object on stdout)."""

    def command(*words) -> tuple[int, dict]:
        code, out, _ = run(*words, "--json")
        assert out.count("\n") == 1, "stdout is one line"
        return code, json.loads(out)

    return command
