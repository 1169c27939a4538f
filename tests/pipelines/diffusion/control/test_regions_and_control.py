"""Layers that steer a drawing: regions with prompts of their own, and pictures read by control networks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from pipelines.diffusion.prompts.regions import region_weights
from pipelines.diffusion.sampling import sampling
from pipelines.diffusion.steering.steering import Steering
from pipelines.errors import (
    Cancelled,
    ControlModelNotChosen,
    ControlModelUnsuitable,
    LayerUnsuitable,
)
from pipelines.graph.values import Image, Layer, ListValue, Mask, ModelHandle
from pipelines.inpaint.geometry import MaskSettings, SizeLimits, plan_crop
from pipelines.inpaint.stitch import cut
from pipelines.models.loaded import LoadedControl
from pipelines.nodes.control import ControlLayer, RegionLayer
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint, Outpaint
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture
from tests.helpers.tiny_pipelines import control_net, unet

FAMILIES = ("sd1", "sdxl", "sd3", "flux")


@dataclass
class SteeredContext(DiffusionContext):
    """A context that also has control models, by their handles' ids."""

    nets: dict[str, LoadedControl] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def find(self, kind, model, dtype="auto", quantization="none"):
        return self.nets[model].handle

    @contextmanager
    def use(self, handle, context):
        if handle.kind == "control":
            self.used.append(handle.id)
        yield self.nets[handle.id] if handle.kind == "control" else self.loaded

    def with_net(self, name="lines", network=None, family="sd1"):
        """The handle of a control model that is now there."""
        handle = ModelHandle("control", name, f"/nowhere/{name}", family)
        network = network or control_net(self.loaded.pipeline.unet)
        self.nets[name] = LoadedControl(handle, network, torch.device("cpu"), torch.float32)
        return handle


@pytest.fixture
def context(families, tmp_path):
    return small(families["sd1"], tmp_path)


def small(loaded, folder):
    """A context on a model that draws 64 × 64 best."""
    return SteeredContext(wrap(loaded.pipeline, name=loaded.handle.id, native_size=(64, 64)), folder)


def draw(context, node=TextToImage, inputs=None, **params):
    """The outputs of a node that draws at 64 × 64."""
    size = {"width": 64, "height": 64} if node is TextToImage else {}
    given = {"model": context.loaded.handle, "prompt": "a field", "seed": 3, **(inputs or {})}
    return node().run(given, node.Params(**{"steps": 2, "guidance_scale": 4.0, **size, **params}), context)


def latent(*args, **kwargs):
    return draw(*args, **kwargs)["latent"].tensor()


def region(prompt="a big red dog", left=0.0, right=0.5, weight=1.0, value=1.0):
    """A layer whose mask covers a part of the width."""
    values = np.zeros((64, 64), np.float32)
    values[:, int(64 * left) : int(64 * right)] = value
    return Layer("region", prompt, mask=Mask(values), info={"prompt": prompt, "weight": weight})


def control(weight=1.0, start=0.0, end=1.0, **info):
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[20:24] = 255
    settings = {"control": "lineart", "weight": weight, "start": start, "end": end, **info}
    return Layer("control", "lines", image=Image(lines), info=settings)


# --- regions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_a_region_changes_the_prediction_where_its_mask_is_and_nowhere_else(name, families, tmp_path):
    context = small(families[name], tmp_path)
    plain = latent(context, steps=1)
    steered = latent(context, inputs={"regions": ListValue([region()])}, steps=1)
    half = plain.shape[-1] // 2
    assert torch.equal(plain[..., half:], steered[..., half:])
    assert not torch.allclose(plain[..., :half], steered[..., :half], atol=1e-4)
    # Under the mask it is the region's prompt that counts, wholly.
    alone = latent(context, inputs={"prompt": "a big red dog"}, steps=1)
    assert torch.allclose(alone[..., :half], steered[..., :half], atol=1e-5)


def test_the_starter_draws_what_each_region_says(starter):
    prompt, yellow = (
        "a green frog on a blue background, flat style",
        "a red apple on a yellow background, flat style",
    )
    given = {"prompt": prompt, "regions": ListValue([region(yellow)])}
    drawn = draw(starter, inputs=given, steps=8, guidance_rescale=0.7)["image"].pixels.astype(int)
    left, right = drawn[:8, :24].mean((0, 1)), drawn[:8, 40:].mean((0, 1))
    assert left[0] > left[2] + 80  # yellow
    assert right[2] > right[0] + 40  # blue


