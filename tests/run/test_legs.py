"""Where a run returns to better weights with a smaller rate, and where it is extended."""

import pytest

from stepforward import journal as journals
from stepforward.errors import StepforwardError
from stepforward.journal import Leg
from stepforward.run.legs import back, diverges, extended, path

FIRST = Leg(0, 0, 100, 0.03)


def test_a_run_returns_to_its_best_weights_at_a_third_of_the_rate():
    assert back(FIRST, 40, 30, returns=0) == Leg(40, 30, 100, 0.03 / 3)
    assert back(FIRST, 95, 30, returns=0) is None
    assert back(FIRST, 40, 30, returns=6) is None


def test_a_run_is_extended_where_its_best_weights_came_late():
    assert extended(FIRST, 90, 150) == Leg(100, 100, 150, 0.03 / 2**0.5)
    assert extended(FIRST, 90, 1000).steps == 200
    assert extended(FIRST, 75, 1000) is None
    assert extended(FIRST, 90, 100) is None


def test_noise_is_no_divergence():
    assert diverges(3, 200.0, 5, 100.0, 10.0)
    assert not diverges(3, 130.0, 5, 100.0, 10.0)
    assert not diverges(5, 200.0, 5, 100.0, 10.0)


def test_the_way_to_weights_of_a_later_leg():
    legs = (FIRST, Leg(40, 30, 100, 0.01), Leg(100, 100, 200, 0.005), Leg(120, 0, 200, 0.001))
    assert path(legs, 100) == [(0, range(30)), (1, range(40, 100))]
    assert path(legs, 40) == [(0, range(40))]
    assert path(legs, 110) == [(0, range(30)), (1, range(40, 100)), (2, range(100, 110))]
    assert path(legs, 150) == [(0, range(0)), (3, range(120, 150))]
    assert path(legs, 0) == [(0, range(0))]


@pytest.mark.parametrize("leg", [(41, 100, 0.1), (40, 40, 0.1), (10, 100, 0.0), (10, 100, float("nan"))])
def test_a_leg_that_cannot_be_is_refused(tmp_path, leg):
    writer = journals.JournalWriter.create(tmp_path / "journal", {}, 1)
    for _ in range(40):
        writer.votes([1])
    writer.leg(Leg(40, *leg))
    writer.close()
    with pytest.raises(StepforwardError, match="is damaged"):
        journals.read(tmp_path / "journal")
