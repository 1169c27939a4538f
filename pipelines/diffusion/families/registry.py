"""The family of a pipeline, by the name of its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.diffusion.families.base import PipelineFamily
from pipelines.diffusion.families.flux import Chroma
from pipelines.diffusion.families.flux2 import Flux2, Flux2Klein
from pipelines.diffusion.families.following import Depth, FluxControl, sees_depth
from pipelines.diffusion.families.hidream import HiDream
from pipelines.diffusion.families.kandinsky5 import Kandinsky5
from pipelines.diffusion.families.kandinsky5_edit import Kandinsky5Edit
from pipelines.diffusion.families.kontext import Kontext
from pipelines.diffusion.families.lumina import Lumina2
from pipelines.diffusion.families.pix2pix import Pix2Pix, sees_picture
from pipelines.diffusion.families.pixart import PixArt
from pipelines.diffusion.families.qwen_edit import QwenImageEdit, QwenImageEditPlus
from pipelines.diffusion.families.qwen_image import Krea2, QwenImage
from pipelines.diffusion.families.refiner import Refiner, refines
from pipelines.diffusion.families.sana import Sana, SanaSprint
from pipelines.diffusion.families.z_image import ZImage

_ANY: Final = PipelineFamily()
_DEPTH: Final = Depth()
_PIX2PIX: Final = Pix2Pix()
_REFINER: Final = Refiner()
_FAMILIES: Final[Mapping[str, PipelineFamily]] = {
    "ChromaPipeline": Chroma(),
    "Flux2KleinPipeline": Flux2Klein(),
    "Flux2Pipeline": Flux2(),
    "FluxControlPipeline": FluxControl(),
    "FluxKontextPipeline": Kontext(),
    "HiDreamImagePipeline": HiDream(),
    "Kandinsky5I2IPipeline": Kandinsky5Edit(),
    "Kandinsky5T2IPipeline": Kandinsky5(),
    "Krea2Pipeline": Krea2(),
    "Lumina2Pipeline": Lumina2(),
    "PixArtAlphaPipeline": PixArt(),
    "PixArtSigmaPipeline": PixArt(),
    "QwenImageEditPipeline": QwenImageEdit(),
    "QwenImageEditPlusPipeline": QwenImageEditPlus(),
    "QwenImagePipeline": QwenImage(),
    "SanaPipeline": Sana(),
    "SanaSprintPipeline": SanaSprint(),
    "ZImagePipeline": ZImage(),
}
"""Families with something of their own; the signatures of the others (Stable Diffusion 1 to 3, FLUX.1,
AuraFlow) tell all that differs."""


def family_of(pipeline: Any) -> PipelineFamily:
    """What is to be known of ``pipeline``, by its class or the nearest it was made from."""
    for kind in type(pipeline).__mro__:
        if (found := _FAMILIES.get(kind.__name__)) is not None:
            return found
    if refines(pipeline):
        return _REFINER
    if sees_depth(pipeline):
        return _DEPTH
    return _PIX2PIX if sees_picture(pipeline) else _ANY
