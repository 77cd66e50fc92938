from stepforward.bench.machine import highest, multiply_peak


def test_the_highest_rates_count_each_for_itself():
    measured = [
        {"peak": [{"threads": 1, "macs_per_second": one}, {"threads": 2, "macs_per_second": two}]}
        | {"copy_bytes_per_second": copy}
        for one, two, copy in ((10, 15, 3), (9, 20, 4), (8, 8, 1))
    ]
    best = highest(measured)
    assert [peak["macs_per_second"] for peak in best["peak"]] == [10, 20]
    assert best["copy_bytes_per_second"] == 4
    assert highest([{"peak": [], "copy_bytes_per_second": 1}])["peak"] == []


def test_a_known_peak_names_its_instruction():
    peak = multiply_peak(1)
    assert peak is None or (peak["instruction"] and peak["threads"] == 1)
