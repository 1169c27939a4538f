"""The words of the command line and their options. Exit codes: 0 ok, 1 failed, 2 wrong use, 130 after
Ctrl-C."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import Final, NoReturn

from pipelines import errors, paths
from pipelines.cli import models
from pipelines.errors import DiptychError, ErrorInfo, UnexpectedError, WrongUse, describe
from pipelines.files import atomic_write

WRONG_INPUT: Final = frozenset(
    kind.__name__
    for kind in (
        WrongUse,
        errors.FileMissing,
        errors.FolderMissing,
        errors.GraphFromTheFuture,
        errors.GraphUnreadable,
        errors.ImageTooLarge,
        errors.ImageUnreadable,
        errors.ModelMissing,
        errors.NodeNameUnusable,
        errors.OutsideNotFound,
        errors.TableUnreadable,
        errors.TextUnreadable,
    )
)
"""What was typed or given is wrong (exit code 2); anything else is a command that failed (1)."""


class _Parser(argparse.ArgumentParser):
    """Wrong use is an exception like any other, so that ``--json`` can say it too."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(reason=f"{message[:1].upper()}{message[1:]}.", hint=f"See: {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """All words and options."""
    root = _Parser(
        prog="diptych", description="A creative studio for local diffusion and transformer models."
    )
    root.add_argument("--version", action="version", version=f"diptych {version('diptych-studio')}")
    words = root.add_subparsers(dest="word", metavar="WORD", parser_class=_Parser)
    _render(words)
    _pictures(words)
    _write(words)
    _run(words)
    _show(words)
    engine = _word(words, "engine", "stdio:serve_lines", "serve an engine to a script, as JSON lines")
    engine.add_argument(
        "--stdio", action="store_true", required=True, help="requests in, events out, one a line"
    )
    _forecast(words)
    bench = _word(words, "bench", "bench:bench", "measure speed and memory on this machine")
    bench.add_argument("name", nargs="*", help="which measurements (all)")
    bench.add_argument("-o", "--output", help="write the JSON to this file")
    bench.add_argument("--json", action="store_true", help="print JSON instead of a table")
    studio = _word(words, "studio", "studio:studio", "open the studio (the default)")
    studio.add_argument("file", nargs="?", help="a graph, or a picture made by Diptych")
    studio.add_argument("--profile", default="", help="a session and settings of its own, by name")
    studio.add_argument("--read-only", action="store_true", help="don't keep the session")
    return root


def _word(words: argparse._SubParsersAction[_Parser], name: str, function: str, text: str) -> _Parser:
    made: _Parser = words.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
    made.set_defaults(function=function)
    return made


def _common(made: argparse.ArgumentParser, model: bool = True) -> None:
    made.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1, mps, xpu (default: the best there is)"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    if model:
        made.add_argument("--model", default="", help="id, name or path of a model (default: the starter)")


def _seed(text: str) -> int:
    if text.isdecimal() and len(text) <= 40 and int(text) < 2**64:
        return int(text)
    raise argparse.ArgumentTypeError("a seed is a whole number from 0 to 18446744073709551615")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text[:80]} is not a number")
    return number


def _whole(text: str) -> int:
    if text.lstrip("+-").isdecimal() and len(text) <= 40:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text[:80]} is not a whole number")


def _render(words: argparse._SubParsersAction[_Parser]) -> None:
    made = _word(words, "render", "render:render", "draw a prompt and save the picture")
    _drawing(made)
    made.add_argument(
        "--size",
        help="width x height in px (default: the model's own, enlarged); what the model can't draw at once "
        "is reduced, or drawn in two passes, to exactly this size",
    )
    _beyond(made)
    made.add_argument("--no-upscale", action="store_true", help="save the picture as the model draws it")
    _saving(made)
    _common(made)


def _drawing(made: argparse.ArgumentParser) -> None:
    """What every word that draws takes."""
    made.add_argument("prompt", help="what to draw; @FILE or - reads it")
    made.add_argument("--negative", default="", help="what to avoid")
    made.add_argument("--steps", type=_whole)
    made.add_argument("--guidance", type=_number, help="how strictly the picture follows the prompt")
    made.add_argument("--rescale", type=_number, help="guidance rescale, 0 to 1")
    made.add_argument("--sampler", help="see: diptych nodes")
    made.add_argument("--schedule")
    made.add_argument("--seed", type=_seed)
    made.add_argument("--count", type=_whole, default=1, help="how many pictures; seeds count up")


