"""Control networks beside the plain ControlNet: T2I-Adapters, unions, and those for transformers."""

from __future__ import annotations

import functools

import diffusers
import numpy as np
import PIL.Image
import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from pipelines.errors import ControlModelUnsuitable, LayerUnsuitable
from pipelines.graph.values import Image, ListValue, Mask
from pipelines.models.networks.control_lllite import ControlLLLite
from pipelines.models.networks.control_lora import ControlLora
from pipelines.models.residency.fake import FakeDevice
from pipelines.nodes.inpaint import Inpaint
from tests.helpers import tiny_controls as nets
from tests.helpers import tiny_large, tiny_transformers
from tests.helpers import tiny_pipelines as tiny
from tests.helpers.diffusion_context import wrap
from tests.helpers.fake_card import part_on
from tests.pipelines.diffusion.control.test_regions_and_control import control, draw, latent, region, small

KINDS = {
    "t2i": ("sd1", nets.t2i_adapter, {}),
    "t2i-grey": ("sd1", nets.t2i_adapter, {"channels": 1}),
    "t2i-xl": ("sdxl", nets.t2i_adapter, {}),
    "union": ("sdxl", nets.union_net, {}),
    "sd3": ("sd3", nets.sd3_net, {}),
    "sd3.5-large": (
        "sd3", nets.sd3_net,
        {"joint_attention_dim": None, "use_pos_embed": False, "force_zeros_for_pooled_projection": False},
    ),
    "flux": ("flux", nets.flux_net, {"guidance_embeds": True}),
    "flux-union": ("flux", nets.flux_net, {"num_mode": 6}),
    "flux-xlabs": ("flux", nets.flux_net, {"conditioning_embedding_channels": 4, "patch_size": 2}),
    "union-sd1": ("sd1", nets.union_net, {}),
    "qwen-image": ("qwen-image", nets.qwen_net, {}),
    "z-image": ("z-image", nets.z_image_net, {}),
}  # fmt: skip
MORE = {
    "sana": ("sana", nets.sana_net, {}),
    "qwen-image-inpaint": ("qwen-image", nets.qwen_net, {"extra_condition_channels": 4}),
    "sd3-inpaint": ("sd3", nets.sd3_net, {"extra_conditioning_channels": 1}),
    "z-image-2.0": ("z-image", nets.z_image_later, {"refines": "control_layers"}),
    "z-image-2.1": ("z-image", nets.z_image_later, {}),
}


@functools.cache
def other_family(name):
    """A tiny model of a family that few tests need, with two blocks: Sana adds nothing after the first."""
    build = {
        "qwen-image": tiny_large.qwen_image, "sana": tiny_transformers.sana, "z-image": tiny_large.z_image,
    }  # fmt: skip
    pipeline = build[name]()
    if name == "sana":
        config = {**pipeline.transformer.config, "num_layers": 2}
        pipeline.transformer = type(pipeline.transformer).from_config(config).eval()
    return wrap(pipeline, name=name)


