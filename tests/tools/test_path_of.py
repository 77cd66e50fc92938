"""What counts as the model on its way through the package."""

import importlib.util
from pathlib import Path

import onnx_ir as ir
import pytest
from onnx_graphs import parse, ramp
from small import small_network, small_program

from stepforward.sources.open import open_source

SPEC = importlib.util.spec_from_file_location("path_of", Path(__file__).parents[2] / "tools" / "path_of.py")
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)

MODEL = parse("f = Flatten(x)\ny = Gemm<transB=1>(f, w)", w=ramp(4, 72))


@pytest.mark.parametrize(
    "form", [Path("m.onnx"), MODEL, open_source(MODEL), small_network(), small_program()]
)
def test_each_form_of_the_model_counts_also_as_an_entry(form):
    way = tool.Way(Path("m.onnx"))
    assert way.holds(form) and way.holds((1, form)) and way.holds([form])


@pytest.mark.parametrize("other", ["m.onnx", Path("other.onnx"), MODEL.graph, None, ((MODEL,),), ir.Model])
def test_its_name_its_graph_and_what_lies_deeper_do_not(other):
    assert not tool.Way(Path("m.onnx")).holds(other)
