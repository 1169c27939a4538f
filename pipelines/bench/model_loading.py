"""Opening a model beside diffusers' own way, and changing between two where the card holds one."""

from __future__ import annotations

import gc
import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from pipelines.bench.report import Row, seconds
from pipelines.graph.values import Lora, ModelHandle
from pipelines.models.catalogue.catalogue import Catalogue, Root
from pipelines.models.libraries import go_offline, import_diffusers
from pipelines.models.loading import ModelLoader
from pipelines.outside.testing import NodeContext
from pipelines.paths import RESOURCES

if TYPE_CHECKING:
    pass

STARTER: Final = RESOURCES / "starter" / "text-to-image"
WIDTHS: Final = (160, 320, 640, 640)
"""Of the U-Net's blocks: half of Stable Diffusion 1.x's, a quarter of its weights."""
ROUNDS: Final = 5
LOAD_GOAL: Final = 1.1
SWITCH_GOAL: Final = 1.3


def measure() -> Iterator[Row]:
    """Both with a U-Net of Stable Diffusion's architecture and random weights in 16 bits, files in the page
    cache; the card is a fake one of main memory.
    """
    go_offline()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("a", "b"):
            medium_model(root / name, name)
        yield from _loads(root)
        yield from _switches(root)
        yield from _loras(root)


def medium_model(folder: Path, seed: str) -> None:
    """The starter's pipeline with a larger U-Net of random weights, saved as a diffusers folder."""
    import torch

    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("unet", "*.md", "card.json"))
    config = json.loads((STARTER / "unet" / "config.json").read_text())
    layers = {
        "block_out_channels": WIDTHS, "attention_head_dim": 8, "norm_num_groups": 32, "layers_per_block": 2,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    }  # fmt: skip
    torch.manual_seed(sum(seed.encode()))
    network = import_diffusers().UNet2DConditionModel.from_config({**config, **layers})
    network.to(torch.float16).save_pretrained(folder / "unet")


class Opened:
    """The models of a folder, opened one after another."""

    def __init__(self, root: Path, accelerator: Any = None) -> None:
        self.loader = ModelLoader(
            Catalogue([Root(root)]), accelerators=None if accelerator is None else lambda device: accelerator
        )
        self.root = root

    def handle(self, name: str) -> ModelHandle:
        return ModelHandle("diffusion", name, str(self.root / name), "sd", "bf16")

    def context(self, device: str = "cpu") -> Any:
        context = NodeContext(self.root)
        context.device = device
        return context

    def open(self, name: str) -> Any:
        return self.loader.load(self.handle(name), "cpu", self.context())


