"""``diptych engine --stdio``: the engine's messages as JSON lines, for scripts. No socket, models stay
loaded."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator

from pipelines import paths
from pipelines.engine import exchange
from pipelines.engine.client import default_settings
from pipelines.engine.frames import MAX_FRAME
from pipelines.engine.host import serve, set_environment, take_pipes
from pipelines.engine.protocol import Failure, Hello, Message, Run, read_request, write
from pipelines.engine.refs import error_data
from pipelines.engine.seeds import draw_seeds
from pipelines.errors import DiptychError, ProtocolError
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin


def serve_lines(options: argparse.Namespace) -> int:
    """Serve until the end of input. A line that can't be read is answered with ``failure`` and skipped."""
    reader, writer = take_pipes()
    set_environment()
    exchange.sweep(paths.runtime_dir())
    run_dir = exchange.make_run_dir(paths.runtime_dir())

    def send(message: Message) -> None:
        writer.write(write(message) + b"\n")
        writer.flush()

    def requests() -> Iterator[Message]:
        while line := reader.readline(MAX_FRAME + 1):
            if not line.strip():
                continue
            try:
                if len(line) > MAX_FRAME:
                    raise ProtocolError(reason=f"A line is longer than {MAX_FRAME} bytes.")
                request = read_request(line)
                yield _with_seeds(request) if isinstance(request, Run) else request
            except DiptychError as error:
                send(Failure(error=error_data(error.info())))

    try:
        serve(
            requests(),
            send,
            Hello(run_dir=str(run_dir), settings=default_settings(preview=False)),
            drain=True,
        )
    except BrokenPipeError:
        return 1
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    return 0


def _with_seeds(request: Run) -> Run:
    """Empty seeds are drawn here, as the client does elsewhere."""
    graph = draw_seeds(Graph.loads(request.graph, request.name or "The graph"), builtin())
    return request.model_copy(update={"graph": graph.dumps().decode()})
