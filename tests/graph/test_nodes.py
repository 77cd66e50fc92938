"""Names stay distinct, and giving them costs no more per node in a large graph than in a small one."""

import cProfile

import numpy as np
import onnx
import onnx_ir as ir
from onnx_graphs import canonical_like, parse, ramp

from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.qdq.write import quantize


def test_a_computed_value_gives_way_to_a_constant_of_the_same_name():
    """The biases that passes add are called after the weights; here inner values have those names already."""
    model = parse(
        "c.bias = Relu(x)\nd.bias = Conv(c.bias, c.weight)\ne = Conv(d.bias, d.weight)\np = GlobalAveragePool(e)\n"
        "y = Flatten(p)",
        c__weight=ramp(3, 2, 1, 1),
        d__weight=ramp(2, 3, 1, 1),
    )
    for node in model.graph:
        for value in node.outputs:
            value.name = value.name.replace("__", ".")
    canonical = canonical_like(model, "Relu Conv Conv GlobalAveragePool Flatten")
    assert {"c.bias", "d.bias"} <= set(canonical.graph.initializers)
    written = quantize(canonical, ramp(5, 2, 6, 6))
    onnx.checker.check_model(ir.to_proto(written), full_check=True)


def test_reading_and_quantizing_a_large_graph_takes_work_in_proportion():
    """Work is counted in function calls: a clock depends on what else the machine does."""

    def calls(layers):
        weights = {f"w{i}.weight": ramp(2, 2, 1, 1) for i in range(layers)}
        body, last = [], "x"
        for i in range(layers):
            body += [f"c{i} = Conv({last}, w{i}.weight)", f"r{i} = Relu(c{i})"]
            last = f"r{i}"
        model = parse(
            "\n".join([*body, f"p = GlobalAveragePool({last})", "y = Flatten(p)"]), "N,2,1,1", **weights
        )
        profile = cProfile.Profile()
        profile.runcall(lambda: quantize(canonicalize(model), np.ones((1, 2, 1, 1), np.float32)))
        return sum(entry.callcount for entry in profile.getstats())

    calls(5)  # what is imported and cached once
    assert calls(120) < 4.4 * calls(30)
