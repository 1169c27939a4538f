"""Every family and kind is recognised by the names and shapes in its header, whatever its layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.models.files.header import read_header
from pipelines.models.libraries import import_diffusers
from pipelines.models.loading import CONFIGS
from pipelines.models.probing.probe import Probe, probe_file
from pipelines.models.probing.single_file import blueprint
from pipelines.models.quantized.packed import without_weights
from tests.helpers import family_headers as made
from tests.helpers.family_headers import Shapes, diffusers, lora, prefixed
from tests.helpers.model_files import SDXL, U, sparse

DIFFUSERS = [
    ("sd1-unet", "diffusion", "sd1", ""), ("sdxl-unet", "diffusion", "sdxl", ""),
    ("sd3-medium", "diffusion", "sd3", "medium"), ("sd3.5-medium", "diffusion", "sd3", "3.5-medium"),
    ("sd3.5-large", "diffusion", "sd3", "3.5-large"), ("pixart-alpha", "diffusion", "pixart", "alpha"),
    ("pixart-sigma", "diffusion", "pixart", "sigma"), ("sana-1.6b", "diffusion", "sana", "1.6b"),
    ("sana-sprint", "diffusion", "sana", "sprint"), ("flux-dev", "diffusion", "flux", "dev"),
    ("flux-schnell", "diffusion", "flux", "schnell"), ("flux-fill", "diffusion", "flux-fill", "fill"),
    ("flux-control", "diffusion", "flux-control", "control"), ("flux2-dev", "diffusion", "flux2", "dev"),
    ("flux2-klein-4b", "diffusion", "flux2", "klein-4b"), ("qwen-image", "diffusion", "qwen-image", ""),
    ("z-image", "diffusion", "z-image", ""), ("chroma", "diffusion", "chroma", ""),
    ("lumina2", "diffusion", "lumina2", ""), ("hidream", "diffusion", "hidream", "i1"),
    ("kandinsky5", "diffusion", "kandinsky5", "lite-image"),
    ("kandinsky5-edit", "diffusion", "kandinsky5-edit", "edit"), ("sana-0.6b", "diffusion", "sana", "0.6b"),
    ("krea2", "diffusion", "krea2", ""),
    ("flux2-klein-9b", "diffusion", "flux2", "klein-9b"), ("auraflow", "diffusion", "auraflow", ""),
    ("wan-t2v-14b", "diffusion", "wan", "t2v-14b"), ("wan-t2v-1.3b", "diffusion", "wan", "t2v-1.3b"),
    ("wan-i2v-14b", "diffusion", "wan", "i2v-14b"), ("wan-ti2v-5b", "diffusion", "wan", "ti2v-5b"),
    ("ltx", "diffusion", "ltx", "2b"), ("ltx2", "diffusion", "ltx2", ""),
    ("vae-4", "vae", "kl-4", ""), ("vae-16", "vae", "kl-16", ""), ("vae-flux2", "vae", "kl-32", ""),
    ("vae-tiny", "vae", "tiny-4", "tiny"), ("vae-tiny-16", "vae", "tiny-16", "tiny"),
    ("vae-wan", "vae", "wan-16", ""), ("vae-qwen", "vae", "wan-16", ""), ("vae-ltx", "vae", "ltx", ""),
    ("vae-sana", "vae", "dc-ae", ""), ("clip-l", "text_encoder", "clip-l", ""),
    ("clip-g", "text_encoder", "clip-g", ""), ("t5-xxl", "text_encoder", "t5", "xxl"),
    ("qwen3-4b", "text_encoder", "qwen3", ""), ("clip-vision-h", "vision", "clip-vision-h", ""),
    ("controlnet-sd1", "control", "sd1", ""), ("controlnet-sdxl", "control", "sdxl", ""),
    ("controlnet-flux", "control", "flux", "union"), ("controlnet-sd3", "control", "sd3", ""),
    ("controlnet-qwen", "control", "qwen-image", ""), ("controlnet-sana", "control", "sana", ""),
    ("t2i-adapter-sd1", "control", "sd1", "t2i"),
    ("t2i-adapter-light", "control", "sd1", "t2i-light"),
    ("t2i-adapter-sdxl", "control", "sdxl", "t2i"),
]  # fmt: skip

ORIGINAL = {
    "flux/dev": made.flux(), "flux/schnell": made.flux(guided=False), "flux-fill/fill": made.flux(384),
    "flux-control/control": made.flux(128), "flux2/dev": made.flux2(),
    "flux2/klein-4b": made.flux2(3072, 7680, 5, 20), "flux2/klein-9b": made.flux2(4096, 12288, 8, 24),
    "chroma/": made.chroma(), "sd3/medium": made.sd3(),
    "sd3/3.5-medium": made.sd3(positions=384, normed=True),
    "sd3/3.5-large": made.sd3(38, 2432, normed=True), "pixart/sigma": made.pixart(),
    "pixart/alpha": made.pixart(sigma=False), "sana/1.6b": made.sana(), "auraflow/": made.auraflow(),
    "z-image/": made.next_dit(3840, 2560, 30, 0), "lumina2/": made.next_dit(2304, 2304, 26, 1),
    "wan/t2v-14b": made.wan(5120, 16, 40), "wan/t2v-1.3b": made.wan(1536, 16, 30),
    "wan/i2v-14b": made.wan(5120, 36, 40, pictures=True), "ltx/2b": made.ltx(), "ltx/13b": made.ltx(4096, 48),
    "ltx2/": made.ltx(4096, 48, sound=True),
}  # fmt: skip


def probed(tmp_path: Path, shapes: Shapes, **options: object) -> Probe:
    # A name that lies: it must not matter.
    return probe_file(read_header(sparse(tmp_path / "sdxl-vae.safetensors", shapes, **options)))


@pytest.mark.parametrize(("name", "kind", "family", "variant"), DIFFUSERS)
def test_networks_under_diffusers_names(
    tmp_path: Path, name: str, kind: str, family: str, variant: str
) -> None:
    probe = probed(tmp_path, diffusers(name), dtype="BF16")
    assert (probe.kind, probe.family, probe.variant, probe.dtype) == (kind, family, variant, "BF16")
    assert probe.elements > 0
    if kind == "diffusion":  # as programs save it with a prefix of their own
        again = probed(tmp_path, prefixed(diffusers(name)))
        assert (again.kind, again.family, again.variant) == (kind, family, variant)


OPENED = (
    "pixart-alpha", "pixart-sigma", "sana-0.6b", "sana-1.6b", "sana-sprint", "flux2-dev", "flux2-klein-4b",
    "flux2-klein-9b", "hidream", "kandinsky5", "kandinsky5-edit", "krea2",
)  # fmt: skip
"""Members of families that differ in more than their depth."""


@pytest.mark.parametrize("name", OPENED)
def test_a_denoiser_gets_the_sizes_that_its_tensors_tell(tmp_path: Path, name: str) -> None:
    plan = blueprint(probed(tmp_path, diffusers(name)), CONFIGS)
    assert plan is not None
    kind = getattr(import_diffusers(), plan.parts["transformer"][1])
    with without_weights():
        network = kind.from_config({**kind.load_config(str(plan.folder / "transformer")), **plan.changes})
    assert {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()} == diffusers(name)


@pytest.mark.parametrize("name", list(ORIGINAL))
def test_networks_under_their_makers_names(tmp_path: Path, name: str) -> None:
    family, _, variant = name.partition("/")
    for shapes in (ORIGINAL[name], prefixed(ORIGINAL[name])):
        probe = probed(tmp_path, shapes)
        if shapes is ORIGINAL[name] or not name.startswith("sd3"):
            assert (probe.kind, probe.family, probe.variant) == ("diffusion", family, variant)
            assert probe.layout == "original"


def test_what_a_checkpoint_holds_beside_the_denoiser(tmp_path: Path) -> None:
    assert set(probed(tmp_path, ORIGINAL["sd3/medium"]).facts["parts"]) == {"denoiser", "vae", "text_encoder"}
    assert probed(tmp_path, ORIGINAL["flux/dev"]).facts["parts"] == ("denoiser",)
    assert probed(tmp_path, SDXL).facts["parts"] == ("denoiser", "vae", "text_encoder", "text_encoder_2")


def test_what_shapes_cannot_tell_the_files_own_words_do(tmp_path: Path) -> None:
    plain = probed(tmp_path, made.flux())
    assert (plain.variant, plain.facts["same_shapes"]) == ("dev", ("kontext", "krea"))
    stated = probed(tmp_path, made.flux(), metadata={"modelspec.title": "FLUX.1 Kontext"})
    assert stated.variant == "kontext"
    edits = {**diffusers("qwen-image"), "__index_timestep_zero__": (0,)}
    assert probed(tmp_path, edits).family == "qwen-image-edit"


@pytest.mark.parametrize(
    ("channels", "family"), [(4, "sdxl"), (9, "sdxl-inpaint"), (8, "sdxl-edit"), (7, "sd-x4-upscaler")]
)
def test_the_first_layer_tells_what_a_checkpoint_is_for(tmp_path: Path, channels: int, family: str) -> None:
    shapes = {**SDXL, U + "input_blocks.0.0.weight": (320, channels, 3, 3)}
    assert probed(tmp_path, shapes).family == family


def test_quantized_weights_are_named_by_what_is_beside_them(tmp_path: Path) -> None:
    weight = "double_blocks.0.img_attn.qkv.weight"
    packed = {**made.flux(), weight + ".quant_state.bitsandbytes__nf4": (80,), weight + ".absmax": (9,)}
    path = tmp_path / "m.safetensors"
    sparse(path, packed)
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    for name in (weight, weight + ".absmax"):
        header[name]["dtype"], header[name]["shape"] = (
            "U8",
            [header[name]["data_offsets"][1] - header[name]["data_offsets"][0]],
        )
    body = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(body).to_bytes(8, "little") + body)
        file.truncate(8 + len(body) + max(entry["data_offsets"][1] for entry in header.values()))
    probe = probe_file(read_header(path))
    assert (probe.family, probe.variant, probe.dtype) == ("flux", "dev", "NF4")


# --- LoRA and its kin ---------------------------------------------------------------------------------------

KOHYA = (".lora_down.weight", ".lora_up.weight")
PEFT = (".lora_A.weight", ".lora_B.weight")
W = 3072
LORAS = {
    "kohya sd1": (
        lora({"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (320, 768)}, KOHYA),
        "sd1",
        "kohya",
        "lora",
    ),
    "kohya sdxl": (
        lora(
            {
                "lora_te2_text_model_encoder_layers_0_self_attn_q_proj": (1280, 1280),
                "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k": (640, 2048),
            },
            KOHYA,
        ),
        "sdxl",
        "kohya",
        "lora",
    ),
    "kohya text encoder": (
        lora({"lora_te_text_model_encoder_layers_0_self_attn_q_proj": (768, 768)}, KOHYA),
        "sd1",
        "kohya",
        "lora",
    ),
    "kohya flux": (
        lora(
            {
                "lora_unet_double_blocks_0_img_attn_qkv": (3 * W, W),
                "lora_unet_single_blocks_0_linear1": (7 * W, W),
            },
            KOHYA,
        ),
        "flux",
        "kohya",
        "lora",
    ),
    "kohya flux2": (
        lora({"lora_unet_double_blocks_0_img_attn_qkv": (18432, 6144)}, KOHYA),
        "flux2",
        "kohya",
        "lora",
    ),
    "kohya klein": (lora({"lora_unet_single_blocks_0_linear1": (9 * W, W)}, KOHYA), "flux2", "kohya", "lora"),
    "kohya sd3": (
        lora({"lora_unet_joint_blocks_0_x_block_attn_qkv": (4608, 1536)}, KOHYA),
        "sd3",
        "kohya",
        "lora",
    ),
    "diffusers sdxl": (
        lora({"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": (640, 2048)}, PEFT),
        "sdxl",
        "diffusers",
        "lora",
    ),
    "old diffusers": (
        lora(
            {"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora": (320, 768)},
            (".down.weight", ".up.weight"),
        ),
        "sd1",
        "diffusers",
        "lora",
    ),
    "diffusers flux": (
        lora({"transformer.single_transformer_blocks.0.attn.to_q": (W, W)}, PEFT),
        "flux",
        "diffusers",
        "lora",
    ),
    "peft": (
        lora({"base_model.model.transformer_blocks.0.attn.add_q_proj": (1536, 1536)}, PEFT),
        "sd3",
        "peft",
        "lora",
    ),
    "bfl control": (
        lora({"double_blocks.0.img_attn.qkv": (3 * W, W), "img_in": (W, 128)}, PEFT),
        "flux",
        "bfl",
        "control",
    ),
    "xlabs": (
        lora({"double_blocks.0.processor.qkv_lora1": (3 * W, W)}, (".down.weight", ".up.weight")),
        "flux",
        "xlabs",
        "lora",
    ),
    "onetrainer": (
        lora({"lora_transformer_single_transformer_blocks_0_attn_to_q": (W, W)}, KOHYA),
        "flux",
        "onetrainer",
        "lora",
    ),
    "ai-toolkit flux2": (
        lora({"diffusion_model.double_blocks.0.img_attn.qkv": (18432, 6144)}, PEFT),
        "flux2",
        "ai-toolkit",
        "lora",
    ),
    "ai-toolkit wan": (
        lora({"diffusion_model.blocks.0.self_attn.q": (5120, 5120)}, PEFT),
        "wan",
        "ai-toolkit",
        "lora",
    ),
    "ai-toolkit z-image": (
        lora({"diffusion_model.layers.0.attention.to_q": (3840, 3840)}, PEFT),
        "z-image",
        "ai-toolkit",
        "lora",
    ),
    "ai-toolkit lumina": (
        lora({"diffusion_model.layers.0.attention.qkv": (6912, 2304)}, PEFT),
        "lumina2",
        "ai-toolkit",
        "lora",
    ),
    "qwen": (
        lora({"transformer.transformer_blocks.0.img_mlp.net.2": (W, 4 * W)}, PEFT),
        "qwen-image",
        "diffusers",
        "lora",
    ),
    "qwen attention": (
        lora({f"transformer_blocks.{n}.attn.add_q_proj": (W, W) for n in range(60)}, PEFT),
        "qwen-image",
        "peft",
        "lora",
    ),
    "ltx": (
        lora({"diffusion_model.transformer_blocks.0.attn1.to_q": (2048, 2048)}, PEFT),
        "ltx",
        "ai-toolkit",
        "lora",
    ),
    "hidream": (
        lora({"diffusion_model.double_stream_blocks.0.block.attn1.to_q": (2560, 2560)}, PEFT),
        "hidream",
        "ai-toolkit",
        "lora",
    ),
    "chroma": (
        lora({"lora_unet_distilled_guidance_layer_layers_0_in_layer": (5120, 5120)}, KOHYA),
        "chroma",
        "kohya",
        "lora",
    ),
    "loha": (
        lora(
            {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (320, 768)},
            (".hada_w1_b", ".hada_w1_a"),
        ),
        "sd1",
        "lycoris",
        "loha",
    ),
    "lokr": (
        {"lycoris_unet_input_blocks_8_1_transformer_blocks_9_attn2_to_k.lokr_w1": (16, 16)},
        "sdxl",
        "lycoris",
        "lokr",
    ),
    "lokr of Z-Image": (
        {
            f"diffusion_model.layers.0.attention.to_q.lokr_{part}": shape
            for part, shape in {"w1": (60, 60), "w2_a": (64, 16), "w2_b": (16, 64)}.items()
        },
        "z-image",
        "lycoris",
        "lokr",
    ),
    "glora": (
        {
            f"lycoris_transformer_blocks_0_attn1_to_q.{part}.weight": shape
            for part, shape in {
                "a1": (1152, 16),
                "a2": (16, 1152),
                "b1": (1152, 16),
                "b2": (16, 1152),
            }.items()
        },
        "pixart",
        "lycoris",
        "glora",
    ),
    "peft boft": (
        {
            "base_model.model.transformer_blocks.0.attn1.to_q.boft_R": (1, 72, 16, 16),
            "base_model.model.transformer_blocks.0.attn1.to_q.boft_s": (1152, 1),
        },
        "pixart",
        "peft",
        "boft",
    ),
    "peft of PixArt": (
        lora({"base_model.model.transformer_blocks.0.attn1.to_q": (1152, 1152)}, PEFT),
        "pixart",
        "peft",
        "lora",
    ),
    "dora": (
        {
            **lora({"lora_unet_double_blocks_0_img_attn_qkv": (3 * W, W)}, KOHYA),
            "lora_unet_double_blocks_0_img_attn_qkv.dora_scale": (3 * W, 1),
        },
        "flux",
        "kohya",
        "dora",
    ),
}


@pytest.mark.parametrize("name", list(LORAS))
def test_loras_of_every_trainer(tmp_path: Path, name: str) -> None:
    shapes, base, layout, variant = LORAS[name]
    probe = probed(tmp_path, shapes)
    assert (probe.kind, probe.base, probe.layout, probe.variant) == ("lora", base, layout, variant)
    assert probe.facts["rank"] == (0 if name in ("lokr", "lokr of Z-Image", "glora", "peft boft") else 16)


# --- small files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "kind", "family", "base"),
    [
        ({"emb_params": (8, 768)}, "embedding", "textual-inversion", "sd1"),
        ({"clip_g": (4, 1280), "clip_l": (4, 768)}, "embedding", "textual-inversion", "sdxl"),
        ({"<my-cat>": (768,)}, "embedding", "textual-inversion", "sd1"),
        ({"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)},
         "adapter", "ip-adapter", "sd1"),
        ({"image_proj.latents": (1, 16, 1280), "ip_adapter.1.to_k_ip.weight": (640, 2048)},
         "adapter", "ip-adapter", "sdxl"),
        ({"double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight": (3072, 4096),
          "ip_adapter_proj_model.proj.weight": (65536, 768)}, "adapter", "ip-adapter", "flux"),
        ({"image_proj.proj.0.weight": (2304, 1152), "ip_adapter.0.to_k_ip.weight": (3072, 4096),
          "ip_adapter.1.to_k_ip.weight": (3072, 4096)}, "adapter", "ip-adapter", "flux"),
        ({"redux_up.weight": (12288, 1152), "redux_down.weight": (4096, 12288)},
         "adapter", "redux", "flux"),
        ({"vision_model.embeddings.patch_embedding.weight": (1152, 3, 14, 14),
          "vision_model.head.probe": (1, 1, 1152)}, "vision", "siglip", ""),
        ({"conv_in.weight": (320, 64, 3, 3), "body.0.block1.weight": (320, 320, 3, 3)},
         "control", "sd1", "sd1"),
        ({"1.weight": (64, 4, 3, 3), "3.conv.0.weight": (64, 64, 3, 3)}, "vae", "tiny-4", "sd"),
        ({"decoder.conv_in.weight": (512, 16, 3, 3), "decoder.up.0.block.0.conv1.weight": (128, 128, 3, 3),
          "encoder.conv_in.weight": (128, 3, 3, 3)}, "vae", "kl-16", "flux"),
        ({"lora_controlnet": (0,), "input_blocks.0.0.down": (4, 4)}, "control", "control-lora", "sdxl"),
        ({"shared.weight": (256384, 4096), "encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)},
         "text_encoder", "umt5", ""),
        ({"model.embed_tokens.weight": (152064, 3584), "model.layers.0.self_attn.q_proj.bias": (3584,),
          "visual.blocks.0.attn.qkv.weight": (3840, 1280)}, "text_encoder", "qwen2.5-vl", ""),
    ],
)  # fmt: skip
def test_what_is_added_to_a_model(tmp_path: Path, shapes: Shapes, kind: str, family: str, base: str) -> None:
    probe = probed(tmp_path, shapes)
    assert (probe.kind, probe.family, probe.base) == (kind, family, base)
    if base == "flux" and kind == "adapter":
        sees = {"pooled": 1152, "embedding": 768, "patches": 1152}
        assert probe.facts["width"] == sees[probe.facts["sees"]]


def test_an_unknown_file_says_what_came_closest_and_what_it_lacked(tmp_path: Path) -> None:
    shapes = {name: shape for name, shape in made.flux().items() if not name.startswith("txt_in")}
    probe = probed(tmp_path, shapes)
    assert (probe.kind, probe.family) == (None, "")
    assert "closest came FLUX.1 (missing: txt_in.weight (3072 × 4096))" in probe.reason
