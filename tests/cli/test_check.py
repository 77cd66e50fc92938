import shlex

from verbs.test_check import unsupported


def test_a_supported_model_and_the_next_command(run, run_json, task):
    code, out, _ = run("check", task.float_model)
    assert code == 0
    for word in ("supported", "1 x 8 x 8", "flash", "RAM, training", "horizontal", "image", "next:"):
        assert word in out
    _, result = run_json("check", task.float_model)
    words = shlex.split(result["next"].replace("DATA", shlex.quote(str(task.data))))
    assert run(*words[1:], "--steps", "1")[0] == 0


def test_a_model_that_is_not_supported_ends_with_2(run, run_json, tmp_path):
    path = unsupported(tmp_path / "hardmax.onnx")
    code, out, err = run("check", path)
    assert (code, err) == (2, "")
    assert "not supported" in out
    assert "Hardmax" in out
    code, result = run_json("check", path)
    assert (code, result["supported"]) == (2, False)


def test_no_model_at_all(run_json, tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    code, answer = run_json("check", tmp_path / "text.onnx")
    assert (code, set(answer)) == (2, {"error", "remedy"})
