"""``diptych inpaint``, ``remove`` and ``outpaint``: draw anew what a mask shows, or take it away; draw past
the edges of a picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from pipelines.cli.arguments import find_model
from pipelines.cli.render import drawing_values, run_and_report, saved_paths, size_values, with_output
from pipelines.errors import FileMissing
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.registry import builtin
from pipelines.image import alpha_mask, load_image

SIDES: Final = ("left", "top", "right", "bottom")


def inpaint(options: argparse.Namespace) -> int:
    """Draw what a mask shows of a picture, and save the whole."""
    return _run(inpaint_graph(options), options, "inpaint")


def inpaint_graph(options: argparse.Namespace) -> Graph:
    """The graph of ``inpaint``: transparency is the mask where the mask's file has any, else brightness.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: a file can't be used, said before an engine is there.
    """
    return _with_mask(_graph(options, "diffusion.inpaint", {}), "draw", options.mask)


def remove(options: argparse.Namespace) -> int:
    """Take away what a mask covers of a picture, and save the whole."""
    return _run(remove_graph(options), options, "remove")


def remove_graph(options: argparse.Namespace) -> Graph:
    """The graph of ``remove``; the mask is read as for ``inpaint``.

    Raises:
        FileMissing, ImageUnreadable, ImageTooLarge: a file can't be used.
        ModelMissing, ModelUnsuitable: the model that was named can't be.
    """
    if options.model:
        find_model("inpaint", options.model)
    typed = {"method": options.method, "model": options.model, "grow": options.grow}
    params = {name: value for name, value in typed.items() if value not in (None, "")}
    graph = _opened(options.image).with_node(
        "remove", NodeRecord.new("image.remove", params=params, inputs={"image": ("open", "image")})
    )
    return _with_mask(_saved(graph, "remove"), "remove", options.mask)


def _with_mask(graph: Graph, node: str, path: str) -> Graph:
    """The graph with the mask in a file for ``node``."""
    mask = _existing(path)
    port = "mask" if alpha_mask(load_image(mask)).values.any() else "image"
    graph = graph.with_node("mask", NodeRecord.new("image.load", params={"path": str(mask)}))
    return graph.with_link(node, "mask", ("mask", port))


def outpaint(options: argparse.Namespace) -> int:
    """Make a picture larger, draw what is new, and save the whole."""
    sides = {side: getattr(options, side) for side in SIDES}
    return _run(_graph(options, "diffusion.outpaint", sides), options, "outpaint")


def _graph(options: argparse.Namespace, node: str, values: dict[str, Any]) -> Graph:
    """Open, draw with the model's own values and what was typed, save."""
    model = find_model("diffusion", options.model).info
    known = builtin()[node].params_by_name
    params = drawing_values(options, model, known) | values
    typed = {"strength": options.strength, "fill": options.fill}
    params |= {name: value for name, value in typed.items() if value is not None}
    params |= size_values(options)
    inputs = {"model": ("model", "model"), "image": ("open", "image")}
    graph = (
        _opened(options.image)
        .with_node("model", NodeRecord.new("model.diffusion", params={"model": options.model}))
        .with_node("draw", NodeRecord.new(node, params=params, inputs=inputs))
    )
    return _saved(graph, "draw")


def _opened(picture: str) -> Graph:
    return Graph().with_node("open", NodeRecord.new("image.load", params={"path": str(_existing(picture))}))


def _saved(graph: Graph, node: str) -> Graph:
    return graph.with_node("save", NodeRecord.new("image.save", inputs={"image": (node, "image")}))


def _existing(path: str) -> Path:
    file = Path(path).expanduser().absolute()
    if not file.is_file():
        raise FileMissing(path=path)
    return file


def _run(graph: Graph, options: argparse.Namespace, name: str) -> int:
    graph = with_output(graph, "save", options.output, options.overwrite)
    return run_and_report(graph, options, name, lambda done: saved_paths(done, "save"))