def _saving(made: argparse.ArgumentParser) -> None:
    made.add_argument("-o", "--output", help="a file (.png, .webp, .jpg) or a folder")
    made.add_argument("--overwrite", action="store_true", help="replace a file that is there")


def _pictures(words: argparse._SubParsersAction[_Parser]) -> None:
    made = _word(words, "inpaint", "inpaint:inpaint", "draw anew what a mask shows of a picture")
    made.add_argument("image", help="the picture")
    made.add_argument("mask", help="a picture: white, or transparent, is where to draw")
    _redrawing(made)
    made = _word(words, "remove", "inpaint:remove", "take away what a mask covers of a picture")
    made.add_argument("image", help="the picture")
    made.add_argument("mask", help="a picture: white, or transparent, is what to take away")
    made.add_argument("--method", help="auto, model, surroundings or patches (default: auto)")
    made.add_argument("--grow", type=_number, help="how far beyond the mask, in px (default: by size)")
    made.add_argument(
        "--model", default="", help="id, name or path of a LaMa model (default: the first there is)"
    )
    _saving(made)
    _common(made, model=False)
    made = _word(words, "outpaint", "inpaint:outpaint", "make a picture larger and draw what is new")
    made.add_argument("image", help="the picture")
    for side in ("left", "right", "top", "bottom"):
        made.add_argument(f"--{side}", type=_whole, default=0, metavar="N", help="px to add on this side")
    _redrawing(made)
    made = _word(words, "upscale", "upscale:upscale", "enlarge a picture, or all of a folder")
    made.add_argument("input", help="a picture or a folder; in a folder, what is done is skipped")
    made.add_argument("--factor", type=_number, help="how many times as wide and high (default: the model's)")
    made.add_argument(
        "--size", help="width x height to fit it into, or the longest side, in px, instead of a factor"
    )
    made.add_argument(
        "--depth", choices=("8", "16", "auto"), default="auto",
        help="bits a channel of a PNG (default: 16 if the picture has more than 8)",
    )  # fmt: skip
    made.add_argument("--tile", type=_whole, help="side of the pieces in px (default: what fits)")
    _saving(made)
    _common(made)


def _beyond(made: argparse.ArgumentParser) -> None:
    """What is done with sizes that the model can't draw well at once."""
    made.add_argument(
        "--exact-size", action="store_true", help="draw at once whatever the size, as the model would"
    )
    made.add_argument(
        "--detail", type=_number, help="denoising strength of the second pass, 0.1 to 0.9 (default: 0.4)"
    )


def _redrawing(made: argparse.ArgumentParser) -> None:
    """What the words take that draw a part of a picture."""
    _drawing(made)
    made.add_argument("--strength", type=_number, help="denoising strength, 0 to 1 (default: 1)")
    _beyond(made)
    made.add_argument("--fill", help="before the noise: original, blur, neutral, noise, border or patch")
    _saving(made)
    _common(made)


def _write(words: argparse._SubParsersAction[_Parser]) -> None:
    made = _word(words, "write", "render:write", "let a text model write")
    made.add_argument("prompt", help="what to write about; @FILE or - reads it")
    made.add_argument("--system", help="how to behave")
    made.add_argument("--max-tokens", type=_whole)
    made.add_argument("--temperature", type=_number, help="0 always takes the likeliest word")
    made.add_argument("--seed", type=_seed)
    _common(made)


