"""Settings for speed: each does something while it is on, and nothing of it is left when it is off."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from pipelines.diffusion.latents.decoding import decode
from pipelines.errors import Cancelled, OutOfMemory
from pipelines.graph.values import ModelHandle, Speed
from pipelines.models.speed import attention_reasons, compile_reason
from pipelines.models.speed.caching import fresh_cache
from tests.helpers import tiny_pipelines
from tests.helpers.fake_card import FakeCard, draw
from tests.helpers.model_files import LoadingContext


def flux() -> Any:
    """With layers between the first and the last."""
    pipeline = tiny_pipelines.flux()
    torch.manual_seed(0)
    config = {**pipeline.transformer.config, "num_layers": 2, "num_single_layers": 2}
    pipeline.transformer = type(pipeline.transformer).from_config(config).eval()
    return pipeline


@pytest.fixture(autouse=True)
def small_heap() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands for torch's, which takes seconds; notes what is compiled."""
    asked: list[str] = []

    def compile_(call: Any, *, backend: str) -> Any:
        asked.append(backend)
        return lambda *given, **named: call(*given, **named)

    monkeypatch.setattr(torch, "compile", compile_)
    return asked


@pytest.fixture(scope="module")
def card() -> FakeCard:
    return FakeCard(2**30, flux=flux, sd1=tiny_pipelines.sd1)


@pytest.fixture(scope="module")
def plain(card: FakeCard) -> dict[str, torch.Tensor]:
    return {name: picture(card, name)[0] for name in ("flux", "sd1")}


def handle(name: str, **speed: Any) -> ModelHandle:
    return ModelHandle("diffusion", name, f"/{name}", name, fingerprint="1", speed=Speed(**speed))


def picture(card: FakeCard, name: str, **speed: Any) -> tuple[torch.Tensor, list[str]]:
    """A picture at a speed, and why settings were left out."""
    context = LoadingContext("fake:0")
    with card.manager.use(handle(name, **speed), context) as loaded:
        denoiser = getattr(loaded.pipeline, "transformer", None) or loaded.pipeline.unet
        with fresh_cache(loaded.pipeline, denoiser, whole=False):
            drawn = draw(loaded.pipeline, 6)
    return drawn, [" ".join(warning.sentences()) for warning in context.warnings]


def traces(card: FakeCard, name: str) -> Any:
    """What could be left on a denoiser: hooks, processors, compiled calls, and how its weights lie."""
    with card.manager.use(handle(name), LoadingContext("fake:0")) as loaded:
        network = getattr(loaded.pipeline, "transformer", None) or loaded.pipeline.unet
        return [_trace(module) for module in network.modules()]


def _trace(module: torch.nn.Module) -> Any:
    processor, hooked = getattr(module, "processor", None), getattr(module, "_diffusers_hook", None)
    return (
        type(processor), getattr(processor, "_attention_backend", None), len(module._forward_pre_hooks),
        list(getattr(hooked, "_hook_order", ())), module._compiled_call_impl,
        [weight.stride() for weight in module.parameters(recurse=False)],
    )  # fmt: skip


SETTINGS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("flux", {"cache": "first_block", "cache_threshold": 1.0}, 1e-3),
    ("flux", {"cache": "taylor", "cache_every": 2}, 1e-5),
    ("flux", {"cache": "pyramid", "cache_every": 2}, 1e-5),
    ("flux", {"attention": "math"}, 0),
    ("sd1", {"channels_last": True}, 0),
    ("sd1", {"compile": True}, 0),
)  # fmt: skip


@pytest.mark.parametrize(("name", "speed", "least"), SETTINGS)
def test_a_setting_is_there_for_one_handle_only(
    card: FakeCard,
    plain: dict[str, torch.Tensor],
    compiler: list[str],
    name: str,
    speed: dict[str, Any],
    least: float,
) -> None:
    before = traces(card, name)
    drawn, left_out = picture(card, name, **speed)
    assert left_out == []
    change = (drawn - plain[name]).abs().max()
    assert change >= least
    assert change < 0.2
    assert traces(card, name) == before
    assert torch.equal(picture(card, name)[0], plain[name])
    if speed.get("compile"):
        assert torch.equal(picture(card, name, **speed)[0], drawn)
        assert compiler == ["inductor"] * 4  # each of its blocks, once
    assert card.loader.loads.count(name) == 1


