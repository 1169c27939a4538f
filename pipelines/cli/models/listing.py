"""``diptych models list``, ``scan`` and ``probe``: which models there are, and what one file or folder is."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.cli.models import word

if TYPE_CHECKING:
    from pipelines.cli.models import Words
    from pipelines.engine.protocol import ModelInfo
    from pipelines.models.catalogue.catalogue import Scan
    from pipelines.models.parts.search import Found

WIDEST: Final = 64
"""Characters of a column at most; longer ids push what follows aside."""


def add(words: Words) -> None:
    """Add ``list``, ``scan`` and ``probe``."""
    made = word(words, "list", "listing:list_models", "list the models on this computer")
    made.add_argument("--kind", help="only of this kind: diffusion, lora, vae, upscale…")
    made.add_argument("--family", help="only of this family: sdxl, flux… (for a LoRA: the one it is for)")
    made.add_argument("search", nargs="*", help="only with these words in id, title, tags or notes")
    made = word(words, "scan", "listing:scan", "search the folders for models and say what was found")
    made.add_argument("folder", nargs="*", help="folders to search instead of the usual ones")
    made = word(words, "probe", "listing:probe", "say what a model file or folder is, from its header alone")
    made.add_argument("file", help="a model file or folder")


def list_models(options: argparse.Namespace) -> int:
    """The models of the catalogue, usable or not."""
    from pipelines.cli.arguments import catalogue
    from pipelines.cli.session import OK, print_json

    found = [info for info in catalogue().list() if _wanted(info, options)]
    if options.json:
        print_json({"models": [info.model_dump() for info in found]})
    else:
        show(found)
        if not found:
            print("No model is like that." if _narrowed(options) else "There are no models.", file=sys.stderr)
    return OK


def _narrowed(options: argparse.Namespace) -> bool:
    return any(getattr(options, name, None) for name in ("kind", "family", "search"))


def _wanted(info: ModelInfo, options: argparse.Namespace) -> bool:
    kind, family = getattr(options, "kind", None), getattr(options, "family", None)
    if (kind and info.kind != kind) or (family and family not in (info.family, info.base)):
        return False
    text = " ".join((info.id, info.title, info.notes, *info.tags, *info.user_tags)).casefold()
    return all(wanted.casefold() in text for wanted in getattr(options, "search", ()))


def scan(options: argparse.Namespace) -> int:
    """Search, with progress on standard error, and count what there is by kind and family."""
    from pipelines.cli.arguments import catalogue
    from pipelines.cli.session import OK, print_json
    from pipelines.models.catalogue.catalogue import Catalogue, Root
    from pipelines.models.catalogue.layouts import folders_of

    known = catalogue()
    if options.folder:
        folders = [Path(folder).expanduser().absolute() for folder in options.folder]
        roots = [
            Root(found.path, program=found.program) for folder in folders for found in folders_of(folder)
        ]
        known = Catalogue(roots, known.index)
    started = time.perf_counter()

    def tell(state: Scan) -> None:
        if sys.stderr.isatty():
            print(f"\r{state.total:,} models", end="", file=sys.stderr, flush=True)

    models = known.scan(tell)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    counts: dict[tuple[str, str], int] = {}
    for info in models:
        key = (info.kind, info.family or "unknown")
        counts[key] = counts.get(key, 0) + 1
    unknown = [info for info in models if not info.family]
    took = time.perf_counter() - started
    if options.json:
        rows = [{"kind": kind, "family": family, "count": count} for (kind, family), count in counts.items()]
        print_json({
            "seconds": round(took, 3), "models": len(models), "kinds": rows,
            "folders": [str(root.path) for root in known.roots if root.path.is_dir()],
            "unknown": [{"path": info.path, "problem": info.problem} for info in unknown],
        })  # fmt: skip
        return OK
    for (kind, family), count in sorted(counts.items()):
        print(f"{kind:14} {family:24} {count:>6}")
    for info in unknown:
        print(f"{info.path}: {info.problem}")
    print(f"{len(models):,} models in {took:.2f} s")
    return OK


def probe(options: argparse.Namespace) -> int:
    """What one file or folder is; 1 if it can't be used."""
    from pipelines.cli.arguments import catalogue
    from pipelines.cli.session import FAILED, OK, print_json

    path = Path(options.file).expanduser().absolute()
    known = catalogue()
    entry = known.find("diffusion", str(path))
    found, beside = entry.info, known.parts_of(entry)
    if options.json:
        facts = {name: value for name, value in entry.probe.facts.items() if name != "scheduler"}
        parts = {part.name: part.path for part in beside.parts}
        missing = [need.title for need in beside.missing if not need.optional]
        print_json({"models": [found.model_dump()], "facts": facts, "parts": parts, "missing": missing})
    else:
        _tell(found, dict(entry.probe.facts))
        _tell_parts(beside)
    return FAILED if found.problem else OK


