"""Which layers of a pipeline the modules of a LoRA file are.

Trainers call layers by their dotted names in diffusers or in the authors' own code, or by those names with
underscores, behind a prefix of their own. Most are found in a table of a pipeline's layers under all these
spellings. The rest (one layer of the original code that is several here) goes through diffusers' own
converters, with numbers in the place of weights that say afterwards which row went where.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipelines.models.lora.unet_names import original_name
from pipelines.models.lora.weights import Source

if TYPE_CHECKING:
    import torch

DENOISERS: Final = ("unet", "transformer", "transformer_2", "prior")
_ENCODER: Final = re.compile(r"text_encoder(?:_(\d))?$")
_PEFT: Final = "base_model.model."
_DOTTED: Final = ("diffusion_model.", "model.diffusion_model.", _PEFT, "transformer.", "unet.", "")
_FLAT: Final = ("lora_unet_", "lora_transformer_", "lycoris_", "lycoris_unet_")
_ORIGINAL: Final = ("double_blocks.", "single_blocks.")
"""Modules under the names of their authors' own code, which diffusers knows best in kohya's spelling."""
_ATTENTION: Final = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
"""What diffusers once called the projections of text encoders, and what they are called."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A layer that is changed. ``rows`` are those of the file's module that belong to it, and ``to`` the rows
    of the layer they go to; None where it is all of them in their order.
    """

    network: str
    module: str
    rows: torch.Tensor | None = None
    to: torch.Tensor | None = None


def networks_of(pipeline: Any) -> dict[str, torch.nn.Module]:
    """The networks of a pipeline that LoRAs may change by the names they have in it, the denoiser first."""
    import torch

    components = getattr(pipeline, "components", {})
    names = [name for name in DENOISERS if name in components]
    names += sorted(name for name in components if _ENCODER.fullmatch(name))
    return {name: components[name] for name in names if isinstance(components[name], torch.nn.Module)}


class Places:
    """The layers of a pipeline under all the names that files have for them."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.networks = networks_of(pipeline)
        self._known: dict[str, list[Place]] = {}
        self._layers = {
            name: {path for path, layer in network.named_modules() if _has_weights(layer)}
            for name, network in self.networks.items()
        }
        for name, network in self.networks.items():
            for path in self._layers[name]:
                for spelling in self._spellings(name, path, network):
                    self._known.setdefault(spelling, [Place(name, path)])
        for name, network in self.networks.items():
            for path in self._layers[name]:
                self._join(name, path, network)

    def find(
        self, sources: Sequence[Source], shapes: Mapping[str, tuple[int, ...]]
    ) -> dict[str, list[Place]]:
        """The layers of each source by its name; those that aren't there are left out.

        Args:
            shapes: of what each source adds; 0 for sides that aren't known.
        """
        found: dict[str, list[Place]] = {}
        others = []
        for source in sources:
            known = next((self._known[name] for name in _variants(source.name) if name in self._known), None)
            if known is not None:
                found[source.name] = known
            elif shapes.get(source.name, (0,))[0]:
                others.append(source)
        return found | self._converted(others, shapes)

    def _spellings(self, network: str, path: str, module: Any) -> Iterator[str]:
        """All names of one layer."""
        if encoder := _ENCODER.fullmatch(network):
            yield from self._of_encoder(network, int(encoder[1] or 1), path)
            return
        yield f"{network}.{path}"
        original = original_name(path, module) if network == "unet" else None
        for name in filter(None, (path, original)):
            yield from (prefix + name for prefix in _DOTTED)
            yield from (prefix + name.replace(".", "_") for prefix in _FLAT)

    def _join(self, network: str, path: str, module: Any) -> None:
        """The projections of an attention as the one layer they are in the code of some authors, and what
        follows them there."""
        block, dot, leaf = path.rpartition(".to_")
        if not dot or leaf not in ("q", "out.0"):
            return
        if leaf == "out.0":
            places = [Place(network, path)]
        else:
            paths = [f"{block}.to_{letter}" for letter in "qkv"]
            there = self._layers[network].issuperset(paths)
            places = _stacked(network, module, paths) if there else []
        joined = f"{block}.{'out' if leaf == 'out.0' else 'qkv'}"
        for spelling in self._spellings(network, joined, module) if places else ():
            self._known.setdefault(spelling, places)

    def _of_encoder(self, network: str, number: int, path: str) -> Iterator[str]:
        numbers = [number]
        if number == 2 and "text_encoder_3" not in self.networks:
            numbers.append(3)  # of FLUX.1 and its like, T5 is the third for kohya
        # transformers' CLIP encoders lost a level that most LoRAs have in their names.
        inner = path.removeprefix("text_model.")
        for name in dict.fromkeys((path, inner, f"text_model.{inner}")):
            yield f"{network}.{name}"
            flat = name.replace(".", "_")
            for each in numbers:
                yield from (f"{start}_te{each}_{flat}" for start in ("lora", "lycoris"))
            if number == 1:
                yield from (f"{start}_te_{flat}" for start in ("lora", "lycoris"))
            yield from (name, _PEFT + name)

    def _converted(
        self, sources: Sequence[Source], shapes: Mapping[str, tuple[int, ...]]
    ) -> dict[str, list[Place]]:
        """Places by diffusers' converters; where one name makes them fail, the others are tried alone."""
        convert = getattr(self._pipeline, "lora_state_dict", None)
        if not sources or convert is None:
            return {}
        marked = [_marked(source, number, shapes[source.name]) for number, source in enumerate(sources)]
        result = _answer(convert, {key: value for state in marked for key, value in state.items()})
        results = [result] if result is not None else [_answer(convert, state) for state in marked]
        found: dict[str, list[Place]] = {}
        for state in filter(None, results):
            for key, tensor in state.items():
                for source, place in self._read(key, tensor, sources):
                    found.setdefault(source.name, []).append(place)
        return found

    def _read(
        self, key: str, tensor: torch.Tensor, sources: Sequence[Source]
    ) -> Iterator[tuple[Source, Place]]:
        """What the numbers say that came out of a converter: the sources of a layer's rows."""
        ending = next((end for end in (".lora_B.weight", ".lora.up.weight") if key.endswith(end)), None)
        network, _, module = key.removesuffix(ending or "").partition(".")
        if ending is None or module not in self._layers.get(network, ()):
            return
        numbers = tensor.flatten(1)
        for first in range(0, numbers.shape[1] - 1, 2):
            rows, owners = numbers[:, first], numbers[:, first + 1]
            for owner in owners.unique().tolist():
                if owner != int(owner) or not 1 <= owner <= len(sources):
                    continue
                here = (owners == owner).nonzero().flatten()
                yield sources[int(owner) - 1], Place(network, module, (rows[here] - 1).long(), here)