def _run(words: argparse._SubParsersAction[_Parser]) -> None:
    made = _word(words, "run", "run:run", "run graphs")
    made.add_argument(
        "graph", nargs="+", help="graph files, and name=value for exposed params (@FILE and - read text)"
    )
    made.add_argument("--set", action="append", default=[], metavar="NODE.PARAM=VALUE")
    made.add_argument(
        "--target", action="append", default=[], metavar="NODE", help="run only what this node needs"
    )
    made.add_argument("--each", metavar="ROWS", help="run once per row of a CSV or JSONL file")
    made.add_argument(
        "--sweep", action="append", default=[], metavar="NODE.PARAM=A,B", help="run every combination"
    )
    made.add_argument("--resume", action="store_true", help="skip the runs that are done (needs -o)")
    made.add_argument("--overwrite", action="store_true", help="replace files that are there")
    made.add_argument("--events", action="store_true", help="print events as JSON lines")
    made.add_argument("-o", "--output", metavar="DIR", help="where pictures go if the graph doesn't say")
    _common(made, model=False)


def _show(words: argparse._SubParsersAction[_Parser]) -> None:
    for name, text in (
        ("validate", "say what is wrong with a graph"),
        ("inputs", "list the arguments of a graph"),
    ):
        made = _word(words, name, f"show:{name}", text)
        made.add_argument("graph")
        made.add_argument("--json", action="store_true")
    _nodes(words)
    made = _word(words, "inspect", "show:inspect", "say how a picture was made")
    made.add_argument("image")
    made.add_argument("--json", action="store_true")
    models.add(words)


def _nodes(words: argparse._SubParsersAction[_Parser]) -> None:
    made = _word(words, "nodes", "nodes:list_nodes", "list the node types; begin one, agree to some")
    made.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    actions = made.add_subparsers(dest="action", metavar="WORD", parser_class=_Parser)
    one = "print one JSON object"
    for name, text, what in (
        ("new", "write a node and its test to begin with", "small letters, digits and underscores"),
        ("agree", "let the nodes of a file or package be used, as it is now", "a file or a package"),
        ("withdraw", "let them be used no longer", "a file or a package"),
    ):
        action = _word(actions, name, f"nodes:{name}", text)
        action.add_argument("name", help=what)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=one)
        if name == "new":
            action.add_argument("--folder", help="where to write it (default: the folder for nodes)")


def _forecast(words: argparse._SubParsersAction[_Parser]) -> None:
    text = "say what a graph will need, and whether it fits"
    made = _word(words, "forecast", "forecast:forecast_graph", text)
    made.add_argument("graph")
    made.add_argument("--set", action="append", default=[], metavar="NODE.PARAM=VALUE")
    made.add_argument("--device-memory", metavar="SIZE", help="of a card, as in 8GiB (default: this one's)")
    made.add_argument("--host-memory", metavar="SIZE", help="of the computer (default: this one's)")
    made.add_argument("--calibrate", action="store_true", help="measure this computer first")
    _common(made, model=False)


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Parse; words of ``run`` may stand after its options too, which argparse alone can't do."""
    root = parser()
    options, rest = root.parse_known_args(arguments)
    if rest and (options.word != "run" or any(word.startswith("-") and word != "-" for word in rest)):
        root.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.graph += rest
    return options


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        options = _parse(arguments or ["studio"])
        module, _, function = (options.function if options.word else "studio:studio").partition(":")
        code = int(getattr(import_module(f"pipelines.cli.{module}"), function)(options))
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _close_output()
        return 1
    except Exception as error:  # noqa: BLE001 - the last one who can say it in words
        try:
            return _failed(describe(error), "--json" in arguments)
        except OSError:  # output itself is what fails
            _close_output()
            return 1
    return code


def _failed(error: ErrorInfo, as_json: bool) -> int:
    """Say why nothing was done: on standard error, and as one JSON object where that was asked for."""
    if error.code == UnexpectedError.__name__:
        error = replace(error, details=_noted(error.details))
    print(error.text(), file=sys.stderr)
    if error.code == UnexpectedError.__name__ and error.details:
        print(f"Diagnostics: {error.details}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": error.to_json() | {"details": ""}}, default=str), flush=True)
    return 2 if error.code in WRONG_INPUT else 1


def _noted(details: str) -> str:
    """Where the details of a bug were written down; empty if they could not be."""
    path = paths.cache_dir() / "command.log"
    try:
        return str(atomic_write(path, details))
    except DiptychError:
        return ""


def _close_output() -> None:
    """Nobody reads on: what Python would still write at the end goes nowhere."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
