"""Control networks beside the plain ControlNet: T2I-Adapters, unions, and those for transformers."""

from __future__ import annotations

import pytest
import torch

from pipelines.errors import ControlModelUnsuitable, LayerUnsuitable
from pipelines.graph.values import ListValue
from tests.helpers import tiny_controls as nets
from tests.helpers import tiny_pipelines as tiny
from tests.helpers.diffusion_context import wrap
from tests.pipelines.diffusion.test_regions_and_control import control, draw, latent, region, small

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
}  # fmt: skip


def made(name, families, folder):
    """A context with one network, and the inputs of a node that use it."""
    family, make, settings = KINDS[name]
    context = small(families[family], folder)
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
        layers = ListValue([control(*args, control="canny", **info)])
        return latent(context, inputs={"controls": layers, "control": handle})

    plain, half, full = latent(context), drawn(0.5), drawn(1.0)
    assert 0 < (half - plain).abs().mean() < (full - plain).abs().mean()
    late = drawn(1.0, start=0.5)
    assert not torch.allclose(late, plain, atol=1e-5)
    assert not torch.allclose(late, full, atol=1e-5)
    assert torch.equal(plain, latent(context))


def test_several_are_summed_whatever_their_depth_and_beside_regions(families, tmp_path):
    context, first = made("flux", families, tmp_path)
    deep = nets.flux_net(context.loaded.pipeline.transformer, num_layers=2, num_single_layers=2)
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
