"""References: pictures whose look a drawing follows, read by IP-Adapters."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from transformers import CLIPImageProcessor

from pipelines.diffusion.steering.ip_adapter import opaque, squared
from pipelines.diffusion.steering.ip_attention import cross_attentions, shares
from pipelines.diffusion.steering.steering import Steering
from pipelines.errors import (
    AdapterNotChosen,
    AdapterUnsuitable,
    Cancelled,
    LayerUnsuitable,
    VisionEncoderMissing,
)
from pipelines.graph.values import Image, Layer, ListValue, Mask, ModelHandle
from pipelines.inpaint.box import Box
from pipelines.models.loaded import LoadedAdapter, LoadedVision
from pipelines.models.loading.adapter import build_adapter
from pipelines.nodes.control import ReferenceLayer
from pipelines.nodes.diffusion import EncodePrompt, SampleLatent, TextToImage
from pipelines.nodes.inpaint import ImageToImage, Inpaint
from pipelines.nodes.upscale import DiffusionUpscale
from tests.helpers import adapter_files as made
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.disc import picture

CPU = torch.device("cpu")


@dataclass
class ReferenceContext(DiffusionContext):
    """A context that also has adapters and an encoder of pictures."""

    others: dict[str, object] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def find(self, kind, model, dtype="auto", quantization="none"):
        return self.others[model].handle

    def fitting(self, kind, facts):
        found = self.others.get(kind)
        return (
            found.handle
            if found and {"width": made.SEEN, "projection": made.SEEN}.items() >= facts.items()
            else None
        )

    @contextmanager
    def use(self, handle, context):
        if handle.kind != "diffusion":
            self.used.append(handle.kind)
        yield self.loaded if handle.kind == "diffusion" else self.others[handle.id]

    def with_adapter(self, name="look", variant="", family="sd1", unet=None):
        """The handle of an adapter that is now there, with what it looks through."""
        state = made.ip_adapter(unet or self.loaded.pipeline.unet, variant)
        handle = ModelHandle("adapter", name, f"/nowhere/{name}", family)
        sees = "hidden" if variant else "embedding"
        self.others[name] = LoadedAdapter(
            handle, build_adapter(state, name), CPU, torch.float32, sees, made.SEEN
        )
        vision = ModelHandle("vision", "vision", "/nowhere/vision", "clip-vision")
        self.others.setdefault("vision", LoadedVision(vision, made.vision(), CPU, torch.float32))
        return handle


@pytest.fixture
def context(families, tmp_path):
    return small(families["sd1"], tmp_path)


def small(loaded, folder):
    wrapped = wrap(loaded.pipeline, name=loaded.handle.id, native_size=(64, 64))
    family = "sdxl" if loaded.handle.id == "sdxl" else "sd1"
    wrapped.handle = wrapped.handle.replace(family=family)
    return ReferenceContext(wrapped, folder)


def reference(seed=1, mask=None, size=(24, 40), **info):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return Layer("reference", f"ref {seed}", Image(pixels), mask, {"weight": 1.0, **info})


def draw(context, *layers, adapter=None, node=TextToImage, inputs=None, **params):
    size = {"width": 64, "height": 64} if node is TextToImage else {}
    given = {
        "model": context.loaded.handle, "prompt": "a field", "seed": 3,
        "references": ListValue(layers), "adapter": ListValue(adapter) if adapter else None, **(inputs or {}),
    }  # fmt: skip
    return node().run(given, node.Params(**{"steps": 2, "guidance_scale": 4.0, **size, **params}), context)


def latent(*args, **kwargs):
    return draw(*args, **kwargs)["latent"].tensor()


@pytest.mark.parametrize(("family", "variant"), [("sd1", ""), ("sd1", "plus"), ("sdxl", "full")])
def test_a_run_follows_a_reference_as_diffusers_does_and_leaves_the_model_as_it_was(
    family, variant, families, tmp_path
):
    context = small(families[family], tmp_path)
    pipeline = context.loaded.pipeline
    before = made.digest(pipeline)
    plain = latent(context)
    layer = reference(weight=0.7, size=(32, 32))
    adapter = [context.with_adapter(variant=variant, family=family)]
    led = latent(context, layer, adapter=adapter)
    assert not torch.allclose(plain, led, atol=1e-3)
    assert made.digest(pipeline) == before
    assert torch.equal(plain, latent(context))
    assert torch.allclose(led, _by_diffusers(context, layer, variant), atol=1e-3)
    assert made.digest(pipeline)[0] == before[0]


def _by_diffusers(context, layer, variant):
    """The same by diffusers' own loader and processors, on a copy of the U-Net."""
    import copy

    pipeline = copy.copy(context.loaded.pipeline)
    kept = pipeline.unet
    pipeline.unet = copy.deepcopy(kept)
    state = made.ip_adapter(kept, variant)
    nested = {
        part: {
            name.removeprefix(f"{part}."): value
            for name, value in state.items()
            if name.startswith(f"{part}.")
        }
        for part in ("image_proj", "ip_adapter")
    }
    pipeline.unet._load_ip_adapter_weights([nested], low_cpu_mem_usage=False)
    pipeline.image_encoder = made.vision()
    pipeline.feature_extractor = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    pipeline.set_ip_adapter_scale(layer.info["weight"])
    shown = Pillow.fromarray(layer.image.as_uint8())
    copied = ReferenceContext(wrap(pipeline, name="copy", native_size=(64, 64)), context.cache_dir)
    encoder, whole = (
        pipeline.unet.forward,
        pipeline.prepare_ip_adapter_image_embeds([shown], None, CPU, 1, do_classifier_free_guidance=True),
    )

    def forward(*args, added_cond_kwargs=None, **kwargs):
        return encoder(
            *args, added_cond_kwargs={**(added_cond_kwargs or {}), "image_embeds": whole}, **kwargs
        )

    pipeline.unet.forward = forward
    try:
        return latent(copied)
    finally:
        pipeline.unet = kept