def test_nothing_to_steer_by_is_as_if_nothing_was_connected(context):
    plain = latent(context)
    for inputs in (
        {"regions": ListValue(), "controls": ListValue(), "control": None},
        {"regions": ListValue([region(weight=0.0)])},
    ):
        assert torch.equal(plain, latent(context, inputs=inputs))
    assert not context.warnings
    assert "regions" not in draw(context, inputs={"regions": ListValue()})["image"].info


def test_weight_and_softness_mix_the_prompts(context):
    inside = np.s_[..., :4]
    plain, full, half, soft = (
        latent(context, inputs={"regions": ListValue(layers)}, steps=1)[inside]
        for layers in ([], [region()], [region(weight=0.5)], [region(value=0.5)])
    )
    assert torch.equal(half, soft)
    assert torch.allclose(half, (plain + full) / 2, atol=1e-3)


def test_regions_share_where_they_overlap_and_masks_of_any_size_fit():
    tiny = Layer("region", "tiny", mask=Mask(np.ones((3, 5), np.float32)), info={"weight": 1.0})
    weights = region_weights([region(left=0, right=0.75), region(left=0.5, right=1, weight=0.5)], 8, 8)
    assert weights[:, 0, 0].tolist() == [
        [1] * 4 + [pytest.approx(2 / 3)] * 2 + [0] * 2, [0] * 4 + [pytest.approx(1 / 3)] * 2 + [0.5] * 2
    ]  # fmt: skip
    assert (region_weights([tiny], 8, 8) == 1).all()


def test_a_batch_with_regions_draws_what_each_seed_does_alone_even_in_halves(context, monkeypatch):
    layers = {"regions": ListValue([region()]), "controls": ListValue([control()])}
    layers["control"] = ListValue([context.with_net()])
    original, failed = sampling._denoise, []

    def scarce(*args):
        if len(args[4]) > 2:
            failed.append(1)
            raise torch.OutOfMemoryError("out of memory")
        return original(*args)

    monkeypatch.setattr(sampling, "_denoise", scarce)
    together = draw(context, inputs=layers, batch=3)["latent"]
    alone = draw(context, inputs={**layers, "seed": 5})["latent"]
    assert failed
    assert torch.allclose(together[2].tensor(), alone.tensor(), atol=1e-4)


def test_without_guidance_regions_count_too(context):
    plain, steered = (
        latent(context, inputs={"regions": ListValue(layers)}, steps=1, guidance_scale=1.0)
        for layers in ([], [region()])
    )
    assert torch.equal(plain[..., 4:], steered[..., 4:])
    assert not torch.allclose(plain[..., :4], steered[..., :4], atol=1e-5)


def test_a_region_that_says_or_shows_nothing_is_reported_and_left_out(context):
    layers = ListValue([region(prompt=" "), region(value=0.0)])
    assert torch.equal(latent(context), latent(context, inputs={"regions": layers}))
    assert [warning.code for warning in context.warnings] == ["LayerIgnored"] * 2
    assert {warning.severity for warning in context.warnings} == {"warning"}


def test_a_family_that_reads_one_prompt_only_is_refused_with_the_layers_name(families, tmp_path):
    class OtherTransformer(type(families["sd3"].pipeline.transformer)):
        pass

    other = wrap(families["sd3"].pipeline, name="other")
    transformer = other.pipeline.transformer
    kind, transformer.__class__ = type(transformer), OtherTransformer
    try:
        with pytest.raises(LayerUnsuitable, match=r"a big red dog.*other"):
            draw(small(other, tmp_path), inputs={"regions": ListValue([region()])})
    finally:
        transformer.__class__ = kind


# --- control ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_control_picture_steers_and_its_weight_says_how_much(name, families, tmp_path):
    context = small(families[name], tmp_path)
    given = {"control": ListValue([context.with_net()])}
    plain = latent(context)
    none, half, full = (
        latent(context, inputs={**given, "controls": ListValue([control(weight)])}) for weight in (0, 0.5, 1)
    )
    assert torch.equal(plain, none)
    assert context.used == ["lines"] * 2  # a layer without weight needs no model
    assert 0 < (half - plain).abs().mean() < (full - plain).abs().mean()
    assert not context.loaded.pipeline.unet._forward_pre_hooks
    assert context.loaded.pipeline.unet is vars(context.loaded.pipeline)["unet"]


