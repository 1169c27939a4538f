"""References that FLUX.1 follows: IP-Adapters of both kinds, and Redux, whose tokens follow the prompt's."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
import torch
from diffusers import FluxControlPipeline, FluxPriorReduxPipeline, ReduxImageEncoder
from PIL import Image as Pillow
from transformers import CLIPImageProcessor, SiglipImageProcessor

from pipelines.errors import AdapterUnsuitable, VisionEncoderMissing
from pipelines.graph.values import Layer, ListValue, Mask, ModelHandle
from pipelines.models.loaded import LoadedAdapter, LoadedVision
from pipelines.models.loading.adapter import build_adapter
from pipelines.models.networks.picture_encoders import facts_wanted
from pipelines.nodes.diffusion import TextToImage
from pipelines.nodes.inpaint import Inpaint
from tests.helpers import adapter_files as made
from tests.helpers.diffusion_context import wrap
from tests.helpers.disc import picture
from tests.helpers.tiny_followers import flux_control
from tests.helpers.tiny_pipelines import unet
from tests.helpers.tiny_transformers import flux_dev
from tests.pipelines.diffusion.steering.test_references import ReferenceContext, reference

CPU = torch.device("cpu")
HEAD = 16
SEES = {"xlabs": "embedding", "instantx": "pooled", "redux": "patches"}


class FluxContext(ReferenceContext):
    """A context that has both kinds of encoders."""

    def fitting(self, kind, facts):
        name = "clip" if "projection" in facts else "siglip"
        return self.others[name].handle if name in self.others else None


@pytest.fixture(scope="module")
def pipelines():
    return {"flux": flux_dev(), "flux-control": flux_control()}


@pytest.fixture(scope="module")
def others(pipelines):
    """Adapters and what they look through, by name."""
    found = {}
    for layout, sees in SEES.items():
        state = made.flux_adapter(pipelines["flux"].transformer, layout)
        handle = ModelHandle("adapter", layout, f"/nowhere/{layout}", "flux")
        network = build_adapter(state, layout, HEAD).eval()
        found[layout] = LoadedAdapter(handle, network, CPU, torch.float32, sees, made.SEEN)
    for name, network in (("clip", made.vision()), ("siglip", made.siglip())):
        handle = ModelHandle("vision", name, f"/nowhere/{name}", name)
        found[name] = LoadedVision(handle, network, CPU, torch.float32)
    return found


def opened(pipelines, others, folder, family="flux"):
    loaded = wrap(pipelines[family], name=family, native_size=(64, 64))
    loaded.handle = loaded.handle.replace(family=family)
    return FluxContext(loaded, folder, others=dict(others))


@pytest.fixture
def context(pipelines, others, tmp_path):
    return opened(pipelines, others, tmp_path)


def draw(context, *layers, adapter="xlabs", node=TextToImage, inputs=None, **params):
    size = {"width": 64, "height": 64} if node is TextToImage else {}
    given = {
        "model": context.loaded.handle, "prompt": "a field", "seed": 3, "references": ListValue(layers),
        "adapter": ListValue([context.others[adapter].handle]), **(inputs or {}),
    }  # fmt: skip
    return node().run(given, node.Params(**{"steps": 2, "guidance_scale": 4.0, **size, **params}), context)


def latent(*args, **kwargs):
    return draw(*args, **kwargs)["latent"].tensor()


def usual(pipeline):
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    return {
        "width": 64, "height": 64, "num_inference_steps": 2, "guidance_scale": 4.0, "output_type": "latent",
        "latents": pipeline._pack_latents(noise, *noise.shape),
    }  # fmt: skip


def unpacked(pipeline, latents):
    return pipeline._unpack_latents(latents.float(), 64, 64, pipeline.vae_scale_factor)


def shown(layer):
    return Pillow.fromarray(layer.image.as_uint8())


def test_an_adapter_by_xlabs_is_followed_as_diffusers_does(context):
    layer = reference(weight=0.7, size=(32, 32))
    pipeline = copy.copy(context.loaded.pipeline)
    before, plain = made.digest(context.loaded.pipeline), latent(context)
    led = latent(context, layer)
    assert made.digest(context.loaded.pipeline) == before
    vars(pipeline)["transformer"] = copy.deepcopy(pipeline.transformer)
    state = made.flux_adapter(pipeline.transformer, "xlabs")
    nested = {
        "image_proj": {name.removeprefix("ip_adapter_proj_model."): state[name] for name in state
                       if name.startswith("ip_adapter_proj_model.")},
        "ip_adapter": {
            f"{name.split('.')[1]}.to_{name.split('_proj.')[0][-1]}_ip.{name.rpartition('.')[2]}": state[name]
            for name in state if name.startswith("double_blocks.")
        },
    }  # fmt: skip
    pipeline.transformer._load_ip_adapter_weights([nested], low_cpu_mem_usage=False)
    pipeline.set_ip_adapter_scale(0.7)
    pipeline.set_progress_bar_config(disable=True)
    size = {"height": 32, "width": 32}
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    with torch.inference_mode():
        seen = made.vision()(processor(shown(layer), return_tensors="pt").pixel_values).image_embeds
        embeds = {"ip_adapter_image_embeds": [seen[None]], "negative_ip_adapter_image_embeds": [seen[None]]}
        result = pipeline("a field", **embeds, **usual(pipeline)).images
    assert torch.allclose(led, unpacked(pipeline, result), atol=1e-3)
    assert not torch.allclose(led, plain, atol=0.01)


def test_redux_is_read_as_diffusers_does(context):
    layer = reference(size=(32, 48))
    pipeline = copy.copy(context.loaded.pipeline)
    pipeline.set_progress_bar_config(disable=True)
    embedder = ReduxImageEncoder(made.SEEN, pipeline.transformer.config.joint_attention_dim)
    embedder.load_state_dict(made.flux_adapter(pipeline.transformer, "redux"))
    encoders = ("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    prior = FluxPriorReduxPipeline(
        image_encoder=made.siglip(), image_embedder=embedder,
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
        **{name: getattr(pipeline, name) for name in encoders},
    )  # fmt: skip
    with torch.inference_mode():
        embeds, pooled = prior(shown(layer), prompt="a field", return_dict=False)
        result = pipeline(prompt_embeds=embeds, pooled_prompt_embeds=pooled, **usual(pipeline)).images
    led = latent(context, layer, adapter="redux")
    assert torch.allclose(led, unpacked(pipeline, result), atol=1e-3)
    assert not torch.allclose(led, latent(context), atol=0.01)


def test_an_adapter_by_instantx_goes_the_way_of_the_attention(context):
    layer = reference(weight=0.7, size=(32, 32))
    led, plain = latent(context, layer, adapter="instantx"), latent(context)
    assert not torch.allclose(led, plain, atol=0.01)
    with _looking(context.loaded.pipeline.transformer, context.others["instantx"].model, layer):
        assert torch.allclose(led, latent(context), atol=1e-3)


@contextmanager
def _looking(transformer, adapter, layer) -> Iterator[None]:
    """The same by hooks: what is seen is added to what goes into a block's last layer, or comes out of it."""
    processor = SiglipImageProcessor(size={"height": 32, "width": 32})
    with torch.inference_mode():
        seen = made.siglip()(processor(shown(layer), return_tensors="pt").pixel_values).pooler_output
        keys, values = adapter(seen)
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    found = {}

    def see(attention, index, hidden):
        queries = attention.norm_q(attention.to_q(hidden).unflatten(-1, (attention.heads, -1)))
        own = [part[index].unflatten(-1, (attention.heads, -1)).transpose(1, 2) for part in (keys, values)]
        answer = torch.nn.functional.scaled_dot_product_attention(queries.transpose(1, 2), *own)
        found[index] = 0.7 * answer.transpose(1, 2).flatten(2)

    with ExitStack() as stack:
        for index, block in enumerate(blocks):
            attention = block.attn
            hooks = [
                attention.register_forward_pre_hook(
                    lambda module, _, named, at=index: see(module, at, named["hidden_states"]),
                    with_kwargs=True,
                )
            ]
            if index < len(transformer.transformer_blocks):
                hooks.append(
                    attention.to_out[0].register_forward_pre_hook(
                        lambda _, given, at=index: (given[0] + found[at],)
                    )
                )
            else:
                hooks.append(
                    attention.register_forward_hook(lambda _, __, answer, at=index: answer + found[at])
                )
            for hook in hooks:
                stack.callback(hook.remove)
        yield


