"""``diptych run``: graphs from files, with values set, once or many times."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.cli.arguments import apply_exposed, apply_sets, load_graph, split_arguments
from pipelines.cli.session import (
    Narrator,
    Session,
    entry,
    exit_code,
    print_events,
    print_json,
    report_errors,
    rescue,
)
from pipelines.cli.sweep import Progress, Variant, variants
from pipelines.engine.protocol import Message, RunFinished
from pipelines.errors import DiptychError, WrongUse
from pipelines.graph.document import Graph
from pipelines.graph.registry import Registry

SAVERS = ("image.save", "text.save")


def run(options: argparse.Namespace) -> int:
    """Run several graphs in order in one engine; a failed one doesn't stop the next."""
    files, values = split_arguments(options.graph)
    if not files:
        raise WrongUse(reason="No graph was given.", hint="diptych run GRAPH [name=value …]")
    progress = Progress(Path(options.output), options.resume) if options.output else None
    if options.resume and progress is None:
        raise WrongUse(reason="--resume needs a folder to go on in.", hint="Give it with -o DIR.")
    narrator = Narrator()

    def listen(event: Message) -> None:
        if options.events:
            print_events(event)
        else:
            narrator(event)

    finished: list[RunFinished] = []
    with Session(listen, device=options.device) as session:
        types = session.registry()
        jobs = [(file, item) for file in files for item in _variants(file, values, options, types)]
        for file, variant in jobs:
            if progress is not None and progress.is_done(variant):
                print(f"{variant.label}: already done", file=sys.stderr)
                continue
            done = session.run(
                variant.graph,
                tuple(options.target) or None,
                name=file,
                base=Path(file).parent.absolute(),
                output_dir=Path(options.output).absolute() if options.output else None,
            )
            finished.append(done)
            _report(done, variant, options)
            rescue(session, done)
            if session.interrupted:
                break
            if progress is not None and done.status == "finished":
                _note(progress, variant)
        if options.json:
            print_json({"graphs": [entry(item) for item in finished]})
        return exit_code(session, finished)


def _note(progress: Progress, variant: Variant) -> None:
    """Write down what is done; a disk that is full by now doesn't undo it."""
    try:
        progress.add(variant)
    except DiptychError as error:
        print(error, file=sys.stderr)


def _variants(
    file: str, values: dict[str, str], options: argparse.Namespace, types: Registry
) -> list[Variant]:
    graph = apply_exposed(load_graph(file, to_run=True), values, types)
    graph = apply_sets(graph, options.set, types)
    if options.overwrite:
        graph = _overwriting(graph)
    for target in options.target:
        if target not in graph:
            raise WrongUse(
                reason=f"There is no node called {target}.", hint=f"The graph has: {', '.join(graph.nodes)}"
            )
    return variants(graph, file, options.each, options.sweep, types)


def _overwriting(graph: Graph) -> Graph:
    for node, record in graph.nodes.items():
        if record.type in SAVERS:
            graph = graph.with_param(node, "existing", "replace")
    return graph


def _report(finished: RunFinished, variant: Variant, options: argparse.Namespace) -> None:
    report_errors(finished)
    if options.json or options.events:
        return
    made = sum(status == "executed" for status in finished.nodes.values())
    print(f"{variant.label}: {finished.status}, {made} steps made, {finished.seconds:.1f} s", file=sys.stderr)
    for ports in finished.result.get("outputs", {}).values():
        for value in ports.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str | int | float):
                    print(item)