@pytest.mark.parametrize(
    ("start", "end", "calls"), [(0, 1, 10), (0, 0.5, 5), (0.3, 1, 7), (0.3, 0.7, 4), (0.5, 0.5, 0)]
)
def test_a_control_layer_acts_between_start_and_end(context, start, end, calls):
    handle = context.with_net()
    seen = []
    context.nets["lines"].model.register_forward_pre_hook(lambda *_: seen.append(1))
    layers = ListValue([control(start=start, end=end)])
    latent(context, inputs={"controls": layers, "control": ListValue([handle])}, steps=10)
    assert len(seen) == calls


def test_a_denoising_strength_shortens_the_steps_that_are_divided(context):
    handle, seen = context.with_net(), []
    context.nets["lines"].model.register_forward_pre_hook(lambda *_: seen.append(1))
    inputs = {"controls": ListValue([control(end=0.5)]), "control": ListValue([handle]), "image": picture()}
    latent(context, ImageToImage, inputs, steps=8, strength=0.5)
    assert len(seen) == 2


def test_several_control_layers_are_summed_each_with_its_own_model(context):
    first = context.with_net()
    second = context.with_net("depth", control_net(context.loaded.pipeline.unet))
    torch.nn.init.normal_(context.nets["depth"].model.controlnet_mid_block.weight, std=2.0)
    layers = ListValue([control(), control()])
    own = ListValue([control(model="lines"), control(model="depth")])
    both = latent(context, inputs={"controls": layers, "control": ListValue([first, second])})
    one = latent(context, inputs={"controls": layers, "control": ListValue([first])})
    assert torch.equal(both, latent(context, inputs={"controls": own}))
    assert not torch.allclose(both, one, atol=1e-4)
    layers = ListValue([control(), control(), control()])
    with pytest.raises(ControlModelNotChosen, match="2 are connected for 3"):
        draw(context, inputs={"controls": layers, "control": ListValue([first, second])})


def test_a_layer_turned_off_keeps_its_place_among_the_models(context):
    models = ListValue([context.with_net(), context.with_net("depth")])
    layers = ListValue([control(0), control()])
    draw(context, inputs={"controls": layers, "control": models}, steps=1)
    assert context.used == ["depth"]


def test_a_control_layer_that_no_model_reads_says_what_to_do(context):
    with pytest.raises(ControlModelNotChosen, match=r"lines.*Connect one"):
        draw(context, inputs={"controls": ListValue([control()])})


def test_control_models_that_do_not_fit_are_refused(context, families, tmp_path):
    layers = {"controls": ListValue([control()])}
    with pytest.raises(ControlModelUnsuitable, match="sdxl"):
        draw(context, inputs={**layers, "control": ListValue([context.with_net(family="sdxl")])})
    wide = context.with_net("wide", control_net(unet(cross_attention_dim=64)), "sd")
    with pytest.raises(ControlModelUnsuitable, match="64 numbers wide"):
        draw(context, inputs={**layers, "control": ListValue([wide])})
    transformer = small(families["sd3"], tmp_path)
    net = transformer.with_net("lines", control_net(context.loaded.pipeline.unet))
    with pytest.raises(LayerUnsuitable, match=r"lines.*sd3.*transformer"):
        draw(transformer, inputs={**layers, "control": ListValue([net])})
    assert not context.denoising


def test_cancel_takes_effect_inside_a_control_network(context):
    handle = context.with_net()
    network, reached = context.nets["lines"].model, []
    network.conv_in.register_forward_hook(lambda *_: context.cancel.cancel())
    network.controlnet_cond_embedding.conv_out.register_forward_hook(lambda *_: reached.append(1))
    with pytest.raises(Cancelled):
        draw(context, inputs={"controls": ListValue([control()]), "control": ListValue([handle])})
    assert not reached
    assert not network.conv_in._forward_pre_hooks


# --- where the picture is a part of a larger one ------------------------------------------------------------


