"""``diptych upscale``: enlarge one picture by a model, or all of a folder, going on where it stopped."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipelines.cli.arguments import find_model, parse_size
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
NAMED: Final = 5
"""Pictures that the summary names at most."""


def upscale(options: argparse.Namespace) -> int:
    """Enlarge a picture, or the pictures of a folder."""
    find_model("upscale", options.model)
    wanted = _wanted(options)
    source = Path(options.input).expanduser().absolute()
    if is_folder(source):
        return _folder(source, options, wanted)
    if not source.is_file():
        raise FileMissing(path=options.input)
    output = options.output or str(
        _target(source.parent, source.with_stem(source.stem + ADDED), options.depth)
    )
    if is_folder(Path(output)) or output.endswith(("/", "\\")):
        output = str(_target(Path(output), source, options.depth))
    graph = with_output(_graph(source, options, wanted), "save", output, options.overwrite)
    if options.depth == "16" and graph.nodes["save"].params.get("format", "png") != "png":
        raise WrongUse(reason="Only PNG has 16 bits a channel.", hint="End the output with .png.")
    return run_and_report(graph, options, "upscale", lambda done: saved_paths(done, "save"))


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    """The node's params of what was typed: a factor, or a size, and the tile."""
    params = {"factor": options.factor, "tile": options.tile}
    if options.size:
        if options.factor is not None:
            raise WrongUse(reason="A factor and a size are two wishes.", hint="Give one of the two.")
        params["width"], params["height"] = parse_size(options.size)
        if not any(parse_size(options.size)):
            raise WrongUse(
                reason="A picture of 0 px is none.", hint="Write width x height, or a longest side."
            )
    return {name: value for name, value in params.items() if value is not None}


def _folder(source: Path, options: argparse.Namespace, wanted: dict[str, Any]) -> int:
    """Every picture of a folder in one engine; what is there already is not made again."""
    folder = (
        Path(options.output).expanduser().absolute()
        if options.output
        else source.with_name(source.name + ADDED)
    )
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        raise WrongUse(reason=f"{folder.name} is no folder.", hint="Give a folder with -o.")
    targets = _targets(folder, pictures_in(source), options.depth)
    finished: list[RunFinished] = []
    skipped = 0
    with Session(device=options.device, preview=False) as session:
        for picture, target in targets.items():
            if target.exists() and not options.overwrite:
                print(f"{picture.name}: already done", file=sys.stderr)
                skipped += 1
                continue
            graph = with_output(_graph(picture, options, wanted), "save", str(target), options.overwrite)
            done = session.run(graph, name=picture.name, base=Path.cwd())
            finished.append(done)
            report_errors(done)
            rescue(session, done)
            _forget_pictures(session)
            if not options.json:
                for path in saved_paths(done, "save"):
                    print(path, flush=True)
            if session.interrupted:
                break
        if options.json:
            print_json({"graphs": [entry(item) for item in finished]})
        print(_summary(len(targets), skipped, finished), file=sys.stderr)
        return exit_code(session, finished)


def _summary(pictures: int, skipped: int, finished: list[RunFinished]) -> str:
    """How a folder went, in one line."""
    good = sum(done.status == "finished" for done in finished)
    bad = [str(done.result.get("graph", "?")) for done in finished if done.status == "failed"]
    told = [f"{good} enlarged"]
    if skipped:
        told.append(f"{skipped} already done")
    if bad:
        named = ", ".join(bad[:NAMED]) + (", …" if len(bad) > NAMED else "")
        told.append(f"{len(bad)} failed ({named})")
    if left := pictures - skipped - good - len(bad):
        told.append(f"{left} left")
    return f"{', '.join(told)}."


def _forget_pictures(session: Session) -> None:
    """Delete what the engine gave to be looked at: a folder of large pictures would fill the disk with it."""
    if session.client.run_dir is not None:
        for path in session.client.run_dir.glob("*.raw"):
            path.unlink(missing_ok=True)


def _graph(picture: Path, options: argparse.Namespace, wanted: dict[str, Any]) -> Graph:
    """Open, enlarge, save."""
    inputs = {"model": ("upscaler", "model"), "image": ("open", "image")}
    save = NodeRecord.new(
        "image.save", params={"depth": options.depth}, inputs={"image": ("upscale", "image")}
    )
    return (
        Graph()
        .with_node("open", NodeRecord.new("image.load", params={"path": str(picture)}))
        .with_node("upscaler", NodeRecord.new("model.upscale", params={"model": options.model}))
        .with_node("upscale", NodeRecord.new("upscale.model", params=wanted, inputs=inputs))
        .with_node("save", save)
    )


def _targets(folder: Path, pictures: list[Path], depth: str) -> dict[Path, Path]:
    """Where each picture of a folder goes; two that differ only in their format get two names."""
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for picture in pictures:
        target = _target(folder, picture, depth)
        if target.name.casefold() in taken:
            target = _target(folder, picture, depth, named=True)
        taken.add(target.name.casefold())
        targets[picture] = target
    return targets


def _target(folder: Path, picture: Path, depth: str, named: bool = False) -> Path:
    """Where the enlarged ``picture`` goes: its own name, and its own format where that can be written.

    Else, and if ``named``, its name says what format it had.
    """
    suffix = picture.suffix.lower()
    kind = SUFFIXES.get(suffix, "png")
    if depth == "16":
        kind = "png"
    named = named or SUFFIXES.get(suffix) != kind
    stem = f"{picture.stem}-{suffix.removeprefix('.')}" if named else picture.stem
    stem = stem.replace("{", "(").replace("}", ")")
    kept = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}[kind]
    blank = Image(np.zeros((1, 1, 1), np.uint8))
    return picture_path(folder, stem, kept, blank, datetime.now().astimezone())
