from stepforward.errors import StepforwardError


def test_what_happened_is_one_line_of_bounded_length():
    error = StepforwardError("class 'a\nstepforward: fine" + "x" * 10**6, "rename it")
    assert "\n" not in error.what
    assert "a\\nstepforward" in error.what
    assert len(error.what) < 2000
    assert str(error).endswith("what to do: rename it")
