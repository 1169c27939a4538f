"""Kandinsky 5 made for editing: a picture's latents and a mark are more channels of its transformer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pipelines.diffusion.families.base import NOTHING, Tokens
from pipelines.diffusion.families.chat import count
from pipelines.diffusion.families.kandinsky5 import Kandinsky5
from pipelines.diffusion.families.looking import Looking, Size
from pipelines.diffusion.wrapped import WrappedDenoiser, wrap_denoiser
from pipelines.graph.values import Image
from pipelines.image import resize
from pipelines.models.libraries import import_diffusers

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

_LONGEST: Final = 1024
"""Tokens of a prompt and a picture that are read at most."""
_PICTURE: Final = 334
"""Tokens of a picture of 1024² px, which the text encoder sees at half its sides: one for 28² px."""


class Kandinsky5Edit(Kandinsky5, Looking):
    """One picture, in the size of what is drawn; its text encoder looks at it, too."""

    reads_pictures: ClassVar[bool] = True
    one_prompt: ClassVar[bool] = True

    def runner(self, pipeline: Any) -> Any:
        """The pipeline that draws from a prompt: the one for editing would encode the picture by chance."""
        return import_diffusers().Kandinsky5T2IPipeline(**pipeline.components)

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        return resize(image, *drawn)

    def read(self, pipeline: Any, image: Image, native: Size) -> Image:
        return Looking.seen(self, pipeline, image, native, native)

    def encode_seeing(self, pipeline: Any, text: str, pictures: Sequence[Image], device: Any) -> Any:
        from PIL import Image as Pillow

        (picture,) = pictures
        return pipeline.encode_prompt(text, Pillow.fromarray(picture.as_uint8()), device=device)

    def tokens(self, pipeline: Any) -> Tokens:
        tokenizer = pipeline.tokenizer.tokenizer
        before = count(tokenizer, pipeline.prompt_template.partition("{}")[0])
        limit = _LONGEST - _PICTURE + int(pipeline.prompt_template_encode_start_idx)
        return Tokens(tokenizer, limit, before)

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        (picture,) = latents
        shown = self.pack(pipeline, picture)
        wrap_denoiser(pipeline, lambda inner: _Seeing(inner, shown))
        return NOTHING


class _Seeing(WrappedDenoiser):
    """Shows a picture, 1×1×h×w×C, in the channels after those that are drawn, and marks it as there."""

    def __init__(self, inner: Any, shown: torch.Tensor) -> None:
        super().__init__(inner)
        self._shown = shown

    def __call__(self, *, hidden_states: torch.Tensor, **named: Any) -> Any:
        import torch

        shown = self._shown.to(hidden_states).expand_as(hidden_states)
        mark = torch.ones_like(hidden_states[..., :1])
        return self._inner(hidden_states=torch.cat([hidden_states, shown, mark], dim=-1), **named)