def _loads(root: Path) -> Iterator[Row]:
    import torch
    from diffusers import DiffusionPipeline

    opened = Opened(root)

    def bare() -> Any:
        return DiffusionPipeline.from_pretrained(
            str(root / "a"), dtype=torch.bfloat16, local_files_only=True, use_safetensors=True
        )

    times: dict[bool, list[float]] = {True: [], False: []}
    for index in range(2 * (ROUNDS + 1)):
        mine = index % 4 in (0, 3)  # by turns, neither always the first
        gc.collect()
        took = seconds((lambda: opened.open("a")) if mine else bare)
        if index > 1:  # the first of each imports and fills the page cache
            times[mine].append(took)
    own, base = statistics.median(times[True]), statistics.median(times[False])
    size = (root / "a" / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size / 2**20
    yield Row("models", f"folder with a U-Net of {size:,.0f} MB opened by diffusers alone", base, "s")
    yield Row("models", "the same by us, with its checks", own, "s")
    yield Row("models", "ours beside diffusers", own / base, "times", LOAD_GOAL)


def _switches(root: Path) -> Iterator[Row]:
    import torch

    from pipelines.models.residency import Residency
    from pipelines.models.residency.fake import FakeDevice

    weights = sum(file.stat().st_size for file in (root / "a").rglob("*.safetensors"))
    device = FakeDevice(2**40)
    opened = Opened(root, device)
    manager = Residency(opened.loader, lambda name, held: 2**40 if name == "cpu" else int(weights * 1.3))
    context = opened.context("fake:0")

    def step(name: str) -> None:
        with manager.use(opened.handle(name), context) as loaded, torch.inference_mode():
            unet = loaded.pipeline.unet
            states = torch.zeros(1, 8, unet.config.cross_attention_dim, dtype=torch.bfloat16)
            unet(torch.zeros(1, 4, 8, 8, dtype=torch.bfloat16), torch.tensor(9), encoder_hidden_states=states)

    for name in ("a", "b"):
        step(name)
    switched, stayed = [], []
    before = device.copied_in
    for name in ("a", "b") * 3:
        switched.append(seconds(lambda name=name: step(name)))  # type: ignore[misc]
        stayed.append(seconds(lambda name=name: step(name)))  # type: ignore[misc]
    moved = (device.copied_in - before) / len(switched)
    cost = statistics.median(a - b for a, b in zip(switched, stayed, strict=True))
    copied = _copied(moved)
    yield Row(
        "models", f"{moved / 2**20:,.0f} MB off the fake card and as many onto it, bare", copied * 1000, "ms"
    )
    yield Row("models", "change of models, both in main memory", cost * 1000, "ms")
    yield Row("models", "change of models beside the copies", cost / copied, "times", SWITCH_GOAL)


def _loras(root: Path) -> Iterator[Row]:
    """LoRAs of a model in 8 bits: what opening it again with them would take, and what changing it takes."""
    from pipelines.models.residency import Residency
    from pipelines.models.residency.fake import FakeDevice

    opened = Opened(root, FakeDevice(2**40))
    manager = Residency(opened.loader, lambda name, held: 2**40)
    context = opened.context("fake:0")
    files = [_lora(root, seed) for seed in (0, 1)]

    def use(number: int, strength: float) -> None:
        lora = Lora(files[number].name, str(files[number]), "", strength, strength)
        handle = opened.handle("a").replace(quantization="int8", loras=(lora,))
        with manager.use(handle, context):
            pass

    def again() -> None:
        manager.free()
        use(0, 0.5)

    use(0, 0.5)
    reopened = statistics.median(seconds(again) for _ in range(ROUNDS))
    others, strengths = [], []
    for number in range(1, ROUNDS + 1):
        others.append(seconds(lambda: use(1, 1.0)))
        others.append(seconds(lambda: use(0, 1.0)))
        strengths.append(seconds(lambda number=number: use(0, number / 10)))  # type: ignore[misc]
    size = files[0].stat().st_size / 2**20
    yield Row("models", f"model in INT8 opened again with a LoRA of {size:,.0f} MB", reopened, "s")
    yield Row("models", "the same in memory given another LoRA", statistics.median(others) * 1000, "ms")
    yield Row(
        "models", "the same in memory given another strength", statistics.median(strengths) * 1000, "ms"
    )


def _lora(root: Path, seed: int) -> Path:
    """A LoRA of rank 16 of the medium model's attention, under diffusers' names."""
    import torch
    from safetensors.torch import save_file

    network = import_diffusers().UNet2DConditionModel.from_pretrained(str(root / "a" / "unet"))
    random = torch.Generator().manual_seed(seed)
    state = {}
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and ".attn" in name:
            for end, shape in (("A", (16, layer.in_features)), ("B", (layer.out_features, 16))):
                state[f"unet.{name}.lora_{end}.weight"] = torch.randn(shape, generator=random).half() * 0.01
    file = root / f"lora-{seed}.safetensors"
    save_file(state, file)
    return file


def _copied(size: float) -> float:
    """Seconds to copy so many bytes off a fake card, and as many onto it, in tensors of 1 MB."""
    import torch

    from pipelines.models.residency.fake import FakeDevice

    device = FakeDevice(2**40)
    waiting = [torch.zeros(2**19, dtype=torch.bfloat16) for _ in range(int(size) // 2**20)]
    there = device.copy_in(waiting)
    there.wait()

    def change() -> None:
        nonlocal there
        new = device.copy_out(there.tensors)
        there = device.copy_in(waiting)
        there.wait()
        waiting[:] = new

    change()
    return statistics.median(seconds(change) for _ in range(ROUNDS))
