"""``diptych engine --stdio``: the engine's messages as JSON lines, for scripts. No socket, models stay
loaded."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator
from typing import BinaryIO

from pipelines import paths
from pipelines.engine import exchange
from pipelines.engine.client import default_settings
from pipelines.engine.frames import MAX_FRAME, check_length
from pipelines.engine.host import serve, set_environment, take_pipes
from pipelines.engine.protocol import Failure, Hello, Message, Run, read_request, write
from pipelines.engine.refs import error_data
from pipelines.engine.seeds import draw_seeds
from pipelines.errors import DiptychError, MessageTooLong
from pipelines.files import bytes_text
from pipelines.graph.document import Graph
from pipelines.graph.registry import builtin


def serve_lines(options: argparse.Namespace) -> int:
    """Serve until the end of input. A line that can't be read is answered with ``failure`` and skipped."""
    reader, writer = take_pipes()
    set_environment()
    exchange.sweep(paths.runtime_dir())
    run_dir = exchange.make_run_dir(paths.runtime_dir())

    def send(message: Message) -> None:
        data = write(message)
        check_length(data, "The result")
        try:
            writer.write(data + b"\n")
            writer.flush()
        except OSError:  # nobody listens any more, and the end of input may never come
            shutil.rmtree(run_dir, ignore_errors=True)
            os._exit(1)

    def requests() -> Iterator[Message]:
        while line := reader.readline(MAX_FRAME + 1):
            if not line.strip():
                continue
            job = ""
            try:
                if len(line) > MAX_FRAME:
                    _skip_line(reader, line)
                    raise MessageTooLong(
                        name="A line", bytes=f"more than {len(line) - 1:,} bytes", limit=bytes_text(MAX_FRAME)
                    )
                request = read_request(line)
                if isinstance(request, Run):
                    job = request.job
                    request = _with_seeds(request)
                yield request
            except DiptychError as error:
                send(Failure(request=job, error=error_data(error.info())))

    hello = Hello(run_dir=str(run_dir), settings=default_settings(preview=False))
    try:
        serve(requests(), send, hello, drain=True)
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)
    return 0


def _skip_line(reader: BinaryIO, line: bytes) -> None:
    """Read on to the end of a line that is too long: its rest is no request."""
    while line and not line.endswith(b"\n"):
        line = reader.readline(MAX_FRAME)


def _with_seeds(request: Run) -> Run:
    """Empty seeds are drawn here, as the client does elsewhere."""
    graph = draw_seeds(Graph.loads(request.graph, request.name or "The graph"), builtin())
    return request.model_copy(update={"graph": graph.dumps().decode()})
