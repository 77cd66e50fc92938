"""Targets from made-up results: what is met, what is not, and what is said about it."""

import pytest
from targets import targets


def cell(batch, **changes):
    seconds = {"core_forward": 0.02, "core_step": 0.042, "torch_f32_forward": 0.05, "ort_f32_forward": 0.018}
    seconds |= {"backprop_step": 0.21, "mezo_step": 0.168}
    ratios = {"forward_vs_torch_f32": 2.5, "forward_vs_ort_f32": 0.9, "forward_vs_ort_int8": 0.5}
    ratios |= {"step_vs_two_forwards": 1.05, "step_vs_backprop": 5.0, "step_vs_mezo": 4.0} | changes
    times = {name: {"median": value} for name, value in seconds.items()}
    return {"network": "resnet20", "batch": batch, "threads": 2, "seconds": times, "ratios": ratios}


@pytest.fixture
def speed():
    memory = {"core": {"above": 1000}, "backprop": {"above": 9000}}
    facts = {
        "macs": 20_000_000,
        "multiplications": 10_000_000,
        "parameters": 1000,
        "memory": memory,
        "step": {"generate_once": 0.0008},
    }
    return {
        "machine": {"peak": [{"threads": 2, "macs_per_second": 64e9}]},
        "networks": {"resnet20": facts},
        "cells": [cell(16, step_vs_two_forwards=1.2), cell(64)],
        "kernel": [
            {"products": 144, "rows": 48, "threads": 2, "share": 0.1},
            {"products": 576, "rows": 48, "threads": 2, "share": 0.81},
            {"products": 576, "rows": 64, "threads": 2, "share": 0.87},
        ],
        "scaling": {
            "trainable": [
                {
                    "network": "resnet20",
                    "train": "last:1",
                    "seconds": 0.0256,
                    "work_share": 0.5,
                    "time_share": 0.61,
                }
            ]
        },
    }


def find(rows, words):
    (row,) = [row for row in rows if words in row.target]
    return row


def test_a_met_target_needs_no_reason(speed):
    row = find(targets(speed), "torch float32")
    assert (row.measured, row.met, row.why) == ("resnet20 2.50", True, "")


def test_a_missed_ratio_says_what_is_possible_at_most(speed):
    # a floor of 10 ms per forward pass, 20 ms per step
    row = find(targets(speed), "as fast as backpropagation")
    assert (row.measured, row.met) == ("resnet20 5.00", False)
    assert row.why == "at most (share of the peak reached): resnet20 10.5 (48%)"
    assert find(targets(speed), "ONNX Runtime float32").why.endswith("resnet20 1.8 (50%)")


def test_what_is_asked_depends_on_the_batch(speed):
    assert find(targets(speed), "at most 1.05").met
    row = find(targets(speed), "at most 1.15")
    assert (row.measured, row.met) == ("resnet20 1.20", False)
    assert row.why == "making z of all directions on all threads, as a share of two forwards: resnet20 1.0%"


def test_int8_is_told_and_not_judged(speed):
    row = find(targets(speed), "ONNX Runtime int8")
    assert (row.measured, row.met) == ("resnet20 0.50", None)


def test_shares_memory_and_heads_are_judged(speed):
    rows = targets(speed)
    assert find(rows, "ResNet-20 forward").measured.startswith("resnet20 50% (100% if")
    kernel = find(rows, "multiply kernel")
    assert (kernel.measured, kernel.met) == ("2 threads 84% (81% to 87%)", True)
    assert find(rows, "memory").met is False
    head = find(rows, "`head`")
    assert (head.measured, head.met) == ("resnet20 +22%", False)
    assert head.why == "resnet20 (5.60 ms next to its one forward pass)"


def test_what_was_not_measured_is_neither_met_nor_missed(speed):
    rows = targets({**speed, "cells": [], "kernel": []})
    for words in ("torch float32", "1.05", "demo", "kernel", "M55", "ResNet-20 forward", "Runtime int8"):
        row = find(rows, words)
        assert (row.measured, row.met) == ("not measured", None)


def test_the_demo_is_judged_by_every_batch_size(speed):
    row = {"batch": 80, "seeds": 5, "reached": 5, "ratio": 0.8, "steps": 480, "backprop_steps": 60}
    row["ratio_default"] = 1.3
    assert find(targets(speed, {"summary": [row]}), "demo").met
    missed = {**row, "batch": 32, "reached": 1, "ratio": None, "steps": None}
    line = find(targets(speed, {"summary": [row, missed]}), "demo")
    assert (line.measured, line.met) == ("batch 80 0.8, batch 32 not reached", False)
    assert "1 of 5 seeds get there, more than half do not; default settings 1.3" in line.why


def test_devices_are_judged_by_their_largest_layers(speed):
    operators = [[2000, 9000], [30, 90], [1, 2]]
    run = {"operators": ["conv", "fully_connected", "conv"], "products": [1000, 10, 1]}
    builds = {build: {"operators": operators} for build in ("M4 DSP", "M55 Helium")}
    rows = targets(speed, None, {"runs": {"kernels": {**run, "builds": builds}}})
    assert (find(rows, "M4").measured, find(rows, "M4").met) == ("dense 3.00, 3x3 2.00", True)
    assert find(rows, "M55").met is False


def test_a_peer_that_was_not_installed_is_not_measured(speed):
    row = find(targets(speed), "OpenVINO float32")
    assert (row.measured, row.met) == ("not measured", None)


def test_openvino_in_8_bits_is_compared_with_our_8_bits(speed):
    for cell in speed["cells"]:
        cell["ratios"]["forward_8bit_vs_openvino_int8"] = 1.4
        cell["seconds"] |= {"openvino_int8_forward": {"median": 0.03}, "core_8bit_forward": {"median": 0.02}}
    row = find(targets(speed), "at least 1.5 times as fast as OpenVINO int8")
    assert (row.measured, row.met, row.why) == ("resnet20 1.40", False, "")
