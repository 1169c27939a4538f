"""How a picture came about, as the JSON in its file: complete, and without a home folder in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Final

from pipelines.graph import jsontext
from pipelines.metadata import xmp

FORMAT: Final = 1
_LIFTED: Final = ("model", "model_hash", "seed", "device", "dtype", "quantization")
_MADE_BY_A_MODEL: Final = frozenset({"prompt", "model", "sampler", "steps"})
_UNWRITABLE: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Half characters, which UTF-8 can't say, and two that XML can't: in strings, where they can be escaped."""


def provenance_json(provenance: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """The text under ``diptych``: ``provenance`` (graph, versions, timings…) and the picture's ``info``.

    What a reader looks for first (seed, model, dtype…) is lifted from ``info`` to the top. Numbers stay as
    the document writes them; non-finite ones become strings; the home folder is written as ``~``, so that no
    user's name leaves.
    """
    lifted = {key: info[key] for key in _LIFTED if key in info}
    tree = {"format": FORMAT, "software": "Diptych", **lifted, **provenance, "info": dict(info)}
    text = jsontext.dumps(_plain(tree, _homes()))
    return _UNWRITABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def source_type(provenance: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    """IPTC's Digital Source Type: made by a model, partly by one, as the loaded file said, or ``""``.

    ``inpaint`` in ``info`` says that a part was made by a model, as ``removal`` does with a model's name,
    ``upscaler`` that it was enlarged by one.
    """
    removal = info.get("removal")
    if "inpaint" in info or (isinstance(removal, Mapping) and removal.get("model")):
        return xmp.COMPOSITE
    graph = provenance.get("graph")
    nodes = graph.get("nodes") if isinstance(graph, Mapping) else None
    kinds = (
        [node.get("type") for node in nodes.values() if isinstance(node, Mapping)]
        if isinstance(nodes, Mapping)
        else []
    )
    if _MADE_BY_A_MODEL & set(info) or any(str(kind).startswith("diffusion.") for kind in kinds):
        return xmp.GENERATED
    if "upscaler" in info:
        return xmp.COMPOSITE
    known = info.get("digital_source_type")  # of the file the picture was loaded from
    return known if isinstance(known, str) and known.startswith(xmp.SOURCE_TYPES) else ""


def without_home(text: str) -> str:
    """``text`` with the home folder written as ``~`` wherever it stands."""
    return _without(text, _homes())


def _homes() -> tuple[re.Pattern[str], ...]:
    """The home folder in every spelling: links resolved, either slash, escaped inside JSON."""
    try:
        home = Path.home()
    except RuntimeError:  # no home folder is known
        return ()
    spellings: set[str] = set()
    for path in (home, home.resolve()):
        if path != Path(path.anchor):
            spellings |= {str(path), path.as_posix(), str(path).replace("\\", "\\\\")}
    flags = re.IGNORECASE if sys.platform == "win32" else 0
    return tuple(
        re.compile(rf"(?<![\w.-]){re.escape(spelling)}(?![\w.-])", flags)
        for spelling in sorted(spellings, key=len, reverse=True)
    )


def _without(text: str, homes: tuple[re.Pattern[str], ...]) -> str:
    for home in homes:
        text = home.sub("~", text)
    return text


def _plain(value: Any, homes: tuple[re.Pattern[str], ...]) -> Any:
    """Only what JSON knows, in a copy."""
    if isinstance(value, Mapping):
        return {_without(str(key), homes): _plain(item, homes) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, homes) for item in value]
    if isinstance(value, str | PurePath):
        return _without(str(value), homes)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    item = getattr(value, "item", None)  # a scalar of numpy
    return _plain(item(), homes) if callable(item) else _without(str(value), homes)
