"""Order and circles of arbitrary directed graphs, against reachability worked out by brute force."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.graph.cycles import dependency_order


@st.composite
def digraphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{index}" for index in range(draw(st.integers(0, 8)))]
    picks = st.lists(st.sampled_from(names), max_size=3) if names else st.just([])
    return {name: draw(picks) for name in names}


def reachable(sources: dict[str, list[str]]) -> dict[str, set[str]]:
    """All that each node depends on, over any number of links."""
    found = {node: set(needed) for node, needed in sources.items()}
    for middle in sources:
        for node in sources:
            if middle in found[node]:
                found[node] |= found[middle]
    return found


@settings(max_examples=400, database=None, deadline=None, derandomize=True)
@given(digraphs())
def test_order_and_circles(sources: dict[str, list[str]]) -> None:
    order, circles = dependency_order(sources)
    needs = reachable(sources)
    on_circles = {node for node in sources if node in needs[node]}
    spoiled = {node for node in sources if node in on_circles or needs[node] & on_circles}

    assert sorted(order) == sorted(sources)
    place = {node: index for index, node in enumerate(order)}
    for node in sources:
        if node in spoiled:
            assert all(place[healthy] < place[node] for healthy in sources if healthy not in spoiled)
        else:
            assert all(place[source] < place[node] for source in sources[node])

    members = [member for circle in circles for member in circle]
    assert sorted(members) == sorted(on_circles), "each member once, nothing behind them"
    for circle in circles:
        assert {other for other in circle if other in needs[circle[0]]} == set(circle)
        assert {other for other in needs[circle[0]] if circle[0] in needs[other]} == set(circle)


def test_document_order_is_kept_where_links_allow() -> None:
    assert dependency_order({"b": [], "a": [], "c": ["a"]}) == (["b", "a", "c"], [])


def test_a_circle_of_many_nodes_needs_no_recursion() -> None:
    count = 20_000
    order, circles = dependency_order({f"n{i}": [f"n{(i - 1) % count}"] for i in range(count)})
    assert len(order) == count
    assert [len(circle) for circle in circles] == [count]
    start = circles[0].index("n0")
    assert (circles[0][start:] + circles[0][:start])[:3] == ["n0", "n1", "n2"]