def _stacked(network: str, module: Any, paths: Sequence[str]) -> list[Place]:
    """Layers as the rows of one, in their order."""
    import torch

    places = []
    start = 0
    for path in paths:
        layer = module.get_submodule(path)
        count = getattr(layer, "out_features", layer.weight.shape[0])  # packed weights have other shapes
        places.append(Place(network, path, torch.arange(start, start + count), torch.arange(count)))
        start += count
    return places


def _has_weights(layer: Any) -> bool:
    return any(True for _ in layer.parameters(recurse=False))


def _variants(name: str) -> Iterator[str]:
    """A module's name, and what it would be called today."""
    yield name
    if ".processor." in name:  # diffusers' attention processors had the matrices once
        plain = name.replace(".processor.", ".")
        yield f"{plain}.0" if plain.endswith("to_out") else plain
    block, _, leaf = name.rpartition(".")
    if leaf in _ATTENTION and block.endswith("self_attn"):
        yield f"{block}.{_ATTENTION[leaf]}"


def _marked(source: Source, number: int, shape: Sequence[int]) -> dict[str, torch.Tensor]:
    """A pair of matrices under a source's name: the second has the numbers of its rows and the source's."""
    import torch

    name, ends = source.name, (".lora_A.weight", ".lora_B.weight")
    module = name.removeprefix("diffusion_model.")
    if module.startswith(_ORIGINAL) and ".processor." not in module:
        name, ends = "lora_unet_" + module.replace(".", "_"), (".lora_down.weight", ".lora_up.weight")
    elif source.ending == ".down.weight":
        ends = (".down.weight", ".up.weight")
    elif "." not in name:
        name = f"lora_unet_{name.removeprefix('lycoris_')}" if name.startswith("lycoris_") else name
        ends = (".lora_down.weight", ".lora_up.weight")
    rows = torch.arange(1, shape[0] + 1, dtype=torch.float32)
    up = torch.stack([rows, torch.full_like(rows, number + 1)], dim=1)
    return {name + ends[0]: torch.ones(2, max(shape[1], 1)), name + ends[1]: up}


def _answer(convert: Any, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor] | None:
    """What a converter makes of a state; None if it can't read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = convert(dict(state))
    except (ValueError, RuntimeError, TypeError, KeyError, IndexError, AttributeError):
        return None
    found: Mapping[str, torch.Tensor] = made[0] if isinstance(made, tuple) else made
    return found
