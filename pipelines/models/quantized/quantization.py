"""Weights in 8 and 4 bits: the linear layers of a model swapped for those of bitsandbytes, one at a time, or
every layer kept in 8-bit floats and computed with in 16 (FP8).

diffusers' own way to bitsandbytes refuses a computer without a card, though that has kernels for processors;
swapping the layers is the same on every device. LLM.int8: Dettmers et al. 2022 (arXiv:2208.07339); NF4:
Dettmers et al. 2023 (arXiv:2305.14314, section 3); FP8: Micikevicius et al. 2022 (arXiv:2209.05433), E4M3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import QuantizationUnavailable
from pipelines.models.device import Torch, capabilities
from pipelines.models.libraries import import_bitsandbytes, import_diffusers

if TYPE_CHECKING:
    import torch

TITLES: Final = {"fp8": "FP8", "int8": "INT8", "nf4": "NF4", "gguf": "GGUF"}
PACKED: Final = frozenset({"int8", "nf4"})
"""Methods of bitsandbytes, whose weights are packed once and computed with as they are."""

BYTES_PER_NUMBER: Final = {"fp8": 1.05, "int8": 1.05, "nf4": 0.55}
"""Memory of a number of a quantized network, with its share of the scales and of what isn't quantized."""

PACKED_BYTES: Final = {"fp8": 1.0, "int8": 1.003, "nf4": 0.53}
"""The same of a number that is quantized; rows of INT8 are taken to be 1,300 long."""

SMALLEST: Final = 4096
"""Layers with fewer numbers stay as they are: nothing is gained, and the scales would cost more."""

BLOCK: Final = 64
"""NF4 keeps one scale for so many numbers of a row (paper, section 3)."""

ROWS: Final = 32
"""The processor kernel of NF4 computes so many rows at once."""

OUTLIERS: Final = 6.0
"""LLM.int8: columns of the input with a larger value are computed in 16 bits (paper, section 3.2)."""

UNCAST: Final = ("pos_embed", "patch_embed", "^proj_in$", "^proj_out$")
"""What FP8 leaves as it is beside norms and embeddings: where a network sees the picture, and says what it
saw. The layers that modulate norms are cast, as bitsandbytes packs them."""


def method_of(quantization: str, part: str) -> str:
    """The method for one network, from a handle's choice.

    ``nf4`` is for what works in every step; ``nf4,text=fp8`` has another for the text encoders, and
    ``nf4,text_encoder_2=fp8`` for one of them. VAEs, which are small, stay as they are.
    """
    main, named = choices(quantization)
    if part.startswith("text_encoder"):
        return named.get(part, named.get("text", "none"))
    return "none" if part.startswith(("vae", "vqvae")) else main


def choices(quantization: str) -> tuple[str, dict[str, str]]:
    """What works in every step is quantized by, and what the parts that are named are."""
    main, *others = quantization.split(",")
    return main, dict(other.split("=", 1) for other in others)


def methods_of(quantization: str) -> frozenset[str]:
    """All the methods that a handle's choice names."""
    main, named = choices(quantization)
    return frozenset({main, *named.values()})


def check(method: str, device: str, torch: Torch) -> None:
    """Raise :class:`QuantizationUnavailable` if a method can't be used on ``device``."""
    if method in ("none", "gguf"):
        return
    if method == "fp8":
        if device.startswith("mps"):
            reason = "Its numbers of 8 bits are unknown to this kind of graphics card."
            raise QuantizationUnavailable(quantization=TITLES[method], reason=reason)
        return
    if not capabilities(device, torch).quantization:
        reason = f"bitsandbytes, which computes with such weights, doesn't serve {device}."
        raise QuantizationUnavailable(quantization=TITLES[method], reason=reason)
    try:
        import_bitsandbytes()  # asked for here, so that nothing is read in vain
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"bitsandbytes can't be used: {str(error)[:200]}."
        raise QuantizationUnavailable(quantization=TITLES[method], reason=reason) from error


