"""How fast a processor evaluates a denoiser, and in how much memory: by precision, and by what computes it.

Each variant is measured in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from pipelines.bench.model_loading import STARTER, medium_model
from pipelines.bench.report import MeasurementFailed, Row
from pipelines.engine.host import set_environment
from pipelines.models.libraries import go_offline, import_diffusers
from pipelines.models.openvino import OpenvinoDenoiser, available

if TYPE_CHECKING:
    import torch

SIDES: Final = {"starter": (STARTER, 16), "medium": (Path("a"), 32)}
"""What is evaluated, and the side of its latents."""
VARIANTS: Final = ("fp32", "bf16", "int8", "nf4", "fp8", "openvino")
CALLS: Final = 8


def measure() -> Iterator[Row]:
    """A call for a batch of two, the best of several; bf16 by torch is what diffusers alone does."""
    with TemporaryDirectory() as folder:
        medium_model(Path(folder) / "a", "a")
        for model in SIDES:
            found = {
                variant: _in_a_process(model, variant, Path(folder)) for variant in VARIANTS if _can(variant)
            }
            base = found["bf16"]["seconds"]
            for variant, told in found.items():
                name = "OpenVINO, bf16" if variant == "openvino" else f"torch, {variant}"
                note = (
                    f"{base / told['seconds']:.2f} × bf16; peak of the process {told['peak'] / 2**20:,.0f} MB"
                )
                yield Row("models", f"denoiser ({model}), {name}", told["seconds"] * 1000, "ms", note=note)


def _can(variant: str) -> bool:
    return variant != "openvino" or available()


def _in_a_process(model: str, variant: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "pipelines.bench.model_speed", model, variant, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise MeasurementFailed(f"{model} in {variant}: {done.stderr.strip()[-300:]}")
    told: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _measured(folder: Path, side: int, variant: str) -> dict[str, float]:
    import torch

    network, dtype = _network(folder / "unet", variant)
    torch.manual_seed(0)
    sample = torch.randn(2, 4, side, side, dtype=dtype)
    states = torch.randn(2, 77, network.config.cross_attention_dim, dtype=dtype)
    asked = _asked(network, dtype, variant)
    best = float("inf")
    with torch.inference_mode():
        for index in range(CALLS + 2):
            started = time.perf_counter()
            asked(sample, torch.tensor(500), encoder_hidden_states=states, return_dict=False)
            if index > 1:  # the first two compile, compare and allocate
                best = min(best, time.perf_counter() - started)
    return {"seconds": best, "peak": _peak()}


def _network(folder: Path, variant: str) -> tuple[Any, torch.dtype]:
    import torch

    from pipelines.models.quantized.quantization import quantize

    dtype = torch.float32 if variant == "fp32" else torch.bfloat16
    network = import_diffusers().UNet2DConditionModel.from_pretrained(
        str(folder), dtype=dtype, use_safetensors=True, local_files_only=True
    )
    network.requires_grad_(False).eval()
    if variant in ("int8", "nf4", "fp8"):
        quantize(network, variant, "cpu", dtype)
    return network, dtype


def _asked(network: Any, dtype: torch.dtype, variant: str) -> Callable[..., Any]:
    import torch

    if variant != "openvino":
        return network
    return OpenvinoDenoiser(network, dtype, torch.get_num_threads(), {})


def _peak() -> float:
    """Bytes of resident memory of this process at most, so far (Linux; 0 where it can't be told)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return float(line.split()[1]) * 1024


def main() -> None:
    """One variant, for the process that asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=sorted(SIDES))
    parser.add_argument("variant", choices=VARIANTS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    set_environment()
    go_offline()
    place, side = SIDES[options.model]
    print(json.dumps(_measured(options.folder / place, side, options.variant)))


if __name__ == "__main__":
    main()
