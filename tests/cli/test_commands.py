"""The commands on a tiny real task, from a float network to an adapted one."""

import json
import shlex

import pytest
from made_up_result import of_entries

from stepforward.report.command import command_line

ADAPT = ("--steps", "40", "--lr", "0.01", "--epsilon", "0.01", "--directions", "2", "--seed", "3")


def test_adapt_writes_a_whole_run_folder_and_prints_the_figures(run, task, tmp_path):
    code, out, err = run(
        "adapt", task.model, "--data", task.data, "--test", task.test, *ADAPT, "--out", "run"
    )
    assert code == 0
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        *("adapted.onnx", "adapted.sfp", "journal", "report.html", "result.json")
    }
    for word in (
        "zero-shot",
        "adapted",
        "points",
        "on 12 test samples",
        "weights",
        "forward passes",
        "report.html",
    ):
        assert word in out
    assert "step 40/40" in err


def test_json_is_one_line_equal_to_the_result_file(run_json, task, tmp_path):
    code, result = run_json("adapt", task.model, "--data", task.data, *ADAPT, "--out", "run")
    assert code == 0
    assert {**json.loads((tmp_path / "run" / "result.json").read_text()), "out": "run"} == result
    assert result["settings"]["directions"] == 2
    assert result["settings"]["seed"] == 3


def test_the_command_in_a_report_makes_the_same_run(run_json, task, tmp_path):
    options = (*ADAPT, "--whole-batch", "--temperature", "1.5")
    code, result = run_json("adapt", task.model, "--data", task.data, *options, "--out", "run")
    assert (code, result["settings"]["share_batch"], result["settings"]["temperature"]) == (0, False, 1.5)
    _program, *words = shlex.split(command_line(of_entries(result)))
    code, again = run_json(*words, "--out", "again")
    assert (code, again["weights_sha256"]) == (0, result["weights_sha256"])


def test_runs_without_out_get_folders_of_their_own(run_json, task, tmp_path):
    for _ in range(2):
        assert run_json("adapt", task.model, "--data", task.data, "--steps", "2")[0] == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["model-1", "model-2"]


def test_a_float_model_is_quantized_on_the_way(run_json, task, tmp_path):
    code, result = run_json("adapt", task.float_model, "--data", task.data, "--steps", "2", "--bits", "8w8a")
    assert (code, result["bits"]) == (0, "8w8a")
    assert (tmp_path / result["out"] / "base.onnx").exists()


def test_replay_rebuilds_the_adapted_weights(run_json, task):
    _, adapted = run_json("adapt", task.model, "--data", task.data, *ADAPT, "--out", "run")
    code, again = run_json("replay", task.model, "run/journal", "--out", "again.onnx")
    assert code == 0
    assert again["weights_sha256"] == adapted["weights_sha256"]
    _, measured = run_json("evaluate", "again.onnx", "--data", task.test)
    assert measured["weights_sha256"] == adapted["weights_sha256"]


def test_evaluate_prints_accuracy_per_class(run, task):
    code, out, _ = run("evaluate", task.model, "--data", task.test)
    assert code == 0
    for word in ("accuracy", "12 samples", "nats", "horizontal", "vertical", "squares"):
        assert word in out


def test_inspect_reads_models_and_programs_alike(run, run_json, task):
    code, result = run_json(
        *("quantize", task.float_model, "--data", task.data, "--out", "q.onnx", "--program", "q.sfp")
    )
    assert (code, result["out"], result["program"]) == (0, "q.onnx", "q.sfp")
    _, from_model = run_json("inspect", "q.onnx", "--train", "head")
    _, from_program = run_json("inspect", "q.sfp", "--train", "head")
    assert from_program["weights_sha256"] == from_model["weights_sha256"] == result["weights_sha256"]
    assert from_model["trainable"] == ["head.weight", "head.bias"]
    code, out, _ = run("inspect", "q.sfp")
    assert code == 0
    for word in (
        "fully_connected",
        "conv",
        "8x8x4",
        "multiply-accumulates",
        "scratch, training",
        "head.weight",
    ):
        assert word in out


@pytest.mark.parametrize(
    "command",
    ["demo", "check", "adapt", "evaluate", "predict", "quantize", "inspect", "replay", "bench"],
)
def test_help_of_every_command_shows_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: stepforward {command}" in out


def test_help_and_version(run):
    assert run()[:2] == run("--help")[:2]
    assert "adapt" in run("--help")[1]
    code, out, _ = run("--version")
    assert (code, out.split()[0]) == (0, "stepforward")


def test_a_terminal_gets_a_bar(run, task, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    code, _, err = run("adapt", task.model, "--data", task.data, *ADAPT)
    assert code == 0
    for part in ("40/40", "loss", "val", "best at", "steps/s", "left"):
        assert part in err


def test_the_help_of_adapt_has_few_basic_options_and_an_advanced_group(run):
    _, out, _ = run("adapt", "--help")
    basic, advanced = out.split("Options ─")[1].split("Advanced ─")
    named = [line.split("--")[1].split()[0] for line in basic.splitlines() if "--" in line[:8]]
    assert named == [
        "data", "test", "out", "resume", "train", "steps", "balance", "classes", "image",
        "input-shape", "json", "help",
    ]  # fmt: skip
    for option in ("--epsilon", "--lr", "--bits", "--threads", "--patience"):
        assert option in advanced
