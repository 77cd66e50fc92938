import pytest

from stepforward.bench import extras
from stepforward.errors import StepforwardError


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(extras, "NEEDED", {"no_such_runtime": "ort", "json": "torch"})
    with pytest.raises(StepforwardError, match=r"no_such_runtime is not installed(.|\n)*stepforward\[ort\]"):
        extras.require()
