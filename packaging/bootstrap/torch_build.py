"""torch and torchvision: matching versions, in the build that the device needs."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from bootstrap import device, pip, stamp
from bootstrap.console import Console, SetupFailed
from bootstrap.layout import Layout

SIZES = {"cuda": (3.0e9, 5.4e9), "rocm": (4.5e9, 14e9), "cpu": (0.2e9, 0.9e9), "mps": (0.1e9, 0.5e9)}
"""Roughly, in bytes: what is downloaded and what it takes installed, for torch with all it needs."""
OTHERS = (0.4e9, 1.2e9)
"""The same for all other packages together."""
RANGES = ("torch>=2.10", "torchvision>=0.25")
NOT_TESTED = "The tested versions are not available here: taking the newest that fit."
CARD_PACKAGES = ("nvidia-", "cuda-", "triton", "pytorch-triton")


def matching_torchvision(torch_version: str) -> str:
    """The torchvision that goes with a version of torch: minor number plus 15 (2.10 ↔ 0.25)."""
    found = re.match(r"2\.(\d+)", torch_version)
    if not found:
        raise SetupFailed(f"torch {torch_version} is not a version this Diptych knows.")
    return f"torchvision==0.{int(found[1]) + 15}.*"


def match(torch_version: str, torchvision_version: str) -> bool:
    """Whether two installed versions belong together."""
    wanted = matching_torchvision(torch_version).removeprefix("torchvision==").removesuffix("*")
    return torchvision_version.startswith(wanted)


def expected(kind: str, own_index: bool) -> tuple[float, float]:
    """Bytes to download and to install.

    Without an index of its own for torch, Linux gets the CUDA build and Windows that for the processor.
    """
    if not own_index and sys.platform == "linux":
        kind = "cuda"
    if not own_index and os.name == "nt":
        kind = "cpu"
    return SIZES[kind]


def built_for(layout: Layout) -> str:
    """The kind of the installed torch (cuda, rocm, cpu), read from its version file; empty without torch."""
    files = (folder / "torch" / "version.py" for folder in layout.libraries())
    return next((kind_of(file.read_text("utf-8")) for file in files if file.exists()), "")


def kind_of(version_file: str) -> str:
    """The kind of a build by the ``cuda`` and ``hip`` lines of its ``version.py``."""
    values = dict(re.findall(r"^(cuda|hip)\b[^=\n]*=\s*(\S+)", version_file, re.MULTILINE))
    if values.get("hip", "None") != "None":
        return "rocm"
    return "cuda" if values.get("cuda", "None") != "None" else "cpu"


def must_replace(record: object, choice: device.Choice, asked: str | None, kind: str) -> bool:
    """Whether the torch that is there must go first, since pip takes equal versions for equal builds.

    ``record`` is the stamp's part, if any; ``kind`` is that of the installed torch, empty without one.
    """
    if not kind:
        return False
    if isinstance(record, dict):
        elsewhere = bool(choice.index) and record.get("index") != stamp.index_part(choice.index)
        return elsewhere or record.get("device") != choice.device
    return bool(asked) and kind != ("cpu" if choice.device == "mps" else choice.device)


def install(layout: Layout, console: Console, runner: pip.Pip, choice: device.Choice) -> None:
    """Install torch and torchvision; the tested versions where there are any. Raises :class:`SetupFailed`."""
    last = pip.Outcome()
    for pinned in (True, False):
        if not pinned:
            console.note(NOT_TESTED)
        for index in choice.indexes:
            last = _install_pair(layout, runner, index, pinned)
            if last.ok:
                _check(layout, console, choice)
                return
            if not last.no_match:
                raise failed("torch", last, layout)
    raise failed("torch", last, layout)


def _install_pair(layout: Layout, runner: pip.Pip, index: str, pinned: bool) -> pip.Outcome:
    source = ["--index-url", index] if index else []
    limits = ["-c", str(layout.constraints)] if pinned else []
    outcome = runner.install(*source, *limits, *RANGES)
    versions = pip.installed(layout)
    if outcome.ok and not match(versions.get("torch", "2.0"), versions.get("torchvision", "")):
        # torchvision's own requirement can be wider than what its binaries were built for.
        torch = versions["torch"]
        outcome = runner.install(*source, f"torch=={torch}", matching_torchvision(torch))
    return outcome


def limits(layout: Layout, tested: bool) -> Path:
    """A constraints file that keeps the torch that is there, and the tested versions of the rest if asked."""
    lines = layout.constraints.read_text("utf-8").splitlines() if tested else []
    found = pip.installed(layout)
    kept = [line for line in lines if line.partition("==")[0].strip() not in ("torch", "torchvision")]
    kept += [f"{name}=={found[name]}" for name in ("torch", "torchvision") if name in found]
    layout.scratch.mkdir(exist_ok=True)
    file = layout.scratch / "constraints.txt"
    file.write_text("\n".join(kept) + "\n", "utf-8")
    return file


def _check(layout: Layout, console: Console, choice: device.Choice) -> None:
    kind = built_for(layout)
    version = pip.installed(layout).get("torch", "?").partition("+")[0]
    console.note(f"torch {version}, {'CPU' if kind == 'cpu' else kind.upper()} build")
    if choice.device in ("cuda", "rocm") and kind != choice.device:
        console.note(
            f"That is not a build for {choice.device}: the card stays unused.\n"
            f"To change it, set DIPTYCH_TORCH_INDEX (see --help) and start again."
        )


def remove(layout: Layout, console: Console, runner: pip.Pip, keep_card_packages: bool) -> None:
    """Remove torch, torchvision and, unless they are needed again, the card libraries they brought."""
    found = pip.installed(layout)
    names: list[str] = [name for name in ("torch", "torchvision") if name in found]
    if not keep_card_packages:
        names += [name for name in found if name.startswith(CARD_PACKAGES)]
    console.note(f"removing the other build of torch ({len(names)} packages)")
    outcome = runner.uninstall(names)
    if not outcome.ok:
        raise failed("the other build of torch", outcome, layout)


def failed(what: str, outcome: pip.Outcome, layout: Layout) -> SetupFailed:
    """The error for a pip that failed, with what to do about it."""
    title = f"Could not install {what}."
    log = Path(layout.log).relative_to(layout.root)
    again = "Then start again; what is done is kept."
    if outcome.no_space:
        return SetupFailed(title, "The disk is full.", f"Free some space. {again}")
    if outcome.no_network:
        return SetupFailed(title, "The package index can't be reached.", f"Check the connection. {again}")
    if outcome.no_match and outcome.offline:
        return SetupFailed(title, outcome.errors, "Start again without --offline, with a network connection.")
    if outcome.no_match:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return SetupFailed(
            title,
            f"{outcome.errors}\nThere may be no build for Python {version} on this system.",
            "Try another Python (3.11 to 3.14), or check pip's configuration and DIPTYCH_TORCH_INDEX.",
        )
    return SetupFailed(title, outcome.errors, f"All of pip's words are in {log}. Start again to go on.")
