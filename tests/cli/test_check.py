import shlex

import onnx
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


def test_which_output_and_which_numbers_are_in_the_next_command(run_json, tmp_path):
    text = """<ir_version: 10, opset_import: ["": 21]>
    net (float[N,6] x, float gain) => (float[N,6] features, float[N,3] scores) {
        features = Mul(x, gain)
        r = Relu(features)
        w = Constant<value = float[3,6] {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9}>()
        scores = Gemm<transB=1>(r, w)
    }"""
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    code, answer = run_json("check", path)
    assert code == 2 and "--fixed-inputs NAME=NUMBER" in answer["remedy"]
    code, answer = run_json("check", path, "--fixed-inputs", "gain=2")
    assert code == 2 and "'features' (N, 6), 'scores' (N, 3)" in answer["error"]
    code, answer = run_json("check", path, "--fixed-inputs", "gain=2", "--output", "scores")
    assert (code, answer["outputs"], answer["input_shape"]) == (0, 3, [6])
    assert answer["next"].endswith("m.onnx --output scores --fixed-inputs gain=2 --data DATA")
    code, answer = run_json("inspect", path, "--fixed-inputs", "gain=2")
    assert code == 2 and "--fixed-inputs is for --sensitivity" in answer["error"]
