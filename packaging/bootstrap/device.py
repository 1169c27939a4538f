"""Which device this computer has, and which build of torch serves it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import SetupFailed

CUDA_13_DRIVER = 580
"""First driver series for CUDA 13 (NVIDIA's CUDA compatibility table)."""
CUDA_13_OLDEST = (7, 5)
"""CUDA 13 dropped the architectures before Turing; builds with CUDA 12.6 still have them."""
CUDA_128_FIRST = (10, 0)
"""Blackwell needs CUDA 12.8 at least."""


@dataclass(frozen=True)
class Card:
    """One NVIDIA card: its name, compute capability and the major number of its driver (0 if unknown)."""

    name: str
    capability: tuple[int, int]
    driver: int


@dataclass(frozen=True)
class Detected:
    """What was found: a device kind, words for it, and the NVIDIA cards."""

    device: str
    title: str
    cards: tuple[Card, ...] = ()


def detect() -> Detected:
    """The best device of this computer. Asks the NVIDIA driver, then the AMD kernel driver."""
    if sys.platform == "darwin":
        apple = platform.machine() == "arm64"
        return Detected("mps", "Apple graphics") if apple else Detected("cpu", "the processor")
    cards = nvidia_cards()
    if cards:
        words = ", ".join(
            f"{card.name} (compute capability {card.capability[0]}.{card.capability[1]})" for card in cards
        )
        return Detected("cuda", words, cards)
    if amd_cards():
        return Detected("rocm", "an AMD card")
    return Detected("cpu", "the processor; no supported graphics card was found")


def nvidia_cards() -> tuple[Card, ...]:
    """What ``nvidia-smi`` lists; nothing where it is missing or its driver doesn't answer."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ()
    question = [program, "--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            question, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_nvidia(answer.stdout) if answer.returncode == 0 else ()


def parse_nvidia(text: str) -> tuple[Card, ...]:
    """Cards from lines such as ``NVIDIA GeForce RTX 3060, 8.6, 580.65.06``; other lines are passed over."""
    cards = []
    for line in text.splitlines():
        found = re.fullmatch(r"\s*(.+?),\s*(\d+)\.(\d+),\s*(\d+)[\d.]*\s*", line)
        if found:
            cards.append(Card(found[1], (int(found[2]), int(found[3])), int(found[4])))
    return tuple(cards)


def amd_cards(nodes: Path = Path("/sys/class/kfd/kfd/topology/nodes")) -> int:
    """How many AMD cards the kernel's compute driver knows (processors are nodes too, with ``gpu_id`` 0)."""
    count = 0
    for file in nodes.glob("*/gpu_id"):
        try:
            count += file.read_text("ascii").strip() not in ("", "0")
        except OSError:
            continue
    return count


def builds(device: str, cards: Sequence[Card] = ()) -> tuple[str, ...]:
    """Names of torch builds that serve a device, best first, as package indexes name them."""
    if device == "rocm":
        return ("rocm7.2", "rocm7.1", "rocm7.0", "rocm6.4")
    if device != "cuda":
        return ("cpu",)
    oldest = min((card.capability for card in cards), default=CUDA_13_OLDEST)
    newest = max((card.capability for card in cards), default=CUDA_13_OLDEST)
    driver = min((card.driver for card in cards if card.driver), default=CUDA_13_DRIVER)
    if oldest < CUDA_13_OLDEST:
        return ("cu126",)
    if driver < CUDA_13_DRIVER:
        return ("cu128", "cu129") if newest >= CUDA_128_FIRST else ("cu126", "cu128")
    return ("cu130", "cu128") if newest >= CUDA_128_FIRST else ("cu130", "cu128", "cu126")


@dataclass(frozen=True)
class Choice:
    """What to install for ``device``: from one of ``indexes``; an empty one is pip's own configuration."""

    device: str
    indexes: tuple[str, ...]
    index: str = ""
    notes: tuple[str, ...] = ()


def choose(asked: str | None, found: Detected, index: str) -> Choice:
    """The torch to install. ``index`` is ``DIPTYCH_TORCH_INDEX``. Raises :class:`SetupFailed`."""
    device = asked or found.device
    if device == "mps" and sys.platform != "darwin":
        raise SetupFailed("mps is the graphics of Apple computers.", "", "Choose another --device.")
    if device in ("cuda", "rocm") and sys.platform == "darwin":
        raise SetupFailed(f"{device} is not available on Apple computers.", "", "Choose --device mps or cpu.")
    if index:
        names = builds(device, found.cards)
        addresses = [index.replace("{build}", name) for name in names]
        return Choice(device, tuple(dict.fromkeys(addresses)), index)
    return Choice(device, ("",), notes=tuple(_notes(device, asked, found)))


def _notes(device: str, asked: str | None, found: Detected) -> list[str]:
    """What to know when pip's own configuration decides which build comes."""
    notes = []
    hint = "Set DIPTYCH_TORCH_INDEX to an index that has it (see --help) to use the card."
    if device == "rocm":
        notes.append(f"Common package indexes have no ROCm build of torch. {hint}")
    elif device == "cuda" and os.name == "nt":
        notes.append(f"Common package indexes have torch without CUDA for Windows. {hint}")
    elif device == "cuda" and any(card.capability < CUDA_13_OLDEST for card in found.cards):
        notes.append(f"This card is too old for builds with CUDA 13; it needs one with CUDA 12.6. {hint}")
    elif device == "cuda" and any(0 < card.driver < CUDA_13_DRIVER for card in found.cards):
        notes.append(f"The driver is too old for CUDA 13 builds: update it to {CUDA_13_DRIVER} or newer.")
    elif device == "cpu" and asked and sys.platform == "linux":
        notes.append(
            "Without DIPTYCH_TORCH_INDEX it may be the larger CUDA build; that works on the processor too."
        )
    return notes
