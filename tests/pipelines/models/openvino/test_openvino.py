"""A denoiser computed by OpenVINO: the same answers, and torch's own where there can be none."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace

import pytest
import torch

from pipelines.graph.values import Lora, Speed
from pipelines.models.openvino import OpenvinoDenoiser, Outcome
from pipelines.models.openvino.graphs import Call, Graph, UnsuitableCallError
from pipelines.models.speed.applying import applied
from pipelines.models.speed.choices import runtime_reason
from pipelines.nodes.diffusion import TextToImage
from tests.helpers.diffusion_context import DiffusionContext, wrap
from tests.helpers.tiny_pipelines import WIDTH, sd1, unet


class Watch:
    """A denoiser on a network, and what is heard of it."""

    def __init__(self, network, dtype=torch.float32):
        self.graphs, self.told, self.compared, self.compiled = {}, [], [], 0
        self.denoiser = OpenvinoDenoiser(
            network, dtype, 2, self.graphs, compiling=self._compiling,
            told=lambda outcome, reason: self.told.append(outcome), compared=self.compared.append,
        )  # fmt: skip

    def _compiling(self):
        self.compiled += 1


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return unet().requires_grad_(False)


@pytest.fixture(scope="module")
def watch(network):
    return Watch(network)


def ask(denoiser, side=8, batch=2, time=500, **more):
    torch.manual_seed(side + batch)
    sample, states = torch.randn(batch, 4, side, side), torch.randn(batch, 7, WIDTH)
    with torch.inference_mode():
        return denoiser(
            sample, torch.tensor(time), encoder_hidden_states=states,
            **{"return_dict": False, "timestep_cond": None, **more},
        )[0]  # fmt: skip


def test_answers_are_those_of_torch_at_any_size(watch, network):
    for side, batch, time in ((8, 2, 500), (8, 2, 3), (16, 1, 999)):
        first, again = (ask(watch.denoiser, side, batch, time) for _ in range(2))
        expected = ask(network, side, batch, time)
        assert torch.equal(first, expected) or torch.allclose(first, expected, atol=1e-4)
        assert torch.allclose(again, expected, atol=1e-4)
    assert watch.compiled == 1
    assert len(watch.compared) == 2  # one a size
    assert all(comparison.speedup > 0 and comparison.error < 1e-3 for comparison in watch.compared)
    assert not watch.told


def test_it_really_computes(watch, network):
    """Once a size is agreed on, torch isn't asked any more."""
    ask(watch.denoiser)
    calls = []
    hook = network.register_forward_pre_hook(lambda *_: calls.append(1))
    ask(watch.denoiser)
    hook.remove()
    assert not calls


def test_residuals_of_a_control_network_are_left_to_torch(network):
    watch = Watch(network)
    torch.manual_seed(1)
    sizes = (8, 8), (8, 8), (8, 4), (16, 4)
    rows = [torch.randn(2, channels, side, side) for channels, side in sizes]
    middle = torch.zeros(2, 16, 4, 4)
    more = {"down_block_additional_residuals": rows, "mid_block_additional_residual": middle}
    drawn = [ask(watch.denoiser, **more) for _ in range(2)]
    assert torch.equal(drawn[0], ask(network, **more))
    assert torch.equal(*drawn)
    assert watch.told == [Outcome.UNSUITABLE]
    assert not watch.compiled


def test_a_wrong_graph_is_found_and_not_used(network):
    watch = Watch(network)
    ask(watch.denoiser)
    right = dict(watch.graphs)
    watch.denoiser._agreed.clear()
    for form, graph in right.items():
        watch.graphs[form] = lambda call, dtype, graph=graph: graph(call, dtype) * 1.5
    drawn = [ask(watch.denoiser) for _ in range(2)]
    assert all(torch.equal(answer, ask(network)) for answer in drawn)
    assert watch.told == [Outcome.DIFFERENT]


def test_what_cannot_be_traced_is_left_to_torch():
    class Odd(torch.nn.Module):
        def forward(self, sample, timestep, encoder_hidden_states, return_dict, timestep_cond):
            return (torch.linalg.eigvals(sample.double()).real.to(sample),)

    watch, odd = Watch(Odd()), Odd()
    assert torch.equal(ask(watch.denoiser), ask(odd))
    assert watch.told == [Outcome.FAILED]


