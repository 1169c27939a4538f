"""What is said of a pipeline that can be opened, and the classes that many are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEDULERS: Final = frozenset(
    {
        "DDIMScheduler", "DDPMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler",
        "DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler", "EDMDPMSolverMultistepScheduler",
        "EDMEulerScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "LMSDiscreteScheduler",
        "PNDMScheduler", "TCDScheduler", "UniPCMultistepScheduler",
    }
)  # fmt: skip
FLOW_SCHEDULERS: Final = frozenset(
    {
        "DPMSolverMultistepScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler", "UniPCMultistepScheduler",
    }
)  # fmt: skip
COMMON: Final = frozenset(
    {
        "AutoencoderKL", "AutoencoderTiny", "BertModel", "CLIPTextModel", "CLIPTextModelWithProjection",
        "CLIPTokenizer", "CLIPTokenizerFast", "BertTokenizer", "BertTokenizerFast", "CLIPImageProcessor",
        "CLIPFeatureExtractor", "CLIPVisionModelWithProjection", "StableDiffusionSafetyChecker",
    }
)  # fmt: skip
T5: Final = frozenset({"T5EncoderModel", "T5Tokenizer", "T5TokenizerFast"})
GEMMA: Final = frozenset({"Gemma2Model", "GemmaTokenizer", "GemmaTokenizerFast"})


@dataclass(frozen=True, slots=True)
class PipelineClass:
    """A pipeline that can be opened.

    ``opened_as`` is the class of diffusers that runs it: a folder made for image-to-image holds the same
    parts, and the plain pipeline serves every use. ``networks`` must have weights, the denoiser comes first.
    ``components`` are the classes its parts may have. ``optional`` are parts it works without, whose folders
    may be left away; ``apart`` are parts that are opened as models of their own, when they are needed.
    """

    opened_as: str
    networks: tuple[str, ...]
    components: frozenset[str]
    optional: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()

    @property
    def denoiser(self) -> str:
        """The name of the part that removes the noise."""
        return self.networks[0]
