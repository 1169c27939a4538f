"""Nodes that decide which way a graph goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any as AnyValue

from pipelines.errors import MissingInput
from pipelines.graph.node import Context, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.types import Any


class Switch(Node):
    """Pass on one of two inputs; what leads to the other one is not run."""

    id, title, category = "logic.switch", "Switch", "Logic"
    inputs = (
        Input("on", Any, "On", "Passed on while the switch is on.", lazy=True),
        Input("off", Any, "Off", "Passed on while the switch is off.", lazy=True),
    )
    outputs = (Output("value", Any),)
    preview = "value"

    class Params(NodeParams):
        use_on: bool = Param(True, "On", "Which of the two inputs is passed on.", primary=True)

    @classmethod
    def wanted(cls, params: Mapping[str, AnyValue]) -> frozenset[str]:
        return frozenset({"on" if params.get("use_on", True) else "off"})

    def run(self, inputs: Inputs, params: Params, context: Context) -> Outputs:
        name = "on" if params.use_on else "off"
        if name not in inputs:
            raise MissingInput(port_title=name.capitalize(), type="value", port=name)
        return {"value": inputs[name]}


NODES = (Switch,)
