"""What an output holds, in a few words: for the tooltip of a wire and the caption of the viewer."""

from __future__ import annotations

from typing import Any, Final

from pipelines.engine.protocol import ValueRef
from studio.canvas.face import number_text
from studio.engine.phases import memory_text
from studio.translate import tr

LONGEST: Final = 280
"""Letters of a text."""
MOST_ITEMS: Final = 5


def value_words(value: ValueRef) -> str:
    """A text itself (its beginning), a number, the size of a picture, how many items a list has."""
    if value.sizes:
        return _pictures(value)
    if value.items is not None:
        return _items(value.value if isinstance(value.value, list) else [], value.items)
    if value.value is None:
        return ""
    if value.type == "Size" and isinstance(value.value, list) and len(value.value) == 2:
        return size_words(value.value[0], value.value[1])
    return _plain(value.value)


def size_words(width: object, height: object) -> str:
    """``512 × 512 px``."""
    return tr("{width} × {height} px", width=width, height=height)


def bytes_words(count: int) -> str:
    """Memory in few characters; empty below what is worth a word."""
    return memory_text(count) if count >= 500_000 else ""


def _pictures(value: ValueRef) -> str:
    count = value.items if value.items is not None else len(value.sizes)
    kinds = list(dict.fromkeys(value.sizes))
    smallest = min(kinds, key=lambda size: size[0] * size[1])
    largest = max(kinds, key=lambda size: size[0] * size[1])
    if len(kinds) == 1:
        size = size_words(*largest)
    else:
        size = tr("{small} to {large}", small=size_words(*smallest), large=size_words(*largest))
    return size if value.items is None else tr("{n} items, {size}", n=count, size=size)


def _items(items: list[Any], count: int) -> str:
    text = tr("1 item") if count == 1 else tr("{n} items", n=count)
    shown = [_plain(item, 40) for item in items[:MOST_ITEMS] if item is not None]
    if not shown:
        return text
    return f"{text}: {', '.join(shown)}" + (", …" if count > len(shown) else "")


def _plain(value: Any, longest: int = LONGEST) -> str:
    text = number_text(value) if isinstance(value, bool | int | float) else str(value)
    text = " ".join(text[: longest + 40].split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
