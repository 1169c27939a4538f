"""LoRAs, their relatives, and textual inversions: how strong, from the prompt, and what doesn't fit."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class LoraBlocksUnreadable(DiptychError):
    what = "The block weights of a LoRA can't be read."
    why = "“{token}” {reason}."
    remedy = "Write blocks with their weights, such as IN04=0.5, MID=0, OUT*=1 or 0-9=0.5, or a known list."


class PromptTagUnknown(DiptychError):
    """A warning: the picture is drawn without it. ``nearest`` are names that are there."""

    what = "{tag} in the prompt was left out: there is no such {kind}."
    why = "{nearest}"
    remedy = "Write the name as the list of models shows it."


class PromptTagAmbiguous(DiptychError):
    """A warning: the picture is drawn without it."""

    what = "{tag} in the prompt was left out: it could be more than one {kind}."
    why = "The name fits {names}."
    remedy = "Write more of the name, as the list of models shows it."


class PromptTagUnusable(DiptychError):
    """A warning: the picture is drawn without it."""

    what = "{tag} in the prompt was left out."
    why = "{reason}"
    remedy = "Take it out of the prompt, or correct it."


class LoraInNegativePrompt(DiptychError):
    """A warning: the picture is drawn without it."""

    what = "{tag} in the negative prompt was left out."
    why = "A LoRA changes the whole picture, whichever prompt names it."
    remedy = "Write it into the prompt; with a strength below 0 it does the opposite."


class LoraInRegion(DiptychError):
    """A warning: the picture is drawn without it."""

    what = "{tag} in the prompt of a region was left out."
    why = "A LoRA changes the whole picture, and can't be kept to a part of it."
    remedy = "Write it into the prompt of the whole picture, or repaint that part with it on the canvas."


class EmbeddingUnsuitable(DiptychError):
    what = "The embedding {embedding} can't be used with the model {model}."
    why = "{reason}"
    remedy = "Choose an embedding made for this family of models, or another model."
