"""Plain recurrent layers for torch's exporter, which would write every step of one as operators of its own."""

from typing import Any


def translations() -> dict[Any, Any]:
    """What `torch.onnx.export` takes as `custom_translation_table`: torch.nn.RNN becomes ONNX's RNN."""
    import torch
    from onnxscript import opset21

    op: Any = opset21

    def of(function):
        def rnn(
            input,
            hx,
            params,
            has_biases,
            num_layers,
            dropout=0.0,
            train=False,
            bidirectional=False,
            batch_first=False,
        ):
            count, own = (2 if bidirectional else 1), (4 if has_biases else 2)
            x, ends = (op.Transpose(input, perm=[1, 0, 2]) if batch_first else input), []
            for layer in range(num_layers):
                parts = [
                    params[own * (layer * count + d) : own * (layer * count + d + 1)] for d in range(count)
                ]
                weight, state = (_stacked(op, [part[i] for part in parts]) for i in (0, 1))
                bias = None
                if has_biases:
                    bias = _stacked(op, [op.Concat(part[2], part[3], axis=0) for part in parts])
                start = op.Slice(hx, [layer * count], [(layer + 1) * count], [0])
                states, end = op.RNN(
                    *(x, weight, state, bias, None, start),
                    activations=[function] * count,
                    direction="bidirectional" if bidirectional else "forward",
                    hidden_size=hx.shape[2],
                )
                # (time, directions, batch, hidden) -> (time, batch, directions * hidden)
                x = op.Reshape(op.Transpose(states, perm=[0, 2, 1, 3]), [0, 0, -1])
                ends.append(end)
            last = op.Concat(*ends, axis=0) if len(ends) > 1 else ends[0]
            return (op.Transpose(x, perm=[1, 0, 2]) if batch_first else x), last

        return rnn

    return {torch.ops.aten.rnn_tanh.input: of("Tanh"), torch.ops.aten.rnn_relu.input: of("Relu")}


def _stacked(op, arrays):
    """One behind the other along a new first axis."""
    rows = [op.Unsqueeze(array, [0]) for array in arrays]
    return op.Concat(*rows, axis=0) if len(rows) > 1 else rows[0]
