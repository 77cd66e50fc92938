"""Names that others chose never steer the terminal, whatever command shows them."""

import json
import shutil
import unicodedata

import onnx
import pytest
import stripes

HOSTILE = [
    "red\x1b[31m\x1b]0;title\x07",
    "back\u202ewards\x9b1A",
    "[bold red]line\nstepforward: fine",
]


def harmless(text: str) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in text)


@pytest.fixture(scope="module")
def hostile_task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    model = stripes.network()
    for entry in model.metadata_props:
        if entry.key == "stepforward.class_names":
            entry.value = json.dumps(HOSTILE)
    for node in model.graph.node:
        node.name += "\x1b[2J"
    for weight in model.graph.initializer:
        renamed = weight.name + "\x1b[5m\u202e"
        for node in model.graph.node:
            node.input[:] = [renamed if name == weight.name else name for name in node.input]
        weight.name = renamed
    model.graph.name = "stripes\x1bc"
    onnx.save(model, folder / "float.onnx")
    return folder / "float.onnx", stripes.write_folder(folder / "da\x1b[7mta", range(8), HOSTILE)


def test_every_command_shows_hostile_names_as_text(drawn, run, hostile_task, tmp_path):
    model, data = hostile_task
    quantized, out = tmp_path / "q\x1b[1m.onnx", tmp_path / "run\x1b[4m"
    program = tmp_path / "p.sfp"
    for words in (
        ("quantize", model, "--data", data, "--out", quantized, "--program", program),
        ("inspect", quantized),
        ("inspect", program),
        ("evaluate", quantized, "--data", data),
        ("adapt", quantized, "--data", data, "--out", out, "--steps", 5),
        ("replay", quantized, out / "journal"),
    ):
        code, printed, log = run(*words)
        assert code == 0, log
        assert harmless(printed)
        assert harmless(log)
    report = (out / "report.html").read_text()
    assert harmless(report.replace("\t", ""))
    assert "[bold red]line" in report


def test_json_holds_the_names_as_they_are(run_json, hostile_task, tmp_path):
    model, data = hostile_task
    code, result = run_json("evaluate", model, "--data", data)
    assert code == 0
    assert result["class_names"] == HOSTILE


def test_errors_about_hostile_names_are_text(run, task, tmp_path):
    data = shutil.copytree(task.data, tmp_path / "d\x1b[31m")
    (data / "vertical").rename(data / "vert\x1b[8m\nstepforward: all is well")
    code, out, log = run("evaluate", task.model, "--data", data)
    assert code == 2
    assert harmless(out + log)
    assert "\nstepforward: all" not in log
    code, out, log = run("inspect", tmp_path / "no\x1b[8m.sfp", "--tra\x1bin")
    assert code == 2
    assert harmless(out + log)