@pytest.mark.parametrize("adapter", sorted(SEES))
def test_weight_steps_places_and_several(context, adapter):
    plain, full = latent(context), latent(context, reference(), adapter=adapter)
    half, late = (
        latent(context, reference(**info), adapter=adapter) for info in ({"weight": 0.1}, {"start": 0.5})
    )
    assert 0 < (half - plain).abs().mean() < (full - plain).abs().mean()
    for other in (plain, full):
        assert not torch.allclose(late, other, atol=1e-4)
    values = np.zeros((64, 64), np.float32)
    nowhere, everywhere = (
        latent(context, reference(mask=Mask(values + there)), adapter=adapter) for there in (0, 1)
    )
    assert torch.allclose(nowhere, plain, atol=1e-4)
    assert torch.allclose(everywhere, full, atol=1e-4)
    values[:, :32] = 1
    left = latent(context, reference(mask=Mask(values)), adapter=adapter, steps=1)
    away = (left - latent(context, steps=1)).abs().mean(dim=(0, 1, 2))
    assert away[:4].mean() > 1.2 * away[4:].mean()
    both = draw(context, reference(), reference(2), adapter=adapter, batch=2)["latent"]
    assert not torch.allclose(both[0].tensor(), full, atol=1e-3)


def test_all_kinds_together_and_in_models_made_of_flux(pipelines, others, tmp_path):
    context = opened(pipelines, others, tmp_path, "flux-control")
    assert type(context.loaded.pipeline) is FluxControlPipeline
    control = {"controls": ListValue([Layer("control", "lines", picture(), None, {})])}
    own = [reference(number, adapter=name) for number, name in enumerate(sorted(SEES))]
    plain, led = (latent(context, *layers, inputs=control) for layers in ((), own))
    assert not torch.allclose(plain, led, atol=1e-3)
    values = np.zeros((64, 64), np.float32)
    values[:, :32] = 1
    inputs = {"image": picture(), "mask": Mask(values), **control}
    one, other = (draw(context, *layers, node=Inpaint, inputs=inputs)["image"] for layers in ((), own))
    assert not np.array_equal(one.pixels, other.pixels)


def test_what_does_not_fit_is_said(context):
    draw(context, reference(leads="style"))
    assert [warning.arguments["setting"] for warning in context.warnings] == ["Leads"]
    handle = ModelHandle("adapter", "old", "/nowhere/old", "flux")
    network = build_adapter(made.ip_adapter(unet()), "old")
    context.others["old"] = LoadedAdapter(handle, network, CPU, torch.float32, "embedding", made.SEEN)
    with pytest.raises(AdapterUnsuitable, match="U-Net"):
        draw(context, reference(), adapter="old")
    del context.others["siglip"]
    with pytest.raises(VisionEncoderMissing, match=r"redux.*32 wide"):
        draw(context, reference(9), adapter="redux")
    assert facts_wanted("patches", 1152) == {"siglip": 1152}
