"""Qwen-Image-Edit: its text encoder and its transformer both look at the pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pipelines.diffusion.families.base import NOTHING, Tokens
from pipelines.diffusion.families.chat import count
from pipelines.diffusion.families.looking import Beside, Looking, Size, sized
from pipelines.diffusion.families.qwen_image import QwenImage
from pipelines.diffusion.wrapped import wrap_denoiser
from pipelines.graph.values import Image
from pipelines.image import resize
from pipelines.models.libraries import import_diffusers

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_MULTIPLE: Final = 32
"""What the sides of a picture that is looked at are multiples of."""


class QwenImageEdit(QwenImage, Looking):
    """One picture, of the area it was trained at, for both."""

    reads_pictures: ClassVar[bool] = True
    one_prompt: ClassVar[bool] = True

    def runner(self, pipeline: Any) -> Any:
        """The plain pipeline, made of the same parts: the one for editing draws one picture at a time, and
        encodes the one it looks at again for every run."""
        parts = {name: part for name, part in pipeline.components.items() if name != "processor"}
        plain = import_diffusers().QwenImagePipeline(**parts)
        vars(plain)["encode_prompt"] = _encoded
        return plain

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        return resize(image, *sized(image, math.prod(native), _MULTIPLE))

    def read(self, pipeline: Any, image: Image, native: Size) -> Image:
        return self.seen(pipeline, image, native, native)

    def encode_seeing(self, pipeline: Any, text: str, pictures: Sequence[Image], device: Any) -> Any:
        from PIL import Image as Pillow

        shown = [Pillow.fromarray(picture.as_uint8()) for picture in pictures]
        return pipeline.encode_prompt(text, shown, device)

    def tokens(self, pipeline: Any) -> Tokens:
        """Nothing is cut: its pipeline reads as much as the text encoder can."""
        before = pipeline.prompt_template_encode.partition("{}")[0]
        tokenizer = pipeline.tokenizer
        return Tokens(tokenizer, int(tokenizer.model_max_length), count(tokenizer, before))

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        import torch

        tokens = torch.cat([self.pack(pipeline, picture) for picture in latents], dim=1)
        shapes = [(1, picture.shape[2] // 2, picture.shape[3] // 2) for picture in latents]

        def more(named: dict[str, Any]) -> dict[str, Any]:
            return {**named, "img_shapes": [[*drawn, *shapes] for drawn in named["img_shapes"]]}

        wrap_denoiser(pipeline, lambda inner: Beside(inner, tokens, more))
        return NOTHING


def _encoded(
    *, prompt_embeds: torch.Tensor, prompt_embeds_mask: torch.Tensor | None, **_named: Any
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What was encoded before. The plain pipeline would cut it: a picture alone can have more tokens than it
    reads of a prompt."""
    whole = prompt_embeds_mask is None or bool(prompt_embeds_mask.all())
    return prompt_embeds, None if whole else prompt_embeds_mask


class QwenImageEditPlus(QwenImageEdit):
    """Up to three pictures, which its text encoder sees smaller."""

    most = 3

    def read(self, pipeline: Any, image: Image, native: Size) -> Image:
        return resize(image, *sized(image, math.prod(native) * 384**2 // 1024**2, _MULTIPLE))
