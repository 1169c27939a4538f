"""Adapters and encoders of pictures: found, opened, and refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPriorReduxPipeline, FluxTransformer2DModel, ReduxImageEncoder
from transformers import CLIPConfig, CLIPModel, SiglipImageProcessor

from pipelines.errors import AdapterMissing, ModelPickled, ModelUnreadable, ModelUnsuitable
from pipelines.models.access import Models
from pipelines.models.catalogue.catalogue import Catalogue, default_roots
from pipelines.models.families.controls import layer_limits
from pipelines.models.loaded import LoadedAdapter
from pipelines.models.loading import ModelLoader
from pipelines.models.loading.adapter import build_adapter
from pipelines.models.residency import Residency
from tests.helpers import adapter_files as made
from tests.helpers.fake_card import FakeCard
from tests.helpers.model_files import LoadingContext, sparse
from tests.helpers.tiny_pipelines import unet

TINY_FLUX: dict[str, Any] = {
    "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2,
    "joint_attention_dim": 32, "axes_dims_rope": (4, 4, 8),
}  # fmt: skip


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """An IP-Adapter as wide as those for Stable Diffusion 1.x."""
    return made.ip_adapter(unet(cross_attention_dim=768))


def access(folder: Path) -> Models:
    catalogue = Catalogue(default_roots(folder))
    return Models(catalogue, Residency(ModelLoader(catalogue)))


def opened(models: Models, kind: str, model: str = "") -> Any:
    with models.use(models.find(kind, model, "fp32"), LoadingContext()) as loaded:
        return loaded


def test_an_adapter_is_found_and_opened_for_its_family(tmp_path: Path, state: Any) -> None:
    made.save(tmp_path / "adapter" / "look.safetensors", state)
    models = access(tmp_path)
    handle = models.find("adapter", "")
    assert (handle.kind, handle.family) == ("adapter", "sd1")
    loaded = opened(models, "adapter")
    assert (loaded.sees, loaded.width) == ("embedding", made.SEEN)
    assert torch.equal(loaded.model.keys[0], state["ip_adapter.1.to_k_ip.weight"])
    assert models.held()[0].bytes == sum(tensor.numel() * 4 for tensor in state.values())
    broken = {name: tensor for name, tensor in state.items() if "to_v_ip" not in name}
    made.save(tmp_path / "adapter" / "look.safetensors", broken)
    with pytest.raises(ModelUnreadable, match="to_v_ip"):
        opened(access(tmp_path), "adapter")


def test_redux_is_opened_as_a_file_or_as_a_folder_with_its_own_encoder(tmp_path: Path) -> None:
    state = made.flux_adapter(FluxTransformer2DModel(**TINY_FLUX), "redux")
    made.save(tmp_path / "adapter" / "redux.safetensors", state)
    embedder = ReduxImageEncoder(made.SEEN, TINY_FLUX["joint_attention_dim"])
    embedder.load_state_dict(state)
    processor = SiglipImageProcessor(size={"height": 32, "width": 32})
    whole = FluxPriorReduxPipeline(made.siglip(), processor, embedder)
    whole.save_pretrained(tmp_path / "adapter" / "whole")
    models, seen = access(tmp_path), torch.rand(1, 16, made.SEEN)
    for name in ("redux.safetensors", "whole"):
        loaded = opened(models, "adapter", name)
        assert (loaded.handle.family, loaded.sees, loaded.width) == ("flux", "patches", made.SEEN)
        with torch.inference_mode():
            assert torch.equal(loaded.model(seen), embedder(seen).image_embeds)
    encoder = opened(models, "vision", str(tmp_path / "adapter" / "whole" / "image_encoder"))
    (tmp_path / "vision").mkdir()
    older = {f"vision_model.{name}": tensor for name, tensor in made.siglip().state_dict().items()}
    made.save(tmp_path / "vision" / "siglip.safetensors", older)
    models, picture = access(tmp_path), torch.rand(1, 3, 32, 32)
    handle = models.fitting("vision", {"siglip": made.SEEN})
    assert handle is not None
    assert handle.id == "siglip.safetensors"
    with torch.inference_mode():
        expected = encoder.model(picture).last_hidden_state
        found = opened(models, "vision", handle.path).model(picture).last_hidden_state
    assert torch.allclose(found, expected, atol=1e-5)
    del older["vision_model.head.probe"]
    made.save(tmp_path / "vision" / "siglip.safetensors", older)
    with pytest.raises(ModelUnreadable, match=r"head\.probe"):
        opened(access(tmp_path), "vision", handle.path)


def test_the_encoder_is_found_by_what_an_adapter_needs(tmp_path: Path) -> None:
    network = made.vision(projection=24)
    state = network.state_dict()
    made.save(tmp_path / "vision" / "small.safetensors", {**state, "logit_scale": torch.ones(())})
    network.save_pretrained(tmp_path / "vision" / "image_encoder")
    words = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    both = {"text_config": words, "vision_config": network.config.to_dict()}
    pair = CLIPModel(CLIPConfig(**both, projection_dim=24))
    pair.load_state_dict(state, strict=False)
    pair.save_pretrained(tmp_path / "vision" / "pair")
    models = access(tmp_path)
    assert models.fitting("vision", {"width": 99}) is None
    assert models.fitting("vision", {"projection": 24}).kind == "vision"
    picture = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        for name in ("small.safetensors", "image_encoder", "pair"):
            found = opened(models, "vision", next(i.path for i in models.list() if i.path.endswith(name)))
            assert torch.allclose(found.model(picture).image_embeds, network(picture).image_embeds, atol=1e-5)


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        ({"image_proj.proj.0.weight": (8, 512), "ip_adapter.1.to_k_ip.weight": (320, 768),
          "ip_adapter.0.to_q_lora.down.weight": (4, 320)}, "faces"),
        ({"image_proj.perceiver_resampler.proj_in.weight": (768, 1280), "image_proj.norm.weight": (768,),
          "ip_adapter.1.to_k_ip.weight": (320, 768)}, "faces"),
        ({"ip_adapter.0.to_k_ip.weight": (2432, 1280), "ip_adapter.1.to_k_ip.weight": (2432, 1280)},
         "other than FLUX.1"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_says_why(tmp_path: Path, shapes: Any, word: str) -> None:
    sparse(tmp_path / "adapter" / "look.safetensors", shapes)
    with pytest.raises(ModelUnsuitable, match=word):
        access(tmp_path).find("adapter", "look.safetensors")
    with pytest.raises(AdapterMissing):
        access(tmp_path).find("adapter", "")


def test_a_pickled_adapter_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    torch.save({"image_proj": {}, "ip_adapter": {}}, tmp_path / "adapter" / "look.bin")
    with pytest.raises(ModelPickled) as caught:
        access(tmp_path).find("adapter", "look.bin")
    assert "diptych models convert" in str(caught.value)


def test_models_say_whether_they_follow_references() -> None:
    adapter = ("sd1", {"reads": "references"})
    assert "layer:reference" not in layer_limits(("sd1-inpaint", {}), [adapter])
    assert "No adapter" in layer_limits(("sdxl", {}), [adapter])["layer:reference"]
    assert "layer:reference" in layer_limits(("pixart", {}), [adapter])
    assert "layer:reference" not in layer_limits(("flux", {}), [], "kontext")
    assert "layer:control" in layer_limits(("sd1", {}), [adapter])
    assert "No adapter" in layer_limits(("flux-control", {}), [adapter])["layer:reference"]
    assert layer_limits(("flux-control", {}), [("flux", {"reads": "references"})]) == {}
    assert "layer:control" not in layer_limits(("sd2-depth", {}), [])


def test_an_adapter_is_a_model_like_others_to_the_manager_of_memory(state: Any) -> None:
    card = FakeCard(10**9)
    card.loader.load = lambda handle, device, context: LoadedAdapter(
        handle, build_adapter(state, handle.id).eval(), card.device.compute, torch.float32
    )
    seen = torch.rand(2, made.SEEN)
    plain = build_adapter(state, "look").eval()
    with card.use("look", "adapter") as adapter, torch.inference_mode():
        expected, found = plain(seen), adapter.model(seen)
    (held,) = card.manager.held()
    assert held.on_device == held.bytes == sum(tensor.numel() * 4 for tensor in state.values())
    for one, other in zip((*found[0], *found[1]), (*expected[0], *expected[1]), strict=True):
        assert torch.equal(one, other)
