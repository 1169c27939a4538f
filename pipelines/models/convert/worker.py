"""The process that reads a pickle: ``python -m pipelines.models.convert.worker MEMORY FILE``.

MEMORY is in bytes. On standard output one line of JSON with the tensors (name, dtype, shape, in the order of
their bytes), then the bytes, then one more line with what was noticed. A fault is one line of JSON on
standard error, ``{"fault", "message"}``. It writes no file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import BinaryIO, Final

from pipelines.files import open_file
from pipelines.models.convert.confinement import confine
from pipelines.models.convert.faults import Damaged, Fault, Refused, TooLarge
from pipelines.models.convert.state_dict import StateDict, select
from pipelines.models.convert.tensors import item_bytes
from pipelines.models.convert.torch_file import read
from pipelines.models.convert.writing import TensorBytes
from pipelines.models.files.header import MAX_HEADER

GROWTH: Final = 2
SPARE_BYTES: Final = 256 * 2**20
"""What is written may be :data:`GROWTH` times as large as the file and this: tensors that share their numbers
are written one by one, and a few bytes can be claimed to be any number of tensors."""

_FAULTS: Final = {Refused: "refused", Damaged: "damaged", TooLarge: "large"}


def serve(file: BinaryIO, size: int, output: BinaryIO) -> None:
    """Read ``file`` of ``size`` bytes and write its tensors to ``output``.

    Raises:
        Refused, Damaged, TooLarge: see :mod:`.faults`.
    """
    source = read(file, size)
    state = select(source.root)
    names = sorted(state.tensors, key=lambda name: (-item_bytes(state.tensors[name].dtype), name))
    total = sum(state.tensors[name].bytes for name in names)
    if total > GROWTH * size + SPARE_BYTES:
        raise TooLarge(f"its {size:,} bytes would become {total:,}")
    output.write(_announcement(state, names))
    tensors = TensorBytes(file, source)
    for name in names:
        for piece in tensors.of(state.tensors[name]):
            output.write(piece)
    output.write(bytes(state.flags.values()))
    output.write(json.dumps({"doubtful": tensors.doubtful}).encode() + b"\n")
    output.flush()


def _announcement(state: StateDict, names: list[str]) -> bytes:
    listed: list[tuple[str, str, tuple[int, ...]]] = [
        (name, state.tensors[name].dtype, state.tensors[name].shape) for name in names
    ]
    listed += [(name, "BOOL", (1,)) for name in state.flags]
    line = json.dumps({"tensors": listed, "dropped": state.dropped}).encode() + b"\n"
    if len(line) > MAX_HEADER:
        raise TooLarge(f"the names of its tensors have {len(line):,} bytes")
    return line


def main() -> int:
    """One request. Returns the exit code: 0, or 1 after a fault."""
    memory, path = sys.argv[1:]
    confine(int(memory))
    try:
        with open_file(Path(path)) as file:
            serve(file, file.seek(0, 2), sys.stdout.buffer)
    except Fault as error:
        return _fault(_FAULTS[type(error)], str(error))
    except (MemoryError, RecursionError, OverflowError):
        return _fault("memory", "")
    except OSError as error:
        return _fault("system", f"{error.strerror or error}")
    return 0


def _fault(kind: str, message: str) -> int:
    sys.stderr.write(json.dumps({"fault": kind, "message": message[:500]}) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
