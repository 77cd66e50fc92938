"""The benchmark itself on budgets too small to measure anything: what it gives, not how fast things are."""

import json
import re

import pytest
from small import small_program

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")


from plain import plain

from stepforward.bench.full import full
from stepforward.bench.peers import PEERS, peers
from stepforward.bench.quick import quick
from stepforward.bench.save import save
from stepforward.bench.training import training
from stepforward.plan.make import plan_training

FIGURES = {
    *("forward_vs_torch_f32", "forward_vs_ort_f32", "forward_vs_ort_int8"),
    *("step_vs_two_forwards", "step_vs_backprop", "step_vs_mezo"),
}


@pytest.fixture(scope="module")
def result():
    return full(["lenet5"], [1], [1], 0.01)


def test_quick_gives_exactly_the_six_figures():
    figures = quick(networks=["lenet5"], batch=2, threads=1, seconds=0.01)
    assert set(figures) == {"lenet5"}
    assert set(figures["lenet5"]) == FIGURES
    assert all(value > 0 for value in figures["lenet5"].values())


def test_a_cell_has_every_peer(result):
    (cell,) = result["cells"]
    assert set(cell["seconds"]) == set(peers()) >= set(PEERS)
    assert set(cell["ratios"]) >= FIGURES
    assert cell["macs_per_second"] == pytest.approx(416520 * cell["images_per_second"])


def test_counts_are_those_of_the_network(result):
    facts = result["networks"]["lenet5"]
    assert facts["macs"] == 357600 + 58920
    assert facts["macs_by_kind"] == {"conv": 357600, "fully_connected": 58920}
    assert facts["multiplications"] == facts["macs"]  # no 3x3 convolution
    assert facts["parameters"] == 61706
    # input, two convolutions, two pools, a reordering, three dense layers: each written once and read once
    read = 784 + 4704 + 1176 + 1600 + 400 + 400 + 120 + 84
    written = 4704 + 1176 + 1600 + 400 + 400 + 120 + 84 + 10 * 2
    assert facts["activation_bytes"] == read + written
    for count in ("macs", "multiplications"):
        assert sum(row[count] for row in facts["operators"]) == 64 * facts[count]


def test_adapting_takes_less_memory_than_backpropagation(result):
    memory = result["networks"]["lenet5"]["memory"]
    assert 0 < memory["core"]["above"] < memory["backprop"]["above"]


def test_layers_in_front_of_the_trainable_ones_count_once(result):
    rows = {row["train"]: row for row in result["scaling"]["trainable"]}
    assert rows["all"]["work_share"] == 1
    assert rows["last:1"]["work_share"] == pytest.approx((416520 + 840) / (2 * 416520))
    rows = result["scaling"]["directions"]
    assert [(row["m"], row["share_batch"]) for row in rows] == [
        (m, share) for m in (1, 2, 4, 8) for share in (False, True)
    ]


def test_the_step_that_is_timed_is_that_of_the_first_release():
    given, defaults = small_program(), plain()
    _, plan = training(given)
    assert (plan.directions, plan.share_batch) == (defaults.directions, defaults.share_batch)
    assert plan.objective == plan_training(given, range(given.parameter_count), defaults).objective


def test_what_is_saved_can_be_read_back(result, tmp_path):
    save(result, tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "speed.json").read_text())
    assert saved["networks"]["lenet5"]["macs"] == 416520


def test_the_documents_can_be_filled_from_it(result):
    from speed_plots import PLOTS
    from speed_tables import TABLES

    tables = {name: make(result) for name, (_, make) in TABLES.items()}
    assert re.search(r"\| lenet5 \| 1 \| 1 \|", tables["comparison"])
    assert all(draw(result).startswith(b"<?xml") for draw in PLOTS.values())
