def test_a_line_for_every_class_of_every_file(run, run_json, task):
    files = sorted((task.test / "vertical").iterdir())
    code, out, _ = run("predict", task.model, *files, "--top", "2")
    assert code == 0
    assert sum(line.rstrip().endswith("%") for line in out.splitlines()) == 2 * len(files)
    code, result = run_json("predict", task.model, *files)
    assert [found["source"] for found in result["predictions"]] == [str(file) for file in files]


def test_an_ordinary_export_says_what_it_assumed(run, tmp_path, task):
    import onnx
    import stripes

    plain = stripes.network()
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "plain.onnx")
    code, out, _ = run("predict", tmp_path / "plain.onnx", task.test / "vertical" / "08.png")
    assert code == 0
    assert "divided by 255" in out


def test_a_stream_is_followed_by_both_commands(run, run_json, task):
    files = sorted((task.test / "vertical").iterdir())
    code, result = run_json("predict", task.model, *files, "--follow")
    assert code == 0 and len(result["predictions"]) == len(files)
    code, result = run_json("evaluate", task.model, "--data", task.test, "--follow")
    assert code == 0 and any("were followed in their order" in note for note in result["notes"])
    code, out, _ = run("inspect", task.model)
    assert code == 0 and "follows a stream" in " ".join(out.split())
