"""Devices as declared capabilities: ``cpu``, ``cuda``, ``mps`` and ``xpu`` are one code path.

Every function takes the torch module as an argument, so that a fake one can stand for hardware that isn't
there.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pipelines.engine.protocol import Device as DeviceMessage
from pipelines.engine.protocol import ErrorData
from pipelines.errors import DeviceUnused, ErrorInfo
from pipelines.models.memory import Memory, host_memory

if TYPE_CHECKING:
    import torch

Torch = ModuleType | Any
"""The torch module, or something that answers like it."""

DTYPES: Final[Mapping[str, str]] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
BYTES: Final[Mapping[str, int]] = {"fp32": 4, "bf16": 2, "fp16": 2}
ACCELERATORS: Final = ("cuda", "xpu", "mps")
LIBRARIES: Final = ("torch", "diffusers", "transformers", "accelerate", "bitsandbytes", "spandrel")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device is called and what it does best.

    ``dtype`` is the default precision (fp32, bf16 or fp16); ``quantization`` says whether int8 and nf4
    weights can be computed with there.
    """

    device: str
    name: str
    dtype: str
    quantization: bool


def pick(setting: str, torch: Torch) -> str:
    """The device to use for a setting: ``auto``, a kind (``cuda``) or one device (``cuda:1``).

    What isn't there, or can't be used, becomes ``cpu``: nobody is left without pictures, and
    :func:`find_problem` says why.
    """
    kind, _, index = setting.partition(":")
    wanted = ACCELERATORS if kind in ("", "auto") else (kind,)
    for candidate in wanted:
        if candidate in ACCELERATORS and _usable(candidate, int(index) if index.isdecimal() else 0, torch):
            return candidate if candidate == "mps" else f"{candidate}:{index if index.isdecimal() else 0}"
    return "cpu"


def _usable(kind: str, index: int, torch: Torch) -> bool:
    match kind:
        case "cuda":
            there = torch.cuda.is_available() and index < torch.cuda.device_count()
            return bool(there and not missing_architecture(index, torch))
        case "xpu":
            return bool(
                hasattr(torch, "xpu") and torch.xpu.is_available() and index < torch.xpu.device_count()
            )
        case _:
            return bool(torch.backends.mps.is_available())


def capabilities(device: str, torch: Torch) -> Capabilities:
    """Name, default precision and abilities of a device string."""
    kind, index = _split(device)
    match kind:
        case "cuda":
            ampere = torch.cuda.get_device_capability(index)[0] >= 8 or bool(
                getattr(torch.version, "hip", None)
            )
            return Capabilities(device, torch.cuda.get_device_name(index), "bf16" if ampere else "fp16", True)
        case "xpu":
            return Capabilities(device, torch.xpu.get_device_name(index), "bf16", True)
        case "mps":
            return Capabilities(device, f"{platform.machine()} GPU", "fp16", False)
        case _:
            return Capabilities(device, processor_name(), "bf16" if _native_bf16(torch) else "fp32", True)


def _split(device: str) -> tuple[str, int]:
    kind, _, index = device.partition(":")
    return kind, int(index) if index.isdecimal() else 0


def _native_bf16(torch: Torch) -> bool:
    """Whether the processor multiplies bfloat16 in hardware.

    Measured on two cores with AVX512-BF16: 16 steps of the starter take 1.0 s instead of 1.4 s in float32. A
    processor that only emulates bfloat16 is several times slower with it than in float32.
    """
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "sve_bf16"))


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name for people, as far as the system tells it."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "CPU"


def resolve_dtype(name: str, device: str, torch: Torch) -> torch.dtype:
    """The torch type for ``auto``, ``fp32``, ``bf16`` or ``fp16`` on a device."""
    return getattr(torch, DTYPES[dtype_name(name, device, torch)])


def dtype_name(name: str, device: str, torch: Torch) -> str:
    """``auto`` resolved for a device; other names as they are."""
    return capabilities(device, torch).dtype if name == "auto" else name


def default_dtype(device: str) -> torch.dtype:
    """The torch type that ``auto`` stands for on a device of this computer."""
    import torch

    return resolve_dtype("auto", device, torch)


