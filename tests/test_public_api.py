"""The public surface: every name is there, documented, and cheap until it is used."""

import subprocess
import sys

import pytest

import stepforward

HEAVY = ("torch", "onnxruntime", "matplotlib", "onnx", "numpy", "PIL", "soundfile", "jinja2", "rich")


@pytest.mark.parametrize("name", stepforward.__all__)
def test_every_name_is_there_and_documented(name):
    thing = getattr(stepforward, name)
    assert thing.__name__ == name
    assert thing.__doc__
    assert len(thing.__doc__.strip().splitlines()[0]) > 10


@pytest.mark.parametrize(
    "name", ["adapt", "check", "demo", "evaluate", "inspect", "predict", "quantize", "replay"]
)
def test_every_verb_is_in_the_summary(name):
    assert f"    {name} " in stepforward.__doc__


def test_unknown_names_are_unknown():
    with pytest.raises(AttributeError, match="no attribute 'adopt'"):
        stepforward.adopt  # noqa: B018


def imported(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.split()) & set(HEAVY)


def test_importing_the_package_imports_nothing_heavy():
    assert imported("import stepforward") == set()


def test_the_verbs_need_neither_torch_nor_onnxruntime_nor_a_plot():
    verbs = ", ".join(("adapt", "demo", "evaluate", "inspect", "quantize", "replay", "load"))
    assert imported(f"from stepforward import {verbs}") & {"torch", "onnxruntime", "matplotlib"} == set()


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ("['--version']", set()),
        ("['--help']", {"rich"}),
        ("['adapt', '--help']", {"rich"}),
        ("['nonsense']", {"rich"}),
    ],
)
def test_the_command_answers_without_numpy(words, needed):
    assert imported(f"from stepforward.cli.main import main; main({words})") == needed


def test_a_shell_completes_without_numpy(monkeypatch):
    monkeypatch.setenv("_STEPFORWARD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "stepforward ad")
    monkeypatch.setenv("COMP_CWORD", "1")
    run = "from stepforward.cli.main import main\ntry:\n    main([])\nexcept SystemExit:\n    pass"
    assert "numpy" not in imported(run)
