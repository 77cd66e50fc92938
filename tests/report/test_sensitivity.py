from dataclasses import asdict

import numpy as np
import pytest
from onnx_graphs import parse, ramp, samples
from rich.console import Console

from stepforward.report.sensitivity import layers, write_page
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.verbs.sensitivity import sensitivity


@pytest.fixture(scope="module")
def found():
    body = "a = Conv<pads=[1,1,1,1]>(x, w1, b1) r = Relu(a) f = Flatten(r) y = Gemm<transB=1>(f, w, b)"
    weights = {"w1": ramp(2, 2, 3, 3), "b1": ramp(2), "w": ramp(3, 72), "b": ramp(3)}
    model = canonicalize(parse(body, **weights))
    x = samples(model, 12)
    return asdict(sensitivity(model, (x, np.arange(12) % 3), bits="8w8a"))


def test_the_table_has_every_tensor_the_worst_first(found):
    console = Console(width=120)
    with console.capture() as captured:
        console.print(layers(found))
    lines = captured.get().splitlines()
    worst = max(found["tensors"], key=lambda row: row["share"])["name"]
    names = [row["name"] for row in found["tensors"]]
    rows = [line.split()[0] for line in lines if "dB" in line and line.split()[0] in names]
    assert sorted(rows) == sorted(names) and rows[0] == worst
    assert any(line.startswith("float32") for line in lines)


def test_without_labels_the_table_counts_equal_answers(found):
    unlabelled = {"accuracy": None, "loss": None}
    rows = [row | {"effect": row["effect"] | unlabelled} for row in found["tensors"]]
    console = Console(width=120)
    with console.capture() as captured:
        both = {name: found[name] | unlabelled for name in ("reference", "whole")}
        console.print(layers(found | both | {"tensors": rows}))
    assert "same answers" in captured.get()


def test_the_page_draws_every_tensor_and_fetches_nothing(found, tmp_path):
    write_page(found, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("data:image/svg+xml") == 2 and "http:" not in text and "<script" not in text
    assert all(row["name"] in text for row in found["tensors"])
