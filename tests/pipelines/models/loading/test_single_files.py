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
    ModelMissing,
    ModelPartMissing,
    ModelUnreadable,
    OutOfMemory,
    PartUnsuitable,
    QuantizationUnavailable,
)
from pipelines.graph.values import Image, Lora, ModelHandle
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.header import read_header
from pipelines.models.files.reading import Reader
from pipelines.models.forecast.components import components_of
from pipelines.models.forecast.verdict import bytes_of
from pipelines.models.loading import CONFIGS, ModelLoader
from pipelines.models.loading import part as load_part
from pipelines.models.loading.part import Parts
from pipelines.models.loading.single import SingleFile, load_single
from pipelines.models.loading.states import unscaled
from pipelines.models.parts.needed import fits, needs_of
from pipelines.models.probing.probe import Probe, probe_file, probe_gguf
from pipelines.models.probing.single_file import Blueprint, blueprint
from pipelines.models.residency import Residency
from pipelines.models.residency.fake import FakeDevice
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.model import DiffusionModelNode
from pipelines.nodes.model_parts import TextEncoderNode, VaeNode
from tests.helpers import family_headers
from tests.helpers.diffusion_context import DiffusionContext
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
from tests.helpers.tiny_large import qwen_tokenizer


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
        held, buffers = dict(getattr(pipeline, name).named_buffers()), dict(network.named_buffers())
        assert all(torch.equal(held[key], buffers[key]) for key in buffers), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("flux", "FluxPipeline"), ("sd3", "StableDiffusion3Pipeline"), ("qwen-image", "QwenImagePipeline"),
        ("flux2", "Flux2Pipeline"), ("flux2-klein-4b", "Flux2KleinPipeline"),
        ("pixart-alpha", "PixArtAlphaPipeline"), ("pixart-sigma", "PixArtSigmaPipeline"),
        ("sana", "SanaPipeline"), ("sana-sprint", "SanaSprintPipeline"), ("hidream", "HiDreamImagePipeline"),
        ("kandinsky5", "Kandinsky5T2IPipeline"), ("krea2", "Krea2Pipeline"),
        ("qwen-image-edit", "QwenImageEditPlusPipeline"),
    ],
)  # fmt: skip
def test_a_whole_checkpoint(
    name: str, kind: str, configs: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    parts = made[name.removesuffix("-edit")]
    state = checkpoint(name, parts)
    if name.endswith("-edit"):
        state["model.diffusion_model.__index_timestep_zero__"] = torch.zeros(0)
    lent = tokenizers(configs, name, tmp_path)
    pipeline = opened(save(tmp_path / "whole.safetensors", state), configs, **lent)
    same(pipeline, parts)
    assert type(pipeline).__name__ == kind
    words = ("tokenizer", "processor")
    assert all(pipeline.components[part] for part in pipeline.components if part.startswith(words))


@pytest.mark.parametrize(
    ("name", "key", "change", "reason"),
    [
        ("pixart-sigma", "blocks.0.attn.qkv.weight", None, "3 weights of its transformer are missing"),
        ("pixart-sigma", "t_block.1.bias", 1, "another size than its kind has: adaln_single.linear.bias"),
        ("pixart-sigma", "blocks.0.attn.sr.weight", 4, "has no place for, transformer_blocks.0.attn.sr"),
        ("flux2", "double_blocks.0.txt_attn.qkv.weight", None, "weights of its transformer are missing"),
    ],
)
def test_a_faulty_denoiser_is_never_filled_up(
    name: str, key: str, change: int | None, reason: str, configs: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    state = checkpoint(name, made[name])
    key = f"model.diffusion_model.{key}"
    if change is None:
        del state[key]
    else:
        old = state.get(key, torch.zeros(0, 1))
        state[key] = torch.cat([old, torch.zeros(change, *old.shape[1:])])
    lent = tokenizers(configs, name, tmp_path)
    with pytest.raises(ModelUnreadable, match=reason):
        opened(save(tmp_path / "faulty.safetensors", state), configs, **lent)


def tokenizers(configs: Path, name: str, folder: Path) -> dict[str, Path]:
    """A small one for all tokenizers of a model; none where those that come with the program are tried."""
    if name in ("flux", "sd3"):
        return {}
    qwen_tokenizer().save_pretrained(folder / "words")
    return {part: folder / "words" for part in plan_of(configs, name).parts if part.startswith("tokenizer")}


@pytest.mark.parametrize(("sides", "size"), [((120, 32), 512), ((300, 64), 1024), ((300, 128), 2048)])
def test_the_places_of_pixart_tell_the_size_it_was_trained_at(
    sides: tuple[int, int], size: int, tmp_path: Path
) -> None:
    words, side = sides
    shapes = {
        **family_headers.pixart(),
        "pos_embed": (1, side**2, 1152),
        "y_embedder.y_embedding": (words, 4096),
    }
    probe = probe_file(read_header(sparse(tmp_path / "m.safetensors", shapes)))
    assert (probe.variant, probe.native_size) == ("alpha" if words == 120 else "sigma", (size, size))
    plan = blueprint(probe, CONFIGS)
    assert plan is not None
    assert plan.changes["sample_size"] == 2 * side
    assert plan.pipeline == ("PixArtAlphaPipeline" if words == 120 else "PixArtSigmaPipeline")


def test_a_vae_of_flux2_with_a_narrower_decoder(configs: Path, made: dict[str, Any]) -> None:
    wide = made["flux2"]["vae"]
    vae = type(wide).from_config({**wide.config, "decoder_block_out_channels": [4, 8]})
    parts = Parts(configs, "tiny", torch.float32, Reader(1, LoadingContext()))
    for state in (original_vae(vae), vae.state_dict()):
        found = parts.vae(state, configs / "flux2" / "vae", "vae.safetensors").state_dict()
        assert all(torch.equal(found[key], tensor) for key, tensor in vae.state_dict().items())


def test_a_text_encoder_that_was_cut_off(configs: Path, made: dict[str, Any], tmp_path: Path) -> None:
    dense = made["flux2"]["text_encoder"]
    cut = {
        key: tensor for key, tensor in dense.state_dict().items() if not key.startswith(("layers.1", "norm"))
    }
    file = save(
        tmp_path / "mistral.safetensors", {f"language_model.model.{key}": t for key, t in cut.items()}
    )
    parts = Parts(configs, "tiny", torch.float32, Reader(1, LoadingContext()))
    opened = parts.open("text_encoder", "MistralModel", file, configs / "flux2" / "text_encoder")
    words = torch.arange(12)[None]
    with torch.no_grad():
        found = opened(words, output_hidden_states=True).hidden_states
        expected = dense(words, output_hidden_states=True).hidden_states
    assert len(found) == 2
    assert all(torch.equal(one, other) for one, other in zip(found, expected[:2], strict=True))


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


def test_a_denoiser_that_sees_a_control_picture(
    configs: Path, made: dict[str, Any], files: dict[str, Path], tmp_path: Path
) -> None:
    plain = made["flux"]["transformer"]
    wide = type(plain).from_config({**plain.config, "in_channels": 128}).eval()
    state = original_denoiser("flux", wide)
    beside = {name: files[name] for name in ("text_encoder", "text_encoder_2", "vae")}
    for file in (save(tmp_path / "canny.safetensors", state), write_gguf(tmp_path / "canny.gguf", state)):
        pipeline = opened(file, configs, **beside)
        assert type(pipeline).__name__ == "FluxControlPipeline"
        assert pipeline.transformer.config.in_channels == 128
        if file.suffix != ".gguf":
            same(pipeline, {**made["flux"], "transformer": wide})


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


def inputs_of(name: str) -> dict[str, Any]:
    text = torch.randn(1, 3, 32)
    match name:
        case "hidream":
            return {
                "hidden_states": torch.randn(1, 16, 16, 16), "timesteps": torch.ones(1),
                "encoder_hidden_states_t5": text, "encoder_hidden_states_llama3": torch.randn(2, 1, 3, 32),
                "pooled_embeds": torch.randn(1, 96),
            }  # fmt: skip
        case "flux2-klein-4b":
            return {
                "hidden_states": torch.randn(1, 4, 128), "encoder_hidden_states": text,
                "timestep": torch.ones(1), "img_ids": torch.zeros(1, 4, 4), "txt_ids": torch.zeros(1, 3, 4),
            }  # fmt: skip
        case "sana":
            return {
                "hidden_states": torch.randn(1, 32, 4, 4), "encoder_hidden_states": text,
                "timestep": torch.ones(1),
            }  # fmt: skip
    return {
        "hidden_states": torch.randn(1, 1, 4, 4, 16), "encoder_hidden_states": text,
        "timestep": torch.ones(1), "pooled_projections": torch.randn(1, 32),
        "visual_rope_pos": [torch.arange(n) for n in (1, 2, 2)],
        "text_rope_pos": torch.arange(3), "scale_factor": (1.0, 1.0, 1.0),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["flux2-klein-4b", "hidream", "sana", "kandinsky5"])
def test_packed_denoisers_of_other_families(
    name: str, configs: Path, made: dict[str, Any], tmp_path: Path
) -> None:
    from diffusers.quantizers.gguf.utils import GGUFLinear

    torch.manual_seed(0)
    parts = made[name]
    file = write_gguf(tmp_path / "model.gguf", original_denoiser(name, parts["transformer"]))
    probe = probe_gguf(read_gguf(file))
    plan = blueprint(probe, configs)
    assert plan is not None
    given = {part: None for part in plan.parts if part not in ("transformer", "vae", "scheduler")}
    given["vae"] = parts["vae"]
    reading = Parts(configs, "tiny", torch.float32, Reader(1, LoadingContext()))
    network = load_single(SingleFile(file, "tiny", probe, plan, given), reading).transformer
    linear = [layer for layer in parts["transformer"].modules() if isinstance(layer, torch.nn.Linear)]
    packed = [layer for layer in network.modules() if isinstance(layer, GGUFLinear)]
    assert len(packed) > 0.7 * len(linear)
    assert all(layer.weight.dtype == torch.uint8 for layer in packed)
    inputs = inputs_of(name)
    with torch.no_grad():
        found, expected = network(**inputs).sample, parts["transformer"](**inputs).sample
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


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


def plan_of(configs: Path, name: str = "flux") -> Blueprint:
    family, _, variant = name.partition("-")
    if family not in ("flux2", "pixart", "sana"):
        family, variant = name, ""
    plan = blueprint(Probe("diffusion", family, variant=variant), configs)
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


def test_a_lora_works_beside_packed_weights(access: Models, made: dict[str, Any], tmp_path: Path) -> None:
    layers = made["flux"]["transformer"].transformer_blocks[0].attn
    names = {"double_blocks_0_img_attn_proj": layers.to_out[0], "double_blocks_0_img_attn_qkv": layers.to_q}
    state = {}
    for name, layer in names.items():
        rows = layer.out_features * (3 if name.endswith("qkv") else 1)
        state[f"lora_unet_{name}.lora_down.weight"] = torch.randn(4, layer.in_features)
        state[f"lora_unet_{name}.lora_up.weight"] = torch.randn(rows, 4)
    lora = access.find("lora", str(save(tmp_path / "style.safetensors", state)))
    plain = access.find("diffusion", "dev-Q8_0.gguf", dtype="fp32")
    before, held = drawn(access, plain, tmp_path), len(access.held())
    with_it = plain.replace(loras=(Lora(lora.id, lora.path, lora.fingerprint),))
    assert not np.array_equal(drawn(access, with_it, tmp_path).pixels, before.pixels)
    assert np.array_equal(drawn(access, plain, tmp_path).pixels, before.pixels)
    assert len(access.held()) == held  # it was changed, not opened again