def test_half_precision_stays_near(network):
    half = copy.deepcopy(network).to(torch.bfloat16)
    sample, states = torch.randn(1, 4, 8, 8).bfloat16(), torch.randn(1, 7, WIDTH).bfloat16()
    call = Call.of((sample, torch.tensor(9)), {"encoder_hidden_states": states, "return_dict": False})
    with torch.inference_mode():
        found = Graph(half, call, torch.bfloat16, 1)(call, torch.bfloat16)
        expected = half(sample, 9, encoder_hidden_states=states, return_dict=False)[0]
    assert found.dtype == torch.bfloat16
    assert (found - expected).float().norm() < 0.05 * expected.float().norm()


def test_calls_of_one_form_differ_in_tensors_only():
    first = Call.of((torch.zeros(1, 4), 0.5), {"b": None, "a": {"x": torch.zeros(2)}})
    again = Call.of((torch.ones(3, 4), 0.7), {"a": {"x": torch.ones(5)}, "b": None})
    assert first.form == again.form
    assert len(first.tensors) == 3
    assert Call.of((torch.zeros(1, 4), 0.5), {"b": True, "a": {"x": torch.zeros(2)}}).form != first.form
    with pytest.raises(UnsuitableCallError):
        Call.of(([torch.zeros(1)],), {})


def test_nothing_is_told_to_anybody(watch):
    ask(watch.denoiser)
    assert "openvino" in sys.modules
    assert sys.modules["openvino_telemetry"] is None


# --- chosen for a drawing -----------------------------------------------------------------------------------


def drawn(context, runtime, **params):
    options = {"width": 64, "height": 64, "steps": 2, "guidance_scale": 4.0, **params}
    handle = context.loaded.handle.replace(speed=Speed(runtime=runtime))
    inputs = {"model": handle, "prompt": "a red apple", "seed": 3}
    with applied(context.loaded, handle.speed, context):
        return TextToImage().run(inputs, TextToImage.Params(**options), context)["latent"].tensor()


@pytest.fixture(scope="module")
def model():
    return wrap(sd1())


def test_a_drawing_is_the_same_and_nothing_is_left_behind(model, tmp_path):
    context = DiffusionContext(model, tmp_path)
    plain = drawn(context, "torch")
    hooks = []
    hook = model.pipeline.unet.register_forward_pre_hook(lambda *_: hooks.append(1))
    here = drawn(context, "openvino", steps=4)
    hook.remove()
    assert len(hooks) < 4  # traced, and compared once
    assert "compiling" in {report.phase for report in context.reports}
    assert torch.allclose(here, drawn(context, "torch", steps=4), atol=1e-3)
    assert torch.equal(plain, drawn(context, "torch"))
    assert not context.warnings
    context.reports.clear()
    drawn(context, "openvino", steps=4)
    assert "compiling" not in {report.phase for report in context.reports}


def test_other_weights_are_compiled_anew(model, tmp_path):
    context = DiffusionContext(model, tmp_path)
    drawn(context, "openvino")
    model.handle = model.handle.replace(loras=(Lora("a", "/a", "1"),))
    context.reports.clear()
    drawn(context, "openvino")
    assert "compiling" in {report.phase for report in context.reports}


def test_what_has_no_effect_is_told(model, tmp_path):
    context = DiffusionContext(model, tmp_path)
    speed = Speed(runtime="openvino", compile=True)
    with applied(model, speed, context):
        assert model.runtime == "openvino"
    assert model.runtime == "torch"
    assert [warning.arguments["setting"] for warning in context.warnings] == ["Compiling"]
    assert "graphics card" in runtime_reason("cuda:0")
    assert "not installed" in runtime_reason("cpu", lambda name: False)
    packed = replace(model, handle=model.handle.replace(quantization="nf4"))
    context.warnings.clear()
    with applied(packed, Speed(runtime="openvino"), context):
        assert packed.runtime == "torch"
    assert "quantized" in context.warnings[0].arguments["reason"]
