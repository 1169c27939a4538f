"""A node type as plain data and back: how a process that doesn't have the class edits, checks and draws it.

What comes back is a schema like any other, with a class that describes the type and refuses to run. Its
params have the declared types and ranges; what a class checks beyond these, and ports that depend on params
in ways only code knows, the process that has the class is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Final, Literal

from pydantic import create_model

from pipelines.graph import jsontext
from pipelines.graph.node import REQUIRED, Input, Inputs, Node, NodeParams, Output, Outputs, Param
from pipelines.graph.registry import NodeSchema, Origin, schema_of
from pipelines.graph.types import TYPES, PortType

MAX_PORTS: Final = 1024
"""Answers about ports that are remembered."""
_SIMPLE: Final[dict[str, Any]] = {
    "Boolean": bool, "Integer": int, "Number": float, "Text": str, "Seed": int,
}  # fmt: skip
_LIMITS: Final = ("ge", "le", "gt", "lt", "max_length")
_HINTS: Final = ("unit", "step", "widget", "empty", "advanced", "primary")

Ports = tuple[tuple[Input, ...], tuple[Output, ...]]


class KnownPorts:
    """What is known of ports that depend on params.

    Args:
        ask: called with a type and the values of its params when its ports aren't known yet; whoever answers
            calls :meth:`put`.
    """

    def __init__(self, ask: Callable[[str, Mapping[str, Any]], object]) -> None:
        self._ask = ask
        self._known: OrderedDict[tuple[str, str], Ports] = OrderedDict()
        self._latest: dict[str, Ports] = {}
        self._asked: set[tuple[str, str]] = set()

    def get(self, type_id: str, params: Mapping[str, Any]) -> Ports | None:
        """The ports of a type with these params; until they are known, those of the last answer."""
        key = (type_id, jsontext.canonical(params))
        found = self._known.get(key)
        if found is None and key not in self._asked:
            self._asked.add(key)
            self._ask(type_id, params)
        return found or self._latest.get(type_id)

    def put(self, type_id: str, params: Mapping[str, Any], ports: Ports) -> None:
        """An answer."""
        key = (type_id, jsontext.canonical(params))
        self._asked.discard(key)
        self._known[key] = self._latest[type_id] = ports
        while len(self._known) > MAX_PORTS:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """The types were loaded anew: other code may have other ports."""
        self._known.clear()
        self._latest.clear()
        self._asked.clear()


class DescribedNode(Node):
    """The base of classes made by :func:`from_description`."""

    declared: ClassVar[tuple[str, ...]] = ()
    """The params that its ports may depend on; empty if they are always the same."""
    known: ClassVar[KnownPorts | None] = None

    @classmethod
    def _ports(cls, params: Mapping[str, Any]) -> Ports:
        if cls.declared and cls.known is not None:
            asked = {name: params[name] for name in cls.declared if name in params}
            return cls.known.get(cls.id, asked) or (cls.inputs, cls.outputs)
        return cls.inputs, cls.outputs

    @classmethod
    def input_ports(cls, params: Mapping[str, Any]) -> tuple[Input, ...]:
        return cls._ports(params)[0]

    @classmethod
    def output_ports(cls, params: Mapping[str, Any]) -> tuple[Output, ...]:
        return cls._ports(params)[1]

    @classmethod
    def wanted(cls, params: Mapping[str, Any]) -> frozenset[str]:
        """None: whether a lazy input is missed is known where the class is."""
        return frozenset()

    def run(self, inputs: Inputs, params: NodeParams, context: object) -> Outputs:
        raise NotImplementedError("the class of this node type is in another process")


def description(schema: NodeSchema) -> dict[str, Any]:
    """A node type as JSON, complete enough for :func:`from_description`."""
    node = schema.node
    fields = node.Params.model_fields
    inputs, outputs = schema.inputs({}), schema.outputs({})
    return {
        "id": schema.id, "version": node.version, "title": node.title, "category": node.category,
        "doc": node.__doc__ or "", "lane": node.lane, "saves": node.saves, "preview": node.preview,
        "origin": asdict(schema.origin) if schema.origin else None, "dynamic": has_dynamic_ports(node),
        "inputs": [input_json(port) for port in inputs], "outputs": [output_json(port) for port in outputs],
        "params": [
            {
                "name": param.name, "type": str(param.type), "title": param.title,
                "description": param.description, "default": param.default, "optional": param.optional,
                "required": fields[param.name].is_required(), "choices": list(param.choices),
                "dynamic_choices": param.dynamic_choices,
                **{name: getattr(param, name) for name in _HINTS},
                **_limits(fields[param.name].metadata),
            }
            for param in schema.params
        ],
    }  # fmt: skip


def from_description(data: Mapping[str, Any], known: KnownPorts | None = None) -> NodeSchema:
    """The schema that a description stands for.

    Args:
        known: asked for ports that depend on params.

    Raises:
        KeyError, TypeError, ValueError: it isn't one.
    """
    fields = {param["name"]: _field(param) for param in data["params"]}
    members = {
        "id": str(data["id"]), "version": int(data["version"]), "title": str(data["title"]),
        "category": str(data["category"]), "lane": data["lane"], "saves": bool(data["saves"]),
        "preview": str(data["preview"]), "__doc__": str(data["doc"]),
        "inputs": tuple(read_input(port) for port in data["inputs"]),
        "outputs": tuple(read_output(port) for port in data["outputs"]),
        "declared": tuple(fields) if data["dynamic"] else (), "known": known,
        "Params": _params(fields),
    }  # fmt: skip
    node = type("Described", (DescribedNode,), members)
    return schema_of(node, Origin(**data["origin"]) if data["origin"] else None)


def has_dynamic_ports(node: type[Node]) -> bool:
    """Whether a class computes its ports from its params."""
    return any(
        getattr(getattr(node, name), "__func__", None) is not getattr(getattr(Node, name), "__func__", None)
        for name in ("input_ports", "output_ports")
    )


def input_json(port: Input) -> dict[str, Any]:
    """An input port as JSON."""
    return {
        "name": port.name, "type": str(port.type), "title": port.title, "description": port.description,
        "required": port.required, "default": None if port.required else port.default, "lazy": port.lazy,
        "multiline": port.multiline,
    }  # fmt: skip


def output_json(port: Output) -> dict[str, Any]:
    """An output port as JSON."""
    return {"name": port.name, "type": str(port.type), "title": port.title, "description": port.description}


def read_input(data: Mapping[str, Any]) -> Input:
    """The inverse of :func:`input_json`; raises as :func:`from_description` does."""
    return Input(
        str(data["name"]), _type(data["type"]), str(data["title"]), str(data["description"]),
        REQUIRED if data["required"] else data["default"], bool(data["lazy"]), bool(data["multiline"]),
    )  # fmt: skip


def read_output(data: Mapping[str, Any]) -> Output:
    """The inverse of :func:`output_json`."""
    return Output(str(data["name"]), _type(data["type"]), str(data["title"]), str(data["description"]))


def _type(text: str) -> PortType:
    is_list = text.startswith("list[")
    return PortType(TYPES[text[5:-1] if is_list else text].name, is_list)


def _limits(metadata: list[Any]) -> dict[str, Any]:
    """The constraints among what pydantic keeps of a field."""
    found = {name: getattr(item, name, None) for item in metadata for name in _LIMITS if hasattr(item, name)}
    return {name: value for name, value in found.items() if value is not None}


def _params(fields: dict[str, Any]) -> type[NodeParams]:
    return create_model("Params", __base__=NodeParams, **fields)


def _field(param: Mapping[str, Any]) -> tuple[Any, Any]:
    """Annotation and field of a param."""
    choices = tuple(param["choices"])
    kind = Literal[choices] if choices else _SIMPLE.get(param["type"], Any)
    hints = {name: param[name] for name in _HINTS if param.get(name)}
    limits = {name: param[name] for name in _LIMITS if name in param}
    if param["type"] == "Seed":
        hints["widget"] = "seed"
    default = ... if param["required"] else param["default"]
    field = Param(
        default, param["title"], param["description"], choices=param["dynamic_choices"], **hints, **limits
    )
    return (kind | None if param["optional"] and kind is not Any else kind), field
