"""What is made from the table of settings is what the table says now."""

import importlib.util
import inspect
from pathlib import Path

import stepforward
from stepforward.settings import TABLE

ROOT = Path(__file__).parent.parent.parent
spec = importlib.util.spec_from_file_location("make_settings", ROOT / "tools" / "make_settings.py")
make_settings = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_settings)


def test_the_page_and_the_signatures_are_up_to_date():
    assert make_settings.PAGE.read_text() == make_settings.page(), "run: python tools/make_settings.py"
    assert make_settings.STUB.read_text() == make_settings.stub(), "run: python tools/make_settings.py"


def test_a_notebook_sees_every_setting_too():
    for verb in (stepforward.adapt, stepforward.demo):
        parameters = inspect.signature(verb).parameters
        assert set(TABLE) <= set(parameters)
        assert all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def test_the_package_shows_its_public_names_and_nothing_else():
    assert set(dir(stepforward)) == {*stepforward.__all__, "__version__"}
