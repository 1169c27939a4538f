"""The node types there are, and what each one's schema looks like as plain data."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pipelines.graph import types as port_types
from pipelines.graph.node import Input, Node, Output
from pipelines.graph.types import PortType


@dataclass(frozen=True, slots=True)
class ParamSchema:
    """One param as a form sees it. ``type`` is the port type it takes when it is linked."""

    name: str
    type: PortType
    title: str
    description: str = ""
    default: Any = None
    optional: bool = False
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    dynamic_choices: str = ""
    widget: str = ""
    empty: str = ""
    """What an empty text or 0 stands for, where it is not itself."""
    advanced: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node type from outside comes from.

    ``digest`` is the hash of its code: what other code made is never taken for its result.
    """

    kind: Literal["file", "package"]
    name: str
    version: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class NodeSchema:
    """A node type as data: what the studio, the CLI and the docs read.

    ``node`` is the class that runs or, where that is in another process, one that only describes it (see
    :mod:`pipelines.graph.described`).
    """

    node: type[Node]
    params: tuple[ParamSchema, ...] = field(default_factory=tuple)
    origin: Origin | None = None
    """Where it comes from; ``None`` for a built-in type."""

    @property
    def id(self) -> str:
        return self.node.id

    @property
    def title(self) -> str:
        return self.node.title or self.id

    @property
    def category(self) -> str:
        return self.node.category

    @property
    def description(self) -> str:
        return (self.node.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")

    @cached_property
    def params_by_name(self) -> Mapping[str, ParamSchema]:
        return {param.name: param for param in self.params}

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The params' default values, as JSON."""
        return {param.name: param.default for param in self.params}

    def inputs(self, params: Mapping[str, Any]) -> tuple[Input, ...]:
        """Declared input ports for these params, completed with defaults.

        Params can be linked too and are not among them: see :meth:`port`.
        """
        return self.node.input_ports({**self.defaults, **params})

    def outputs(self, params: Mapping[str, Any]) -> tuple[Output, ...]:
        return self.node.output_ports({**self.defaults, **params})

    def port(self, name: str, params: Mapping[str, Any]) -> Input | None:
        """The input called ``name``, be it a declared port or a linkable param."""
        for port in self.inputs(params):
            if port.name == name:
                return port
        return self.param_port(name)

    def param_port(self, name: str) -> Input | None:
        """The linkable param called ``name`` as an input."""
        param = self.params_by_name.get(name)
        if param is None:
            return None
        return Input(name, param.type, param.title, param.description, default=param.default)

    def to_json(self) -> dict[str, Any]:
        """JSON: ports, and the params' JSON Schema."""

        def port(item: Input | Output) -> dict[str, Any]:
            return {
                "name": item.name,
                "type": str(item.type),
                "title": item.label,
                "description": item.description,
            }

        return {
            "id": self.id, "version": self.node.version, "title": self.title, "category": self.category,
            "description": self.description, "lane": self.node.lane,
            "inputs": [
                port(item) | {"required": item.required, "lazy": item.lazy} for item in self.inputs({})
            ],
            "outputs": [port(item) for item in self.outputs({})],
            "params": self.node.Params.model_json_schema(),
            **({"origin": str(self.origin)} if self.origin else {}),
        }  # fmt: skip


class Registry:
    """Node types by id. One for the built-in types (:func:`builtin`), more for tests."""

    def __init__(self, *nodes: type[Node]) -> None:
        self._nodes: dict[str, NodeSchema] = {}
        for node in nodes:
            self.add(node)

    def add(self, node: type[Node]) -> type[Node]:
        """Register a type (usable as a decorator). An id can only be given once."""
        if node.id in self._nodes:
            raise ValueError(f"node type {node.id} is registered twice")
        self._nodes[node.id] = schema_of(node)
        return node

    def get(self, type_id: str) -> NodeSchema | None:
        return self._nodes.get(type_id)

    def __getitem__(self, type_id: str) -> NodeSchema:
        return self._nodes[type_id]

    def __contains__(self, type_id: object) -> bool:
        return type_id in self._nodes

    def __iter__(self) -> Iterator[NodeSchema]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)