def quantize(
    module: torch.nn.Module, method: str, device: str, dtype: torch.dtype, home: torch.device | None = None
) -> int:
    """Swap the linear layers of ``module`` for quantized ones, in place; for ``fp8``, keep every layer's
    weights in 8 bits wherever they are.

    Args:
        module: a denoiser or a language model, in evaluation mode, with dense weights in main memory.
        method: ``fp8``, ``int8`` or ``nf4``.
        device: where layers are packed, one at a time.
        dtype: what is computed in.
        home: where packed layers are put then; they stay on the device if it isn't given.

    Returns:
        How many layers were swapped, or are cast.

    Raises:
        QuantizationUnavailable: there is no layer that could be.
    """
    import torch

    output = getattr(module, "get_output_embeddings", lambda: None)()
    if method == "fp8":
        return _cast(module, dtype, output)
    exact = exact_layers(module)
    chosen = [
        (name, layer)
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not output and packs(layer, method)
        if not exact.intersection(name.split("."))
    ]
    for name, layer in chosen:
        parent, _, leaf = name.rpartition(".")
        packed = pack_layer(layer, method, device, dtype).to(home or device)
        setattr(module.get_submodule(parent), leaf, packed)
    if not chosen:
        reason = "This model has no linear layers of a width that can be quantized."
        raise QuantizationUnavailable(quantization=TITLES[method], reason=reason)
    return len(chosen)


def exact_layers(module: torch.nn.Module) -> frozenset[str]:
    """Names of layers whose values outgrow 16 bits, as the network's class states them; they stay dense.

    Of T5 it is ``wo``: with it in fp16, activations of the largest ones overflow, so that transformers keeps
    it in fp32 beside weights of fp16.
    """
    return frozenset(getattr(module, "_keep_in_fp32_modules", None) or ())


def _cast(module: torch.nn.Module, dtype: torch.dtype, output: torch.nn.Module | None) -> int:
    """Keep weights as E4M3 floats; norms and embeddings (and an ``output`` layer, which may share their
    weights) stay as they are.
    """
    import torch

    diffusers = import_diffusers()
    kept = (torch.nn.Embedding, torch.nn.LayerNorm, torch.nn.GroupNorm)
    outputs = (f"^{re.escape(name)}$" for name, layer in module.named_modules() if layer is output)
    exact = (rf"(^|\.){re.escape(name)}($|\.)" for name in exact_layers(module))
    pattern = (*UNCAST, *outputs, *exact)
    diffusers.hooks.apply_layerwise_casting(
        module, torch.float8_e4m3fn, dtype, skip_modules_pattern=pattern, skip_modules_classes=kept
    )
    return sum(weight.dtype == torch.float8_e4m3fn for weight in module.parameters())


def packs(layer: torch.nn.Module, method: str) -> bool:
    """Whether a layer can be packed, and gains by it."""
    import torch

    if type(layer) is not torch.nn.Linear:
        return False
    if layer.weight.numel() < SMALLEST:
        return False
    return method == "int8" or (layer.in_features % BLOCK == 0 and layer.out_features % ROWS == 0)


def pack_layer(layer: torch.nn.Linear, method: str, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """A linear layer as ``int8`` or ``nf4``, packed on ``device``; see :func:`quantize`."""
    nn = import_bitsandbytes().nn
    bias = layer.bias is not None
    new: Any
    if method == "int8":
        new = nn.Linear8bitLt(
            layer.in_features,
            layer.out_features,
            bias,
            has_fp16_weights=False,
            threshold=OUTLIERS,
            device="meta",
        )
        new.weight = nn.Int8Params(layer.weight.data, requires_grad=False, has_fp16_weights=False)
    else:
        new = nn.Linear4bit(
            layer.in_features, layer.out_features, bias, compute_dtype=dtype, quant_type="nf4", device="meta"
        )
        new.weight = nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", module=new)
    new.bias = layer.bias
    new.requires_grad_(False)
    return new.eval().to(device)
