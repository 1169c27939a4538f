"""Models in single files: whole checkpoints and denoisers alone, their parts from elsewhere, and GGUF."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.errors import (
    LoraUnsuitable,
    ModelMissing,
    ModelPartMissing,
    ModelUnreadable,
    OutOfMemory,
    PartUnsuitable,
    QuantizationUnavailable,
)
from pipelines.graph.values import Image, Lora, ModelHandle
from pipelines.models.access import Models
from pipelines.models.catalogue import Catalogue, default_roots
from pipelines.models.forecast.components import components_of
from pipelines.models.forecast.verdict import bytes_of
from pipelines.models.gguf_header import read_header as read_gguf
from pipelines.models.header import read_header
from pipelines.models.loading import ModelLoader
from pipelines.models.loading import part as load_part
from pipelines.models.loading.part import Parts
from pipelines.models.loading.reading import Reader
from pipelines.models.loading.single import SingleFile, load_single
from pipelines.models.loading.states import unscaled
from pipelines.models.parts.needed import fits, needs_of
from pipelines.models.probe import Probe, probe_file, probe_gguf
from pipelines.models.residency import Residency
from pipelines.models.residency.fake import FakeDevice
from pipelines.models.single_file import Blueprint, blueprint
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.model import DiffusionModelNode
from pipelines.nodes.model_parts import TextEncoderNode, VaeNode
from tests.helpers.diffusion_context import STARTER, DiffusionContext
from tests.helpers.fake_card import part_on
from tests.helpers.model_files import LoadingContext, original_clip, original_vae, sparse
from tests.helpers.original_transformers import write_gguf, write_t5_gguf
from tests.helpers.tiny_files import (
    TINY,
    checkpoint,
    networks,
    original_denoiser,
    save,
    tiny_configs,
    tiny_signatures,
)


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        tiny_signatures(patch)
        yield tiny_configs(tmp_path_factory.mktemp("configs") / "configs")


@pytest.fixture(scope="module")
def made(configs: Path) -> dict[str, dict[str, Any]]:
    return {name: networks(configs / name) for name in TINY}


def opened(file: Path, configs: Path, **sources: Path) -> Any:
    probe = probe_gguf(read_gguf(file)) if file.suffix == ".gguf" else probe_file(read_header(file))
    plan = blueprint(probe, configs)
    assert plan is not None
    parts = Parts(configs, "tiny", torch.float32, Reader(1, LoadingContext()))
    given = parts.given(sources, {name: cls for name, (_, cls) in plan.parts.items()}, plan.folder)
    return load_single(SingleFile(file, "tiny", probe, plan, given), parts)


def same(pipeline: Any, expected: dict[str, Any]) -> None:
    for name, network in expected.items():
        found, wanted = getattr(pipeline, name).state_dict(), network.state_dict()
        assert set(found) == set(wanted), name
        assert all(torch.equal(found[key], wanted[key]) for key in wanted), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [("flux", "FluxPipeline"), ("sd3", "StableDiffusion3Pipeline"), ("qwen-image", "QwenImagePipeline")],
)
def test_a_whole_checkpoint(
    name: str, kind: str, configs: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    state = checkpoint(name, made[name])
    lent = {"tokenizer": STARTER / "tokenizer"} if name == "qwen-image" else {}
    pipeline = opened(save(tmp_path / "whole.safetensors", state), configs, **lent)
    same(pipeline, made[name])
    assert type(pipeline).__name__ == kind
    assert all(pipeline.components[part] for part in pipeline.components if part.startswith("tokenizer"))


@pytest.fixture(scope="module")
def files(configs: Path, made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The parts of FLUX.1 in files of their own, below one folder."""
    folder, flux = tmp_path_factory.mktemp("flux"), made["flux"]
    denoiser = original_denoiser("flux", flux["transformer"])
    encoders, vae = folder / "text_encoder", original_vae(flux["vae"])
    return {
        "transformer": save(folder / "diffusion" / "dev.safetensors", denoiser),
        "text_encoder": save(encoders / "clip_l.safetensors", original_clip(flux["text_encoder"], "")),
        "text_encoder_2": save(encoders / "t5xxl.safetensors", flux["text_encoder_2"].state_dict()),
        "vae": save(
            folder / "vae" / "ae.safetensors",
            {key.removeprefix("first_stage_model."): tensor for key, tensor in vae.items()},
        ),
        "gguf": write_gguf(folder / "diffusion" / "dev-Q8_0.gguf", denoiser),
    }


