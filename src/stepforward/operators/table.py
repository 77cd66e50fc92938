"""All operators, in the order of their codes in a file: the code is the index plus one."""

from stepforward.operators.add import Add
from stepforward.operators.average_pool import AveragePool
from stepforward.operators.concat import Concat
from stepforward.operators.conv import Conv
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.gru import Gru
from stepforward.operators.join import Join
from stepforward.operators.layer_norm import LayerNorm
from stepforward.operators.lookup import Lookup
from stepforward.operators.lstm import Lstm
from stepforward.operators.matmul import MatMul
from stepforward.operators.max_pool import MaxPool
from stepforward.operators.multiply import Multiply
from stepforward.operators.operator import Operator
from stepforward.operators.pad import Pad
from stepforward.operators.rescale import Rescale
from stepforward.operators.reshape import Reshape
from stepforward.operators.rnn import Rnn
from stepforward.operators.softmax import Softmax
from stepforward.operators.transpose import Transpose

OPERATORS: tuple[type[Operator], ...] = (
    Conv,
    Depthwise,
    FullyConnected,
    Add,
    Rescale,
    MaxPool,
    AveragePool,
    Pad,
    Concat,
    Transpose,
    Reshape,
    Multiply,
    Lookup,
    LayerNorm,
    Softmax,
    MatMul,
    Gru,
    Lstm,
    Rnn,
)

JOINS = {operator.name: operator for operator in OPERATORS if issubclass(operator, Join)}
"""Those that join two tensors, by their names in a graph."""

BY_KIND = {operator.kind: operator for operator in OPERATORS}
"""The same by name."""