def test_layers_are_cut_as_the_picture_is_when_inpainting():
    values = np.zeros((300, 400), np.float32)
    values[40:60, 300:330] = 1
    plan = plan_crop(Mask(values), 1.0, SizeLimits((64, 64), 64, 64 * 64), MaskSettings())
    painted = picture(400, 300)
    layers = (Layer("control", image=painted), Layer("region", mask=Mask(values)))
    part = Steering(regions=layers[1:], controls=layers[:1]).cut(plan)
    assert np.array_equal(part.controls[0].image.pixels, cut(painted, plan)[0].pixels)
    assert (part.regions[0].mask.width, part.regions[0].mask.height) == plan.work
    assert part.regions[0].mask.values.max() > 0.9


def test_an_inpainted_region_and_control_leave_the_rest_alone(context):
    values = np.zeros((64, 64), np.float32)
    values[16:48, 16:48] = 1
    inputs = {"image": picture(), "mask": Mask(values)}
    steering = {
        "regions": ListValue([region()]), "controls": ListValue([control()]),
        "control": ListValue([context.with_net()]),
    }  # fmt: skip
    exact = {"grow": 0, "feather": 0, "blend": 0}
    plain = draw(context, Inpaint, inputs, **exact)["image"]
    steered = draw(context, Inpaint, {**inputs, **steering}, **exact)["image"]
    assert not np.array_equal(plain.pixels, steered.pixels)
    assert np.array_equal(steered.pixels[values == 0], picture().pixels[values == 0])
    assert steered.info["inpaint"]["crop"] == plain.info["inpaint"]["crop"]


def test_a_grown_picture_takes_layers_of_its_own_size_or_of_the_old_one(context):
    sides, old = {"left": 64, "top": 0, "right": 0, "bottom": 0}, region(right=1.0)
    large = Layer("region", old.name, mask=Mask(np.pad(old.mask.values, ((0, 0), (64, 0)))), info=old.info)
    drawn = [
        draw(context, Outpaint, {"image": picture(), "regions": ListValue(layers)}, **sides)
        for layers in ([], [old], [large])
    ]
    assert np.array_equal(drawn[1]["image"].pixels, drawn[2]["image"].pixels)
    assert not torch.equal(drawn[0]["latent"].tensor(), drawn[1]["latent"].tensor())


def test_a_model_made_for_inpainting_shows_its_control_network_the_latents_only(tmp_path):
    from tests.helpers.tiny_pipelines import sd1 as tiny_sd1

    pipeline = tiny_sd1()
    network = control_net(pipeline.unet)
    config = {**pipeline.unet.config, "in_channels": 9}
    pipeline.register_modules(unet=unet(**{k: v for k, v in config.items() if not k.startswith("_")}))
    context = SteeredContext(wrap(pipeline, native_size=(64, 64)), tmp_path)
    seen = []
    network.conv_in.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    inputs = {"controls": ListValue([control()]), "regions": ListValue([region()]), "image": picture()}
    draw(context, ImageToImage, {**inputs, "control": ListValue([context.with_net(network=network)])})
    assert set(seen) == {4}


# --- nodes, and what is remembered --------------------------------------------------------------------------


def test_a_picture_remembers_its_regions_and_controls(context):
    layers = {
        "regions": ListValue([region(weight=0.5)]), "controls": ListValue([control(0.8, 0.1, 0.9)]),
        "control": ListValue([context.with_net("/nowhere/lines.safetensors")]),
    }  # fmt: skip
    info = draw(context, inputs=layers)["image"].info
    assert info["regions"] == [{"name": "a big red dog", "prompt": "a big red dog", "weight": 0.5}]
    assert info["controls"] == [
        {
            "name": "lines", "control": "lineart", "weight": 0.8, "start": 0.1, "end": 0.9,
            "model": "lines.safetensors",
        }
    ]  # fmt: skip


def test_layers_are_made_one_upon_the_other(context):
    handle = context.with_net()
    one = ControlLayer().run({"image": picture(), "model": handle}, ControlLayer.Params(end=0.5), context)
    two = ControlLayer().run({"image": picture(), **one}, ControlLayer.Params(control="depth"), context)
    assert [dict(layer.info) for layer in two["layers"]] == [
        {"control": "lineart", "weight": 1, "start": 0, "end": 0.5, "model": "lines"},
        {"control": "depth", "weight": 1, "start": 0, "end": 1},
    ]
    mask = Mask(np.ones((4, 4), np.float32))
    made = RegionLayer().run({"mask": mask, "prompt": "a red dog"}, RegionLayer.Params(), context)["layers"]
    assert (made[0].kind, made[0].mask, made[0].info["prompt"]) == ("region", mask, "a red dog")