def made(name, families, folder):
    """A context with one network, and the inputs of a node that use it."""
    family, make, settings = {**KINDS, **MORE}[name]
    context = small(families[family] if family in families else other_family(family), folder)
    pipeline = context.loaded.pipeline
    if name.startswith("t2i") and family == "sd1":  # as in the real one, the blocks with attention come first
        pipeline = tiny.sd1()
        pipeline.unet = tiny.unet(
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
        context = small(wrap(pipeline, name="sd1"), folder)
    if family == "sd3":  # nothing is added after its last block
        pipeline = tiny.sd3()
        config = {**pipeline.transformer.config, "num_layers": 2}
        pipeline.transformer = type(pipeline.transformer).from_config(config).eval()
        context = small(wrap(pipeline, name="sd3"), folder)
    denoiser = getattr(pipeline, "unet", None) or pipeline.transformer
    handle = context.with_net(name, make(denoiser, **settings), "")
    return context, ListValue([handle])


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_steers_by_its_weight_and_between_its_steps(name, families, tmp_path):
    context, handle = made(name, families, tmp_path)

    def drawn(*args, **info):
        layers = ListValue([filled(name, control(*args, control="canny", **info))])
        return latent(context, inputs={"controls": layers, "control": handle})

    plain, half, full = latent(context), drawn(0.5), drawn(1.0)
    assert 0 < (half - plain).abs().mean() < (full - plain).abs().mean()
    late = drawn(1.0, start=0.5)
    assert not torch.allclose(late, plain, atol=1e-5)
    assert not torch.allclose(late, full, atol=1e-5)
    assert torch.equal(plain, latent(context))


def filled(name, layer):
    """A layer whose picture is transparent in a corner, for networks made for inpainting."""
    if not name.endswith("inpaint"):
        return layer
    pixels = np.dstack([layer.image.pixels, np.full((64, 64), 255, np.uint8)])
    pixels[32:, :32, 3] = 0
    return layer.with_(image=Image(pixels))


BARE = {
    "sd3": diffusers.StableDiffusion3ControlNetPipeline,
    "sd3-inpaint": diffusers.StableDiffusion3ControlNetInpaintingPipeline,
    "flux": diffusers.FluxControlNetPipeline,
    "qwen-image": diffusers.QwenImageControlNetPipeline,
    "qwen-image-inpaint": diffusers.QwenImageControlNetInpaintPipeline,
    "sana": diffusers.SanaControlNetPipeline,
    "z-image-2.0": diffusers.ZImageControlNetPipeline,
    "z-image-2.1": diffusers.ZImageControlNetPipeline,
}
"""diffusers' own pipelines for control networks."""


@pytest.mark.parametrize("name", BARE)
def test_it_is_the_picture_of_the_bare_library_call(name, families, tmp_path, monkeypatch):
    """Where nothing is left to chance in its encoding of the control picture."""
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda found, generator=None: found.mode())
    context, handle = made(name, families, tmp_path)
    layer = filled(name, control(0.7, control="canny"))
    inputs = {"controls": ListValue([layer]), "control": handle, "negative": "blue"}
    ours = draw(context, inputs=inputs)["image"].pixels / 255.0
    loaded, network = context.loaded.pipeline, context.nets[name].model
    pixels = layer.image.pixels
    more = {"negative_prompt": "blue", "guidance_scale": 4.0}
    if name.startswith("qwen"):
        more = {"negative_prompt": "blue", "true_cfg_scale": 4.0}
    if name.endswith("inpaint"):
        more["control_mask"] = PIL.Image.fromarray(255 - pixels[..., 3])
    if name.startswith("z-image"):
        loaded.tokenizer.chat_template = tiny_large._QWEN_TEMPLATE
        more["guidance_scale"] = 3.0
    if name == "sana":
        more |= {"use_resolution_binning": False, "clean_caption": False}
    if name == "flux":
        more.pop("negative_prompt")
    bare = BARE[name](**{**loaded.components, "controlnet": network})
    bare.set_progress_bar_config(disable=True)
    expected = bare(
        prompt="a field", control_image=PIL.Image.fromarray(pixels[..., :3]), width=64, height=64,
        num_inference_steps=2, controlnet_conditioning_scale=0.7, output_type="np",
        generator=torch.Generator().manual_seed(3), return_dict=False, **more,
    )[0][0]  # fmt: skip
    assert np.abs(ours - expected).max() < 0.01


