"""``diptych models convert``: safetensors from the files of PyTorch's, without running what is in them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.models import word

if TYPE_CHECKING:
    from pipelines.cli.models import Words
    from pipelines.models.convert.conversion import Conversion


def add(words: Words) -> None:
    """Add ``convert``."""
    text = "write a safetensors version beside a .pth, .pt, .ckpt or .bin file, running nothing in it"
    made = word(words, "convert", "convert:convert_files", text)
    made.add_argument("file", nargs="+", help="a file that PyTorch wrote, whatever its name")
    made.add_argument("-o", "--output", help="the file to write (of one file); never one that is there")


def convert_files(options: argparse.Namespace) -> int:
    """Convert files one after another; 1 if one of them could not be."""
    from pipelines.cli.session import FAILED, OK, print_json
    from pipelines.errors import DiptychError, WrongUse
    from pipelines.models.convert.conversion import convert

    if options.output and len(options.file) > 1:
        raise WrongUse(reason="-o names one file.", hint="Convert one file at a time, or leave -o away.")
    done: list[dict[str, Any]] = []
    for name in options.file:
        source = Path(name).expanduser().absolute()
        target = Path(options.output).expanduser().absolute() if options.output else None
        try:
            made = convert(source, target, progress=_progress(source.name))
        except DiptychError as error:
            if len(options.file) == 1:
                raise
            print(error, file=sys.stderr)
            done.append({"file": str(source), "error": error.info().to_json()})
            continue
        done.append(_row(made))
        if not options.json:
            _tell(made)
    if options.json:
        print_json({"conversions": done})
    return FAILED if any("error" in row for row in done) else OK


def _row(made: Conversion) -> dict[str, Any]:
    return {
        "file": str(made.source), "path": str(made.path), "tensors": made.tensors, "bytes": made.bytes,
        "left_out": list(made.dropped), "doubtful": made.doubtful,
    }  # fmt: skip


def _tell(made: Conversion) -> None:
    from pipelines.files import bytes_text

    print(f"{made.path}  {made.tensors} tensors, {bytes_text(made.bytes)}")
    if made.dropped:
        print(f"Left out: {', '.join(made.dropped)}")
    if made.doubtful:
        print(
            f"{made.doubtful} checksums in the original don't fit its numbers: it may be damaged.",
            file=sys.stderr,
        )


def _progress(name: str) -> Any:
    """Percent on standard error, where a person is looking."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        print(f"\r{name}: {100 * done // max(total, 1)} %", end=end, file=sys.stderr, flush=True)

    return show
