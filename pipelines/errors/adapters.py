"""Adapters that let a model follow reference pictures, and models that look at pictures."""

from __future__ import annotations

from pipelines.errors.base import DiptychError


class AdapterMissing(DiptychError):
    what = "There is no adapter on this computer."
    why = "A reference is read by an adapter (IP-Adapter, Redux) made for the model that draws."
    remedy = "Put one into the folder for adapters, or add the folder it is in."


class VisionEncoderMissing(DiptychError):
    what = "The adapter {adapter} looks at pictures through another model, which is not on this computer."
    why = "It needs {encoder}."
    remedy = "Add the folder it is in; it is often called clip_vision or image_encoder."


class AdapterNotChosen(DiptychError):
    what = "The reference “{layer}” has no adapter."
    why = "{reason}"
    remedy = "Connect one adapter for all references, or one for each; or choose a model that edits."


class AdapterUnsuitable(DiptychError):
    what = "The adapter {adapter} doesn't fit {model}."
    why = "{reason}"
    remedy = "Choose an adapter made for the family of the model that draws."


class DepthModelMissing(DiptychError):
    what = "There is no depth model on this computer."
    why = "Depth and normals are found by Depth Anything or DPT, in the folder form of transformers."
    remedy = "Add the folder it is in, or choose a method that needs no model."


class PoseModelMissing(DiptychError):
    what = "There is no pose model on this computer."
    why = "Poses are found by ViTPose, in the folder form of transformers."
    remedy = "Add the folder it is in, or draw or open the pose yourself."


class NobodyFound(DiptychError):
    what = "Nobody was found in the picture."
    why = "No person and no joint of one is as sure as the confidence asks for."
    remedy = "Lower the confidence, or take a picture that shows people larger."
