import doctest

import pytest

from stepforward.report import command, units
from stepforward.report.units import ABSENT, show_bytes, show_percent, show_points, show_seconds


@pytest.mark.parametrize("module", [units, command])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


def test_small_byte_counts_are_exact():
    assert [show_bytes(n) for n in (0, 9999, 10_000, 1023 * 1024, 5 * 2**40)] == [
        "0 B",
        "9,999 B",
        "9.8 KiB",
        "1.0 MiB",
        "5,120.0 GiB",
    ]


def test_what_is_missing_or_not_a_number_is_a_dash():
    assert {show_bytes(None), show_percent(None), show_percent(float("nan")), show_points(None, 1)} == {
        ABSENT
    }


def test_long_times_are_in_minutes_and_hours():
    assert [show_seconds(s) for s in (59.96, 61, 3700)] == ["60.0 s", "1 min 1 s", "1 h 1 min"]
