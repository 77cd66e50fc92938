import pytest
from onnx_graphs import parse

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import (
    CLASS_NAMES,
    add_note,
    get_class_names,
    get_notes,
    get_preprocessing,
    set_class_names,
    set_preprocessing,
)
from stepforward.sources.onnx.canonical import canonicalize


def test_settings_travel_through_canonical_form():
    model = parse("g = GlobalAveragePool(x)\ny = Flatten(g)")
    assert (get_preprocessing(model), get_class_names(model), get_notes(model)) == ({}, [], [])
    set_preprocessing(model, {"kind": "image", "mean": [0.5]})
    set_class_names(model, ["zéro", "one"])
    add_note(model, "first")
    add_note(model, "second")
    canonical = canonicalize(model)
    assert get_preprocessing(canonical) == {"kind": "image", "mean": [0.5]}
    assert get_class_names(canonical) == ["zéro", "one"]
    assert get_notes(canonical) == ["first", "second"]


def test_doubles_and_damage_are_refused():
    model = parse("g = GlobalAveragePool(x)\ny = Flatten(g)")
    with pytest.raises(StepforwardError, match="'a' appears twice"):
        set_class_names(model, ["a", "b", "a"])
    for text in ("[1", "{}", "[1, 2]"):
        model.metadata_props[CLASS_NAMES] = text
        with pytest.raises(StepforwardError, match="cannot be read"):
            get_class_names(model)