def test_the_encoder_is_shown_the_middle_as_clip_was():
    image = reference(size=(50, 80)).image
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    wanted = processor(Pillow.fromarray(image.as_uint8()), return_tensors="np", do_normalize=False)
    found = squared(opaque(image), 32)
    assert np.abs(found - wanted.pixel_values[0].transpose(1, 2, 0)).max() < 2 / 255
    glass = np.dstack([image.as_uint8(), np.zeros((50, 80), np.uint8)])
    assert (opaque(Image(glass)) == 1).all()


def test_weights_several_references_and_steps(context):
    adapter = [context.with_adapter()]
    plain = latent(context)
    half, full = (latent(context, reference(weight=weight), adapter=adapter) for weight in (0.5, 1.0))
    assert 0 < (half - plain).abs().mean() < (full - plain).abs().mean()
    assert torch.equal(plain, latent(context, reference(weight=0.0)))  # it needs no adapter
    both = latent(context, reference(1), reference(2), adapter=adapter)
    assert not torch.allclose(both, full, atol=1e-3)
    late = latent(context, reference(start=0.5), adapter=adapter)
    assert not torch.allclose(late, full, atol=1e-4)
    assert not torch.allclose(late, plain, atol=1e-4)


def test_two_adapters_each_with_its_reference(context):
    plain, plus = context.with_adapter("plain"), context.with_adapter("plus", "plus")
    one = latent(context, reference(1), reference(2), adapter=[plain, plus])
    own = latent(context, reference(1, adapter="plain"), reference(2, adapter="plus"))
    assert torch.equal(one, own)
    with pytest.raises(AdapterNotChosen, match="2 are connected for 3"):
        draw(context, reference(1), reference(2), reference(3), adapter=[plain, plus])


def test_a_picture_is_read_once_and_the_encoder_is_gone_while_it_draws(context):
    adapter = [context.with_adapter()]
    latent(context, reference(), adapter=adapter)
    latent(context, reference(), adapter=adapter, steps=1)
    assert context.used == ["adapter", "vision", "adapter"]


def test_a_mask_says_where(context):
    adapter = [context.with_adapter()]
    values = np.zeros((64, 64), np.float32)
    plain, full = latent(context), latent(context, reference(), adapter=adapter)
    none = latent(context, reference(mask=Mask(values)), adapter=adapter)
    assert torch.allclose(plain, none, atol=1e-5)
    assert torch.allclose(full, latent(context, reference(mask=Mask(values + 1)), adapter=adapter), atol=1e-5)
    values[:, :32] = 1
    left = latent(context, reference(mask=Mask(values)), adapter=adapter)
    assert not torch.allclose(left, full, atol=1e-3)
    assert not torch.allclose(left, plain, atol=1e-3)


def test_of_a_part_of_the_picture_only_the_mask_is_cut():
    values = np.zeros((64, 64), np.float32)
    values[:, :32] = 1
    layer = reference(mask=Mask(values))
    part = Steering(references=(layer,)).cropped(Box(32, 0, 32, 64), 64, 64).references[0]
    assert part.image is layer.image
    assert part.mask.values.shape == (64, 32)
    assert not part.mask.values.any()


