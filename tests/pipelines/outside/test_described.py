"""A node type as data and back, and what a document says it needs."""

from __future__ import annotations

import json

import pytest

from pipelines.graph.described import KnownPorts, description, from_description
from pipelines.graph.document import Graph
from pipelines.graph.node import Output
from pipelines.graph.plan import validate
from pipelines.graph.registry import NodeSchema, OpenRegistry, Origin, builtin, schema_of
from pipelines.graph.requires import with_requires
from tests.helpers.stub_nodes import Add, Constant, graph

FILE = Origin("file", "mine.py", digest="ab12")
PACKAGE = Origin("package", "Grain", "1.2", "cd34")


def plain(value):
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.parametrize("schema", builtin(), ids=lambda schema: schema.id)
def test_a_description_says_all_that_editing_needs(schema: NodeSchema) -> None:
    again = from_description(plain(description(schema)))
    for name in ("id", "title", "category", "description", "origin"):
        assert getattr(again, name) == getattr(schema, name)
    for name in ("version", "lane", "saves", "preview"):
        assert getattr(again.node, name) == getattr(schema.node, name)
    assert plain([repr(param) for param in again.params if param.name != "layers"]) == [
        repr(param) for param in schema.params if param.name != "layers"
    ]
    assert again.inputs({}) == schema.inputs({})
    assert again.outputs({}) == schema.outputs({})


def test_a_described_type_checks_values_as_the_type_itself_does() -> None:
    types = OpenRegistry(builtin())
    data = plain(description(builtin()["image.resize"])) | {"id": "mine.resize"}
    types.set_outside([from_description(data)])
    nodes = {
        kind: (kind, {"width": 0, "height": "x", "method": "no"}) for kind in ("image.resize", "mine.resize")
    }
    found = validate(graph(ours=nodes["image.resize"], theirs=nodes["mine.resize"]), types)
    ours = [(item.code, item.port, item.text()) for item in found if item.node == "ours"]
    assert ours == [(item.code, item.port, item.text()) for item in found if item.node == "theirs"]
    assert len(ours) >= 4


def test_ports_that_are_not_known_yet_are_asked_for_once_and_the_last_ones_stand_in() -> None:
    asked = []
    known = KnownPorts(lambda type_id, params: asked.append(dict(params)))
    data = plain(description(builtin()["text.template"])) | {"id": "mine.template"}
    schema = from_description(data, known)
    assert [port.name for port in schema.inputs({"template": "{a}"})] == ["subject", "style"]
    assert schema.inputs({"template": "{a}"}) == schema.inputs({})
    known.put("mine.template", {"template": "{a}"}, builtin_ports("{a}"))
    assert [port.name for port in schema.inputs({"template": "{a}"})] == ["a"]
    assert [port.name for port in schema.inputs({"template": "{a}{b}"})] == ["a"]
    assert [item["template"] for item in asked] == ["{a}", "{subject}, {style}", "{a}{b}"]


def builtin_ports(template: str):
    schema = builtin()["text.template"]
    return schema.inputs({"template": template}), schema.outputs({"template": template})


@pytest.fixture
def types() -> OpenRegistry:
    registry = OpenRegistry(builtin())
    registry.set_outside([schema_of(Add, FILE), schema_of(Constant, PACKAGE)])
    return registry


def test_a_document_names_what_it_needs_and_only_then(types: OpenRegistry) -> None:
    alone = graph(a=("text.constant",))
    assert with_requires(alone, types) is alone
    needs = with_requires(graph(a=("stub.add",), b=("stub.constant",)), types)
    assert needs.fields["requires"] == {
        "Grain": {"types": ["stub.constant"], "version": "1.2"},
        "mine.py": {"hash": "ab12", "types": ["stub.add"]},
    }
    assert with_requires(needs, types) is needs
    assert needs.dumps() == with_requires(Graph.loads(needs.dumps()), types).dumps()
    assert "requires" not in with_requires(needs.without_node("a").without_node("b"), types).fields


def test_what_is_not_known_here_stays_as_the_document_says(types: OpenRegistry) -> None:
    fields = {"Other": {"types": ["other.x", "other.gone"], "version": "3", "url": "kept"}, "odd": 1}
    document = graph(a=("other.x",), b=("stub.add",)).with_field("requires", fields)
    found = with_requires(document, types).fields["requires"]
    assert found["Other"] == {"types": ["other.x"], "version": "3", "url": "kept"}
    assert (found["odd"], found["mine.py"]["hash"]) == (1, "ab12")
    odd = graph(b=("stub.add",)).with_field("requires", ["a list"])
    assert with_requires(odd, types) is odd


def test_a_type_that_is_missing_says_what_to_install_or_agree_to(types: OpenRegistry) -> None:
    document = with_requires(graph(a=("stub.add",), b=("stub.constant",), c=("nobody.knows",)), types)
    found = {item.node: item for item in validate(document, builtin())}
    assert "mine.py" in found["a"].text()
    assert "Grain 1.2" in found["b"].text()
    assert "agree to it" in found["b"].text()
    assert found["c"].code == "UnknownNodeType"


def test_a_type_from_outside_never_replaces_another(types: OpenRegistry) -> None:
    class Impostor(Add):
        """Takes the name of a built-in type."""

        id = "text.join"
        outputs = (Output("text", builtin()["text.join"].outputs({})[0].type),)

    types.set_outside([schema_of(Impostor, FILE), schema_of(Add, FILE)])
    assert types["text.join"] is builtin()["text.join"]
    assert [schema.id for schema in types.outside] == ["stub.add"]
    assert len(types) == len(builtin()) + 1 == len(list(types))
