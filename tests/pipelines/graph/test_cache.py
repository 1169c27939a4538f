"""The cache in memory: least recently used first out, bounded by bytes, keys by content."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.graph.cache import OVERHEAD, Cache, Entry, key_of
from pipelines.graph.node import file_fingerprint
from pipelines.graph.values import Image, nbytes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def picture(side: int) -> Image:
    return Image(np.zeros((side, side, 3), np.uint8))


def entry(side: int = 8) -> Entry:
    return Entry({"image": picture(side)}, 1.0)


def size(side: int = 8) -> int:
    return OVERHEAD + nbytes(picture(side)) + nbytes(None)


def test_the_oldest_unused_entry_goes_first() -> None:
    cache = Cache(size() * 2)
    cache.put(b"a", entry())
    cache.put(b"b", entry())
    assert cache.get(b"a") is not None
    cache.put(b"c", entry())
    assert cache.get(b"b") is None
    assert cache.get(b"a") is not None
    assert cache.get(b"c") is not None
    assert cache.bytes == size() * 2


def test_an_entry_larger_than_the_limit_is_not_kept_and_costs_the_others_nothing() -> None:
    cache = Cache(size() * 2)
    cache.put(b"a", entry())
    cache.put(b"big", entry(64))
    assert cache.get(b"big") is None
    assert cache.get(b"a") is not None
    cache.put(b"a", entry(64))
    assert cache.get(b"a") is None, "an old result under the same key is not kept either"
    assert cache.bytes == 0


def test_putting_twice_counts_once_and_discarding_counts_back() -> None:
    cache = Cache()
    cache.put(b"a", entry(8))
    cache.put(b"a", entry(4))
    assert cache.bytes == size(4)
    cache.discard(b"a")
    cache.discard(b"a")
    assert (cache.bytes, len(cache)) == (0, 0)


@settings(max_examples=60, database=None, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 40), st.booleans()), max_size=40))
def test_bytes_never_exceed_the_limit_and_always_add_up(actions: list[tuple[str, int, bool]]) -> None:
    cache = Cache(9_000)
    for name, side, put in actions:
        if put:
            cache.put(name.encode(), entry(side))
        else:
            cache.get(name.encode())
        assert cache.bytes <= cache.limit
        assert cache.bytes == sum(held for _, held in cache._entries.values())


def test_memos_share_the_limit() -> None:
    cache = Cache(size() * 2)
    made: list[int] = []

    def make() -> Image:
        made.append(1)
        return picture(8)

    first = cache.memo(("embeds", "model", 1), make)
    assert cache.memo(("embeds", "model", 1), make) is first
    assert len(made) == 1
    cache.memo(("embeds", "model", True), make)
    cache.put(b"a", entry())
    cache.put(b"b", entry())
    assert cache.memo(("embeds", "model", 1), make) is not first


def test_an_entry_whose_file_is_gone_or_changed_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_text("one")
    cache = Cache()
    cache.put(b"a", Entry({"path": str(path)}, 0, {str(path): file_fingerprint(path)}))
    assert cache.get(b"a") is not None
    path.write_text("other text")
    assert cache.get(b"a") is None
    assert len(cache) == 0


def test_several_threads_may_use_it() -> None:
    cache = Cache(size() * 5)
    errors: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for index in range(200):
                cache.put(bytes([(start + index) % 16]), entry())
                cache.get(bytes([index % 16]))
                cache.memo((index % 8,), lambda: picture(8))
        except (RuntimeError, KeyError) as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert 0 <= cache.bytes <= cache.limit


def test_json_types_are_different_keys() -> None:
    values = [1, 1.0, True, "1", None, [1], [1.0], {"a": 1}, {"a": True}, 0, -0.0, 0.0, False, "", [], {}]
    assert len({key_of(value) for value in values}) == len(values)


def test_key_order_is_no_difference() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


@settings(max_examples=200, database=None, deadline=None, derandomize=True)
@given(JSON, JSON)
def test_equal_keys_mean_equal_json(one: object, other: object) -> None:
    assert (key_of(one) == key_of(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: object) -> str:
    """JSON with its types, written independently of the key."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{repr_of(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(repr_of, value)) + "]"
    return repr(value)


def test_parts_do_not_run_together() -> None:
    assert key_of("ab", "c") != key_of("a", "bc")


def test_not_a_number_has_no_key() -> None:
    with pytest.raises(ValueError):
        key_of(float("nan"))