@pytest.mark.parametrize(
    ("name", "speed", "reason"),
    [
        ("flux", {"attention": "flash"}, "needs an NVIDIA card"),
        ("flux", {"channels_last": True}, "only convolutions"),
        ("sd1", {"cache": "first_block"}, "no step cache"),
        ("sd1", {"attention": "math"}, "U-Nets"),
    ],
)
def test_what_cannot_be_done_is_left_out_with_the_reason(
    card: FakeCard, plain: dict[str, torch.Tensor], name: str, speed: dict[str, Any], reason: str
) -> None:
    drawn, left_out = picture(card, name, **speed)
    assert len(left_out) == 1
    assert reason in left_out[0]
    assert torch.equal(drawn, plain[name])


def test_nothing_is_left_after_a_failure(card: FakeCard) -> None:
    before = traces(card, "flux")
    speed = {"cache": "pyramid", "attention": "math", "tiling": "on"}
    context = LoadingContext("fake:0")
    context.cancel.cancel()
    seen: list[Any] = []

    def run() -> None:
        with card.manager.use(handle("flux", **speed), context) as loaded:
            seen.extend((loaded, loaded.tiling, traces(card, "flux")))  # the same thread sees it as it is
            context.cancel.check()

    with pytest.raises(Cancelled):
        run()
    assert seen[1] == "on"
    assert seen[2] != before
    assert traces(card, "flux") == before
    assert seen[0].tiling == "auto"


def test_who_wants_another_speed_waits_for_the_one_before(card: FakeCard) -> None:
    seen: list[str] = []

    def other() -> None:
        with card.manager.use(handle("flux"), LoadingContext("fake:0")) as loaded:
            seen.append(loaded.tiling)

    with card.manager.use(handle("flux", tiling="off"), LoadingContext("fake:0")):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.15)
        assert seen == []
    thread.join(10)
    assert seen == ["auto"]


def test_blocks_that_are_fetched_are_not_compiled(compiler: list[str]) -> None:
    def large() -> Any:
        pipeline = tiny_pipelines.sd1()
        pipeline.unet = tiny_pipelines.unet(block_out_channels=(64, 128))
        return pipeline

    size = sum(weight.numel() * 4 for weight in large().unet.parameters())
    card = FakeCard(size - 1000, sd1=large)
    _, left_out = picture(card, "sd1", compile=True, channels_last=True)
    assert ["fetched" in reason for reason in left_out] == [True, True]
    assert compiler == []
    roomy = FakeCard(2 * size, sd1=large)
    with roomy.manager.use(handle("sd1", compile=True), LoadingContext("fake:0")) as loaded:
        assert any(module._compiled_call_impl for module in loaded.pipeline.unet.modules())
        draw(loaded.pipeline, 1)
        loaded.residence.offload("main")
        loaded.residence.offload("main")
        assert loaded.residence.streams("main")  # from here on, since memory ran out
        assert not any(module._compiled_call_impl for module in loaded.pipeline.unet.modules())


@pytest.mark.parametrize(("tiling", "tiles"), [("auto", 0), ("on", 1), ("off", 0)])
def test_a_vae_works_in_tiles_as_it_is_told(card: FakeCard, tiling: str, tiles: int) -> None:
    context = LoadingContext("fake:0")
    with card.manager.use(handle("sd1", tiling=tiling), context) as loaded:
        vae, seen = loaded.pipeline.vae, []
        plain_decode = vae.decode
        try:
            vae.decode = lambda *given, **named: (seen.append(vae.use_tiling), plain_decode(*given, **named))[
                1
            ]
            decode(loaded, torch.zeros(1, 4, 8, 8), context)
            assert seen == [bool(tiles)]
            seen.clear()

            def out_of_memory(*given: Any, **named: Any) -> Any:
                seen.append(vae.use_tiling)
                raise torch.OutOfMemoryError("no")

            vae.decode = out_of_memory
            with pytest.raises(OutOfMemory):
                decode(loaded, torch.zeros(1, 4, 8, 8), context)
            assert (True in seen, False in seen) == (tiling != "off", tiling != "on")
        finally:
            del vae.decode


def test_this_computer_says_what_it_lacks() -> None:
    everything = attention_reasons("cuda:0", lambda library: True)
    assert not any(everything.values())
    assert "flash-attn" in attention_reasons("cuda:0", lambda library: False)["flash"]
    assert attention_reasons("cpu")["native"] == ""
    nothing = {"which": lambda name: None, "found": lambda library: False}
    assert "compiler" in compile_reason("cpu", "win32", **nothing)
    assert "Triton" in compile_reason("cuda:0", **nothing)
    assert compile_reason("cpu", which=lambda name: "/usr/bin/" + name) == ""
    assert compile_reason("mps")
