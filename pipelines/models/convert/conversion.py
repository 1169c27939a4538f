"""Converting a file of PyTorch's (a pickle) to safetensors, beside the original.

A process of its own reads the pickle (:mod:`.worker`) and hands over names, shapes and numbers through a
pipe; the file is written here, from what was handed over, and appears only when it is whole.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from pipelines.errors import (
    AlreadyConverted,
    ConversionFailed,
    ConversionRefused,
    ConversionUnneeded,
    DiptychError,
    DiskFull,
    ModelPickled,
)
from pipelines.files import atomic_write, bytes_text, is_there
from pipelines.graph.node import CancelToken, NeverCancelled
from pipelines.models.convert.confinement import MEMORY_BYTES
from pipelines.models.files.header import DTYPE_BITS, MAX_HEADER, read_header

PIECE: Final = 4 * 2**20
POLL_SECONDS: Final = 0.05
SUFFIX: Final = ".safetensors"

_ROOT: Final = Path(__file__).resolve().parents[3]
_KEPT_VARIABLES: Final = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_REASONS: Final = {
    "refused": "It holds {message}, which a plain state dict doesn't need.",
    "damaged": "It is damaged: {message}.",
    "large": "It is more than is read: {message}.",
    "memory": "Reading it takes more memory than a model may need.",
    "system": "{message}.",
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a file.

    ``dropped`` names what stood beside the weights and was left out; ``doubtful`` counts the tensors whose
    checksum in the original doesn't fit their numbers.
    """

    source: Path
    path: Path
    tensors: int
    bytes: int
    dropped: tuple[str, ...] = ()
    doubtful: int = 0


def target_of(source: Path) -> Path:
    """Where the converted file goes: beside the original, under the name that libraries look for."""
    stem = source.stem
    if source.suffix.lower() == ".bin" and stem.startswith("pytorch_model"):  # as transformers called it
        stem = stem.removeprefix("pytorch_")
    return source.with_name(stem + SUFFIX)


def convert(
    source: Path,
    target: Path | None = None,
    *,
    cancel: CancelToken | None = None,
    progress: Progress | None = None,
    memory: int = MEMORY_BYTES,
) -> Conversion:
    """Write the tensors of a file that ``torch.save`` wrote as safetensors. Nothing in the file is run.

    Args:
        source: the file, whatever it is called.
        target: the file to write; :func:`target_of` by default. An existing one is never replaced.
        cancel: polled all the time.
        progress: called with the bytes written and their total.
        memory: bytes of address space that the reading process may have.

    Raises:
        ModelMissing, ModelUnreadable, ModelFormatUnsupported: it isn't there, or is another format.
        ConversionUnneeded: it is a safetensors file.
        AlreadyConverted: the target is there.
        ConversionRefused: it holds more than a plain state dict.
        ConversionFailed: it is damaged, or too large to be read safely.
        DiskFull, SaveFailed: the target can't be written.
        Cancelled: the user cancelled; nothing is left.
    """
    try:
        read_header(source)
    except ModelPickled:
        pass
    else:
        raise ConversionUnneeded(model=source.name)
    target = target or target_of(source)
    if is_there(target):
        raise AlreadyConverted(path=str(target))
    token = cancel or NeverCancelled()
    with _reader(source, memory, token) as process:
        receiver = _Receiver(process, source, target, token, progress)
        path = atomic_write(target, receiver.write, unique=True)
    try:
        header = read_header(path)
    except DiptychError:
        path.unlink()
        raise
    return Conversion(
        source, path, len(header.tensors), header.file_bytes, receiver.dropped, receiver.doubtful
    )


@contextlib.contextmanager
def _reader(source: Path, memory: int, cancel: CancelToken) -> Iterator[subprocess.Popen[bytes]]:
    """The process that reads; ended when the block is left, or as soon as the user cancels."""
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment |= {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-P", "-B", "-X", "utf8", "-m", "pipelines.models.convert.worker",
         str(memory), str(source.absolute())],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    ) as process:  # fmt: skip
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process, cancel, done), daemon=True)
        watcher.start()
        try:
            yield process
        finally:
            done.set()
            process.kill()
            watcher.join()


def _watch(process: subprocess.Popen[bytes], cancel: CancelToken, done: threading.Event) -> None:
    while not done.wait(POLL_SECONDS):
        if cancel.cancelled:
            process.kill()
            return


class _Receiver:
    """Takes what the reader hands over and writes it as a safetensors file."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        source: Path,
        target: Path,
        cancel: CancelToken,
        progress: Progress | None,
    ) -> None:
        assert process.stdout is not None
        self.dropped: tuple[str, ...] = ()
        self.doubtful = 0
        self._process = process
        self._input: IO[bytes] = process.stdout
        self._source = source
        self._target = target
        self._cancel = cancel
        self._progress = progress

    def write(self, file: BinaryIO) -> None:
        """Write all of it to an open file. Raises as :func:`convert`."""
        announced = self._line()
        self.dropped = tuple(announced["dropped"])
        metadata = {"format": "pt", "converted_from": self._source.name}
        header, total = header_text(announced["tensors"], metadata)
        if len(header) > MAX_HEADER:
            reason = _REASONS["large"].replace("{message}", f"its header would have {len(header):,} bytes")
            raise ConversionFailed(model=self._source.name, reason=reason)
        self._check_space(len(header) + total)
        file.write(len(header).to_bytes(8, "little") + header)
        self._copy(file, total)
        self.doubtful = int(self._line()["doubtful"])

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self._target.parent).free
        if free < needed:
            raise DiskFull(path=str(self._target), needed=bytes_text(needed), free=bytes_text(free))

    def _copy(self, file: BinaryIO, total: int) -> None:
        done = 0
        while done < total:
            self._cancel.check()
            piece = self._input.read(min(PIECE, total - done))
            if not piece:
                raise self._failure()
            file.write(piece)
            done += len(piece)
            if self._progress is not None:
                self._progress(done, total)

    def _line(self) -> dict[str, Any]:
        line = self._input.readline(MAX_HEADER + 1)
        try:
            found: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise self._failure() from error
        return found

    def _failure(self) -> DiptychError:
        """Why the reader ended early."""
        self._cancel.check()
        assert self._process.stderr is not None
        said = self._process.stderr.read(PIECE).splitlines()
        code = self._process.wait()
        try:
            answer = json.loads(said[-1])
            kind, message = str(answer["fault"]), str(answer["message"])
        except (ValueError, LookupError, TypeError):
            kind, message = "system", f"The process that read it ended with code {code}"
            if said and b"MemoryError" in said[-1]:
                kind = "memory"
        error = ConversionRefused if kind == "refused" else ConversionFailed
        return error(model=self._source.name, reason=_REASONS[kind].replace("{message}", message))


def header_text(tensors: list[tuple[str, str, list[int]]], metadata: dict[str, str]) -> tuple[bytes, int]:
    """The JSON of a safetensors header for tensors in the order of their bytes, padded to a multiple of
    eight, and the bytes of all tensors."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    position = 0
    for name, dtype, shape in tensors:
        end = position + math.prod(shape) * DTYPE_BITS[dtype] // 8
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8), position
