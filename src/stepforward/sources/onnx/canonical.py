"""The canonical float graph: few operator kinds, one way to write each."""

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import add_note
from stepforward.graph.nodes import copy_model, is_quantized, present, remove_unused, replace_node
from stepforward.graph.parts import COLUMNS
from stepforward.graph.recurrent import add_functions
from stepforward.sources.onnx.contract import check_contract, check_layers
from stepforward.sources.onnx.passes.attention import attention
from stepforward.sources.onnx.passes.batch_in_front import batch_in_front
from stepforward.sources.onnx.passes.block_moves import block_moves, join_orders, open_blocks
from stepforward.sources.onnx.passes.constants_after_transpose import constants_after_transpose
from stepforward.sources.onnx.passes.drop_softmax import drop_softmax
from stepforward.sources.onnx.passes.earlier_selections import earlier_selections
from stepforward.sources.onnx.passes.explicit_pads import explicit_pads
from stepforward.sources.onnx.passes.flatten_output import flatten_output
from stepforward.sources.onnx.passes.fold_affine import fold_affine
from stepforward.sources.onnx.passes.fold_constants import fold_constants
from stepforward.sources.onnx.passes.global_pool import global_pool
from stepforward.sources.onnx.passes.group_norms import group_norms
from stepforward.sources.onnx.passes.heads import scalars_to_layers
from stepforward.sources.onnx.passes.keep_biases import keep_biases
from stepforward.sources.onnx.passes.known_branches import known_branches
from stepforward.sources.onnx.passes.layer_norms import layer_norms
from stepforward.sources.onnx.passes.lines_to_images import lines_to_images
from stepforward.sources.onnx.passes.masks import masks
from stepforward.sources.onnx.passes.matmul_to_gemm import matmul_to_gemm
from stepforward.sources.onnx.passes.merge_pad import merge_pad
from stepforward.sources.onnx.passes.name_everything import name_everything
from stepforward.sources.onnx.passes.normalize_clip import normalize_clip
from stepforward.sources.onnx.passes.normalize_reshape import normalize_reshape
from stepforward.sources.onnx.passes.old_softmax import old_softmax
from stepforward.sources.onnx.passes.one_value import one_value
from stepforward.sources.onnx.passes.other_norms import other_norms
from stepforward.sources.onnx.passes.picks import picks
from stepforward.sources.onnx.passes.positions import positions
from stepforward.sources.onnx.passes.positive_axes import positive_axes
from stepforward.sources.onnx.passes.recurrent import recurrent
from stepforward.sources.onnx.passes.remove_noops import remove_noops
from stepforward.sources.onnx.passes.rms_norms import rms_norms
from stepforward.sources.onnx.passes.selections import selections
from stepforward.sources.onnx.passes.spelled_out import spelled_out
from stepforward.sources.onnx.passes.strided_slice import strided_slice
from stepforward.sources.onnx.passes.tie import tie
from stepforward.sources.onnx.passes.to_float32 import to_float32
from stepforward.sources.onnx.passes.token_layers import token_layers
from stepforward.sources.onnx.passes.two_logits import drop_sigmoid, two_logits
from stepforward.sources.onnx.passes.unshare import unshare
from stepforward.sources.onnx.passes.upsampling import upsampling
from stepforward.sources.onnx.shapes import fix_batch, free_batch, infer_shapes
from stepforward.sources.onnx.support import CANONICAL, refuse_unsupported

OPSET = 21
IR_VERSION = 10


def canonicalize(model: ir.Model) -> ir.Model:
    """Rewrite a float model as a canonical graph; a quantized model is returned as it is.

    The result has one input (N, C, H, W) (or (N, features)), one output (N, classes), only the operators in
    `CANONICAL`, a bias in every Conv and Gemm, readable unique names and known shapes. The argument stays
    as it is.

    Raises:
        StepforwardError: an operator or a use of one that is not supported, by name, with what to do.
    """
    if is_quantized(model):
        return model
    model = InlinePass()(copy_model(model)).model
    graph = model.graph
    for name in [present(value.name) for value in graph.inputs if value.name in graph.initializers]:
        graph.inputs.remove(graph.initializers[name])  # a default value: constant from here on
    if graph.outputs[0].is_graph_input():
        raise StepforwardError(
            f"the network's output {graph.outputs[0].name!r} is its input",
            "export the model that computes the logits",
        )
    refuse_unsupported(graph)
    notes = to_float32(graph)
    group_norms(graph)
    batch = fix_batch(model)
    infer_shapes(model)
    while fold_constants(graph, kept=("If",)) or known_branches(graph):
        infer_shapes(model)
    positive_axes(graph)
    _sums_to_adds(graph)
    remove_noops(graph)
    old_softmax(graph)
    notes += drop_softmax(graph) + drop_sigmoid(graph)
    unshare(graph)
    normalize_clip(graph)
    recurrent(graph)
    add_functions(model)
    attention(graph)
    spelled_out(graph)
    other_norms(graph)
    upsampling(graph)
    remove_unused(graph)
    infer_shapes(model)
    positive_axes(graph)
    lines_to_images(graph)
    layer_norms(graph)
    rms_norms(graph)
    remove_unused(graph)
    masks(graph)
    remove_unused(graph)
    batch_in_front(graph, batch)
    remove_unused(graph)
    global_pool(graph)
    open_blocks(graph)
    selections(graph)
    join_orders(graph)
    strided_slice(graph)
    normalize_reshape(graph, batch)
    infer_shapes(model)
    constants_after_transpose(graph)
    token_layers(graph)
    matmul_to_gemm(graph)
    check_layers(graph)
    positions(graph)
    earlier_selections(graph)
    picks(graph)
    scalars_to_layers(graph)
    block_moves(graph)
    infer_shapes(model)
    explicit_pads(graph)
    one_value(graph)
    fold_affine(graph)
    merge_pad(graph)
    flatten_output(graph)
    keep_biases(graph)
    notes += two_logits(graph)
    remove_unused(graph)
    unshare(graph)
    graph.sort()
    graph.opset_imports.clear()
    graph.opset_imports[""] = OPSET
    add_functions(model)
    model.ir_version = IR_VERSION
    infer_shapes(model)
    refuse_unsupported(graph, CANONICAL)
    check_contract(graph, batch)
    name_everything(graph)
    tie(graph)
    free_batch(model)
    _forget_origin(model)
    for note in notes:
        add_note(model, note)
    return model


def _sums_to_adds(graph):
    for node in list(graph):
        if node.op_type != "Sum" or len(node.inputs) < 2:
            continue
        first, *others, last = node.inputs
        for other in others:
            add = ir.node("Add", [first, other], name=f"{node.name or 'sum'}_add")
            add.outputs[0].shape, add.outputs[0].dtype = node.outputs[0].shape, node.outputs[0].dtype
            graph.insert_before(node, add)
            first = add.outputs[0]
        replace_node(node, "Add", [first, last])


def _forget_origin(model):
    """Drop the exporter's traces: source lines and paths of the machine that exported."""
    graph = model.graph
    graph.doc_string = None
    model.doc_string = None
    graph.metadata_props.clear()
    values = [
        *graph.inputs,
        *graph.initializers.values(),
        *(value for node in graph for value in node.outputs),
    ]
    for item in (*graph, *values):
        columns = item.metadata_props.get(COLUMNS)
        item.metadata_props.clear()
        if columns is not None:
            item.metadata_props[COLUMNS] = columns
        item.doc_string = None