def test_style_and_composition_are_taken_by_different_attentions(families):
    for name in ("sd1", "sdxl"):
        unet = families[name].pipeline.unet
        names = cross_attentions(unet)
        style, composition = (shares(names, leads, unet) for leads in ("style", "composition"))
        assert not any(one and other for one, other in zip(style, composition, strict=True))
    assert shares(
        ["down_blocks.2.attentions.1.x", "up_blocks.0.attentions.1.x", "mid_block.y"], "style", unet
    ) == [0, 1, 0]
    assert (
        sum(shares(["down_blocks.1.attentions.1.x", "down_blocks.2.attentions.1.x"], "composition", unet))
        == 1
    )


def test_batches_regions_and_other_nodes_follow_it_too(context):
    adapter = [context.with_adapter()]
    together = draw(context, reference(), adapter=adapter, batch=2)["latent"]
    alone = latent(context, reference(), adapter=adapter, inputs={"seed": 4})
    assert torch.allclose(together[1].tensor(), alone, atol=1e-4)
    mask = np.zeros((64, 64), np.float32)
    mask[:, :32] = 1
    region = Layer("region", "dog", mask=Mask(mask), info={"prompt": "a dog", "weight": 1.0})
    regions = {"regions": ListValue([region])}
    plain, led = (latent(context, *layers, adapter=adapter, inputs=regions) for layers in ([], [reference()]))
    assert not torch.allclose(plain, led, atol=1e-3)
    for node, more in ((ImageToImage, {}), (Inpaint, {"mask": Mask(mask)}), (DiffusionUpscale, {})):
        inputs = {"image": picture(), **more}
        first, second = (
            draw(context, reference(seed), adapter=adapter, node=node, inputs=inputs)["image"].pixels
            for seed in (1, 2)
        )
        assert not np.array_equal(first, second)
    positive = EncodePrompt().run(
        {"model": context.loaded.handle, "prompt": "a field"}, EncodePrompt.Params(), context
    )["conditioning"]
    sampled = draw(context, reference(), adapter=adapter, node=SampleLatent, inputs={"positive": positive},
                   width=64, height=64)["latent"]  # fmt: skip
    assert torch.allclose(sampled.tensor(), latent(context, reference(), adapter=adapter), atol=1e-4)


def test_it_is_remembered_and_what_does_not_fit_is_said(context, families, tmp_path):
    adapter = context.with_adapter()
    told = draw(context, reference(leads="style"), adapter=[adapter])["image"].info["references"]
    assert told == [
        {"name": "ref 1", "leads": "style", "weight": 1.0, "start": 0.0, "end": 1.0, "adapter": "look"}
    ]
    with pytest.raises(AdapterNotChosen, match="None is connected"):
        draw(context, reference())
    with pytest.raises(AdapterUnsuitable, match="sdxl"):
        draw(context, reference(), adapter=[context.with_adapter("xl", family="sdxl")])
    wide = context.with_adapter("wide", unet=families["sdxl"].pipeline.unet)
    context.others["wide"].handle = wide
    del context.others["vision"]
    with pytest.raises(VisionEncoderMissing, match="look"):
        draw(context, reference(3), adapter=[adapter])
    other = small(families["sd3"], tmp_path)
    other.loaded.handle = other.loaded.handle.replace(family="sd3")
    with pytest.raises(LayerUnsuitable, match=r"ref 1.*sd3"):
        draw(other, reference(), adapter=[adapter])


@pytest.mark.parametrize("broken", ["cancel", "fail"])
def test_after_a_cancel_or_a_failure_the_model_is_as_before(context, broken):
    adapter, pipeline = [context.with_adapter()], context.loaded.pipeline
    before = made.digest(pipeline)

    def stop(*_):
        if broken == "fail":
            raise ValueError("out of order")
        context.cancel.cancel()

    hook = pipeline.unet.conv_out.register_forward_hook(stop)
    with pytest.raises(Cancelled if broken == "cancel" else ValueError):
        draw(context, reference(), adapter=adapter)
    hook.remove()
    assert made.digest(pipeline) == before


def test_the_node_makes_a_layer_for_the_port(context):
    image = reference().image
    handle = context.with_adapter()
    params = ReferenceLayer.Params(weight=0.5, leads="style", end=0.8)
    (layer,) = ReferenceLayer().run({"image": image, "adapter": handle}, params, context)["layers"]
    assert layer.kind == "reference"
    assert dict(layer.info) == {"leads": "style", "weight": 0.5, "start": 0.0, "end": 0.8, "adapter": "look"}