def test_a_denoiser_alone_with_parts_in_files(
    configs: Path, made: dict[str, Any], files: dict[str, Path]
) -> None:
    beside = {name: files[name] for name in ("text_encoder", "text_encoder_2", "vae")}
    same(opened(files["transformer"], configs, **beside), made["flux"])


def flux_inputs() -> dict[str, torch.Tensor]:
    return {
        "hidden_states": torch.randn(1, 4, 64), "encoder_hidden_states": torch.randn(1, 3, 32),
        "pooled_projections": torch.randn(1, 32), "timestep": torch.ones(1), "guidance": torch.ones(1),
        "img_ids": torch.zeros(4, 3), "txt_ids": torch.zeros(3, 3),
    }  # fmt: skip


def test_a_packed_denoiser_stays_packed(configs: Path, made: dict[str, Any], files: dict[str, Path]) -> None:
    from diffusers.quantizers.gguf.utils import GGUFLinear

    beside = {name: files[name] for name in ("text_encoder", "text_encoder_2", "vae")}
    pipeline = opened(files["gguf"], configs, **beside)
    network, dense = pipeline.transformer, made["flux"]["transformer"]
    layers = [layer for layer in network.modules() if isinstance(layer, GGUFLinear)]
    assert len(layers) > 20
    assert all(layer.weight.dtype == torch.uint8 for layer in layers)
    inputs = flux_inputs()
    with torch.no_grad():
        found, expected = network(**inputs).sample, dense(**inputs).sample
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()
    device = FakeDevice(2**30, overlaps=False)
    with torch.inference_mode():
        part = part_on(device, network, lambda part: part.minimum)
        assert part.bytes < 0.5 * sum(4 * weight.numel() for weight in dense.parameters())
        for _ in range(2):  # its blocks come and go as they are, packed
            assert torch.equal(network(**inputs).sample, found)
    assert part.moved == 2 * (part.bytes - part.resident) > 0
    part.leave()


# --- from the catalogue to a picture ------------------------------------------------------------------------


def access_to(folder: Path, configs: Path) -> Models:
    catalogue = Catalogue(default_roots(folder), configs=configs)
    return Models(catalogue, Residency(ModelLoader(catalogue, configs)))


def drawn(access: Models, handle: ModelHandle, folder: Path) -> Image:
    with access.use(handle, LoadingContext()) as loaded:
        loaded.card["native_size"] = (32, 32)
        context = DiffusionContext(loaded, folder)
        params = TextToImage.Params(width=32, height=32, steps=2, guidance_scale=1.0, sizes="exact")
        given = {"model": handle, "prompt": "a red apple", "negative": "", "seed": 3}
        return TextToImage().run(given, params, context)["image"]


@pytest.fixture(scope="module")
def access(configs: Path, files: dict[str, Path]) -> Models:
    """To the folder of :func:`files`; what was loaded stays for the next test."""
    return access_to(files["vae"].parents[1], configs)


def test_a_packed_model_draws_with_parts_that_were_found(
    access: Models, files: dict[str, Path], tmp_path: Path
) -> None:
    handle = access.find("diffusion", "dev-Q8_0.gguf", dtype="fp32")
    assert {part.name: Path(part.path) for part in handle.parts} == {
        name: files[name] for name in ("text_encoder", "text_encoder_2", "vae")
    }
    picture = drawn(access, handle, tmp_path)
    assert picture.pixels.shape == (32, 32, 3)
    assert not np.array_equal(picture.pixels, np.roll(picture.pixels, 1, 0))


