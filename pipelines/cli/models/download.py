"""``diptych models download``: a model from the Hugging Face hub or an https address."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pipelines.cli.models import word

if TYPE_CHECKING:
    from pipelines.cli.models import Words
    from pipelines.models.download.plan import Plan, Progress
    from pipelines.models.offers.curated import Curated

SHOW_SECONDS: Final = 0.5
_SELLING: Final = {
    "yes": "pictures may be sold",
    "limited": "pictures may be sold within limits",
    "see licence": "read it before you sell pictures",
}


def add(words: Words) -> None:
    """Add ``download``."""
    text = "fetch a model, or go on fetching it, and check it before it can be used"
    made = word(words, "download", "download:download", text)
    made.add_argument(
        "source", nargs="?", default="",
        help="owner/name, owner/name/file.safetensors, an https address, or an id of --list",
    )  # fmt: skip
    made.add_argument("--list", action="store_true", help="show models worth having, and what they need")
    made.add_argument("--variant", default="", help="which weights if there are several, for example fp16")
    made.add_argument("--kind", default="", help="the folder for a model whose tensors don't say what it is")
    made.add_argument("--dry-run", action="store_true", help="say what would be fetched, and how much it is")
    made.add_argument(
        "--parallel", type=int, choices=range(1, 9), default=3, metavar="N", help="files at a time"
    )


def download(options: argparse.Namespace) -> int:
    """Fetch one model. Ctrl-C keeps what has arrived; the same words go on with it."""
    from pipelines import paths
    from pipelines.cli.session import OK, print_json
    from pipelines.errors import WrongUse
    from pipelines.models.download.control import Control
    from pipelines.models.download.jobs import Downloader
    from pipelines.models.offers.curated import curated

    known = {model.id: model for model in curated()}
    if options.list:
        return _list(list(known.values()), options.json)
    if not options.source:
        raise WrongUse(reason="Nothing to download was named.", hint="See: diptych models download --list")
    if options.source in known:
        chosen = known[options.source]
        options.source, options.kind = chosen.source, options.kind or chosen.kind
        options.variant = options.variant or chosen.variant
    downloader = Downloader(paths.models_dir(), parallel=options.parallel)
    plan = downloader.plan(options.source, options.variant)
    if options.dry_run:
        print_json(_planned(plan)) if options.json else _tell(plan)
        return OK
    if not options.json:
        _tell(plan)
    control = Control()
    try:
        made = downloader.fetch(plan, kind=options.kind, control=control, progress=_Meter())
    except KeyboardInterrupt:
        control.cancel()
        print("\nStopped; what has arrived is kept.", file=sys.stderr)
        raise
    if options.json:
        print_json({"download": asdict(made) | {"path": str(made.path)}})
    else:
        note = ", converted from a pickle" if made.converted else ""
        print(f"{made.path}  {made.kind}, {made.family or 'unknown'}{note}")
    return OK


def _list(models: list[Curated], as_json: bool) -> int:
    from pipelines.cli.session import OK, print_json
    from pipelines.files import bytes_text
    from pipelines.models.offers.curated import BYTES_PER_PARAMETER

    if as_json:
        print_json({"models": [model.model_dump() for model in models]})
        return OK
    for model in models:
        size = bytes_text(model.download_bytes) if model.download_bytes else "?"
        print(f"{model.id:16} {model.title:28} {size:>8}  {model.text}")
        selling = {"yes": "pictures may be sold", "limited": "pictures may be sold within limits"}
        licence = [
            f"{model.licence.name}: {selling.get(model.licence.sell, 'see the licence before selling')}"
        ]
        licence += [model.licence.note] if model.licence.note else []
        licence += [] if model.licence.checked else ["Not checked: read it on the model's page"]
        print(f"{'':16} {'. '.join(part.rstrip('.') for part in licence)}.")
        if model.licence.checked:
            print(f"{'':16} Licence read on {model.licence.checked}: {model.licence.source}")
        if model.parameters and model.kind == "diffusion":
            needs = (f"{kind} {bytes_text(model.peak(kind))}" for kind in BYTES_PER_PARAMETER)
            print(f"{'':16} Weights on the card: {', '.join(needs)}")
    return OK


def _planned(plan: Plan) -> dict[str, Any]:
    files = [{"name": file.name, "bytes": file.size, "url": file.url} for file in plan.files]
    return {
        "name": plan.name,
        "bytes": plan.bytes,
        "licence": plan.licence,
        "gated": plan.gated,
        "files": files,
    }


def _tell(plan: Plan) -> None:
    from pipelines.files import bytes_text

    size = bytes_text(plan.bytes) if plan.bytes is not None else "of unknown size"
    licence = f", licence: {plan.licence}" if plan.licence else ""
    gated = ", its terms must be accepted on its page" if plan.gated else ""
    print(f"{plan.name}: {len(plan.files)} files, {size}{licence}{gated}", file=sys.stderr)


class _Meter:
    """How far it is, on standard error, where a person is looking."""

    def __init__(self) -> None:
        self._shown = time.monotonic()
        self._wanted = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        from pipelines.files import bytes_text

        now = time.monotonic()
        if not self._wanted or (now - self._shown < SHOW_SECONDS and progress.files_done < progress.files):
            return
        self._shown = now
        total = f" of {bytes_text(progress.total)}" if progress.total is not None else ""
        files = f"{progress.files_done}/{progress.files} files"
        end = "\n" if progress.files_done == progress.files else ""
        print(f"\r{bytes_text(progress.done)}{total}, {files}   ", end=end, file=sys.stderr, flush=True)
