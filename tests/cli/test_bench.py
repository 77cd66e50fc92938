import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")


def test_figures_come_as_a_table_and_progress_on_stderr(run, monkeypatch):
    cell = {"network": "lenet5", "batch": 16, "threads": 2, "images_per_second": 12345.6}
    cell["ratios"] = {"forward_vs_torch_f32": 2.345, "step_vs_mezo": 4.5}

    def full(networks, batches, threads, seconds, tell):
        assert (networks, batches, threads, seconds) == (["lenet5"], [16], [2], 6.0)
        tell("lenet5: batch 16, 2 thread(s)")
        return {"cells": [cell]}

    monkeypatch.setattr("stepforward.bench.full.full", full)
    code, out, err = run("bench", "--networks", "lenet5", "--batches", "16", "--threads", "2")
    assert code == 0
    for word in ("lenet5", "12,346", "2.35", "4.50", "vs MeZO"):
        assert word in out
    assert "bench: lenet5: batch 16, 2 thread(s)" in err


def test_quick_prints_its_figures(run_json, monkeypatch):
    figures = {"resnet20": {"forward_vs_torch_f32": 2.0}}
    monkeypatch.setattr("stepforward.bench.quick.quick", lambda tell: figures)
    assert run_json("bench", "--quick") == (0, figures)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--networks", "lenet5,alexnet"), "alexnet"),
        (("--batches", "1,many"), "many"),
        (("--threads", "0"), "--threads"),
        (("--seconds", "0"), "--seconds"),
        (("--quick", "--batches", "4"), "--batches"),
    ],
)
def test_bad_words_are_refused_before_any_work(run_json, words, named):
    code, result = run_json("bench", *words)
    assert code == 2
    assert named in result["error"]
    assert result["remedy"]
