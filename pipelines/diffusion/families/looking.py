"""Models that look at pictures beside the prompt: to edit them, or to take something over from them.

Their transformers see the pictures' latents as more tokens after those that are drawn; U-Nets see them in
more channels (:mod:`.pix2pix`). diffusers' plain pipeline draws in either case: what is seen is put before
its denoiser, so that batches, starting from a picture, masks and samplers work as they do without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.diffusion.families.base import NOTHING, PipelineFamily
from pipelines.diffusion.wrapped import WrappedDenoiser
from pipelines.graph.values import Image
from pipelines.image import crop, resize

if TYPE_CHECKING:
    import torch

    from pipelines.diffusion.sampling.sampling import SamplingOptions

Size = tuple[int, int]


class Looking(PipelineFamily):
    """What families have in common that look at pictures; sizes are (width, height) in px."""

    most: ClassVar[int] = 1
    """How many pictures it looks at."""
    needed: ClassVar[bool] = True
    """Whether it draws nothing without one."""
    one_prompt: ClassVar[bool] = False
    """Whether it can't have prompts of their own for regions."""
    reads_pictures: ClassVar[bool] = False
    """Whether its text encoder looks at them, too; see :meth:`encode_seeing`."""

    def seen(self, pipeline: Any, image: Image, native: Size, drawn: Size) -> Image:
        """A picture as the denoiser sees it, resampled as its own pipeline does.

        Args:
            native: the size it was trained at, which gives the area.
            drawn: the size of what is drawn.
        """
        return resize(image, *sized(image, math.prod(native), self.size_multiple(pipeline)))

    def read(self, pipeline: Any, image: Image, native: Size) -> Image:
        """A picture as the text encoder sees it."""
        return image

    def encode_seeing(self, pipeline: Any, text: str, pictures: Sequence[Image], device: Any) -> Any:
        """As :meth:`encode`, with the pictures that :meth:`read` gave."""
        return self.encode(pipeline, text, device, 0, negative=False)

    def look(
        self, pipeline: Any, latents: Sequence[torch.Tensor], options: SamplingOptions
    ) -> Mapping[str, Any]:
        """Let a run's own copy of the pipeline see pictures.

        Args:
            latents: 1×C×h×w each, in the model's scaling, on the CPU.

        Returns:
            More arguments of its call.
        """
        return NOTHING


def sized(image: Image, area: int, multiple: int) -> Size:
    """The size of about ``area`` px in the shape of a picture, its sides the nearest multiples."""
    width = math.sqrt(area * image.width / image.height)
    height = width * image.height / image.width
    return _nearest(width, multiple), _nearest(height, multiple)


def _nearest(side: float, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple


def reduced(image: Image, area: int, multiple: int) -> Image:
    """A picture with at most ``area`` px, its middle cut out so that its sides are multiples."""
    scale = min(1.0, math.sqrt(area / (image.width * image.height)))
    width, height = (max(multiple, int(side * scale)) for side in (image.width, image.height))
    sides = width // multiple * multiple, height // multiple * multiple
    left, top = (width - sides[0]) // 2, (height - sides[1]) // 2
    return crop(resize(image, width, height), left, top, *sides)


class Beside(WrappedDenoiser):
    """Lets a transformer see more tokens after those that are drawn; its answer to them is left out.

    Args:
        tokens: 1×T×C.
        more: arguments of its call -> the same with the places of all tokens.
    """

    def __init__(self, inner: Any, tokens: torch.Tensor, more: Any) -> None:
        super().__init__(inner)
        self._tokens, self._more = tokens, more

    def __call__(self, *, hidden_states: torch.Tensor, **named: Any) -> Any:
        import torch

        tokens = self._tokens.to(hidden_states).expand(len(hidden_states), -1, -1)
        seen = torch.cat([hidden_states, tokens], dim=1)
        answer = self._inner(hidden_states=seen, **self._more(named))
        return (answer[0][:, : hidden_states.shape[1]], *answer[1:])
