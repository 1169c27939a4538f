"""What is added to a model, as nodes of the graph: changes in one chain, layers of pictures that steer."""

from __future__ import annotations

import pytest

from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import Registry, builtin
from studio.graph.loras import with_lora
from studio.graph.model_changes import (
    VAE,
    base_of,
    chain,
    chooser,
    users_of,
    with_change,
    without_change,
)
from studio.graph.picture_layers import (
    CONTROLS,
    REFERENCES,
    LayerSort,
    NewLayer,
    drawing_nodes,
    layers,
    with_layer,
    with_layer_model,
    with_method,
    with_picture,
    without_layer,
)
from tests.helpers.studio_fakes import template


def model_of(graph: Graph) -> str:
    return next(node for node, record in graph.nodes.items() if record.type == "model.diffusion")


@pytest.fixture
def registry() -> Registry:
    return builtin()


def test_changes_of_a_model_stand_in_one_chain(registry: Registry) -> None:
    start = template()
    model = model_of(start)
    one, lora = with_lora(start, registry, model, {"lora": "a"})
    two, vae = with_change(one, registry, model, VAE, {chooser(registry, VAE): "b"})
    assert chain(two, model) == (lora, vae)
    assert base_of(two, vae) == model
    assert users_of(two, model) == users_of(start, model)
    assert all(two.nodes[node].inputs[port].node == vae for node, port in users_of(two, model))
    assert drawing_nodes(two, registry, model, CONTROLS) == drawing_nodes(start, registry, model, CONTROLS)
    back = without_change(without_change(two, registry, lora), registry, vae)
    assert set(back.links()) == set(start.links())
    assert set(back.nodes) == set(start.nodes)


# --- pictures that steer ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", [REFERENCES, CONTROLS], ids=["references", "controls"])
def test_layers_pass_each_other_on_and_leave_nothing_behind(registry: Registry, sort: LayerSort) -> None:
    start = template()
    draws = drawing_nodes(start, registry, model_of(start), sort)
    method = {"method": "edges"} if sort is CONTROLS else None
    graph, first = with_layer(start, registry, draws, sort, NewLayer("a.png", {"weight": 0.5}, method))
    other = NewLayer("b.png", model={"model": "m"}, on=False)
    graph, second = with_layer(graph, registry, draws, sort, other)
    found = layers(graph, draws, sort)
    assert found is not None
    assert [(item.node, item.path, item.on, bool(item.method), item.model_id) for item in found.items] == [
        (first, "a.png", True, sort is CONTROLS, ""),
        (second, "b.png", False, False, "m"),
    ]
    assert graph.nodes[draws[0]].inputs[sort.port].node == second
    assert len({graph.position(node) for node in graph.nodes}) == len(graph.nodes)
    graph = without_layer(graph, registry, sort, first)
    assert [item.path for item in layers(graph, draws, sort).items] == ["b.png"]
    graph = without_layer(graph, registry, sort, second)
    assert set(graph.links()) == set(start.links())
    assert set(graph.nodes) == set(start.nodes)


def test_a_layer_is_changed_where_it_stands(registry: Registry) -> None:
    start = template()
    draws = drawing_nodes(start, registry, model_of(start), CONTROLS)
    graph, node = with_layer(start, registry, draws, CONTROLS, NewLayer("a.png"))
    graph = with_method(graph, registry, node, {"method": "scribble"})
    graph = with_layer_model(graph, registry, node, CONTROLS, {"model": "one"})
    graph = with_layer_model(graph, registry, node, CONTROLS, {"model": "two"})
    item = layers(graph, draws, CONTROLS).items[0]
    assert (item.method_params["method"], item.model_id, item.path) == ("scribble", "two", "a.png")
    graph = with_picture(graph, registry, item, "b.png")
    graph = with_method(graph, registry, node, None)
    graph = with_layer_model(graph, registry, node, CONTROLS, None)
    item = layers(graph, draws, CONTROLS).items[0]
    assert (item.method, item.model, item.path) == ("", "", "b.png")
    assert len(graph.nodes) == len(start.nodes) + 2  # nothing idle is left


def test_what_is_arranged_otherwise_is_no_list(registry: Registry) -> None:
    start = template()
    draws = drawing_nodes(start, registry, model_of(start), CONTROLS)
    graph, node = with_layer(start, registry, draws, CONTROLS, NewLayer("a.png"))
    # the layer also serves another node: removing it here would change what that draws
    other = graph.free_id("diffusion.text_to_image")
    record = graph.nodes[draws[0]].without_input("controls").without_input("model")
    graph = graph.with_node(other, record).with_link(other, "controls", (node, "layers"))
    assert layers(graph, draws, CONTROLS) is None
    with pytest.raises(KeyError):
        with_layer(graph, registry, draws, CONTROLS, NewLayer("b.png"))
    # layers of another node come first and stay
    canvas = start.with_node("canvas", NodeRecord.new("image.canvas", 1))
    canvas = canvas.with_link(draws[0], "controls", ("canvas", "controls"))
    longer, added = with_layer(canvas, registry, draws, CONTROLS, NewLayer("a.png"))
    assert layers(longer, draws, CONTROLS).before == "canvas"
    back = without_layer(longer, registry, CONTROLS, added)
    assert back.nodes[draws[0]].inputs["controls"].node == "canvas"
