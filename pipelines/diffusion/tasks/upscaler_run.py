"""One picture on its way through a diffusion upscaler: padded, cut into pieces, and blended.

Everything is counted in *cells*: a cell is one pixel of the latents that are drawn, whatever it is of the
picture.
"""

from __future__ import annotations

import copy
import functools
import inspect
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipelines.diffusion.interrupt import cancellable
from pipelines.diffusion.latents.decoding import decode_one
from pipelines.diffusion.latents.encode_image import encode_image
from pipelines.diffusion.latents.shape import size_multiple
from pipelines.diffusion.memory import free_cache, is_out_of_memory
from pipelines.diffusion.prompts.encoding import encode
from pipelines.diffusion.samplers.noise import SEEDS, generators
from pipelines.diffusion.samplers.scheduling import build
from pipelines.diffusion.samplers.table import Sampler, Schedule
from pipelines.diffusion.tasks.pieces import WholePreview, grid
from pipelines.errors import OutOfMemory
from pipelines.graph.values import Array, Image
from pipelines.inpaint.box import Box
from pipelines.upscale.tiles import weight

if TYPE_CHECKING:
    import torch

    from pipelines.graph.node import Context
    from pipelines.models.loaded import LoadedDiffusion

MIN_SIDE: Final = 64
"""The least side of a piece in input pixels that is asked for; memory that runs out may halve it."""
_LATENT_SCALE: Final = 2
_SAMPLE: Final = 64
"""Latent pixels a side that a denoiser without a stated size is taken to draw best."""


def sees_pixels(loaded: LoadedDiffusion) -> bool:
    """Whether the denoiser sees the small picture itself (and adds noise to it), not its latents."""
    return getattr(loaded.pipeline, "low_res_scheduler", None) is not None


def scale_of(loaded: LoadedDiffusion) -> int:
    """By how much a diffusion upscaler enlarges: its VAE's factor where it sees pixels, else 2."""
    return int(loaded.pipeline.vae_scale_factor) if sees_pixels(loaded) else _LATENT_SCALE


