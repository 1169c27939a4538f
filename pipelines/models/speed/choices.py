"""What can be chosen to make a model faster, and why this computer can't do some of it. No torch here."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Final

Found = Callable[[str], bool]

BACKENDS: Final[Mapping[str, str]] = {
    "native": "native",
    "cudnn": "_native_cudnn",
    "math": "_native_math",
    "flash": "flash",
    "sage": "sage",
    "xformers": "xformers",
}
"""Ways to compute attention, and what diffusers calls them; none that it would fetch from a hub."""

_LIBRARIES: Final = {"flash": "flash_attn", "sage": "sageattention", "xformers": "xformers"}
_TITLES: Final = {
    "flash": "FlashAttention", "sage": "SageAttention", "xformers": "xFormers", "cudnn": "cuDNN",
}  # fmt: skip


def found(module: str) -> bool:
    """Whether a library is installed; it isn't imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def attention_reasons(device: str, found: Found = found) -> dict[str, str]:
    """Each way to compute attention, and why it can't be used on ``device``; empty where it can."""
    cuda = device.startswith("cuda")
    reasons = {"auto": ""}
    for name in BACKENDS:
        library = _LIBRARIES.get(name, "")
        if not cuda and name in _TITLES:
            reasons[name] = f"{_TITLES[name]} needs an NVIDIA card."
        elif library and not found(library):
            reasons[name] = f"{_TITLES[name]} is not installed (the package {library.replace('_', '-')})."
        else:
            reasons[name] = ""
    return reasons


def runtime_reason(device: str, found: Found = found) -> str:
    """Why OpenVINO can't compute for ``device`` here; empty if it can."""
    if not device.startswith("cpu"):
        return "It computes on processors; this model runs on a graphics card."
    return "" if found("openvino") else "OpenVINO is not installed (the package openvino)."


def compile_reason(
    device: str,
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
    found: Found = found,
) -> str:
    """Why a network can't be compiled for ``device`` here; empty if it can.

    torch writes C++ for processors and Triton for cards, and has a compiler make programs of it.
    """
    if device.startswith("mps"):
        return "PyTorch doesn't compile for this kind of graphics card."
    if device.startswith("cpu"):
        compilers = ("cl",) if platform == "win32" else ("g++", "clang++", "c++")
        if not any(which(name) for name in compilers):
            return f"There is no C++ compiler ({' or '.join(compilers)}), which PyTorch uses for it."
        return ""
    if not found("triton"):
        return "Triton is not installed, by which PyTorch compiles for cards."
    return ""