def test_a_control_lora_is_the_network_it_differs_from_the_model_by(tmp_path):
    """Whatever precision it was opened in; the model is left as it was."""
    pipeline = tiny.sd1()
    pipeline.unet = tiny.unet(layers_per_block=2)
    context = small(wrap(pipeline, name="sd1"), tmp_path)
    before = {name: tensor.clone() for name, tensor in pipeline.unet.state_dict().items()}
    state, dense = nets.control_lora(pipeline.unet)

    def drawn(network, dtype=torch.float32):
        handles = ListValue([context.with_net("lora", network)])
        context.nets["lora"].dtype = dtype
        inputs = {"controls": ListValue([control(0.5)]), "control": handles}
        return latent(context, inputs=inputs, steps=1)

    whole, lora, half = drawn(dense), ControlLora(state), ControlLora(state).to(torch.bfloat16)
    steered = float((whole - latent(context, steps=1)).abs().max())
    assert steered > 0.01
    assert (drawn(lora) - whole).abs().max() < steered / 500
    assert (drawn(half, torch.bfloat16) - whole).abs().max() < steered / 5
    assert all(torch.equal(pipeline.unet.state_dict()[name], tensor) for name, tensor in before.items())
    other = small(wrap(tiny.sd1(), name="other"), tmp_path)
    handle = other.with_net("lora", lora)
    with pytest.raises(ControlModelUnsuitable, match=r"no layer down_blocks\.0\.resnets\.1"):
        draw(other, inputs={"controls": ListValue([control()]), "control": ListValue([handle])})


def test_a_lllite_changes_what_attentions_are_given(tmp_path, monkeypatch):
    pipeline = tiny.sdxl()
    pipeline.unet = type(pipeline.unet).from_config({**pipeline.unet.config, "layers_per_block": 2}).eval()
    context = small(wrap(pipeline, name="sdxl"), tmp_path)
    state = nets.lllite(pipeline.unet.config.block_out_channels[1])
    handle = context.with_net("lite", ControlLLLite(state))

    inputs = {"controls": ListValue([control(0.7)]), "control": ListValue([handle])}
    plain, ours = latent(context, steps=1), latent(context, inputs=inputs, steps=1)
    assert torch.equal(plain, latent(context, steps=1))
    picture = torch.tensor(control().image.as_float()).permute(2, 0, 1)[None] * 2 - 1
    functional = torch.nn.functional

    def changed(name, layer):
        part = {key.partition(".")[2]: tensor for key, tensor in state.items() if name in key}
        seen = functional.conv2d(picture, part["conditioning1.0.weight"], part["conditioning1.0.bias"], 4)
        seen = functional.conv2d(
            seen.relu(), part["conditioning1.2.weight"], part["conditioning1.2.bias"], 4
        ).flatten(2).mT  # fmt: skip
        known = layer.forward

        def forward(given):
            made = functional.linear(given, part["down.0.weight"], part["down.0.bias"]).relu()
            made = torch.cat([seen.expand(len(given), -1, -1), made], 2)
            made = functional.linear(made, part["mid.0.weight"], part["mid.0.bias"]).relu()
            return known(given + 0.7 * functional.linear(made, part["up.0.weight"], part["up.0.bias"]))

        monkeypatch.setattr(layer, "forward", forward)

    unet = pipeline.unet
    changed("input_blocks_5", unet.down_blocks[1].attentions[1].transformer_blocks[0].attn1.to_v)
    changed("middle_block", unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_q)
    expected = latent(context, steps=1)
    assert torch.allclose(ours, expected, atol=1e-4)
    assert (expected - plain).abs().max() > 0.01


@pytest.mark.parametrize("name", ["lora", "z-image"])
def test_what_shares_layers_with_a_model_that_streams_answers_the_same(name, families, tmp_path):
    """Those layers come when they are called, as for the model itself, and no copy of them is held."""
    if name == "lora":
        pipeline = tiny.sd1()
        pipeline.unet = base = tiny.unet(layers_per_block=2)
        network, kind = ControlLora(nets.control_lora(base)[0]), "control-lora"
        context = small(wrap(pipeline, name="sd1"), tmp_path)
        handles = ListValue([context.with_net(kind, network)])
    else:
        context, handles = made(name, families, tmp_path)
        base, network = context.loaded.pipeline.transformer, context.nets[name].model

    def drawn():
        return latent(context, inputs={"controls": ListValue([control()]), "control": handles}, steps=1)

    expected = drawn()
    device = FakeDevice(2**30)
    rooms = [part_on(device, module, lambda part: part.minimum) for module in (base, network)]
    with device.metered():
        assert torch.equal(drawn(), expected)
    assert device.memory.used < sum(part.bytes for part in rooms)
    for part in rooms:
        part.leave()
        part.close()
    assert torch.equal(drawn(), expected)


