"""The operators of `graph.functions` in torch, with gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import attribute


def _clip(x: Any, lo: Any = None, hi: Any = None) -> Any:
    return torch.clamp(x, None if lo is None else float(lo), None if hi is None else float(hi))


_OPERATORS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Abs": (torch.abs, {}),
    "Add": (torch.add, {}),
    "Celu": (F.celu, {"alpha": 1.0}),
    "Clip": (_clip, {}),
    "Div": (torch.div, {}),
    "Elu": (F.elu, {"alpha": 1.0}),
    "Erf": (torch.erf, {}),
    "Exp": (torch.exp, {}),
    "Gelu": (F.gelu, {"approximate": "none"}),
    "HardSigmoid": (lambda x, alpha, beta: torch.clamp(alpha * x + beta, 0, 1), {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": (F.hardswish, {}),
    "LeakyRelu": (lambda x, alpha: F.leaky_relu(x, alpha), {"alpha": 0.01}),
    "Log": (torch.log, {}),
    "Mish": (F.mish, {}),
    "Mul": (torch.mul, {}),
    "Neg": (torch.neg, {}),
    "PRelu": (lambda x, slope: torch.where(x < 0, slope * x, x), {}),
    "Pow": (torch.pow, {}),
    "Reciprocal": (torch.reciprocal, {}),
    "Relu": (torch.relu, {}),
    "Selu": (lambda x, alpha, gamma: gamma * F.elu(x, alpha), {"alpha": 1.6732632, "gamma": 1.0507010}),
    "Sigmoid": (torch.sigmoid, {}),
    "Softplus": (F.softplus, {}),
    "Softsign": (F.softsign, {}),
    "Sqrt": (torch.sqrt, {}),
    "Sub": (torch.sub, {}),
    "Tanh": (torch.tanh, {}),
    "ThresholdedRelu": (lambda x, alpha: torch.where(x > alpha, x, 0.0), {"alpha": 1.0}),
}


def _function(name: str) -> Callable[..., Any]:
    function, defaults = _OPERATORS[name]

    def run(node: Any, *operands: Any) -> Any:
        tensors = [torch.tensor(value) if isinstance(value, np.ndarray) else value for value in operands]
        return function(*tensors, **{key: attribute(node, key, value) for key, value in defaults.items()})

    return run


FUNCTIONS_IN_TORCH = {name: _function(name) for name in FUNCTIONS}
"""By name: called with the node and what it reads."""
