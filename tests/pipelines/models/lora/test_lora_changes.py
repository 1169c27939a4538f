"""Other LoRAs, or other strengths, change the model that is in memory: its files are read once, and without
any it is what it was, bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.errors import Cancelled, LoraUnsuitable
from pipelines.graph.values import Lora, ModelHandle
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading import diffusion as load_diffusion
from pipelines.models.quantized import quantization
from pipelines.models.residency import Residency
from pipelines.models.residency.fake import FakeDevice
from tests.helpers import lora_files, tiny_pipelines
from tests.helpers.fake_card import draw
from tests.helpers.lora_files import attention_lora, written
from tests.helpers.model_files import LoadingContext

ROOM = 2**30


class Files:
    """A tiny model and two LoRAs in a folder, and how often the model was opened."""

    def __init__(self, folder: Path) -> None:
        pipeline = tiny_pipelines.sd1()
        pipeline.save_pretrained(folder / "diffusion" / "sd1")
        self.loras = {
            name: written(
                folder / "lora" / f"{name}.safetensors",
                lora_files.diffusers(attention_lora(pipeline, seed, *networks)),
            )
            for name, seed, networks in (("a", 1, ()), ("b", 2, ("unet",)))
        }
        unfit = {"wide": f"unet.{lora_files.LINEAR[1]}", "foreign": "lora_unet_input_blocks_8_1_proj_in"}
        for name, module in unfit.items():
            path = folder / "lora" / f"{name}.safetensors"
            self.loras[name] = written(path, {f"{module}.diff": torch.ones(99, 3)})
        self.catalogue = Catalogue(default_roots(folder))
        self.opened = 0

    def handle(self, dtype: str = "fp32", **strengths: float) -> ModelHandle:
        entry = self.catalogue.find("diffusion", "sd1")
        loras = tuple(
            Lora(name, str(self.loras[name]), "", strength, strength) for name, strength in strengths.items()
        )
        return ModelHandle(
            "diffusion", "sd1", entry.info.path, entry.info.family, dtype, "none", entry.fingerprint, loras
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("models"))


@pytest.fixture
def files(folder: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    folder.opened = 0
    load_folder = load_diffusion.load_folder

    def counted(*arguments: Any, **named: Any) -> Any:
        folder.opened += 1
        return load_folder(*arguments, **named)

    monkeypatch.setattr(load_diffusion, "load_folder", counted)
    return folder


def manager(files: Files, device: FakeDevice | None = None, host: int = ROOM) -> Residency:
    loader = ModelLoader(files.catalogue, CONFIGS, lambda _: device)
    return Residency(loader, lambda name, held: host if name == "cpu" else ROOM)


def weights(models: Residency, handle: ModelHandle) -> dict[tuple[str, str], torch.Tensor]:
    with models.use(handle, LoadingContext()) as loaded:
        assert loaded.handle.loras == handle.loras
        return {
            (part, name): tensor.clone()
            for part, network in loaded.pipeline.components.items()
            if isinstance(network, torch.nn.Module)
            for name, tensor in network.state_dict().items()
        }


def same(first: dict[Any, torch.Tensor], second: dict[Any, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_from_one_to_another_to_none_reads_the_model_once(files: Files, dtype: str) -> None:
    plain = weights(manager(files), files.handle(dtype))
    fresh = weights(manager(files), files.handle(dtype, b=1.0))
    assert files.opened == 2
    models = manager(files)
    seen = [
        weights(models, files.handle(dtype, **strengths))
        for strengths in ({"a": 1.0}, {"a": 0.5, "b": 1.0}, {"b": 1.0}, {}, {"a": 1.0})
    ]
    assert files.opened == 3
    assert same(seen[2], fresh)
    assert same(seen[3], plain)
    assert same(seen[4], seen[0])
    assert not same(seen[0], plain)
    assert not same(seen[1], seen[2])
    (held,) = models.held()
    assert held.on_device > held.bytes  # with the weights as they were
    weights(models, files.handle(dtype))
    (held,) = models.held()
    assert held.on_device == held.bytes


def test_a_model_in_use_stays_as_it_is(files: Files) -> None:
    models = manager(files)
    plain = weights(models, files.handle())
    with models.use(files.handle(a=1.0), LoadingContext()) as first:
        other = weights(models, files.handle(b=1.0))
        still = {("unet", name): tensor.clone() for name, tensor in first.pipeline.unet.state_dict().items()}
    assert not same(other, plain)
    assert same(still, weights(models, files.handle(a=1.0)))
    assert not same(still, other)
    assert files.opened == 2


@pytest.mark.parametrize("fault", ["wide", "cancel", "foreign"])
def test_after_a_fault_the_model_is_there_without_any(files: Files, fault: str) -> None:
    models = manager(files)
    plain = weights(models, files.handle())
    weights(models, files.handle(a=1.0))
    context = LoadingContext(cancel_after=3 if fault == "cancel" else None)
    handle = files.handle(**{"b": 1.0, "a" if fault == "cancel" else fault: 1.0})
    with pytest.raises(Cancelled if fault == "cancel" else LoraUnsuitable), models.use(handle, context):
        pass
    assert same(weights(models, files.handle()), plain)
    assert files.opened == 1


def test_without_room_for_the_weights_as_they_were_the_model_is_read_again(files: Files) -> None:
    roomy = manager(files)
    plain = weights(roomy, files.handle())
    (held,) = roomy.held()
    files.opened = 0
    tight = manager(files, host=held.bytes + 100)
    assert same(weights(tight, files.handle(a=1.0)), weights(roomy, files.handle(a=1.0)))
    assert [each.on_device for each in tight.held()] == [held.bytes]
    assert same(weights(tight, files.handle()), plain)
    assert files.opened == 2


def test_on_a_card_networks_come_back_changed(files: Files) -> None:
    def drawn(models: Residency, handle: ModelHandle, device: str) -> torch.Tensor:
        with models.use(handle, LoadingContext(device)) as loaded:
            return draw(loaded.pipeline)

    here = manager(files)
    models = manager(files, FakeDevice(ROOM))
    order = [files.handle(), files.handle(a=1.0), files.handle(b=-1.0), files.handle()]
    wanted = [drawn(here, handle, "cpu") for handle in order]
    files.opened = 0
    found = [drawn(models, handle, "fake:0") for handle in order]
    assert files.opened == 1
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
    assert not torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[3])


def test_a_packed_model_is_read_once_and_other_strengths_move_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "SMALLEST", 64)
    device = FakeDevice(ROOM)
    models = manager(files, device)

    def drawn(**strengths: float) -> tuple[torch.Tensor, int]:
        """A picture, and the bytes that were moved for it."""
        moved = device.copied_in
        handle = files.handle(**strengths).replace(quantization="int8")
        with models.use(handle, LoadingContext("fake:0")) as loaded:
            return draw(loaded.pipeline), device.copied_in - moved

    (plain, _), (full, _), (again, still) = drawn(), drawn(b=1.0), drawn(b=1.0)
    half, moved = drawn(b=0.5)
    assert moved == still
    assert not torch.equal(plain, half)
    assert not torch.equal(full, half)
    assert torch.equal(full, again)
    assert torch.equal(drawn(b=1.0)[0], full)
    drawn(a=1.0)
    assert torch.equal(drawn()[0], plain)
    assert files.opened == 1