def test_what_is_missing_is_named(configs: Path, files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "diffusion").mkdir()
    (tmp_path / "diffusion" / "dev.safetensors").write_bytes(files["transformer"].read_bytes())
    access = access_to(tmp_path, configs)
    info = next(info for info in access.list() if info.id == "dev.safetensors")
    assert info.problem_code == "ModelPartMissing"
    assert "CLIP-L text encoder, T5-XXL text encoder, VAE with 16 latent channels" in info.problem
    handle = access.find("diffusion", "dev.safetensors")  # so that a node can give it what it lacks
    with pytest.raises(ModelPartMissing, match="T5-XXL"), access.use(handle, LoadingContext()):
        pass
    for name in ("text_encoder", "text_encoder_2", "vae"):
        kind = name.removesuffix("_2")
        handle = access.with_part(handle, kind, str(files[name]))
    with access.use(handle, LoadingContext()) as loaded:
        assert loaded.pipeline.text_encoder_2 is not None


@pytest.fixture
def encoders_within(made: dict[str, Any]) -> dict[str, torch.Tensor]:
    return checkpoint("sd3", made["sd3"])


def test_stable_diffusion_3_opens_without_t5(
    configs: Path, encoders_within: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    state = {key: tensor for key, tensor in encoders_within.items() if "t5xxl" not in key}
    save(tmp_path / "diffusion" / "sd3.safetensors", state)
    access = access_to(tmp_path, configs)
    assert not next(info for info in access.list() if info.id == "sd3.safetensors").problem
    with access.use(access.find("diffusion", "sd3.safetensors"), LoadingContext()) as loaded:
        assert loaded.pipeline.text_encoder_3 is None
        assert loaded.pipeline.text_encoder_2 is not None


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", None),
        ("model.diffusion_model.final_layer.linear.weight", (1, 0)),
        ("first_stage_model.decoder.conv_out.weight", None),
        ("text_encoders.clip_g.transformer.text_model.encoder.layers.1.mlp.fc1.weight", None),
        ("text_encoders.t5xxl.transformer.shared.weight", (8, 0)),
    ],
)
def test_a_faulty_checkpoint_is_never_filled_up(
    key: str, change: tuple[int, int] | None, configs: Path, encoders_within: dict[str, torch.Tensor],
    tmp_path: Path,
) -> None:  # fmt: skip
    if change is None:
        del encoders_within[key]
    else:
        pad = torch.zeros(change[0], *encoders_within[key].shape[1:])
        encoders_within[key] = torch.cat([encoders_within[key], pad])
    save(tmp_path / "diffusion" / "sd3.safetensors", encoders_within)
    access = access_to(tmp_path, configs)
    with (
        pytest.raises(ModelUnreadable),
        access.use(access.find("diffusion", "sd3.safetensors"), LoadingContext()),
    ):
        pass


# --- parts chosen by hand -----------------------------------------------------------------------------------


def test_another_vae_decodes_otherwise(access: Models, made: dict[str, Any], tmp_path: Path) -> None:
    vae = {key: tensor.clone() for key, tensor in original_vae(made["flux"]["vae"]).items()}
    vae["first_stage_model.decoder.conv_out.bias"] += 0.5
    other = save(tmp_path / "other.safetensors", vae)
    handle = access.find("diffusion", "dev-Q8_0.gguf", dtype="fp32")
    changed = access.with_part(handle, "vae", str(other))
    assert changed != handle
    assert [part.name for part in changed.parts] == ["text_encoder", "text_encoder_2", "vae"]
    first = drawn(access, handle, tmp_path)
    denoiser = denoiser_of(access, handle)
    second = drawn(access, changed, tmp_path)
    assert second.as_float().mean() > first.as_float().mean() + 0.1
    assert denoiser_of(access, changed) is denoiser  # the VAE alone was opened
    assert np.array_equal(drawn(access, handle, tmp_path).pixels, first.pixels)
    gone = access.with_part(handle, "vae", str(other))
    other.unlink()
    with pytest.raises(ModelMissing), access.use(gone, LoadingContext()):
        pass
    assert np.array_equal(drawn(access, handle, tmp_path).pixels, first.pixels)


