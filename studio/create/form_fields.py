"""The fields of the Create form: one table of what each is called and what it does, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FieldText:
    """A label and one plain sentence, as source texts."""

    label: str
    sentence: str


TEXTS: Final[dict[str, FieldText]] = {
    "prompt": FieldText("Prompt", "What the picture shows."),
    "negative": FieldText("Negative prompt", "What the picture should not show."),
    "idea": FieldText("Idea", "A few words; the text model makes a prompt of them."),
    "system": FieldText("Instruction", "How the text model should write the prompt."),
    "model": FieldText("Model", "Which model draws the picture."),
    "shape": FieldText("Shape", "Square, landscape or portrait, in sizes the model draws well."),
    "quality": FieldText("Quality", "More steps take longer and draw finer."),
    "batch": FieldText("Count", "How many pictures are drawn, each with its own seed."),
    "seed": FieldText("Seed — where it starts", "The same seed and settings draw the same picture again."),
    "width": FieldText("Width", "Width of the picture the model draws, before it is enlarged."),
    "height": FieldText("Height", "Height of the picture the model draws, before it is enlarged."),
    "sizes": FieldText(
        "Size beyond the model",
        "Auto reduces what is small and draws what is large in two passes; exact draws it as it is.",
    ),
    "detail": FieldText(
        "Detail — in the second pass",
        "How much may change there: a little sharpens, more draws other things.",
    ),
    "steps": FieldText("Steps", "In how many steps the noise is removed."),
    "guidance_scale": FieldText("Guidance scale", "How strictly the picture follows the prompt."),
    "guidance_rescale": FieldText(
        "Guidance rescale", "Takes back the glare that strong guidance brings; 0 leaves it."
    ),
    "sampler": FieldText("Sampler — how noise is removed", "Different recipes give different detail."),
    "schedule": FieldText("Schedule — how noise falls", "How the steps are spread from noise to picture."),
}
MORE: Final = ("width", "height", "sizes", "detail", "steps", "guidance_scale", "guidance_rescale", "sampler",
               "schedule")  # fmt: skip
"""Behind “More”, in this order; what else the graph exposes follows."""
FRONT: Final = ("prompt", "negative", "model", "batch", "seed")
MAIN: Final = (("prompt", "a prompt"), ("model", "a model"), ("width", "a size"), ("steps", "steps"),
               ("seed", "a seed"), ("batch", "a count"))  # fmt: skip
"""What one expects to find here: if a graph lacks it, a sentence says so."""
