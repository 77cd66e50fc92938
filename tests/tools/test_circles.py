"""Files that use each other in a circle are found; those of the package do not."""

import importlib.util
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("circles", Path(__file__).parents[2] / "tools" / "circles.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)


def test_a_circle_is_found_once_whatever_leads_to_it():
    uses = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    (circle,) = tool.circles(uses)
    assert set(circle) == {"b", "c"}


def test_what_only_goes_one_way_is_no_circle():
    assert tool.circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_the_package_has_no_circles():
    assert tool.circles(tool.of_modules(tool.PACKAGE)) == []
