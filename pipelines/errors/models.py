"""Models, devices and memory."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class ModelMissing(DiptychError):
    what = "The model {model} is not on this computer."
    remedy = "Choose another model, or add the folder it is in."


class ModelUnreadable(DiptychError):
    what = "The model {model} can't be opened."
    why = "{reason}"
    remedy = "Download or copy it again."


class ModelUnsafe(DiptychError):
    what = "The model {model} was not opened, because it could run a program."
    why = "{reason}"
    remedy = "Get it from its makers again, as safetensors files without any of this."


class ModelPickled(ModelUnsafe):
    """``file`` is its path; the command can be pasted into any shell."""

    remedy = (
        'The command diptych models convert "{file}" writes safetensors beside it and runs nothing of it.'
    )


class ConversionRefused(DiptychError):
    what = "The model {model} was not converted."
    why = "{reason}"
    remedy = "Nothing in it was run and nothing was written. Use a safetensors version of it."


class ConversionFailed(DiptychError):
    what = "The model {model} can't be converted."
    why = "{reason}"
    remedy = "Download or copy it again, or use a safetensors version of it."


class ConversionUnneeded(DiptychError):
    what = "The model {model} needs no conversion."
    why = "It is a safetensors file already, whatever its name."
    remedy = "Use it as it is; rename it if its name doesn't end in .safetensors."


class AlreadyConverted(DiptychError):
    what = "{path} is there already."
    why = "A file is never replaced by a conversion."
    remedy = "Use it, or move it away and convert again."


class ModelUnsuitable(DiptychError):
    what = "The model {model} can't do this."
    why = "{reason}"
    remedy = "Choose a model made for {task}."


class UnknownModelFamily(DiptychError):
    what = "Diptych doesn't know what kind of model {model} is."
    why = "{reason}"
    remedy = "Choose a model of a family that Diptych knows, or a diffusers folder of this one."


class ModelPartMissing(DiptychError):
    """``parts`` names what is missing, ``folder`` is what the folder for such files is called, ``where`` they
    are published.
    """

    what = "The model {model} needs parts that are not on this computer."
    why = "Its file lacks: {parts}."
    remedy = (
        "Put files of these parts into the folder {folder}, or add the folder they are in; a diffusers "
        "folder of the same family brings them as well. They are published at {where}."
    )


class PartUnsuitable(DiptychError):
    what = "{part} can't be used with the model {model}."
    why = "{reason}"
    remedy = "Choose another one ({wanted}), or another model."


class StarterTextModelMissing(DiptychError):
    what = "The starter text model is not installed yet."
    remedy = "Run packaging/start.py once with a network connection, or choose a model of your own."


class ControlModelMissing(DiptychError):
    what = "There is no control model on this computer."
    why = "A control layer is read by a ControlNet made for the family of the model that draws."
    remedy = "Put one into the folder for control models, or add the folder it is in."


class LoraUnsuitable(DiptychError):
    what = "The LoRA {lora} can't be used with the model {model}."
    why = "{reason}"
    remedy = "Choose a LoRA made for {family}, or another model."


class LoraPartlyUsed(DiptychError):
    """A warning: the run goes on with what fits."""

    what = "A part of the LoRA {lora} was left out."
    why = "{missing} of the {total} layers it changes are not there in the model {model}."
    remedy = "If the result disappoints, choose a LoRA made for this very model."


class InpaintModelMissing(DiptychError):
    what = "There is no model for filling gaps on this computer."
    why = "Diptych opens LaMa models, as safetensors."
    remedy = "Put one into the folder for inpaint models, or choose another method."


class QuantizationUnavailable(DiptychError):
    what = "{quantization} can't be used here."
    why = "{reason}"
    remedy = "Choose another precision."


class OutOfMemory(DiptychError):
    what = "There is not enough memory on {device}."
    why = "{reason}"
    remedy = "Choose a smaller size, fewer images at a time, or a lower precision."


class MemoryRanOut(DiptychError):
    """A note at a run that went on: which rung of the ladder it took."""

    what = "Memory ran out on {device}; the run went on with less."
    why = "{done}"
    remedy = "A smaller size or a lower precision is faster here."


class ModelFormatUnsupported(DiptychError):
    what = "The model {model} is kept in a format that can't be used here."
    why = "{reason}"
    remedy = "Use a safetensors version of it."


class ModelChanged(DiptychError):
    """The file on the disk is another one than when the run began."""

    what = "The model {model} was replaced while it was about to be used."
    remedy = "Run again; the new file is used then."


class ModelThereAlready(DiptychError):
    what = "{name} is there already."
    why = "{path} has the same content, byte for byte."
    remedy = "Use that one; nothing was copied or moved."


class ModelNotRemoved(DiptychError):
    what = "The model {model} was not moved to the bin."
    why = "{reason}"
    remedy = "Delete it with the file manager."


class DeviceUnused(DiptychError):
    """A banner, not a failure: a graphics card is there, but the processor draws."""

    what = "{card} is not used; the processor does the work."
    why = "{reason}"
    remedy = "{hint}"
