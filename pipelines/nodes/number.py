"""Nodes that hold and compute numbers (64-bit floating point)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final, Literal

from pipelines.errors import ArithmeticFailed
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Boolean, Number

Operation = Literal["add", "subtract", "multiply", "divide", "power", "modulo", "min", "max"]
Comparison = Literal["equal", "not equal", "less", "less or equal", "greater", "greater or equal"]

_OPERATIONS: Final[dict[str, Callable[[float, float], float]]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": math.pow,  # not **: it has no complex results, it fails
    "modulo": operator.mod,
    "min": min,
    "max": max,
}
_SIGNS: Final = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "power": "to the power of"}
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "equal": operator.eq,
    "not equal": operator.ne,
    "less": operator.lt,
    "less or equal": operator.le,
    "greater": operator.gt,
    "greater or equal": operator.ge,
}


def calculate(operation: Operation, a: float, b: float) -> float:
    """``a`` and ``b`` combined; ``modulo`` has the sign of ``b``, as in Python.

    Raises:
        ArithmeticFailed: division by zero, overflow, no real result, or not a number.
    """
    try:
        result = float(_OPERATIONS[operation](a, b))
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise ArithmeticFailed(left=a, operation=_SIGNS.get(operation, operation), right=b) from error
    if not math.isfinite(result):
        raise ArithmeticFailed(left=a, operation=_SIGNS.get(operation, operation), right=b)
    return result


class ConstantNumber(Node):
    """A number to use in one or more places."""

    id, title, category = "number.constant", "Number", "Number"
    outputs = (Output("value", Number),)
    preview = "value"

    class Params(NodeParams):
        value: float = Param(0.0, "Value", "The number itself.", primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"value": float(params.value)}


class MathNumber(Node):
    """Combine two numbers."""

    id, title, category = "number.math", "Calculate", "Number"
    inputs = (
        Input("a", Number, "First number", "What stands left.", default=0.0),
        Input("b", Number, "Second number", "What stands right.", default=0.0),
    )
    outputs = (Output("value", Number),)
    preview = "value"

    class Params(NodeParams):
        operation: Operation = Param("add", "Operation", "What to do with them.", primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"value": calculate(params.operation, float(inputs.get("a", 0)), float(inputs.get("b", 0)))}


class CompareNumber(Node):
    """Compare two numbers; the answer can turn a switch."""

    id, title, category = "number.compare", "Compare", "Number"
    inputs = (
        Input("a", Number, "First number", "What stands left.", default=0.0),
        Input("b", Number, "Second number", "What stands right.", default=0.0),
    )
    outputs = (Output("value", Boolean, "Answer"),)
    preview = "value"

    class Params(NodeParams):
        operation: Comparison = Param("equal", "Comparison", "On if the first is … the second.", primary=True)

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        return {"value": bool(_COMPARISONS[params.operation](inputs.get("a", 0.0), inputs.get("b", 0.0)))}


NODES = (ConstantNumber, MathNumber, CompareNumber)
