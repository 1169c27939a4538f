"""Empty seeds are drawn once, where they are, and nothing else is touched."""

from __future__ import annotations

from itertools import count

from pipelines.engine.seeds import draw_seeds, new_seed
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin
from tests.helpers.stub_nodes import REGISTRY, graph


def test_only_empty_unlinked_seeds_are_drawn():
    numbers = count(100)
    made = graph(
        a=("stub.seeded",),
        b=("stub.seeded", {"seed": 7}),
        c=("stub.seeded", {"seed": None}),
        d=("stub.constant",),
        e=("stub.seeded", {}, {"seed": ("d", "value")}),
        f=("nobody.knows", {"seed": None}),
    )
    drawn = draw_seeds(made, REGISTRY, lambda: next(numbers))
    assert [drawn.nodes[node].params.get("seed") for node in "abcef"] == [100, 7, 101, None, None]
    assert made.nodes["a"].params == {}


def test_a_params_seed_counts_and_a_variation_seed_does_not():
    made = Graph().with_node("w", graph(w=("language.generate",)).nodes["w"])
    made = made.with_node("d", graph(d=("diffusion.text_to_image",)).nodes["d"])
    drawn = draw_seeds(made, builtin(), lambda: 5)
    assert drawn.nodes["w"].params == {"seed": 5}
    assert drawn.nodes["d"].params == {"seed": 5}


def test_seeds_inside_subgraphs_are_drawn_and_broken_ones_left_alone():
    inner = {
        "nodes": {"s": {"type": "stub.seeded"}, "x": 3},
        "inputs": {},
        "outputs": {"text": ["s", "text"]},
    }
    made = Graph().with_field("subgraphs", {"g": inner, "broken": 4})
    drawn = draw_seeds(made, REGISTRY, lambda: 5)
    assert drawn.fields["subgraphs"]["g"]["nodes"] == {
        "s": {"type": "stub.seeded", "params": {"seed": 5}},
        "x": 3,
    }
    assert drawn.fields["subgraphs"]["broken"] == 4


def test_seeds_fit_other_programs():
    assert all(0 <= new_seed() < 2**32 for _ in range(100))
