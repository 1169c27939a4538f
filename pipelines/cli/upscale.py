"""``diptych upscale``: enlarge one picture by a model, or all of a folder, going on where it stopped."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from pipelines.cli.arguments import find_model
from pipelines.cli.render import SUFFIXES, run_and_report, saved_paths, with_output
from pipelines.cli.session import Session, entry, exit_code, print_json, report_errors, rescue
from pipelines.engine.protocol import RunFinished
from pipelines.errors import FileMissing, WrongUse
from pipelines.files import is_folder
from pipelines.graph.document import Graph, NodeRecord
from pipelines.graph.values import Image
from pipelines.nodes.filenames import picture_path
from pipelines.nodes.io import pictures_in

ADDED: Final = "-upscaled"
"""What is added to a name where no output is given."""


def upscale(options: argparse.Namespace) -> int:
    """Enlarge a picture, or the pictures of a folder."""
    find_model("upscale", options.model)
    source = Path(options.input).expanduser().absolute()
    if is_folder(source):
        return _folder(source, options)
    if not source.is_file():
        raise FileMissing(path=options.input)
    output = options.output or str(_beside(source))
    graph = with_output(_graph(source, options), "save", output, options.overwrite)
    if is_folder(Path(output)) or output.endswith(("/", "\\")):
        target = _target(Path(output), source)
        graph = with_output(graph, "save", str(target), options.overwrite)
    return run_and_report(graph, options, "upscale", lambda done: saved_paths(done, "save"))


def _folder(source: Path, options: argparse.Namespace) -> int:
    """Every picture of a folder in one engine; what is there already is not made again."""
    folder = (
        Path(options.output).expanduser().absolute()
        if options.output
        else source.with_name(source.name + ADDED)
    )
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        raise WrongUse(reason=f"{folder.name} is no folder.", hint="Give a folder with -o.")
    finished: list[RunFinished] = []
    with Session(device=options.device) as session:
        for picture in pictures_in(source):
            target = _target(folder, picture)
            if target.exists() and not options.overwrite:
                print(f"{picture.name}: already done", file=sys.stderr)
                continue
            graph = with_output(_graph(picture, options), "save", str(target), options.overwrite)
            done = session.run(graph, name=picture.name, base=Path.cwd())
            finished.append(done)
            report_errors(done)
            rescue(session, done)
            if not options.json:
                for path in saved_paths(done, "save"):
                    print(path, flush=True)
            if session.interrupted:
                break
        if options.json:
            print_json({"graphs": [entry(item) for item in finished]})
        return exit_code(session, finished)


def _graph(picture: Path, options: argparse.Namespace) -> Graph:
    """Open, enlarge, save."""
    params = {"factor": options.factor, "tile": options.tile}
    given = {name: value for name, value in params.items() if value is not None}
    inputs = {"model": ("upscaler", "model"), "image": ("open", "image")}
    return (
        Graph()
        .with_node("open", NodeRecord.new("image.load", params={"path": str(picture)}))
        .with_node("upscaler", NodeRecord.new("model.upscale", params={"model": options.model}))
        .with_node("upscale", NodeRecord.new("upscale.model", params=given, inputs=inputs))
        .with_node("save", NodeRecord.new("image.save", inputs={"image": ("upscale", "image")}))
    )


def _beside(source: Path) -> Path:
    return _target(source.parent, source.with_stem(source.stem + ADDED))


def _target(folder: Path, picture: Path) -> Path:
    """Where the enlarged ``picture`` goes: its own name, and its own format where that can be written."""
    suffix = picture.suffix.lower()
    stem = picture.stem if suffix in SUFFIXES else f"{picture.stem}-{suffix.removeprefix('.')}"
    stem = stem.replace("{", "(").replace("}", ")")
    kept = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}[SUFFIXES.get(suffix, "png")]
    blank = Image(np.zeros((1, 1, 1), np.uint8))
    return picture_path(folder, stem, kept, blank, datetime.now().astimezone())
