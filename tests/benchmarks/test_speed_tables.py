from speed_tables import kernel, speedup, trainable


def test_speedup_is_from_the_fewest_threads_to_more():
    cells = [
        {
            "network": "lenet5",
            "batch": 64,
            "threads": threads,
            "seconds": {"core_forward": {"median": 0.03 / threads}, "core_step": {"median": 0.06}},
        }
        for threads in (1, 2, 3)
    ]
    lines = speedup({"networks": {"lenet5": {}}, "cells": cells}).splitlines()
    assert lines[2:] == [
        "| lenet5 | 1 to 2 | 30.00 | 15.00 | 2.00 | 60.00 | 60.00 | 1.00 |",
        "| lenet5 | 1 to 3 | 30.00 | 10.00 | 3.00 | 60.00 | 60.00 | 1.00 |",
    ]
    assert len(speedup({"networks": {"lenet5": {}}, "cells": cells[:1]}).splitlines()) == 2


def test_sets_whose_cost_is_not_that_of_their_products_are_named():
    shares = {"all": (1, 1), "bias": (1, 1.1), "last:1": (0.5, 0.61)}
    sets = [
        {"network": "lenet5", "train": train, "trainable_parameters": 1, "seconds": 1}
        | {"work_share": macs, "time_share": time}
        for train, (macs, time) in shares.items()
    ]
    text = trainable({"scaling": {"trainable": sets}}).splitlines()[-1]
    assert text == ("The difference lies within 20% for 1 of 2 sets; outside: lenet5 last:1 (`head`) (+22%).")
    text = trainable({"scaling": {"trainable": sets[:2]}}).splitlines()[-1]
    assert text == "The difference lies within 20% for 1 of 1 sets."


def test_the_kernel_has_a_row_per_shape_and_columns_per_number_of_threads():
    rows = [
        {"products": 576, "rows": 48, "threads": threads, "macs_per_second": threads * 9e10, "share": 0.8}
        for threads in (1, 2)
    ]
    lines = kernel({"kernel": rows}).splitlines()
    assert lines[-1] == "| 576 | 48 | 90.0 | 80% | 180.0 | 80% |"
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert "Not measured" in kernel({})
