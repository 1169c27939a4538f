"""Opening one part of a model that comes from a file or a folder of its own: VAE, text encoder, tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ModelUnreadable, ModelUnsuitable, OutOfMemory
from pipelines.files import bytes_text
from pipelines.models.files.gguf_header import read_header as read_gguf
from pipelines.models.files.reading import Reader
from pipelines.models.files.safety import check_folder, read_json
from pipelines.models.libraries import import_diffusers, import_transformers
from pipelines.models.loading.autoencoder import open_vae
from pipelines.models.loading.folder import check_complete, variant_files
from pipelines.models.loading.states import VAE, below, joined_tiny, read_state
from pipelines.models.memory import host_memory
from pipelines.models.parts.files import encoder_beside
from pipelines.models.parts.needed import KIN, OWN_TOKENIZERS, PROCESSORS

if TYPE_CHECKING:
    import torch

_ALONE: Final = ("text_encoder.", "model.text_encoder.")
"""What stands before the weights of an encoder alone in a file, besides what transformers takes off."""
VAES: Final = frozenset({"AutoencoderKL", "AutoencoderTiny", "AutoencoderDC"})
"""Classes of VAEs that a model may be given instead of its own."""


class Parts:
    """Opens parts in one precision, for one model.

    Args:
        configs: where the tokenizers of our own are.
        model: what to call the model in an error.
        vae_dtype: the precision of a VAE, if it isn't that of the rest.
    """

    def __init__(
        self,
        configs: Path,
        model: str,
        dtype: torch.dtype,
        reader: Reader,
        vae_dtype: torch.dtype | None = None,
    ) -> None:
        self.configs, self.model, self.dtype, self.reader = configs, model, dtype, reader
        self.vae_dtype = vae_dtype or dtype

    def given(
        self, sources: Mapping[str, Path], classes: Mapping[str, str], settings: Path
    ) -> dict[str, Any]:
        """The parts of ``sources``, opened.

        Args:
            classes: the class each part of the model has, by its name.
            settings: a folder with one folder for each part's settings.

        Raises:
            ModelUnsuitable: the model has no such part. For the rest see :meth:`open`.
        """
        odd = sorted(set(sources) - set(classes))
        if odd:
            reason = f"This model is made without a {odd[0]}."
            raise ModelUnsuitable(model=self.model, reason=reason, task="being given this part")
        return {name: self.open(name, classes[name], path, settings / name) for name, path in sources.items()}

    def open(self, name: str, cls: str, source: Path, settings: Path) -> Any:
        """A part from a file, or a folder, of its own.

        Args:
            name: the one it has in the pipeline.
            cls: its class.
            settings: a folder with the settings it has in this model; a folder of its own brings its own.

        Raises:
            ModelUnreadable: weights are missing, or of other shapes.
            ModelUnsuitable: it is made for another model.
            OutOfMemory: its weights are packed, and don't fit unpacked.
        """
        if name.startswith("tokenizer"):
            return self.tokenizer(name, cls, source)
        if source.is_dir():
            return self._from_folder(name, cls, source)
        self.reader.read([source])
        if name == "vae":
            state = read_state(source, source.name)
            encoder = encoder_beside(source)
            if encoder is not None and not any(name.startswith("encoder.") for name in state):
                state = joined_tiny(state, read_state(encoder, encoder.name))
            return self.vae(state, settings, source.name)
        if source.suffix.lower() == ".gguf":
            return self._packed_encoder(name, cls, source, settings)
        state = read_state(source, source.name)
        return self.encoder(name, cls, below(state, _ALONE) or state, settings)

    # --- tokenizers -----------------------------------------------------------------------------------------

    def tokenizer(self, name: str, cls: str, source: Path | None = None) -> Any:
        """A tokenizer: one that comes with the program, else that of a folder or of a GGUF file; with what
        reads pictures round it, where ``cls`` says so.

        The OpenCLIP encoders of SD 2.x, XL and 3 were trained with ``!`` (0) as padding.
        """
        if cls in PROCESSORS:
            return self.processor(cls, self.tokenizer(name, PROCESSORS[cls], source))
        transformers = import_transformers()
        if source is None or not (source.is_dir() or source.suffix.lower() == ".gguf"):
            own = self.configs / OWN_TOKENIZERS[cls]
            changes = {}
            if OWN_TOKENIZERS[cls] == "clip_tokenizer":
                changes["pad_token"] = "!" if name == "tokenizer_2" else "<|endoftext|>"
            return getattr(transformers, cls).from_pretrained(str(own), local_files_only=True, **changes)
        if source.is_dir():
            check_folder(source, self.model)
            return transformers.AutoTokenizer.from_pretrained(str(source), local_files_only=True)
        return transformers.AutoTokenizer.from_pretrained(
            str(source.parent), gguf_file=source.name, local_files_only=True
        )

    def processor(self, cls: str, tokenizer: Any) -> Any:
        """What reads pictures beside words, made round a tokenizer."""
        transformers = import_transformers()
        if cls == "PixtralProcessor":
            return transformers.PixtralProcessor(transformers.PixtralImageProcessor(), tokenizer)
        pictures = transformers.Qwen2VLImageProcessor.from_pretrained(
            str(self.configs / "qwen_vl_processor"), local_files_only=True
        )
        video = transformers.Qwen2VLVideoProcessor()
        return transformers.Qwen2VLProcessor(pictures, tokenizer, video_processor=video)

    # --- networks -------------------------------------------------------------------------------------------

    def _from_folder(self, name: str, cls: str, folder: Path) -> Any:
        headers = check_folder(folder, folder.name)
        config = read_json(folder / "config.json", folder.name)
        if name == "vae":
            wanted, cls = cls, str(config.get("_class_name", cls))
            if cls not in {*VAES, wanted}:
                reason = f"It is a {cls}, which this model can't be given."
                raise ModelUnsuitable(model=folder.name, reason=reason, task="turning latents into pictures")
        else:
            stated = (config.get("architectures") or [cls])[0]
            cls = stated if stated in KIN.get(cls, ()) else cls
        chosen, variant = variant_files(sorted(headers))
        self.reader.read(chosen)
        library = import_diffusers() if name == "vae" else import_transformers()
        dtype = self.vae_dtype if name == "vae" else self.dtype
        network, report = getattr(library, cls).from_pretrained(
            str(folder), dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
        check_complete(self.model, name, report["missing_keys"])
        return network

    def encoder(self, name: str, cls: str, state: Mapping[str, torch.Tensor], settings: Path) -> Any:
        """A text encoder in transformers' names, with the settings of ``settings``."""
        import torch

        kind = getattr(import_transformers(), cls)
        config = kind.config_class.from_pretrained(str(settings), local_files_only=True)
        state = (below(state, _LAYERS) if cls in _WORDS else {}) or dict(state)
        if cls == "Qwen3VLModel":
            state = {_seeing(key): tensor for key, tensor in state.items()}
        cut = cls in _WORDS and _LAST not in state
        if cut:
            config.num_hidden_layers = _layers(state) or config.num_hidden_layers
            # What follows the last layer isn't read either, of a model that was cut off there.
            state[_LAST] = torch.ones(config.hidden_size)
        if cls == "CLIPTextModelWithProjection" and config.projection_dim == config.hidden_size == _CLIP_L:
            # Files of CLIP-L leave it out, since it changes nothing of what Stable Diffusion 3 reads.
            state.setdefault("text_projection.weight", torch.eye(config.hidden_size))
        try:
            network, report = kind.from_pretrained(
                None, config=config, state_dict=state, dtype=self.dtype, output_loading_info=True
            )
        except RuntimeError as error:
            if "ignore_mismatched_sizes" not in str(error):
                raise
            reason = f"The weights of its {name} have other sizes than those of its kind."
            raise ModelUnreadable(model=self.model, reason=reason) from error
        check_complete(self.model, name, report["missing_keys"])
        if cut:
            network.norm = torch.nn.Identity()
        return network

    def vae(self, state: Mapping[str, torch.Tensor], settings: Path, file: str) -> Any:
        """A VAE in its original layout or in diffusers', with the settings of ``settings``; or a tiny one."""
        return open_vae(below(state, VAE) or dict(state), settings, file, self.model, self.vae_dtype)

    def _packed_encoder(self, name: str, cls: str, file: Path, settings: Path) -> Any:
        """A text encoder in a GGUF file, unpacked: transformers computes with plain weights.

        Its settings are those of ``settings``: of T5, GGUF files don't say which activation it has, and
        transformers would take the wrong one.

        Raises:
            OutOfMemory: its weights don't fit into main memory unpacked.
        """
        header = read_gguf(file)
        need, free = header.elements * (self.dtype.itemsize + 2), host_memory().free
        if need > free:
            reason = (
                f"The text encoder {file.name} is packed and has to be unpacked, for which it needs "
                f"{bytes_text(need)}; {bytes_text(free)} are free."
            )
            raise OutOfMemory(device="cpu", reason=reason)
        kind = getattr(import_transformers(), cls)
        config = kind.config_class.from_pretrained(str(settings), local_files_only=True)
        network, report = kind.from_pretrained(
            str(file.parent), gguf_file=file.name, config=config, dtype=self.dtype, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
        check_complete(self.model, name, report["missing_keys"])
        return network


_CLIP_L: Final = 768
_WORDS: Final = frozenset({"LlamaModel", "MistralModel", "Qwen3Model"})
"""Classes that read words alone, whatever else the language model can that a file is of."""
_LAST: Final = "norm.weight"
"""What follows the last layer of a language model."""
_LAYERS: Final = ("model.language_model.", "language_model.model.", "language_model.", "model.")
"""What stands before the layers of a language model, in a file that may hold more than those."""


def _seeing(name: str) -> str:
    """The name of a weight in transformers' class of a model that looks at pictures as well: files of it name
    its layers as those of a model that doesn't.
    """
    name = name.removeprefix("model.")
    return name if name.startswith(("visual.", "language_model.", "lm_head.")) else f"language_model.{name}"


def _layers(state: Mapping[str, Any]) -> int:
    """How many layers of a language model are there."""
    numbers = (name.split(".", 2)[1] for name in state if name.startswith("layers."))
    return max((int(number) for number in numbers if number.isdecimal()), default=-1) + 1


def read_classes(folder: Path, model: str) -> dict[str, str]:
    """The class of each part that a diffusers folder's index names.

    Raises:
        ModelUnreadable: the index can't be read.
    """
    index = read_json(folder / "model_index.json", model)
    return {name: str(value[1]) for name, value in index.items() if isinstance(value, list) and value[0]}