def _tell(info: ModelInfo, facts: dict[str, Any]) -> None:
    """What a person wants to know of one model, a line each."""
    rows: dict[str, Any] = {
        "kind": info.kind, "family": info.family, "variant": info.variant, "made for": info.base,
        "layout": info.layout, "precision": info.dtype,
        "parameters": f"{info.parameters:,}" if info.parameters else "", "size": _size(info.bytes),
        **{name.replace("_", " "): value for name, value in facts.items() if name != "scheduler"},
        "title": info.title, "author": info.author, "licence": info.licence, "base model": info.base_model,
        "trigger words": ", ".join(info.trigger_words), "tags": ", ".join(info.tags[:10]),
    }  # fmt: skip
    for name, value in rows.items():
        if value not in ("", None, (), []):
            print(f"{name:20} {_shown(value)}")
    if info.kind == "diffusion" and info.family:
        _tell_abilities(info)
    if info.problem:
        print(f"{'problem':20} {info.problem}")


def _tell_parts(beside: Found) -> None:
    """The parts that a denoiser alone is opened with, and those that are nowhere on this computer."""
    for part in beside.parts:
        print(f"{'with its ' + part.name:20} {part.path}")
    for need in beside.missing:
        print(f"{'lacks':20} {need.title}{' (optional)' if need.optional else ''}")


def _shown(value: Any) -> str:
    """A fact as a person says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _within(title: str) -> str:
    """A title within a sentence: ``LoRAs`` stays what it is."""
    first = title.partition(" ")[0]
    return title if first[1:] != first[1:].lower() else title[:1].lower() + title[1:]


def _tell_abilities(info: ModelInfo) -> None:
    """What it can take and do, and what not, with the reason."""
    from pipelines.models.families.abilities import KEYS, TITLES

    reasons = {ability: info.unavailable.get(KEYS[ability], "") for ability in KEYS}
    print(f"{'takes':20} {', '.join(_within(TITLES[name]) for name, why in reasons.items() if not why)}")
    for name, why in reasons.items():
        if why:
            print(f"{'no ' + _within(TITLES[name]):20} {why}")


def show(found: Sequence[ModelInfo]) -> None:
    """A line for each model, in columns as wide as what is in them."""
    rows = [(info.kind, info.id, _what(info), _size(info.bytes)) for info in found]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(*rows, strict=True)]
    for row, info in zip(rows, found, strict=True):
        kind, name, what, size = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print(f"{kind}  {name}  {what}  {size.strip():>{widths[3]}}  {info.problem or info.title}")


def _what(info: ModelInfo) -> str:
    """Family and variant, where that says more than the family; what it was made for."""
    says_more = info.variant and not info.family.endswith(info.variant) and info.variant != info.kind
    name = f"{info.family}-{info.variant}" if says_more else info.family
    return f"{name} for {info.base}" if info.base and info.base != info.family else name


def _size(count: int) -> str:
    from pipelines.files import bytes_text

    return bytes_text(count)