class UpscalerRun:
    """Enlarges one picture.

    Args:
        loaded: an upscaler of diffusers.
        pixels: H×W×3 float32 in 0..1.
        tile: side of a piece in input pixels; 0 is the model's native size.
    """

    def __init__(
        self,
        loaded: LoadedDiffusion,
        pixels: Array,
        prompt: str,
        negative: str,
        seed: int,
        context: Context,
        *,
        steps: int,
        guidance_scale: float,
        noise_level: int,
        tile: int,
    ) -> None:
        self._loaded, self._context, self._seed, self._steps = loaded, context, seed, steps
        self._guidance_scale, self._noise_level = guidance_scale, noise_level
        self._height, self._width = pixels.shape[:2]
        scale, factor = scale_of(loaded), int(loaded.pipeline.vae_scale_factor)
        self._cell = max(1, factor // scale)  # input pixels a cell is wide
        self._grown = self._cell * scale  # output pixels
        multiple = _multiple(loaded, self._cell)
        self._least = 2 * multiple  # some denoisers mirror the edge, which a single pixel hasn't
        needed = multiple * self._cell
        more = [(0, max(-side % needed, 2 * needed - side)) for side in pixels.shape[:2]]
        self._pixels = np.pad(pixels, (*more, (0, 0)), mode="edge")
        side = max(tile, MIN_SIDE) // self._cell if tile else _native(loaded)
        self._limit = max(side // multiple * multiple, self._least)
        self._embeds = _embeds(loaded, prompt, negative, guidance_scale, context)
        self._noise, self._picture_noise = self._draw_noise()
        self._pieces, self._total, self._told = 0, 1, 0
        self._preview = WholePreview(Image(pixels))

    def _draw_noise(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Unit noise for all latents and, where pixels are seen, for the picture: 1×C×h×w in cells."""
        import torch

        (source,) = generators([self._seed])
        cells = [side // self._cell for side in self._pixels.shape[:2]]
        channels = int(self._loaded.pipeline.vae.config.latent_channels)
        latents = torch.randn((1, channels, *cells), generator=source)
        seen = 3 if sees_pixels(self._loaded) else 0
        return latents, torch.randn((1, seen, *cells), generator=source)

    def picture(self) -> Array:
        """H×W×3 float32 in 0..1, enlarged.

        Raises:
            OutOfMemory, DecodeFailed, EncodeFailed, Cancelled: as their texts say.
        """
        import torch

        height, width = (side // self._cell for side in self._pixels.shape[:2])
        self._total = len(grid(width, height, self._limit, 1))
        self._context.progress(0, self._total * self._steps, phase="denoising")
        scale = self._grown // self._cell
        with torch.inference_mode():
            whole = self._blended(Box(0, 0, width, height), self._limit, count=True)
        return np.clip(whole[: self._height * scale, : self._width * scale], 0, 1)

    def _blended(self, area: Box, side: int, *, count: bool = False) -> Array:
        """An area given in cells, drawn in pieces of at most ``side`` cells."""
        pieces = grid(area.width, area.height, side, 1)
        grown = self._grown
        if len(pieces) == 1:
            whole = self._piece(area)
            self._count(count, area, whole)
            return whole
        result = np.zeros((area.height * grown, area.width * grown, 3), np.float32)
        for piece in pieces:
            rows, columns = piece.rows, piece.columns
            box = pieces.box(piece)
            box = Box(area.x + box.x, area.y + box.y, box.width, box.height)
            drawn = self._piece(box)
            target = result[
                rows.start * grown : rows.end * grown, columns.start * grown : columns.end * grown
            ]
            target += drawn * weight(piece, grown)
            self._count(count, box, drawn)
        return result

    def _count(self, count: bool, area: Box, drawn: Array) -> None:
        """A piece of the whole is done, if it is one: tell, and show it."""
        if not count:
            return
        self._pieces += 1
        where = Box(*(side * self._cell for side in area)).clipped(self._width, self._height)
        scale = self._grown // self._cell
        shown = np.clip(drawn[: where.height * scale, : where.width * scale], 0, 1)
        preview = self._preview.put(Image(shown), where)
        done = self._pieces * self._steps
        self._context.progress(done, self._total * self._steps, phase="denoising", preview=preview)

    def _piece(self, area: Box) -> Array:
        """One piece; cut into smaller ones where memory runs out, and so are those that follow."""
        longest = max(area.width, area.height)
        if longest > self._limit:
            return self._blended(area, self._limit)
        try:
            return self._drawn(area)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = str(error)[:300]
        # Outside the handler: the exception keeps the failed attempt's tensors alive.
        free_cache(str(self._loaded.device))
        smaller = longest // self._least * self._least // 2
        if smaller < self._least:
            raise OutOfMemory(device=str(self._loaded.device), reason=problem)
        self._limit = smaller
        return self._blended(area, smaller)

    def _drawn(self, area: Box) -> Array:
        """h×w×3 in 0..1 (nearly): the model's picture of an area."""
        import torch

        context, loaded, cell = self._context, self._loaded, self._cell
        context.cancel.check()
        pipeline = copy.copy(loaded.pipeline)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.scheduler = build(
            Sampler.DEFAULT, Schedule.DEFAULT, loaded.pipeline, seeds=[self._seed], model=loaded.handle.id
        )
        generator = generators([(self._seed + 1 + area.y * self._pixels.shape[1] + area.x) % SEEDS])
        self._watch(pipeline.scheduler, generator)
        rows, columns = slice(area.y, area.bottom), slice(area.x, area.right)
        pixels = self._pixels[area.y * cell : area.bottom * cell, area.x * cell : area.right * cell]
        arguments: dict[str, Any] = {
            **self._embeds, "num_inference_steps": self._steps, "guidance_scale": self._guidance_scale,
            "latents": self._placed(self._noise[..., rows, columns]), "generator": generator,
            "output_type": "latent", "return_dict": False,
        }  # fmt: skip
        vae = pipeline.vae
        parts = (pipeline.unet, getattr(vae, "encoder", None), getattr(vae, "decoder", None))
        with (
            cancellable(parts[0], context.cancel),
            cancellable(parts[1], context.cancel),
            cancellable(parts[2], context.cancel),
        ):
            if sees_pixels(loaded):
                noise = self._picture_noise[..., rows, columns]
                arguments |= self._seen_pixels(pipeline, pixels, noise)
            else:
                latent = encode_image(loaded, Image(pixels.copy()), context)
                arguments["image"] = self._placed(latent.tensor())
            latents = pipeline(**arguments)[0].float().cpu()
            decoded = decode_one(loaded, latents, context)
        return ((decoded[0] + 1) / 2).permute(1, 2, 0).to(torch.float32).numpy()

    def _seen_pixels(self, pipeline: Any, pixels: Array, noise: torch.Tensor) -> dict[str, Any]:
        """The small picture as an argument; the noise it gets is cut out of the field."""
        import torch

        scheduler = copy.copy(pipeline.low_res_scheduler)
        original = scheduler.add_noise

        def add_noise(image: torch.Tensor, _drawn: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
            noisy: torch.Tensor = original(image, noise.to(image), level)
            return noisy

        scheduler.add_noise = add_noise
        # Past the pipeline's own __setattr__, which is for components.
        vars(pipeline)["low_res_scheduler"] = scheduler
        image = torch.tensor(pixels.transpose(2, 0, 1)[None])
        return {"image": image, "noise_level": self._noise_level}

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._loaded.device, self._loaded.dtype)

    def _watch(self, scheduler: Any, generator: list[torch.Generator]) -> None:
        """Poll cancel, and report, at every step; these pipelines have no callback that can stop them."""
        original = scheduler.step
        takes_generator = "generator" in inspect.signature(original).parameters
        order = int(getattr(scheduler, "order", 1))
        evaluation = 0

        @functools.wraps(original)
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal evaluation
            self._context.cancel.check()
            if takes_generator and kwargs.get("generator") is None:
                kwargs["generator"] = generator
            result = original(*args, **kwargs)
            evaluation += 1
            done = min(math.ceil(evaluation / order), self._steps)
            if done < self._steps:  # the last one is reported with its picture
                at = min(self._pieces, self._total - 1) * self._steps + done
                self._told = max(self._told, at)  # a piece cut smaller begins its steps anew
                self._context.progress(self._told, self._total * self._steps, phase="denoising")
            return result

        scheduler.step = step


def _multiple(loaded: LoadedDiffusion, cell: int) -> int:
    """What a piece's sides are multiples of, in cells: halved by the U-Net, and encoded by the VAE."""
    halvings = len(loaded.pipeline.unet.config.block_out_channels) - 1
    needed = size_multiple(loaded)
    return math.lcm(int(2**halvings), needed // math.gcd(needed, cell))


def _native(loaded: LoadedDiffusion) -> int:
    """The side of latents the denoiser was trained at, in cells."""
    side = getattr(loaded.pipeline.unet.config, "sample_size", None)
    return side if isinstance(side, int) else _SAMPLE


def _embeds(
    loaded: LoadedDiffusion, prompt: str, negative: str, guidance_scale: float, context: Context
) -> dict[str, Any]:
    """Both prompts as arguments of the pipeline's call, the negative one only where it is used."""
    context.progress(0, 1, phase="encoding")
    texts = {"": prompt, "negative_": negative} if guidance_scale > 1 else {"": prompt}
    return {
        prefix + name: tensor.to(loaded.device, loaded.dtype)
        for prefix, text in texts.items()
        for name, tensor in encode(loaded, text, 1, context).tensors().items()
    }
