import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepforward.strict_json import MOST_LEVELS, parse_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_plain_json_is_what_it_says(value):
    assert parse_json(json.dumps(value).encode()) == value


def nested(levels):
    return "[" * levels + "]" * levels


def test_nesting_up_to_the_limit():
    parse_json(nested(MOST_LEVELS))


@pytest.mark.parametrize(
    "text, why",
    [
        (b"", "Expecting value"),
        (b"\xff", "decode"),
        ("{}".encode("utf-16"), "decode"),
        (b"NaN", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"1e400", "too large"),
        (b"1" * 5000, "limit"),
        (b'{"a": 1, "a": 1}', "a key is given twice"),
        (b'"\\ud800"', "surrogates"),
        (b'{"\\udfff": 1}', "surrogates"),
        (nested(MOST_LEVELS + 1), "too deeply"),
        (nested(100_000), "too deeply"),
        ('{"a":' * 100_000, "too deeply"),
        (b"{} {}", "Extra data"),
    ],
)
def test_what_parsers_disagree_on_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        parse_json(text)
