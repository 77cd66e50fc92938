"""`inspect --sensitivity`: the table, the page, the JSON, and what is refused."""

import pytest


def test_the_table_the_page_and_the_json_agree(run, run_json, task, tmp_path):
    words = ("inspect", task.float_model, "--sensitivity", "--data", task.test, "--bits", "8w8a")
    code, out, _ = run(*words, "--report", "page.html")
    assert code == 0 and "signal to noise" in out and "integers, 8w8a" in out
    code, found = run_json(*words)
    assert code == 0 and found["samples"] == 12 and found["report"] is None
    page = (tmp_path / "page.html").read_text()
    for row in found["tensors"]:
        assert row["name"] in out and row["name"] in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sensitivity",), "--data"),
        (("--data", "{data}"), "--data is for --sensitivity"),
        (("--sensitivity", "--data", "{data}", "--wide", "nothing"), "matches no activation"),
        (("--sensitivity", "--data", "{data}", "--report", "{model}"), "given to read"),
    ],
)
def test_what_makes_no_sense_is_refused(run, task, words, told):
    named = [word.format(data=task.test, model=task.float_model) for word in words]
    code, out, err = run("inspect", task.float_model, *named)
    assert (code, out) == (2, "") and told in err