def test_a_network_that_fills_gaps_is_shown_those_of_its_layer_or_of_the_run(families, tmp_path):
    context, handle = made("sd3-inpaint", families, tmp_path)
    inputs = {"controls": ListValue([control()]), "control": handle}
    with pytest.raises(LayerUnsuitable, match="leave transparent"):
        draw(context, inputs=inputs)
    shown = []
    context.nets["sd3-inpaint"].model.pos_embed_input.register_forward_pre_hook(
        lambda _module, given: shown.append(given[0][0, -1])
    )
    values = np.zeros((64, 64), np.float32)
    values[:, :32] = 1
    exact = {"grow": 0, "feather": 0, "blend": 0}
    inputs |= {"image": control().image, "mask": Mask(values)}
    draw(context, Inpaint, inputs, strength=1.0, **exact)
    assert shown
    assert not shown[0][:, : shown[0].shape[1] // 4].any()
    assert shown[0][:, -1].all()


DEEPER = {
    "flux": (nets.flux_net, {"num_layers": 2, "num_single_layers": 2}),
    "sana": (nets.sana_net, {"num_layers": 2}),
    "z-image": (nets.z_image_later, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", DEEPER)
def test_several_are_summed_whatever_their_depth_and_beside_regions(name, families, tmp_path):
    context, first = made(name, families, tmp_path)
    make, deeper = DEEPER[name]
    deep = make(context.loaded.pipeline.transformer, **deeper)
    second = context.with_net("deep", deep, "")
    one = latent(context, inputs={"controls": ListValue([control()]), "control": first})
    layers = ListValue([control(), control()])
    both = latent(context, inputs={"controls": layers, "control": ListValue([*first, second])})
    assert not torch.allclose(one, both, atol=1e-4)
    inputs = {"controls": ListValue([control()]), "control": first, "regions": ListValue([region()])}
    assert not torch.allclose(one, latent(context, inputs=inputs), atol=1e-4)


def test_a_t2i_adapter_looks_once_and_stands_beside_a_control_net(families, tmp_path):
    context, handle = made("t2i", families, tmp_path)
    seen = []
    context.nets["t2i"].model.register_forward_pre_hook(lambda *_: seen.append(1))
    adapter = latent(context, inputs={"controls": ListValue([control()]), "control": handle})
    assert len(seen) == 1
    net = context.with_net("lines")
    inputs = {"controls": ListValue([control(), control()]), "control": ListValue([*handle, net])}
    assert not torch.allclose(adapter, latent(context, inputs=inputs), atol=1e-4)


def test_what_does_not_fit_is_said_before_anything_is_drawn(families, tmp_path):
    context, union = made("union", families, tmp_path)
    with pytest.raises(LayerUnsuitable, match="wasn't trained on pictures of the kind “other”"):
        draw(context, inputs={"controls": ListValue([control(control="other")]), "control": union})
    other, flux = made("flux", families, tmp_path)
    layers = {"controls": ListValue([control()])}
    context.nets.update(other.nets)
    with pytest.raises(ControlModelUnsuitable, match="steers transformers"):
        draw(context, inputs={**layers, "control": flux})
    sd3 = small(families["sd3"], tmp_path)
    sd3.nets.update(other.nets)
    with pytest.raises(ControlModelUnsuitable, match="another kind of denoiser"):
        draw(sd3, inputs={**layers, "control": flux})
    wide = other.with_net(
        "wide", nets.flux_net(other.loaded.pipeline.transformer, joint_attention_dim=48), ""
    )
    with pytest.raises(ControlModelUnsuitable, match="48 numbers wide"):
        draw(other, inputs={**layers, "control": ListValue([wide])})
    assert not context.denoising + sd3.denoising + other.denoising
