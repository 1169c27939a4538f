"""The engine as a process: requests in, events out, over the pipes it was started with.

What libraries print goes to the log: the real standard output is kept for messages before anything else is
imported. When the other side is gone (end of input), the process ends.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pipelines.engine.protocol import Hello, Message

NICENESS = 5
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    # Waiting threads sleep instead of spinning: on a busy machine a spinning pair of threads made a step of
    # the
    # starter 20 to 100 times slower; on an idle one sleeping costs about a fifth of so small a model's time.
    "OMP_WAIT_POLICY": "passive",
}


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages; from now on, what is printed goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return os.fdopen(os.dup(0), "rb"), output


def set_environment() -> None:
    """What libraries must know before they are imported; what the user set is kept, but not to go online."""
    for name, value in ENVIRONMENT.items():
        if name.endswith("OFFLINE"):
            os.environ[name] = value
        else:
            os.environ.setdefault(name, value)


def main() -> int:
    """Serve frames until the end of input or a shutdown request."""
    reader, writer = take_pipes()
    set_environment()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    from pipelines.engine.frames import read_frame, write_frame
    from pipelines.engine.protocol import read_request, write
    from pipelines.errors import ProtocolError

    def requests() -> Iterator[Message]:
        while (frame := read_frame(reader)) is not None:
            yield read_request(frame)

    def send(message: Message) -> None:
        write_frame(writer, write(message))

    try:
        serve(requests(), send)
    except (ProtocolError, BrokenPipeError) as error:
        print(f"engine: {error}", file=sys.stderr)
        leave(1)
    leave(0)
    return 0


def serve(
    requests: Iterator[Message],
    send: Callable[[Message], None],
    hello: Hello | None = None,
    drain: bool = False,
) -> None:
    """Run an engine over any pair of streams. Without ``hello`` the first request must be one.

    At the end of input what runs is cancelled, or finished first where ``drain`` says so.
    """
    from pipelines.engine.protocol import PROTOCOL, Hello
    from pipelines.engine.service import Engine
    from pipelines.errors import ProtocolError

    first = hello or next(requests, None)
    if first is None:
        return
    if not isinstance(first, Hello) or first.protocol != PROTOCOL:
        raise ProtocolError(reason=f"The first message must be hello with protocol {PROTOCOL}.")
    engine = Engine(first, send)
    engine.emit(engine.ready())
    for request in requests:
        if not engine.handle(request):
            break
    else:
        if drain:
            engine.drain()
    engine.close()


def leave(code: int) -> None:
    """End now: a thread inside a library can't be waited for, and nothing is left to lose."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            sys.stderr.flush()
            os._exit(code)
    raise SystemExit(code)


if __name__ == "__main__":
    sys.exit(main())
