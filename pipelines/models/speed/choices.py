"""What can be chosen to make a model faster, and why this computer can't do some of it. No torch here."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Final

from pipelines.errors import fill

Found = Callable[[str], bool]


class Reason(str):
    """Why something can't be done: a sentence, empty for none, that also keeps its source ``text`` with named
    slots and the ``arguments`` that fill them, for who translates it."""

    text: str
    arguments: Mapping[str, object]

    def __new__(cls, text: str = "", **arguments: object) -> Reason:
        made = super().__new__(cls, fill(text, arguments))
        made.text, made.arguments = text, arguments
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.text,), dict(self.arguments)


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

_NOT_INSTALLED: Final = "{title} is not installed (the package {package})."


def found(module: str) -> bool:
    """Whether a library is installed; it isn't imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def attention_reasons(device: str, found: Found = found) -> dict[str, Reason]:
    """Each way to compute attention, and why it can't be used on ``device``; empty where it can."""
    cuda = device.startswith("cuda")
    reasons = {"auto": Reason()}
    for name in BACKENDS:
        library = _LIBRARIES.get(name, "")
        if not cuda and name in _TITLES:
            reasons[name] = Reason("{title} needs an NVIDIA card.", title=_TITLES[name])
        elif library and not found(library):
            package = library.replace("_", "-")
            reasons[name] = Reason(_NOT_INSTALLED, title=_TITLES[name], package=package)
        else:
            reasons[name] = Reason()
    return reasons


def runtime_reason(device: str, found: Found = found) -> Reason:
    """Why OpenVINO can't compute for ``device`` here; empty if it can."""
    if not device.startswith("cpu"):
        return Reason("It computes on processors; this model runs on a graphics card.")
    if found("openvino"):
        return Reason()
    return Reason(_NOT_INSTALLED, title="OpenVINO", package="openvino")


def compile_reason(
    device: str,
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
    found: Found = found,
) -> Reason:
    """Why a network can't be compiled for ``device`` here; empty if it can.

    torch writes C++ for processors and Triton for cards, and has a compiler make programs of it.
    """
    if device.startswith("mps"):
        return Reason("PyTorch doesn't compile for this kind of graphics card.")
    if device.startswith("cpu"):
        compilers = ("cl",) if platform == "win32" else ("g++", "clang++", "c++")
        if not any(which(name) for name in compilers):
            text = "There is no C++ compiler, which PyTorch uses for it; it looks for these: {names}."
            return Reason(text, names=", ".join(compilers))
        return Reason()
    if not found("triton"):
        return Reason("Triton is not installed, by which PyTorch compiles for cards.")
    return Reason()
