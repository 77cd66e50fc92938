"""Functions of one value by their names in ONNX, in float64; and the arithmetic that they are written with."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from stepforward.graph.nodes import attribute, constant

Real = NDArray[np.float64]

_GRID = 2**14
"""Steps of the table of erf in 1."""

_ERF = np.array([math.erf(i / _GRID) for i in range(6 * _GRID + 2)])


def _erf(x: Real) -> Real:
    """Within 5e-10: between the entries of a table, which are exact; from 6 on it is 1."""
    at = np.minimum(np.abs(x), 6.0) * _GRID
    index = at.astype(np.int64)
    return np.sign(x) * (_ERF[index] + (_ERF[index + 1] - _ERF[index]) * (at - index))


def _sigmoid(x: Real) -> Real:
    return np.exp(-np.logaddexp(0.0, -x))


def _hard_sigmoid(x: Real, alpha: float, beta: float) -> Real:
    return np.clip(alpha * x + beta, 0.0, 1.0)


def _elu(x: Real, alpha: float) -> Real:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _gelu(x: Real, approximate: str) -> Real:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


_ONE: dict[str, tuple[Callable[..., Real], dict[str, Any]]] = {
    "Abs": (np.abs, {}),
    "Celu": (lambda x, alpha: _elu(x / alpha, 1.0) * alpha, {"alpha": 1.0}),
    "Elu": (_elu, {"alpha": 1.0}),
    "Erf": (_erf, {}),
    "Exp": (np.exp, {}),
    "Gelu": (_gelu, {"approximate": "none"}),
    "HardSigmoid": (_hard_sigmoid, {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": (lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5), {}),
    "LeakyRelu": (lambda x, alpha: np.where(x < 0, alpha * x, x), {"alpha": 0.01}),
    "Log": (np.log, {}),
    "Mish": (lambda x: x * np.tanh(np.logaddexp(0.0, x)), {}),
    "Neg": (np.negative, {}),
    "Reciprocal": (lambda x: 1.0 / x, {}),
    "Relu": (lambda x: np.maximum(x, 0.0), {}),
    "Selu": (lambda x, alpha, gamma: gamma * _elu(x, alpha), {"alpha": 1.6732632, "gamma": 1.0507010}),
    "Sigmoid": (_sigmoid, {}),
    "Softplus": (lambda x: np.logaddexp(0.0, x), {}),
    "Softsign": (lambda x: x / (1 + np.abs(x)), {}),
    "Sqrt": (np.sqrt, {}),
    "Tanh": (np.tanh, {}),
    "ThresholdedRelu": (lambda x, alpha: np.where(x > alpha, x, 0.0), {"alpha": 1.0}),
}

_TWO: dict[str, Callable[..., Real]] = {
    "Add": np.add,
    "Clip": lambda x, lo=None, hi=None: np.clip(x, lo, hi),
    "Div": np.divide,
    "Mul": np.multiply,
    "PRelu": lambda x, slope: np.where(x < 0, slope * x, x),
    "Pow": np.power,
    "Sub": np.subtract,
}

ALONE = tuple(sorted(_ONE.keys() - {"Neg", "Relu"}))
"""Operators that are a function of one value by themselves; Neg and Relu become part of a layer where they can."""

LINEAR = ("Add", "Sub", "Mul", "Div", "Neg")
"""Operators that are linear in one value if the other operand is constant."""

FUNCTIONS = (*_ONE, *_TWO)
"""All that a function of one value may consist of; the last ones read scalar constants besides."""


@np.errstate(all="ignore")  # a pole is infinite, and what a function is not defined for is NaN
def evaluate(node: ir.Node, *operands: Any) -> Any:
    """What one of `FUNCTIONS` gives, float64.

    Args:
        operands: what the node reads, in order; None where an optional one is absent.
    """
    real = [None if operand is None else np.asarray(operand, np.float64) for operand in operands]
    if node.op_type in _TWO:
        return _TWO[node.op_type](*real)
    function, defaults = _ONE[node.op_type]
    return function(*real, **{name: attribute(node, name, value) for name, value in defaults.items()})


def scalar(value: ir.Value | None) -> bool:
    """Whether this is a constant without dimensions, as canonical graphs have them in functions."""
    array = constant(value)
    return array is not None and array.ndim == 0
