"""``diptych render`` and ``diptych write``: the two everyday graphs, made from what was typed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipelines import paths
from pipelines.cli.arguments import find_model, parse_size, read_text
from pipelines.cli.session import Narrator, Session, entry, exit_code, print_json, report_errors, rescue
from pipelines.diffusion.sizes.any_size import plan_size
from pipelines.diffusion.sizes.size_limits import limits_for
from pipelines.engine.protocol import ModelInfo, NodeProgress, RunFinished
from pipelines.errors import WrongUse
from pipelines.files import is_folder
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.storage import read_document

SUFFIXES = {".png": "png", ".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg"}


def render_graph(options: argparse.Namespace, model: ModelInfo) -> Graph:
    """The graph of ``render``: the template *Prompt to image* with what was typed; the model's values
    otherwise."""
    graph = read_document(paths.RESOURCES / "templates" / "prompt_to_image.json")
    size: dict[str, Any] = {}
    if model.native_size:
        size = {"width": model.native_size[0], "height": model.native_size[1]}
    if options.size:
        size["width"], size["height"] = parse_size(options.size)
    known = {name for name, target in graph.exposed.items() if target.node == "draw"}
    for name, value in (drawing_values(options, model, known) | size).items():
        graph = graph.with_param("draw", name, value)
    for name, value in size_values(options).items():
        graph = graph.with_param("draw", name, value)
    if options.model:
        graph = graph.with_param("model", "model", options.model)
    if options.no_upscale or (options.size and not options.exact_size and _planned(size, model)):
        graph = graph.with_link("save", "image", ("draw", "image")).without_node("upscale")
    if options.no_upscale:
        graph = graph.without_node("upscaler")
    return with_output(graph, "save", options.output, options.overwrite)


def _planned(size: dict[str, Any], model: ModelInfo) -> bool:
    """Whether the drawing itself brings the picture to its size: then nothing is to enlarge it further."""
    limits = limits_for(model.model_dump(include={"family", "native_size", "size_multiple"}))
    return plan_size(max(size["width"], 1), max(size["height"], 1), limits).mode != "direct"


def size_values(options: argparse.Namespace) -> dict[str, Any]:
    """What was typed about sizes beyond the model."""
    exact = {"sizes": "exact"} if options.exact_size else {}
    return exact | ({"detail": options.detail} if options.detail is not None else {})


def drawing_values(options: argparse.Namespace, model: ModelInfo, known: Collection[str]) -> dict[str, Any]:
    """Values of a node that draws: the model's own for the params ``known``, and over them what was typed."""
    typed = {
        "steps": options.steps,
        "guidance_scale": options.guidance,
        "guidance_rescale": options.rescale,
        "sampler": options.sampler,
        "schedule": options.schedule,
    }
    values: dict[str, Any] = {"prompt": read_text(options.prompt), "negative": read_text(options.negative)}
    values |= {"batch": options.count, "seed": options.seed}
    values |= {name: value for name, value in model.defaults.items() if name in known}
    return values | {name: value for name, value in typed.items() if value is not None}


def with_output(graph: Graph, node: str, output: str | None, overwrite: bool) -> Graph:
    """Let a save node write to ``output``: a folder, or a file whose suffix says the format."""
    if output:
        path = Path(output).expanduser().absolute()
        if is_folder(path) or output.endswith(("/", "\\")):
            graph = graph.with_param(node, "folder", str(path))
        else:
            suffix = path.suffix.lower()
            if suffix not in SUFFIXES:
                raise WrongUse(
                    reason=f"{path.name} has no picture format.", hint="End it with .png, .webp or .jpg."
                )
            graph = graph.with_param(node, "folder", str(path.parent)).with_param(node, "name", path.stem)
            graph = graph.with_param(node, "format", SUFFIXES[suffix])
    return graph.with_param(node, "existing", "replace") if overwrite else graph


def render(options: argparse.Namespace) -> int:
    """Draw a prompt and save the picture."""
    model = find_model("diffusion", options.model).info
    graph = render_graph(options, model)
    return run_and_report(graph, options, "render", lambda done: saved_paths(done, "save"))


def saved_paths(finished: RunFinished, node: str) -> list[str]:
    """Where a save node put its pictures."""
    path = finished.result.get("outputs", {}).get(node, {}).get("path")
    return path if isinstance(path, list) else [path] if path else []


def run_and_report(graph: Graph, options: argparse.Namespace, name: str, lines: Any) -> int:
    """Run one graph and print what ``lines(finished)`` gives, or all of it with ``--json``: an exit code."""
    with Session(device=options.device) as session:
        finished = session.run(graph, name=name, base=Path.cwd())
        report_errors(finished)
        rescue(session, finished)
        if options.json:
            print_json({"graphs": [entry(finished)]})
        else:
            for line in lines(finished):
                print(line)
        return exit_code(session, [finished])


def write_graph(options: argparse.Namespace) -> Graph:
    """The graph of ``write``: a text model and one node."""
    params: dict[str, Any] = {"prompt": read_text(options.prompt), "seed": options.seed}
    if options.system is not None:
        params["system"] = read_text(options.system)
    if options.max_tokens is not None:
        params["max_tokens"] = options.max_tokens
    if options.temperature is not None:
        params["temperature"] = options.temperature
    graph = Graph().with_node("model", NodeRecord.new("model.language", params={"model": options.model}))
    node = NodeRecord.new("language.generate", params=params, inputs={"model": ("model", "model")})
    return graph.with_node("write", node)


class _Stream:
    """Prints the part of a growing text that is new."""

    def __init__(self) -> None:
        self.shown = ""

    def __call__(self, text: str) -> None:
        if text.startswith(self.shown):
            sys.stdout.write(text[len(self.shown) :])
            sys.stdout.flush()
            self.shown = text


def write(options: argparse.Namespace) -> int:
    """Let a text model write; the text appears as it is made."""
    stream = None if options.json else _Stream()
    narrator = Narrator(stream)

    def listen(event: Any) -> None:
        if not (isinstance(event, NodeProgress) and event.text is not None and stream is None):
            narrator(event)

    with Session(listen, device=options.device) as session:
        finished = session.run(write_graph(options), name="write")
        report_errors(finished)
        text = finished.result.get("outputs", {}).get("write", {}).get("text")
        if options.json:
            print_json({"graphs": [entry(finished)]})
        elif stream is not None and text is not None:
            stream(text)
            print()
        return exit_code(session, [finished])
