"""``diptych models hash``, ``verify``, ``import``, ``remove`` and ``note``: keeping a collection in order."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.models import word

if TYPE_CHECKING:
    from pipelines.cli.models import Words
    from pipelines.models.catalogue.library import How, Library


def add(words: Words) -> None:
    """Add the words."""
    made = word(words, "hash", "keeping:hash_models", "make the hashes other programs know a model by")
    made.add_argument("model", nargs="*", help="ids or paths (all that have none yet)")
    made.add_argument("--duplicates", action="store_true", help="list the files that are the same")
    made = word(words, "verify", "keeping:verify", "read models through and compare them with their hashes")
    made.add_argument("model", nargs="+", help="ids or paths")
    made = word(words, "import", "keeping:take_in", "bring a model file into the folder for its kind")
    made.add_argument("file", nargs="+")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--move", action="store_true", help="don't leave it where it is")
    how.add_argument("--link", action="store_true", help="a second name for the same bytes, where possible")
    made = word(words, "remove", "keeping:remove", "move models to the bin, with what lies beside them")
    made.add_argument("model", nargs="+", help="ids or paths")
    made = word(words, "note", "keeping:note", "note something of a model; it stays with the file's content")
    made.add_argument("model", help="id or path")
    made.add_argument("--text", help="what to remember of it")
    made.add_argument("--tags", help="words, with commas between them")
    made.add_argument("--trigger-words", help="what a prompt must say, with commas between the words")
    made.add_argument("--favourite", choices=("yes", "no"))


def _library() -> Library:
    from pipelines.cli.arguments import catalogue
    from pipelines.models.catalogue.library import Library

    return Library(catalogue())


def _paths(library: Library, models: list[str]) -> list[Path]:
    return [library.path_of(model) for model in models]


def hash_models(options: argparse.Namespace) -> int:
    """Hashes of some models, or of all."""
    from pipelines.cli.session import OK, print_json

    library = _library()
    if options.duplicates:
        groups = [[info.path for info in group] for group in library.duplicates()]
        if options.json:
            print_json({"duplicates": groups})
        else:
            print("\n\n".join("\n".join(group) for group in groups) or "There are none.")
        return OK
    if not options.model:
        library.hash_all(tell=lambda info, digests: print(f"{digests.short}  {info.id}", file=sys.stderr))
    paths = _paths(library, options.model) or [Path(info.path) for info in library.models()]
    rows = []
    for path in paths:
        digests = library.hash(path) if options.model else library.known_digests(path)
        if digests is not None:
            rows.append({
                "path": str(path), "sha256": digests.sha256, "short": digests.short,
                "autov1": digests.autov1, "autov3": digests.autov3, "blake3": digests.blake3,
            })  # fmt: skip
    if options.json:
        print_json({"hashes": rows})
    else:
        for row in rows:
            print("\n".join(f"{name:8} {value}" for name, value in row.items() if value), end="\n\n")
    return OK


def verify(options: argparse.Namespace) -> int:
    """1 if one of the models isn't what it was, or should be."""
    from dataclasses import asdict

    from pipelines.cli.session import FAILED, OK, print_json

    library = _library()
    found = [library.verify(path) for path in _paths(library, options.model)]
    if options.json:
        print_json({"models": [asdict(item) for item in found]})
    else:
        for item in found:
            compared = (
                f"compared with {', '.join(item.compared)}" if item.compared else "nothing to compare with"
            )
            print(f"{item.path}: {item.problem or f'sound ({compared})'}")
    return FAILED if any(item.problem for item in found) else OK


def take_in(options: argparse.Namespace) -> int:
    """Copy, move or link files into the user's own folders; what is there already is left as it is."""
    from pipelines import paths
    from pipelines.cli.session import OK, print_json
    from pipelines.errors import ModelThereAlready

    library = _library()
    how: How = "move" if options.move else "link" if options.link else "copy"
    placed: list[str] = []
    there: list[dict[str, str]] = []
    for file in options.file:
        try:
            placed.append(str(library.take_in(Path(file).expanduser(), paths.models_dir(), how)))
        except ModelThereAlready as error:
            there.append({"file": file, "path": str(error.arguments["path"])})
            if not options.json:
                print(" ".join(error.info().sentences()))
        else:
            if not options.json:
                print(placed[-1])
    if options.json:
        print_json({"models": placed, "there_already": there})
    return OK


def remove(options: argparse.Namespace) -> int:
    """To the bin, never for good."""
    from pipelines.cli.session import OK, print_json

    library = _library()
    gone = [path for model in options.model for path in library.remove(model)]
    if options.json:
        print_json({"removed": [str(path) for path in gone]})
    else:
        print("\n".join(f"{path} is in the bin" for path in gone))
    return OK


def note(options: argparse.Namespace) -> int:
    """Show what is noted, after changing what was given."""
    from dataclasses import asdict

    from pipelines.cli.session import OK, print_json

    library = _library()
    path = library.path_of(options.model)
    library.hash(path)
    notes = before = library.notes(path)
    if options.text is not None:
        notes = replace(notes, text=options.text)
    if options.tags is not None:
        notes = replace(notes, tags=_split(options.tags))
    if options.trigger_words is not None:
        notes = replace(notes, trigger_words=_split(options.trigger_words))
    if options.favourite is not None:
        notes = replace(notes, favourite=options.favourite == "yes")
    if notes != before:
        library.note(path, notes)
    if options.json:
        print_json({"path": str(path), "notes": asdict(notes)})
    else:
        print(f"{'favourite' if notes.favourite else ''} {notes.text}".strip() or "Nothing is noted of it.")
        for name, values in (("tags", notes.tags), ("trigger words", notes.trigger_words)):
            if values:
                print(f"{name}: {', '.join(values)}")
    return OK


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))
