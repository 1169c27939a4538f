"""Drawing, writing and enlarging."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class SamplerUnavailable(DiptychError):
    what = "The sampler {sampler} can't be used with {model}."
    why = "{reason}"
    remedy = "Choose another sampler; “model default” always works."


class ScheduleUnavailable(DiptychError):
    what = "The schedule {schedule} can't be used with the sampler {sampler}."
    why = "{reason}"
    remedy = "Choose another schedule; “model default” always works."


class SizeUnsuitable(DiptychError):
    what = "{width} × {height} can't be drawn by this model."
    why = "Sides must be multiples of {multiple} px."
    remedy = "The nearest that works is {nearest_width} × {nearest_height}."


class ShapeUnsuitable(DiptychError):
    what = "{width} × {height} px is too long and narrow to be drawn."
    why = "One side is more than {limit} times the other; in such a strip a model sees nothing of a picture."
    remedy = "Crop it, or extend it on its longer sides."


class DecodeFailed(DiptychError):
    what = "The picture could not be decoded: it holds values that are no numbers."
    why = "The model overflowed in {dtype}, and again in full precision."
    remedy = "Choose another precision or sampler."


class EncodeFailed(DiptychError):
    what = "The picture could not be encoded: the model made values of it that are no numbers."
    why = "The model overflowed in {dtype}, and again in full precision."
    remedy = "Choose another precision, or another model."


class PromptTooLong(DiptychError):
    """A warning, not a failure."""

    what = "The prompt is longer than the model reads: {used} of {total} tokens are used."
    remedy = "Shorten it, or put what matters first. The rest begins at “{rest}”."


class ContextTooLong(DiptychError):
    what = "The text is too long for {model}: {used} tokens, it reads {limit}."
    remedy = "Shorten it, or ask for fewer new tokens."


class ChatTemplateFailed(DiptychError):
    what = "The chat template of {model} can't be used."
    why = "{reason}"
    remedy = "Choose another model, or get a newer copy of this one."


class LogitsNotFinite(DiptychError):
    what = "The text model stopped: its output holds values that are no numbers."
    why = "The model overflowed in {dtype}."
    remedy = "Choose another precision for it."


class SettingIgnored(DiptychError):
    """A warning, not a failure."""

    what = "{setting} has no effect with {model}."
    why = "{reason}"
    remedy = "Nothing needs to be done; set it back to its default to stop this notice."


class ConditioningUnsuitable(DiptychError):
    what = "This conditioning was encoded for another kind of model than {model}."
    why = "It is {found} numbers wide; this model takes {expected}."
    remedy = "Encode the prompt with the model that draws."


class CanvasEmpty(DiptychError):
    what = "The canvas is empty."
    why = "No picture or paint layer counts for generation, so there is nothing to start from."
    remedy = "Open the Canvas and put a picture on it, or let one of its layers count."


class ReferenceMissing(DiptychError):
    what = "{model} changes pictures, and was given none."
    why = "It was trained to follow an instruction on a picture that it looks at."
    remedy = "Connect a picture to “References”, or use it in “Image to image”, “Inpaint” or on the canvas."


class TooManyReferences(DiptychError):
    what = "{model} looks at no more than {most} references; it was given {count}."
    remedy = "Disconnect some of them, or join several into one picture."


class ControlPictureMissing(DiptychError):
    what = "{model} draws along a control picture, and was given none."
    why = "It was trained to see one, and shows nothing of use without it: {wanted}."
    remedy = "Add a control picture that shows that; it needs no control model."


class TooManyControlPictures(DiptychError):
    what = "{model} sees one control picture itself; it was given {count}."
    remedy = "Leave one of them without a control model, and remove the others or give each a ControlNet."


class LayerUnsuitable(DiptychError):
    what = "The {kind} layer “{layer}” can't be used with {model}."
    why = "{reason}"
    remedy = "Choose another model, or leave the layer out."


class LayerIgnored(DiptychError):
    """A warning, not a failure."""

    what = "The {kind} layer “{layer}” changes nothing."
    why = "{reason}"
    remedy = "{hint}"


class ControlModelNotChosen(DiptychError):
    what = "The control layer “{layer}” has no control model."
    why = "{reason}"
    remedy = "Connect one control model for all control layers, or one for each; or leave the layer out."


class ControlModelUnsuitable(DiptychError):
    what = "The control model {control} doesn't fit {model}."
    why = "{reason}"
    remedy = "Choose a control model made for the family of the model that draws."


class MaskEmpty(DiptychError):
    what = "Nothing is selected."
    why = "The mask is 0 everywhere, so there is nothing to repaint."
    remedy = "Paint over what should change, or redraw the whole image instead."


class NothingToRemove(MaskEmpty):
    why = "The mask is 0 everywhere, so there is nothing to remove."
    remedy = "Paint over what should go."


class MaskCoversAll(DiptychError):
    what = "The whole image is selected."
    why = "What is removed is filled with what is round it, and nothing is left of that."
    remedy = "Leave some of the image unpainted, or redraw the whole image instead."


class MaskSizeDiffers(DiptychError):
    what = "The image is {width} × {height} px, the mask {other_width} × {other_height} px."
    why = "A mask says for each pixel whether it may change, so both must have the same size."
    remedy = "Resize or crop one of them, or paint the mask again on this image."