class OpenRegistry(Registry):
    """The types of another registry, and those from outside, which come and go while it is in use.

    It may be read in any thread: the types from outside are replaced all at once.
    """

    def __init__(self, base: Registry) -> None:
        super().__init__()
        self._base = base

    @property
    def outside(self) -> tuple[NodeSchema, ...]:
        """The types from outside."""
        return tuple(self._nodes.values())

    def set_outside(self, schemas: Iterable[NodeSchema]) -> None:
        """Have these types from outside instead of those until now; an id that is taken stays what it is."""
        self._nodes = {schema.id: schema for schema in schemas if schema.id not in self._base}

    def get(self, type_id: str) -> NodeSchema | None:
        return self._base.get(type_id) or self._nodes.get(type_id)

    def __getitem__(self, type_id: str) -> NodeSchema:
        found = self.get(type_id)
        if found is None:
            raise KeyError(type_id)
        return found

    def __contains__(self, type_id: object) -> bool:
        return type_id in self._base or type_id in self._nodes

    def __iter__(self) -> Iterator[NodeSchema]:
        yield from self._base
        yield from self._nodes.values()

    def __len__(self) -> int:
        return len(self._base) + len(self._nodes)


def schema_of(node: type[Node], origin: Origin | None = None) -> NodeSchema:
    """The schema of a class; ``origin`` for one from outside."""
    return NodeSchema(
        node, tuple(_param(name, info) for name, info in node.Params.model_fields.items()), origin
    )


def _plain(annotation: Any) -> tuple[Any, bool]:
    """The annotation without ``None`` and ``Annotated``, and whether ``None`` was allowed."""
    optional = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
            optional = True
            members = tuple(item for item in get_args(annotation) if item is not type(None))
            annotation = members[0] if len(members) == 1 else members
        else:
            return annotation, optional


def _param(name: str, info: FieldInfo) -> ParamSchema:
    annotation, optional = _plain(info.annotation)
    hints: dict[str, Any] = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    kind, choices = _port_type(annotation, str(hints.get("widget", "")))
    low, high = _bound(info, "ge", "gt"), _bound(info, "le", "lt")
    default = None if info.is_required() else info.get_default(call_default_factory=False)
    return ParamSchema(
        name, kind, info.title or name, info.description or "",
        default.value if isinstance(default, Enum) else default, optional,
        unit=str(hints.get("unit", "")), minimum=low, maximum=high, step=hints.get("step"), choices=choices,
        dynamic_choices=str(hints.get("choices", "")), widget=str(hints.get("widget", "")),
        empty=str(hints.get("empty", "")), advanced=bool(hints.get("advanced")),
        primary=bool(hints.get("primary")),
    )  # fmt: skip


def _bound(info: FieldInfo, *names: str) -> float | None:
    """The value of the first of these constraints (``ge``, ``gt``…) that the field has."""
    found = (getattr(item, name, None) for item in info.metadata for name in names)
    return next((float(value) for value in found if value is not None), None)


def _port_type(annotation: Any, widget: str) -> tuple[PortType, tuple[str, ...]]:
    if get_origin(annotation) is Literal:
        return port_types.Choice, tuple(str(item) for item in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return port_types.Choice, tuple(str(item.value) for item in annotation)
    if widget == "seed":
        return port_types.Seed, ()
    simple = {
        bool: port_types.Boolean,
        int: port_types.Integer,
        float: port_types.Number,
        str: port_types.Text,
    }
    if isinstance(annotation, type) and annotation in simple:
        return simple[annotation], ()
    return port_types.Json, ()


@lru_cache(maxsize=1)
def builtin() -> Registry:
    """The built-in node types."""
    from pipelines.nodes import NODES

    return Registry(*NODES)