def denoiser_of(access: Models, handle: ModelHandle) -> Any:
    with access.use(handle, LoadingContext()) as loaded:
        return loaded.pipeline.transformer


def test_a_tiny_vae_decodes(access: Models, tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    tiny = AutoencoderTiny(latent_channels=16)
    tiny.save_pretrained(tmp_path / "taef1")
    handle = access.find("diffusion", "dev-Q8_0.gguf", dtype="fp32")
    picture = drawn(access, access.with_part(handle, "vae", str(tmp_path / "taef1")), tmp_path)
    assert picture.pixels.std() > 0
    halves: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "decoder": {}}
    for key, tensor in tiny.state_dict().items():  # as the original code has it: a file for each half
        half, _, number, rest = key.split(".", 3)
        halves[half][f"{int(number) + (half == 'decoder')}.{rest}"] = tensor
    decoder = save(tmp_path / "taef1_decoder.safetensors", halves["decoder"])
    with pytest.raises(PartUnsuitable, match="one half"):
        access.with_part(handle, "vae", str(decoder))
    save(tmp_path / "taef1_encoder.safetensors", halves["encoder"])
    again = drawn(access, access.with_part(handle, "vae", str(decoder)), tmp_path)
    assert np.array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        ({"decoder.conv_in.weight": (512, 4, 3, 3), "encoder.conv_in.weight": (128, 3, 3, 3),
          "decoder.up.0.block.0.conv1.weight": (8, 8, 3, 3)}, "have 4 channels; those of this model have 16"),
        ({"decoder.conv_in.weight": (512, 16, 3, 3), "decoder.up.0.block.0.conv1.weight": (8, 8, 3, 3)},
         "one half"),
        ({"decoder.conv1.weight": (384, 16, 3, 3, 3), "decoder.middle.0.residual.0.gamma": (384, 1, 1, 1)},
         "built another way"),
        ({"text_model.embeddings.position_embedding.weight": (77, 1280),
          "text_model.encoder.layers.0.self_attn.q_proj.weight": (1280, 1280)}, "made with: CLIP-L"),
        ({"text_model.embeddings.position_embedding.weight": (248, 32),
          "text_model.encoder.layers.0.self_attn.q_proj.weight": (32, 32)}, "made with: CLIP-L"),
    ],
)  # fmt: skip
def test_a_part_of_another_model_is_refused(
    shapes: dict[str, tuple[int, ...]], reason: str, access: Models, tmp_path: Path
) -> None:
    file = sparse(tmp_path / "part.safetensors", shapes)
    kind = "text_encoder" if "position_embedding" in next(iter(shapes)) else "vae"
    with pytest.raises(PartUnsuitable, match=reason):
        access.with_part(access.find("diffusion", "dev-Q8_0.gguf"), kind, str(file))


def test_a_packed_model_is_not_packed_again(access: Models) -> None:
    handle = access.find("diffusion", "dev-Q8_0.gguf", "fp32", "nf4")
    with pytest.raises(QuantizationUnavailable, match="Q8_0"), access.use(handle, LoadingContext()):
        pass