def memory(device: str, torch: Torch) -> Memory:
    """Bytes in all, free, and used by this process; for ``cpu`` and ``mps`` the computer's main memory."""
    kind, index = _split(device)
    if kind == "cpu":
        return host_memory()
    if kind == "mps":
        total = int(torch.mps.recommended_max_memory())
        used = int(torch.mps.driver_allocated_memory())
        return Memory(total, max(total - used, 0), used)
    module = getattr(torch, kind)
    free, total = module.mem_get_info(index)
    return Memory(int(total), int(free), int(module.memory_reserved(index)))


# --- what keeps a card from being used ----------------------------------------------------------------------


def driver_version(root: Path = Path("/")) -> str | None:
    """Version of the NVIDIA driver, ``""`` if it is there without telling, ``None`` if there is no driver."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for word in text.split():
        if word[0].isdigit() and "." in word:
            return word
    if text or (root / "dev/nvidia0").exists() or shutil.which("nvidia-smi"):
        return ""
    return None


def missing_architecture(index: int, torch: Torch) -> str:
    """The card's architecture if this build of torch has no code for it, else ``""``.

    Machine code for ``sm_86`` runs on every later minor version of the same major one; ``compute_90`` is
    translated for any later card (CUDA C++ programming guide, binary and PTX compatibility).
    """
    built = torch.cuda.get_arch_list()
    if not built:
        return ""
    if getattr(torch.version, "hip", None):
        card = str(torch.cuda.get_device_properties(index).gcnArchName).partition(":")[0]
        return "" if card in built else card
    major, minor = torch.cuda.get_device_capability(index)
    for entry in built:
        kind, _, digits = entry.partition("_")
        if not digits.isdecimal():  # sm_90a: only for exactly that card, and there beside the plain one
            continue
        has_major, has_minor = divmod(int(digits), 10)
        if kind == "sm" and has_major == major and has_minor <= minor:
            return ""
        if kind == "compute" and (has_major, has_minor) <= (major, minor):
            return ""
    return f"sm_{major}{minor}"


def find_problem(device: str, torch: Torch, driver: str | None) -> ErrorInfo | None:
    """Why a card that is there isn't used, as a warning with reason and remedy; ``None`` if all is well.

    Args:
        device: what :func:`pick` chose.
        driver: what :func:`driver_version` found.
    """
    if device != "cpu":
        return None
    error: DeviceUnused | None = None
    if torch.cuda.is_available():
        card = torch.cuda.get_device_name(0)
        missing = missing_architecture(0, torch)
        if missing:
            reason = (
                f"This build of PyTorch ({torch.__version__}) has no code for its architecture {missing}; "
                f"it has {', '.join(torch.cuda.get_arch_list())}."
            )
            error = DeviceUnused(card=card, reason=reason, hint=_REINSTALL)
    elif driver is not None and not getattr(torch.version, "cuda", None):
        reason = f"This build of PyTorch ({torch.__version__}) is for processors only."
        error = DeviceUnused(card="The NVIDIA card", reason=reason, hint=_REINSTALL)
    elif driver is not None:
        reason = (
            f"Its driver{f' {driver}' if driver else ''} doesn't answer, or is older than CUDA "
            f"{torch.version.cuda} needs, which this build of PyTorch uses."
        )
        hint = "Update the graphics driver and restart the computer."
        error = DeviceUnused(card="The NVIDIA card", reason=reason, hint=hint)
    return error.info() if error else None


_REINSTALL: Final = "Run packaging/start.py again: it picks the build of PyTorch that fits the card."


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide how a picture looks, read without importing them."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def report(device: str, torch: Torch, driver: str | None = None, dtype: str = "auto") -> DeviceMessage:
    """The message that tells the studio which device draws, how it is doing, and what is wrong with it."""
    able = capabilities(device, torch)
    now = memory(device, torch)
    problem = find_problem(device, torch, driver)
    return DeviceMessage(
        device=device, name=able.name, dtype=able.dtype if dtype == "auto" else dtype,
        total_bytes=now.total, free_bytes=now.free, used_bytes=now.used, versions=library_versions(),
        problem=ErrorData(**problem.to_json()) if problem else None,
    )  # fmt: skip