def test_a_packed_t5_is_unpacked_where_there_is_room(
    configs: Path, made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = made["flux"]["text_encoder_2"]
    file = write_t5_gguf(tmp_path / "t5-Q8_0.gguf", dense)
    need = next(need for need in needs_of(plan_of(configs)) if need.name == "text_encoder_2")
    assert fits(need, probe_gguf(read_gguf(file)))
    parts = Parts(configs, "tiny", torch.float32, Reader(1, LoadingContext()))
    opened = parts.open("text_encoder_2", "T5EncoderModel", file, configs / "flux" / "text_encoder_2")
    words = torch.arange(12)[None]
    with torch.no_grad():
        found, expected = opened(words)[0], dense(words)[0]
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()
    monkeypatch.setattr(load_part, "host_memory", lambda: SimpleNamespace(free=2**20))
    with pytest.raises(OutOfMemory, match="has to be unpacked"):
        parts.open("text_encoder_2", "T5EncoderModel", file, configs / "flux" / "text_encoder_2")


def plan_of(configs: Path) -> Blueprint:
    plan = blueprint(Probe("diffusion", "flux", variant="dev"), configs)
    assert plan is not None
    return plan


def test_scaled_weights_of_8_bits_are_multiplied() -> None:
    weight, scale = torch.randn(8, 8), torch.tensor(0.02)
    state = {
        "a.weight": (weight / scale).to(torch.float8_e4m3fn), "a.scale_weight": scale,
        "a.bias": torch.ones(8), "a.scale_input": torch.ones(()), "scaled_fp8": torch.ones(2),
    }  # fmt: skip
    found = unscaled(state)
    assert set(found) == {"a.weight", "a.bias"}
    assert (found["a.weight"].float() - weight).abs().max() < 0.07 * weight.abs().max()


def test_the_nodes_give_a_model_its_parts(access: Models, files: dict[str, Path]) -> None:
    context: Any = SimpleNamespace(models=access, path=lambda text: Path(text))
    resources: Any = SimpleNamespace(find=access.find, path=lambda text: Path(text))
    model = access.find("diffusion", "dev-Q8_0.gguf")
    for node, kind in ((VaeNode, "vae"), (TextEncoderNode, "text_encoder")):
        params = node.Params(**{kind: str(files[kind])})
        changed = node().run({"model": model.replace(parts=())}, params, context)["model"]
        assert [(part.name, part.path) for part in changed.parts] == [(kind, str(files[kind]))]
        assert node.fingerprint({kind: str(files[kind])}, resources) == changed.parts[0].fingerprint
        assert node().run({"model": model}, node.Params(), context)["model"] is model
    assert DiffusionModelNode.fingerprint({"model": "dev-Q8_0.gguf"}, resources).startswith(model.fingerprint)
    assert model.parts[0].fingerprint in DiffusionModelNode.fingerprint({"model": "dev-Q8_0.gguf"}, resources)


def test_what_a_packed_model_takes_is_foretold(access: Models, files: dict[str, Path]) -> None:
    entry = access.catalogue.find("diffusion", "dev-Q8_0.gguf")
    found = components_of(entry, {name: files[name] for name in ("text_encoder", "text_encoder_2", "vae")})
    packed, *beside = found
    assert bytes_of(packed, "bf16", "none") == sum(t.bytes for t in read_gguf(files["gguf"]).tensors.values())
    assert [(part.name, part.stage) for part in beside] == [
        ("text_encoder", "encode"), ("text_encoder_2", "encode"), ("vae", "decode"),
    ]  # fmt: skip
    assert bytes_of(beside[2], "bf16", "none") == 2 * read_header(files["vae"]).elements()


def test_a_lora_is_not_added_to_packed_weights(access: Models, tmp_path: Path) -> None:
    names = ("double_blocks_0_img_attn_proj", "single_blocks_0_linear2")
    file = sparse(tmp_path / "style.safetensors", {
        f"lora_unet_{name}.{part}.weight": shape
        for name in names for part, shape in (("lora_down", (4, 3072)), ("lora_up", (3072, 4)))
    })  # fmt: skip
    lora = access.find("lora", str(file))
    handle = access.find("diffusion", "dev-Q8_0.gguf", dtype="fp32")
    handle = handle.replace(loras=(Lora(lora.id, lora.path, lora.fingerprint),))
    with pytest.raises(LoraUnsuitable, match="packed"), access.use(handle, LoadingContext()):
        pass
